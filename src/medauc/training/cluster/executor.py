"""An executor on a Ray cluster: units become tasks, those of a node that died are begun again elsewhere."""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medauc.errors import InputError
from medauc.files import write_bytes_atomically, write_text_atomically
from medauc.printing import say
from medauc.training.cluster.connection import connect, last_line
from medauc.training.cluster.freight import (
    Answer,
    Order,
    data_key,
    marker,
    pack,
    portable_data,
    unpack,
    versions,
)
from medauc.training.cluster.node import train_on_node
from medauc.training.deaths import KILLED, OUT_OF_MEMORY, after_death, goes_on_elsewhere
from medauc.training.pool import Pool
from medauc.training.run_folder import RunFolder
from medauc.training.unit import Outcome, Unit
from medauc.training.worker import log_of

_LOOK_AGAIN = 5.0  # seconds after which nodes that joined are given work
_CANCELLING = 10.0  # seconds that stopped tasks have to end
_LATE_FILES = 60.0  # seconds after which a network file system shows what another machine wrote
_LOST_NODES = 4  # one unit that loses more of them is their ruin


def _tell(line: str) -> None:
    say(line, err=True)


class RayExecutor(Pool):
    """Trains on the nodes of a Ray cluster that runs already (``ray start``); this machine is one of them.

    Every training takes ``threads`` cores of a node, and ``gpus`` of its GPUs. Nodes that see the run folder's file
    system write there; others send the finished folder back, and get data that they have not. When a node dies, its
    trainings are begun again elsewhere, from the last checkpoint where the file system is shared.

    Args:
        address: ``HOST:PORT`` of the head, or "auto" for the cluster that this machine is in.
        jobs: most trainings at a time; None takes as many as the cluster has room for.
        threads: cores, and threads, of each training.
        gpus: GPUs of each training, a fraction where several share one; None is 1 where the cluster has any, else 0.
        tell: is given a line when a node is lost.

    Raises:
        InputError: Ray is not installed, the cluster does not answer, or none of its nodes has room for a training.
        ValueError: ``jobs`` or ``threads`` is below 1, or ``gpus`` below 0.
    """

    def __init__(
        self,
        address: str = "auto",
        jobs: int | None = None,
        threads: int = 1,
        gpus: float | None = None,
        tell: Callable[[str], None] = _tell,
    ) -> None:
        if (jobs is not None and jobs < 1) or threads < 1 or (gpus is not None and gpus < 0):
            raise ValueError(
                f"an executor needs 1 or more jobs and threads, got {jobs}, {threads}, GPUs {gpus}"
            )
        super().__init__()
        self._ray, self._is_ours = connect(address)
        has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        self.threads = threads
        self.gpus = float(has_gpus) if gpus is None else gpus
        self._limit, self._tell = jobs, tell
        self._data: dict[str, Any] = {}  # what nodes lacked, in the cluster's object store
        self._told: set[str] = set()
        self._remote = self._ray.remote(
            num_cpus=threads,
            num_gpus=self.gpus,
            max_retries=0,
            retry_exceptions=False,
            max_calls=1,  # Ray cannot end a process for its answer, and one refused memory must train no more
        )(train_on_node)
        if not self._places():
            self.close()
            raise InputError(f"--executor ray://{address}: no node of the cluster has {self._room}")

    @property
    def jobs(self) -> int:
        """Trainings that the cluster now has room for, and at least one, which waits for a node."""
        places = max(1, self._places())
        return places if self._limit is None else min(places, self._limit)

    def close(self) -> None:
        """Stop what runs and leave the cluster, which stays."""
        self.stop()
        self._data.clear()
        if self._is_ours:
            self._ray.shutdown()

    def begin(self, unit: Unit) -> None:
        """Send a unit to a node."""
        self._start(_Task(unit))

    def wait(self) -> Iterable[Any]:
        """Tasks that have ended; none after a while, since nodes may have joined."""
        ready, _ = self._ray.wait(list(self.busy), timeout=_LOOK_AGAIN)
        return list(ready)

    @property
    def _room(self) -> str:
        gpus = f" and {self.gpus:g} GPUs" if self.gpus else ""
        return f"{self.threads} cores{gpus} for a training"

    def _places(self) -> int:
        """How many trainings fit on the nodes that are alive."""
        found = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(
            int(min(has.get("CPU", 0) // self.threads, has.get("GPU", 0) // self.gpus if self.gpus else 1e9))
            for has in found
        )

    def fill(self, waiting: Iterator[Unit]) -> bool:
        """Send units until all places are taken; tell whether anything runs, and once where nothing can."""
        runs = super().fill(waiting)
        if runs and not self._places():
            self._say_once(f"no node of the cluster has {self._room}; waiting for one (Ctrl-C stops)")
        return runs

    def _start(self, task: "_Task") -> None:
        folder = task.unit.folder.absolute()
        token = secrets.token_hex(8)
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(marker(folder), token)
        order = Order(
            unit=replace(task.unit, folder=folder),
            here=Path.cwd(),
            token=token,
            threads=self.threads,
            gpu=self.gpus > 0,
            again=task.attempt + task.lost > 1,
            files=pack(folder) if task.sends_files else None,
            versions=versions(),
        )
        reference = self._remote.remote(order, self._data.get(data_key(task.unit)))
        self.busy[reference] = task

    def collect(self, reference: Any) -> Outcome | None:
        """Take a node's answer; None while the unit is tried again."""
        task = self.busy.pop(reference)
        errors = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(reference)
        except errors.NodeDiedError as error:
            return self._after_lost_node(task, str(error))
        except errors.OutOfMemoryError:
            return self._after_death(task, OUT_OF_MEMORY)
        except errors.WorkerCrashedError:
            return self._after_death(task, KILLED)
        except errors.RayError as error:
            return self._end(task, Outcome(task.unit, last_line(error), str(error)))
        return self._take(task, answer)

    def _take(self, task: "_Task", answer: Answer) -> Outcome | None:
        if answer.outcome is None:
            return self._send_what_lacks(task, answer)
        outcome = replace(answer.outcome, unit=task.unit)
        folder = task.unit.folder
        if answer.files is None:
            if outcome.error is None and not outcome.given_up:
                _await(RunFolder(folder).evaluation)
        else:
            unpack(answer.files, folder)
            if answer.log:
                write_bytes_atomically(log_of(folder), answer.log)
        if goes_on_elsewhere(outcome, task.attempt):
            self._start(replace(task, attempt=task.attempt + 1))
            return None
        return self._end(task, outcome)

    def _send_what_lacks(self, task: "_Task", answer: Answer) -> Outcome | None:
        key = data_key(task.unit)
        try:
            if "data" in answer.lacks and key not in self._data:
                self._data[key] = self._ray.put(portable_data(task.unit))
        except InputError as error:
            return self._end(task, Outcome(task.unit, str(error)))
        self._start(replace(task, sends_files=task.sends_files or "files" in answer.lacks))
        return None

    def _after_lost_node(self, task: "_Task", message: str) -> Outcome | None:
        """No fault of the unit's, unless it happens to it again and again."""
        found = re.search(r"Node IP: ([^,\s]+), node ID: (\w+)", message)
        name = f"node {found[1]}" if found else "a node"
        self._say_once(
            f"{name} of the cluster is lost; what it trained goes on elsewhere", found[2] if found else ""
        )
        if task.lost + 1 >= _LOST_NODES:
            return self._end(task, Outcome(task.unit, f"{_LOST_NODES} nodes were lost while they trained it"))
        self._start(replace(task, lost=task.lost + 1))
        return None

    def _after_death(self, task: "_Task", cause: str) -> Outcome | None:
        given_up = after_death(task.unit, task.attempt, cause)
        if given_up is not None:
            return self._end(task, given_up)
        self._start(replace(task, attempt=task.attempt + 1))
        return None

    def _end(self, task: "_Task", outcome: Outcome) -> Outcome:
        marker(task.unit.folder).unlink(missing_ok=True)
        return outcome

    def _say_once(self, line: str, key: str = "") -> None:
        if (key or line) not in self._told:
            self._told.add(key or line)
            self._tell(line)

    def stop(self) -> None:
        """Kill what runs: every run resumes from its last epoch, where its folder can be seen."""
        for reference, task in self.busy.items():
            self._ray.cancel(reference, force=True)
            marker(task.unit.folder).unlink(missing_ok=True)
        if self.busy:
            self._ray.wait(list(self.busy), num_returns=len(self.busy), timeout=_CANCELLING)
        self.busy = {}


@dataclass(frozen=True)
class _Task:
    """What the cluster is at.

    Attributes:
        unit: what is trained.
        attempt: the how manieth try, deaths of nodes not counted.
        lost: nodes that died under it.
        sends_files: whether a node asked for the files of the unfinished run.
    """

    unit: Unit
    attempt: int = 1
    lost: int = 0
    sends_files: bool = False


def _await(path: Path) -> None:
    """Wait until a file that another machine wrote is seen here."""
    until = time.monotonic() + _LATE_FILES
    while not path.exists() and time.monotonic() < until:
        os.scandir(path.parent).close()  # makes a network file system ask again
        time.sleep(0.2)
