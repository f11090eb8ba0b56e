"""The driver's rules, with a cluster whose nodes answer by a script: what is tried again, sent, told and given up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medauc.data import load_dataset
from medauc.errors import InputError
from medauc.training.cluster import executor as cluster_executor
from medauc.training.cluster.executor import RayExecutor
from medauc.training.cluster.freight import Answer, Order, marker, pack
from medauc.training.run_folder import Provenance, RunFolder
from medauc.training.unit import Outcome, Unit

Node = Callable[[Order, Any], Answer]


class NodeDiedError(Exception):
    """Ray's name and words."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The node is dead. Node IP: {address}, node ID: {address.replace('.', 'f')}. It was lost."
        )


class ScriptedCluster:
    """What the executor asks of the module ``ray``."""

    exceptions = SimpleNamespace(
        RayError=OSError,
        NodeDiedError=NodeDiedError,
        WorkerCrashedError=type("WorkerCrashedError", (Exception,), {}),
        OutOfMemoryError=type("OutOfMemoryError", (Exception,), {}),
    )

    def __init__(self, node: Node, cores: tuple[int, ...] = (1, 1)) -> None:
        self.node, self.cores = node, cores
        self.orders: list[Order] = []
        self.cancelled: list[str] = []
        self.stored: list[object] = []
        self.options: dict[str, object] = {}

    def remote(self, **options: object) -> Callable[[object], object]:
        def start(order: Order, data: object) -> str:
            self.orders.append(order)
            self._data = {**getattr(self, "_data", {}), len(self.orders) - 1: data}
            return f"task {len(self.orders) - 1}"

        self.options = options
        return lambda function: SimpleNamespace(remote=start)

    def get(self, reference: str) -> Answer:
        number = int(reference.split()[1])
        return self.node(self.orders[number], self._data[number])

    def put(self, content: object) -> object:
        self.stored.append(content)
        return content

    def nodes(self) -> list[dict[str, object]]:
        return [{"Alive": True, "Resources": {"CPU": float(cores)}} for cores in self.cores]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(sum(self.cores))}

    def wait(self, references: list[str], **options: object) -> tuple[list[str], list[str]]:
        return references[:1], references[1:]

    def cancel(self, reference: str, force: bool) -> None:
        self.cancelled.append(reference)

    def shutdown(self) -> None:
        self.cores = ()


def done(order: Order, data: object = None) -> Answer:
    return Answer(Outcome(order.unit), files={"evaluation.json": b"{}"})


@pytest.fixture
def start(monkeypatch) -> Callable[..., tuple[RayExecutor, ScriptedCluster, list[str]]]:
    def make(node: Node, cores: tuple[int, ...] = (1, 1), **options: Any) -> tuple[Any, Any, list[str]]:
        fake, told = ScriptedCluster(node, cores), []
        monkeypatch.setattr(cluster_executor, "connect", lambda address: (fake, True))
        return RayExecutor("auto", tell=told.append, **options), fake, told

    return make


@pytest.fixture
def units(tmp_path, tiny_recipe) -> list[Unit]:
    return [Unit(tmp_path / "out" / str(seed), "phantom2d", tiny_recipe, seed) for seed in range(4)]


def errors(executor: RayExecutor, units: list[Unit]) -> dict[str, str | None]:
    return {outcome.unit.folder.name: outcome.error for outcome in executor.run(units)}


def test_units_are_sent_when_there_is_room_and_come_back_as_they_were_given(start, units):
    executor, cluster, _ = start(done)
    given = iter(units)
    outcomes = executor.run(given)
    first = next(outcomes)
    assert first.unit is units[0], "callers know their units"
    assert len(cluster.orders) == 2, "no more than the cluster has room for"
    assert marker(units[1].folder).read_text() == cluster.orders[1].token
    outcomes.close()
    assert cluster.cancelled == ["task 1"]
    assert not list(units[0].folder.parent.glob(".*.here"))


def test_room_is_counted_in_whole_trainings_of_each_node(start, units):
    assert start(done, cores=(7, 3), threads=2)[0].jobs == 3 + 1
    assert start(done, cores=(7, 3), threads=2, jobs=3)[0].jobs == 3
    with pytest.raises(InputError, match="no node of the cluster has 8 cores for a training"):
        start(done, cores=(7, 3), threads=8)
    with pytest.raises(InputError, match="no node of the cluster has 1 cores and 1 GPUs"):
        start(done, gpus=1)


def test_a_lost_node_is_told_once_and_no_fault_of_its_units(start, units):
    lost: set[str] = set()

    def node(order: Order, data: object) -> Answer:
        name = order.unit.folder.name
        if name in "01" and name not in lost:
            lost.add(name)
            assert not order.again
            raise NodeDiedError("10.0.0.3")
        return done(order)

    executor, cluster, told = start(node)
    assert errors(executor, units) == dict.fromkeys("0123")
    assert told == ["node 10.0.0.3 of the cluster is lost; what it trained goes on elsewhere"]
    assert [order.unit.folder.name for order in cluster.orders if order.again] == ["0", "1"]


def test_a_unit_that_ruins_nodes_is_given_up(start, units):
    nodes = iter(range(9))

    def node(order: Order, data: object) -> Answer:
        if order.unit.folder.name == "0":
            raise NodeDiedError(f"10.0.0.{next(nodes)}")
        return done(order)

    executor, _, told = start(node)
    found = errors(executor, units)
    assert found.pop("0") == "4 nodes were lost while they trained it"
    assert set(found.values()) == {None}
    assert len(told) == 4


@pytest.mark.parametrize(
    ("name", "cause"),
    [("WorkerCrashedError", "killed; was there enough"), ("OutOfMemoryError", "out of memory")],
)
def test_a_dead_process_is_tried_twice(start, units, name, cause):
    def node(order: Order, data: object) -> Answer:
        raise getattr(ScriptedCluster.exceptions, name)

    executor, cluster, _ = start(node)
    error = errors(executor, units[:1])["0"] or ""
    assert "its process died 2 times" in error
    assert cause in error
    assert len(cluster.orders) == 2


@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_half_the_batch_is_tried_once_in_a_process_that_was_not_refused_memory(
    start, units, tmp_path, halved, shared
):
    data = load_dataset("phantom2d", 12, phantom=units[0].recipe.data.phantom)
    asked = {"sampling.batch_size": 16} if halved else None
    provenance = replace(Provenance.of(data, 0, "cpu"), asked=asked)

    def node(order: Order, data: object) -> Answer:
        folder = order.unit.folder if shared else tmp_path / "of the node"
        RunFolder(folder).create(order.unit.recipe, provenance)
        outcome = Outcome(order.unit, "out of memory", exhausted=True)
        return Answer(outcome, files=None if shared else pack(folder))

    executor, cluster, _ = start(node)
    assert cluster.options["max_calls"] == 1, "a process trains once"
    assert errors(executor, units[:1]) == {"0": "out of memory"}
    assert [order.again for order in cluster.orders] == ([False, True] if halved else [False])


def test_what_ray_complains_of_is_the_units_error(start, units):
    def node(order: Order, data: object) -> Answer:
        raise OSError("Traceback ...\n\nModuleNotFoundError: No module named 'medauc'\n")

    assert errors(start(node)[0], units[:1]) == {"0": "ModuleNotFoundError: No module named 'medauc'"}


def test_data_are_stored_once_for_all_units_and_files_sent_to_who_asks(start, units, tmp_path):
    (units[0].folder / "checkpoints").mkdir(parents=True)
    (units[0].folder / "checkpoints" / "last.ckpt").write_bytes(b"epoch 7")

    def node(order: Order, data: object) -> Answer:
        if data is None or order.files is None:
            return Answer(lacks=frozenset({"data"} if data is None else ()) | {"files"})
        return done(order)

    executor, cluster, _ = start(node)
    assert errors(executor, units) == dict.fromkeys("0123")
    (stored,) = cluster.stored
    assert stored.md5 == load_dataset("phantom2d", 12, phantom=units[0].recipe.data.phantom).md5
    assert {"checkpoints/last.ckpt": b"epoch 7"} in [order.files for order in cluster.orders]
    assert (units[3].folder / "evaluation.json").read_bytes() == b"{}"


def test_data_that_the_driver_cannot_read_either_fail_the_unit_alone(start, units):
    def node(order: Order, data: object) -> Answer:
        return done(order) if order.unit.seed else Answer(lacks=frozenset({"data"}))

    wrong = replace(units[0], dataset=str(Path("nowhere.npz")))
    found = errors(start(node)[0], [wrong, units[1]])
    assert "nowhere.npz" in (found["0"] or "")
    assert found["1"] is None


def test_when_all_nodes_are_lost_the_next_one_is_waited_for(start, units):
    def node(order: Order, data: object) -> Answer:
        cluster.cores = ()
        return done(order)

    executor, cluster, told = start(node)
    assert errors(executor, units) == dict.fromkeys("0123")
    assert told == ["no node of the cluster has 1 cores for a training; waiting for one (Ctrl-C stops)"]
