"""A grid is checked before its first training, and run once."""

import io
from pathlib import Path

import pytest

from medauc.benchmark import (
    LEDGER,
    CellsFailed,
    Grid,
    GridRun,
    RunSettings,
    Stopped,
    build_grid,
    contenders,
    read_ledger,
    run_grid,
)
from medauc.errors import InputError

MARGINS = ["loss.margin=0.5,1.0"]


def two_by_two(out: Path, seeds: int = 2, overrides: tuple[str, ...] = (), **options) -> Grid:
    return build_grid(["phantom2d"], contenders(["default"], overrides, MARGINS), seeds, out, **options)


def test_cells_in_rounds_of_seeds(tmp_path):
    grid = build_grid(["phantom2d", "phantom3d_16"], contenders(["default"], (), MARGINS), 2, tmp_path)
    found = [cell.folder.relative_to(tmp_path).as_posix() for cell in grid.cells]
    half, one = "default-loss.margin=0.5", "default-loss.margin=1.0"
    assert found == [
        f"{flag}/{name}-seed{seed}"
        for seed in (0, 1)
        for flag in ("phantom2d", "phantom3d_16")
        for name in (half, one)
    ]
    assert [cell.recipe.loss.margin for cell in grid.cells[:2]] == [0.5, 1.0]
    assert {cell.recipe.data.size for cell in grid.cells} == {28, 16}
    assert grid.describe() == f"2 data sets, 2 recipes: 8 trainings, 0 finished; runs in {tmp_path}"


def test_ensembles_have_folders_of_their_own(tmp_path):
    grid = build_grid(["phantom2d"], contenders(["default"], ["ensemble.members=3"]), 1, tmp_path)
    assert grid.cells[0].folder.name == "default-members3-seed0"
    assert grid.cells[0].name == "default-members3"


def test_default_data_sets_are_those_at_hand(tmp_path, medmnist_dir):
    grid = build_grid([], contenders(["default"]), 1, tmp_path, data_dir=medmnist_dir)
    assert [cell.flag for cell in grid.cells] == [
        "pneumoniamnist",
        "breastmnist",
        "adrenalmnist3d",
        "vesselmnist3d",
    ]
    assert {"chestmnist", "nodulemnist3d", "synapsemnist3d"} < set(grid.not_at_hand)
    assert "not measured, their files are not at hand: chestmnist" in grid.describe()
    with pytest.raises(InputError, match="holds no file of the catalog"):
        build_grid([], contenders(["default"]), 1, tmp_path, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: contenders(["default"], (), ["loss.margin"]), "write it as key.path=value,value"),
        (lambda: contenders(["default"], (), ["loss.margin=1,1"]), "with different values"),
        (
            lambda: contenders(["default"], (), ["loss.margin=1,2", "loss.margin=3"]),
            "loss.margin is given twice",
        ),
        (lambda: contenders(["default", "default"]), "--recipe default is given twice"),
        (
            lambda: build_grid(["phantom9"], contenders(["default"]), 1, Path("x")),
            "unknown data set 'phantom9'",
        ),
        (lambda: build_grid(["phantom2d"], contenders(["defalt"]), 1, Path("x")), "did you mean 'default'"),
        (
            lambda: build_grid(["phantom2d"] * 2, contenders(["default"]), 1, Path("x")),
            "name each data set once",
        ),
        (lambda: two_by_two(Path("x"), 1, ("optim.lr=-1",)), "optim.lr is -1"),
    ],
)
def test_wrong_usage_is_one_line(make, said):
    with pytest.raises(InputError, match=said) as error:
        make()
    assert "\n" not in str(error.value)


def test_all_cells_are_trained_once(tmp_path, pretend):
    run = GridRun(two_by_two(tmp_path))
    told = []
    run_grid(run, pretend, RunSettings(), lambda cell, row: told.append(run.line(cell, row)))
    assert len(pretend.seen) == len(told) == 4
    assert told[0].startswith("[1/4] phantom2d, default loss.margin=0.5, seed 0: test AUC 0.")
    rows = read_ledger(tmp_path / LEDGER)
    assert [(row.name, row.seed) for row in rows] == [(cell.name, cell.seed) for cell in run.grid.cells]
    first = rows[0]
    assert (first.epochs, first.epoch_seconds, first.wall_seconds, first.peak_mib) == (2, 30, 12, 600)
    assert (first.recipe, first.changes) == ("default", "loss.margin (1.0 -> 0.5)")
    assert (tmp_path / first.predictions).is_file()

    again = GridRun(two_by_two(tmp_path, seeds=3))
    run_grid(again, pretend, RunSettings())
    assert len(pretend.seen) == 6, "only the third seed is new"
    assert again.open == []
    assert len(read_ledger(tmp_path / LEDGER)) == 6


def test_a_row_lost_to_a_crash_is_made_up(tmp_path, pretend):
    run_grid(GridRun(two_by_two(tmp_path)), pretend, RunSettings())
    ledger = tmp_path / LEDGER
    whole = read_ledger(ledger)
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    run_grid(GridRun(two_by_two(tmp_path)), pretend, RunSettings())
    found = read_ledger(ledger)
    assert len(pretend.seen) == 4
    assert [row.identity for row in found] == [row.identity for row in whole]
    assert found[-1].wall_seconds is None, "nobody measured it"


def test_a_failing_cell_stops_no_other(tmp_path, pretend_failing):
    run = GridRun(two_by_two(tmp_path, seeds=3))
    run_grid(run, pretend_failing, RunSettings())
    assert len(run.finished) == 4
    with pytest.raises(
        CellsFailed, match=r"2 of 6 trainings failed, phantom2d, default loss.margin=0.5, seed 1"
    ):
        run.require_complete()
    assert {row.seed for row in read_ledger(tmp_path / LEDGER)} == {0, 2}


def test_another_recipe_or_other_data_are_never_mixed(tmp_path, pretend, finished_run):
    run_grid(GridRun(two_by_two(tmp_path)), pretend, RunSettings())
    with pytest.raises(InputError, match=r"margin=0.5-seed0: .*optim.lr \(.* -> 0.5\)"):
        two_by_two(tmp_path, 5, ("optim.lr=0.5",))  # seeds 2 to 4 would be new folders
    assert len(two_by_two(tmp_path, 5).cells) == 10


def test_other_data_are_never_mixed(tmp_path, medmnist_dir, finished_run):
    def grid() -> Grid:
        return build_grid(["breastmnist"], contenders(["default"]), 1, tmp_path, data_dir=medmnist_dir)

    (cell,) = grid().cells
    finished_run(cell.folder, "breastmnist", cell.recipe, 0, md5="0" * 32)
    with pytest.raises(InputError, match=r"data_md5 \(0{32} -> [0-9a-f]{32}\)"):
        grid()


def test_a_budget_begins_no_further_cell(tmp_path, pretend):
    run = GridRun(two_by_two(tmp_path))
    run_grid(run, pretend, RunSettings(budget_minutes=0))
    assert pretend.seen == []
    assert len(run.open) == 4
    run.require_complete()


def test_ctrl_c_says_how_far_it_came(tmp_path, pretend):
    def interrupt(unit):
        if unit.seed == 1:
            raise KeyboardInterrupt
        return None

    pretend.fail = interrupt
    with pytest.raises(Stopped, match=r"2 of 4 trainings are finished; the same command continues"):
        run_grid(GridRun(two_by_two(tmp_path)), pretend, RunSettings())
    assert len(read_ledger(tmp_path / LEDGER)) == 2


def test_time_left(tmp_path):
    from rich.console import Console

    from medauc.benchmark.progress import GridProgress, time_left
    from medauc.benchmark.run import Begun

    run = GridRun(two_by_two(tmp_path, seeds=4))
    assert time_left(run, 1, now=0.0) is None
    for cell in run.grid.cells[:2]:
        run.finished.append(cell)
    run.seconds = {run.grid.cells[0]: 100.0, run.grid.cells[1]: 20.0}
    run.running = {run.grid.cells[2]: Begun(at=70.0, epochs=0)}  # of the kind that takes 100 s
    assert time_left(run, 1, now=100.0) == pytest.approx(70 + 20 + 2 * 120)
    assert time_left(run, 3, now=100.0) == pytest.approx((70 + 20 + 2 * 120) / 3)
    assert time_left(run, 100, now=100.0) == pytest.approx(100), "no cell is faster than itself"

    console = Console(file=io.StringIO(), width=160)
    with GridProgress(run, 1, console) as progress:
        console.print(progress.draw())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"2/{len(run.grid.cells)} trainings" in shown
    assert run.grid.cells[2].title in shown
