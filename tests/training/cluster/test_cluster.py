"""A real cluster of several nodes on this machine: what dies, what goes on, and equal results."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.ray_cluster import RayCluster
from medauc.training.executor import LocalExecutor
from medauc.training.plan import resolve_recipe
from medauc.training.unit import Unit

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="many loopback addresses and /proc")

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


def test_a_node_killed_in_mid_run_loses_nothing(tmp_path, tiny_settings):
    recipe = [*tiny_settings, "training.max_epochs=30", "data.phantom.n_train=60"]
    with RayCluster() as cluster:
        _, other = cluster.start(), cluster.start()
        grid = command(cluster, "benchmark", "phantom2d", "--seeds", 4, *settings(*recipe), "--out", "out")
        process = cluster.drive(grid, tmp_path)
        runs = tmp_path / "out" / "phantom2d_12"
        wait_for(lambda: len(list(runs.glob("*/evaluation.json"))) > 0, process)
        wait_for(lambda: any(epochs(run) > 2 for run in cluster.trains(other).values()), process)
        (hurt,) = cluster.trains(other).values()
        finished = {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation.json")}
        cluster.kill(other)
        assert not (hurt / "evaluation.json").exists()
        output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert errors.count(f"node {other} of the cluster is lost; what it trained goes on elsewhere") == 1
    assert output.count("test AUC") >= 4
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in finished.items()), (
        "finished cells are kept"
    )
    assert not list(tmp_path.rglob(".*.here"))
    plan = resolve_recipe("phantom2d", overrides=recipe)
    units = [Unit(tmp_path / "local" / str(seed), "phantom2d", plan.recipe, seed) for seed in range(4)]
    with LocalExecutor(jobs=1, threads=1) as executor:
        assert all(outcome.error is None for outcome in executor.run(units))
    for unit in units:
        here = runs / f"default-seed{unit.seed}"
        for name in ("predictions.csv", "checkpoints/best.safetensors"):
            assert (here / name).read_bytes() == (unit.folder / name).read_bytes()
