"""What all pages share: a drawn figure, safe JSON inside HTML, the template environment, plotly.js."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medauc.evaluation.comparison_text import p_text
from medauc.report.plots import Spec
from medauc.report.words import map_text


@dataclass(frozen=True)
class Plot:
    """One drawn figure: its heading, what it shows in words, and its plotly.js specification."""

    title: str
    description: str
    spec: Spec

    @property
    def json(self) -> Markup:
        """The specification, safe inside a script element."""
        return safe_json(self.spec)


def safe_json(value: Any) -> Markup:
    r"""JSON that can stand inside a script element, whatever text it holds.

    >>> safe_json({"name": "</script>"})
    Markup('{"name":"\\u003c/script\\u003e"}')
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def asset(name: str) -> Markup:
    """A file beside this one, to stand in the page as it is."""
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))


@cache
def environment() -> Environment:
    """Jinja2 with escaping of everything from outside."""
    made = Environment(
        loader=PackageLoader("medauc.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = lambda share: f"{100 * share:.1f}%"
    made.filters |= {"map_text": map_text, "p_text": p_text}
    return made


@cache
def plotly_script() -> Markup:
    """The plotly.js that the page carries."""
    from plotly.offline import get_plotlyjs  # slow to import

    return Markup(str(get_plotlyjs()))
