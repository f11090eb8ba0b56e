"""What starting weights were made from: written into their file by pretraining, read back by a training."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from medauc.errors import InputError

Method = Literal["joint", "self-supervised"]
_KEY = "medauc"  # of the file's metadata; its value is JSON


@dataclass(frozen=True)
class Source:
    """A data set whose training split was learned from.

    Attributes:
        dataset: its name.
        md5: of its file.
        size: longest side of its images.
        samples: number of training samples.
    """

    dataset: str
    md5: str
    size: int
    samples: int


@dataclass(frozen=True)
class Origin:
    """How weights were made.

    Attributes:
        method: "joint" (from labels) or "self-supervised".
        sources: the data sets, whose training splits alone were seen.
        seed: of all randomness.
        medauc: version of the package.
        recipe: the whole recipe as plain values.
    """

    method: Method
    sources: tuple[Source, ...]
    seed: int
    medauc: str
    recipe: dict[str, Any]

    def metadata(self) -> dict[str, str]:
        """As a safetensors file carries it."""
        return {_KEY: json.dumps(asdict(self), sort_keys=True)}


def read_origin(path: Path) -> Origin | None:
    """Read what a weights file was made from; None when it does not say (weights from elsewhere)."""
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
        values = None if text is None else json.loads(text)
        if values is None:
            return None
        return Origin(**{**values, "sources": tuple(Source(**source) for source in values["sources"])})
    except FileNotFoundError:
        raise InputError(f"there is no weights file {path}; check the path") from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read weights from {path} ({reason})") from None


def require_unseen(path: Path, dataset: str, md5: str) -> None:
    """Raise InputError when weights learned from the training split of a data set that is now split into folds.

    The samples that a fold holds out would have been seen then.
    """
    origin = read_origin(path)
    if origin is not None and any(source.md5 == md5 for source in origin.sources):
        raise InputError(
            f"model.weights {path} was pretrained on the training images of {dataset}, which folds hold out in turn: "
            "train without --folds, or pretrain on other data sets"
        )
