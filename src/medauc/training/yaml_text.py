"""Reading YAML that a person wrote: what cannot be meant is refused in one line."""

from pathlib import Path
from typing import Any

import yaml

from medauc.errors import InputError


class _Twice(yaml.YAMLError):
    """A key stands twice in one mapping, of which YAML's readers keep the last silently."""


class _Loader(yaml.SafeLoader):
    """PyYAML's, that refuses a key that stands twice."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if first := lines.get(key.value):
                where = f"in lines {first} and {line}" if first != line else f"in line {line}"
                raise _Twice(f"{key.value} stands twice, {where}; keep one")
            lines[key.value] = line
        return node


def parse_yaml(text: str) -> Any:
    r"""Plain values.

    Raises:
        yaml.YAMLError: not YAML, or a key stands twice in one mapping.

    >>> parse_yaml("{lr: 0.1, margin: 1.0}")
    {'lr': 0.1, 'margin': 1.0}
    >>> parse_yaml("lr: 0.1\nlr: 0.2")
    Traceback (most recent call last):
    medauc.training.yaml_text._Twice: lr stands twice, in lines 1 and 2; keep one
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def read_yaml(path: Path, what: str) -> Any:
    """Plain values of a file.

    Args:
        path: the file, in UTF-8.
        what: it is, for the error: "the recipe".

    Raises:
        InputError: it cannot be read, is not YAML, or has a key twice; one line with file, key and line.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read {what}: {error}") from None
    except _Twice as error:
        raise InputError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
