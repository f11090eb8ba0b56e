"""The node's end of a cluster: a process of Ray trains what it is sent, where the driver's files are seen or not."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from medauc.data import Dataset, load_dataset, parse_name
from medauc.data.load import is_path
from medauc.data.phantom import PHANTOM_DIMS
from medauc.data.shards import is_url
from medauc.errors import InputError
from medauc.training.claim import claimed
from medauc.training.cluster.freight import Answer, Lack, Order, marker, pack, unpack, versions
from medauc.training.run_folder import RunFolder
from medauc.training.scratch import make_scratch
from medauc.training.unit import Outcome, Unit
from medauc.training.worker import log_of, run_logged

_ENDING = 30.0  # seconds that the processes of a lost node may need to end


def train_on_node(order: Order, data: Dataset | None) -> Answer:
    """Train one unit in this process.

    Args:
        order: what to train.
        data: the data set, read by the driver; None where the node is to read it.

    Returns:
        The outcome, or what this node lacks.
    """
    different = _differences(order)
    if different:
        return Answer(Outcome(order.unit, different))
    _prepare_process(order)
    shared = _sees_files_of(order)
    lacks = _lacks(order, data, shared)
    if lacks:
        return Answer(lacks=lacks)
    load = load_dataset if data is None else lambda *arguments, **options: data
    if not shared:
        return _train_apart(order, load)
    if order.again:
        _await_claim(order.unit.folder)
    return Answer(run_logged(order.unit, load))


def _differences(order: Order) -> str:
    """In words, why this node would train something else; empty where it would not."""
    own = versions()
    found = [
        f"{name} {own[name]} (the driver: {other})"
        for name, other in order.versions.items()
        if own[name] != other
    ]
    return f"a node of the cluster has {', '.join(found)}; install the same versions on all" if found else ""


def _prepare_process(order: Order) -> None:
    """Threads, GPU and working directory as a local worker has them; before torch is imported."""
    os.environ.update(OMP_NUM_THREADS=str(order.threads), MKL_NUM_THREADS=str(order.threads))
    if not order.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what Ray did not set aside belongs to others
    if order.here.is_dir():
        os.chdir(order.here)
    import torch

    import medauc.training.fit  # noqa: F401  so that the first unit's seconds are its own

    torch.set_num_threads(order.threads)


def _sees_files_of(order: Order) -> bool:
    try:
        return marker(order.unit.folder).read_text() == order.token
    except OSError:
        return False


def _lacks(order: Order, data: Dataset | None, shared: bool) -> frozenset[Lack]:
    lacks: set[Lack] = set()
    if data is None and not _reads_itself(order.unit):
        lacks.add("data")
    if not shared and order.files is None:
        lacks.add("files")
    return frozenset(lacks)


def _reads_itself(unit: Unit) -> bool:
    """Whether each process here should read the unit's data: own files that are here, which are memory-mapped then.

    Of an ``.npz`` file or a set of the catalog every process would hold a copy, while all processes of a node map what
    the driver sends; phantoms are made where they are needed, and addresses are there for everybody.
    """
    if is_url(unit.dataset):
        return True
    if is_path(unit.dataset):
        return not unit.dataset.lower().endswith(".npz") and Path(unit.dataset).expanduser().exists()
    return parse_name(unit.dataset, unit.recipe.data.size)[0] in PHANTOM_DIMS


def _await_claim(folder: Path) -> None:
    """Let the process end that began this run: it outlives its node's daemon by some seconds."""
    until = time.monotonic() + _ENDING
    while time.monotonic() < until:
        try:
            with claimed(folder):
                return
        except InputError:
            time.sleep(0.5)


def _train_apart(order: Order, load: Callable[..., Dataset]) -> Answer:
    """Train in a folder of this node's own, and send it all back."""
    own = make_scratch()
    try:
        folder = own / order.unit.folder.name
        if order.files:
            unpack(order.files, folder)
        unit = replace(order.unit, folder=folder)
        outcome = run_logged(unit, load)
        log = log_of(folder)
        error = None if outcome.error is None else outcome.error.replace(str(folder), str(order.unit.folder))
        return Answer(
            replace(outcome, unit=order.unit, error=error),
            files=pack(folder) if RunFolder(folder).recipe.exists() else {},
            log=log.read_bytes() if log.exists() else b"",
        )
    finally:
        shutil.rmtree(own, ignore_errors=True)
