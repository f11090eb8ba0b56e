"""A real cluster of several nodes on this machine: what dies, what goes on, and equal results."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fixtures.ray_cluster import RayCluster
from medauc.data import PhantomSpec, load_dataset
from medauc.training.plan import resolve_recipe
from medauc.training.recipe import Recipe
from medauc.training.unit import Unit, run_unit

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="many loopback addresses and /proc"),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray"),  # not imported: it takes a second
]

MEDAUC = [sys.executable, "-m", "medauc"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with RayCluster() as made:
        made.start()
        made.start()
        yield made


def command(cluster: RayCluster, *arguments: object) -> list[str]:
    return [*MEDAUC, *map(str, arguments), "--executor", cluster.url, "--threads", "1"]


def wait_for(happened: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 600
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def epochs(folder: Path) -> int:
    metrics = folder / "metrics.csv"
    return len(metrics.read_text().splitlines()) - 1 if metrics.exists() else 0


def settings(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def left_by(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("predictions.csv", "checkpoints/best.safetensors")]


@pytest.fixture
def trained_here(tmp_path) -> Callable[[str, Recipe, int], list[bytes]]:
    """What a training in this process leaves, with one thread as on the nodes."""

    def train(dataset: str, recipe: Recipe, seed: int) -> list[bytes]:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        folder = tmp_path / "here" / str(seed)
        assert run_unit(Unit(folder, dataset, recipe, seed)).error is None
        torch.set_num_threads(threads)
        return left_by(folder)

    return train


@pytest.mark.slow
def test_a_node_killed_in_mid_run_loses_nothing(tmp_path, tiny_settings, trained_here):
    recipe = [*tiny_settings, "training.max_epochs=16", "data.phantom.n_train=60"]
    with RayCluster() as cluster:
        _, other = cluster.start(), cluster.start()
        grid = command(cluster, "benchmark", "phantom2d", "--seeds", 3, *settings(*recipe), "--out", "out")
        process = cluster.drive(grid, tmp_path)
        runs = tmp_path / "out" / "phantom2d_12"
        wait_for(lambda: any(2 < epochs(run) < 12 for run in cluster.trains(other).values()), process)
        (hurt,) = cluster.trains(other).values()
        finished = {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation.json")}
        safe = (
            (hurt / "metrics.csv").read_text().splitlines()[:-1]
        )  # the last epoch's checkpoint may be missing
        cluster.kill(other)
        assert not (hurt / "evaluation.json").exists()
        output, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    assert errors.count(f"node {other} of the cluster is lost; what it trained goes on elsewhere") == 1
    assert sum("test AUC 0." in line or "test AUC 1." in line for line in output.splitlines()) == 3
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in finished.items()), (
        "finished cells are kept"
    )
    kept = (hurt / "metrics.csv").read_text().splitlines()[: len(safe)]
    assert kept == safe, "seconds too: its epochs were not trained again"
    assert not list(tmp_path.rglob(".*.here"))
    expected = resolve_recipe("phantom2d", overrides=recipe).recipe
    for seed in (0, int(hurt.name[-1])):
        assert left_by(runs / f"default-seed{seed}") == trained_here("phantom2d", expected, seed)


def apart_from(folder: Path) -> tuple[str, ...]:
    """Starts a command that sees an empty folder in place of this one."""
    mount = f"mount -t tmpfs none '{folder}' && exec \"$@\""
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")


@pytest.mark.slow
def test_a_node_that_shares_no_files_gets_the_data_and_gives_the_run_back(
    tmp_path, tiny_settings, trained_here
):
    if subprocess.run([*apart_from(tmp_path), "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not make mount namespaces")
    spec = PhantomSpec(n_train=40, n_val=40, n_test=40, prevalence=0.3)
    splits = load_dataset("phantom2d", 12, phantom=spec).splits
    arrays = {f"{name}_images": split.images for name, split in splits.items()}
    np.savez(
        tmp_path / "own.npz", **arrays, **{f"{name}_labels": one.targets for name, one in splits.items()}
    )
    recipe = [setting for setting in tiny_settings if not setting.startswith("data.")]
    with RayCluster() as cluster:
        cluster.start(cores=0)
        apart = cluster.start(below=apart_from(tmp_path))
        grid = command(cluster, "benchmark", "own.npz", "--seeds", 2, *settings(*recipe), "--out", "out")
        process = cluster.drive(grid, tmp_path)
        own: list[Path] = []

        def trains_elsewhere() -> bool:
            own.extend(cluster.trains(apart).values())
            return bool(own) or process.poll() is not None

        wait_for(trains_elsewhere, process)
        output, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, (output, errors)
    assert not own[0].is_relative_to(tmp_path)
    assert not own[0].parent.exists(), "the node keeps nothing"
    expected = resolve_recipe(str(tmp_path / "own.npz"), overrides=recipe).recipe
    for seed in range(2):
        run = tmp_path / "out" / "own" / f"default-seed{seed}"
        assert left_by(run) == trained_here(str(tmp_path / "own.npz"), expected, seed)


@pytest.mark.slow
def test_ctrl_c_ends_what_the_nodes_train_and_the_same_command_goes_on(tmp_path, tiny_settings, cluster):
    long = [*tiny_settings, "training.max_epochs=400", "training.patience=null"]
    grid = command(cluster, "benchmark", "phantom2d", "--seeds", 2, *settings(*long), "--out", "out")
    process = cluster.drive(grid, tmp_path)
    wait_for(lambda: all(epochs(run) > 1 for run in running(cluster)) and len(running(cluster)) == 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "0 of 2 trainings are finished" in errors
    assert not running(cluster)
    assert not list(tmp_path.rglob(".*.here"))


def running(cluster: RayCluster) -> list[Path]:
    return [run for address in cluster.nodes for run in cluster.trains(address).values()]


DYING = """
import sys
from pathlib import Path
from fixtures.deadly import Deadly
from medauc.training.executor import open_executor
from medauc.training.plan import resolve_recipe
from medauc.training.unit import Unit

recipe = resolve_recipe("phantom2d", overrides=sys.argv[2:]).recipe
units = [
    Unit(Path("seed-once"), "phantom2d", recipe, part=Deadly(Path("once").absolute(), 1)),
    Unit(Path("seed-always"), "phantom2d", recipe, part=Deadly(Path("always").absolute(), 99)),
]
with open_executor(sys.argv[1], threads=1) as executor:
    print("places", executor.jobs)
    for outcome in executor.run(units):
        print(outcome.unit.folder, outcome.error)
"""


@pytest.mark.slow
def test_a_dead_process_is_tried_once_more(tmp_path, tiny_settings, cluster):
    for name in ("once", "always"):
        (tmp_path / name).mkdir()
    process = cluster.drive([sys.executable, "-c", DYING, cluster.url, *tiny_settings], tmp_path)
    output, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    lines = output.splitlines()
    assert lines[0] == "places 2"
    assert "seed-once None" in lines
    assert any(line.startswith("seed-always its process died 2 times (killed") for line in lines)
    assert [len(list((tmp_path / name).iterdir())) for name in ("once", "always")] == [1, 2]


@pytest.mark.slow
def test_networks_of_an_ensemble_are_trained_on_the_nodes(tmp_path, tiny_settings, cluster):
    train = command(cluster, "train", "phantom2d", "--members", 2, *settings(*tiny_settings), "--out", "both")
    process = cluster.drive(train, tmp_path)
    _, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    assert len(list((tmp_path / "both" / "members").glob("seed*/evaluation.json"))) == 2
