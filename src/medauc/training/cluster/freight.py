"""What travels between the driver of a cluster and a node: orders, answers, files of runs, data sets."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medauc.data import Dataset, load_dataset
from medauc.data.load import is_path
from medauc.data.shards import is_shards
from medauc.errors import InputError
from medauc.files import write_bytes_atomically
from medauc.training.plan import load_for
from medauc.training.run_folder import RunFolder
from medauc.training.unit import Outcome, Unit

Lack = Literal["data", "files"]


@dataclass(frozen=True)
class Order:
    """A unit on its way to a node.

    Attributes:
        unit: what to train, its folder an absolute path.
        here: the driver's working directory, to which the unit's other paths are relative.
        token: what the driver wrote into :func:`marker`; a node that reads it there shares the driver's files.
        threads: threads of the training.
        gpu: whether a GPU is set aside for it.
        again: whether a process that may still be ending has begun it before.
        files: the unfinished run that lies at the driver's, where the node asked for it.
        versions: those of the driver, which the node's must equal.
    """

    unit: Unit
    here: Path
    token: str
    threads: int
    gpu: bool
    again: bool
    files: Mapping[str, bytes] | None
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a node says to an order.

    Attributes:
        outcome: what became of the unit; None where the node lacks something to begin.
        lacks: what the driver is to send with the same order.
        files: the run folder, where the driver does not see the node's; None where it does.
        log: what the training printed, there.
    """

    outcome: Outcome | None = None
    lacks: frozenset[Lack] = frozenset()
    files: Mapping[str, bytes] | None = None
    log: bytes = b""


def marker(folder: Path) -> Path:
    """The file by which a node knows whether it sees the driver's files: beside the run folder."""
    return folder.with_name(f".{folder.name}.here")


def pack(folder: Path) -> dict[str, bytes]:
    """All files of a run folder by relative path, half-written ones left out; nothing where there is no folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of :func:`pack`, the evaluation last, since by it a run is finished.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> unpack({"evaluation.json": b"{}", "checkpoints/last.ckpt": b"weights"}, folder)
    >>> pack(folder)
    {'checkpoints/last.ckpt': b'weights', 'evaluation.json': b'{}'}
    """
    last = RunFolder(folder).evaluation.name
    for name in sorted(files, key=lambda name: (name == last, name)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, files[name])


def versions() -> dict[str, str]:
    """What must be equal for trainings to be equal; builds of PyTorch for a CPU and a GPU count as one.

    >>> sorted(versions())
    ['Python', 'medauc', 'torch']
    """
    return {
        "medauc": version("medauc"),
        "torch": version("torch").partition("+")[0],
        "Python": platform.python_version(),
    }


def data_key(unit: Unit) -> str:
    """Equal for units whose data are read from the same source in the same way."""
    read = (unit.dataset, unit.data_dir, unit.allow_modified, unit.hash_ids)
    return f"{read} {unit.recipe.data.model_dump_json()}"


def portable_data(unit: Unit) -> Dataset:
    """Read what ``load_dataset`` gives for a unit, its images as arrays that other machines can map.

    Raises:
        InputError: as :func:`medauc.data.load_dataset`, or the data lie in shards.
    """
    if is_path(unit.dataset) and is_shards(unit.dataset):
        raise InputError(
            f"{unit.dataset}: a node of the cluster does not see these shards; give a folder that all nodes see, or "
            "an address of a web server"
        )
    found: list[Dataset] = []

    def load(*arguments: Any, **options: Any) -> Dataset:
        found.append(load_dataset(*arguments, **options))
        return found[0]

    load_for(unit.dataset, unit.recipe, unit.data_dir, unit.allow_modified, unit.hash_ids, load=load)
    train, val, test = (replace(split, images=np.asarray(split.images)) for split in found[0])
    return replace(found[0], train=train, val=val, test=test)
