from pathlib import Path

import pytest

from medauc.data import PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.training import Provenance, Recipe, RunFolder, choose_folder

PHANTOM = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=10, n_val=10, n_test=10))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def started(folder: Path, seed: int = 0) -> Path:
    run = RunFolder(folder)
    run.create(Recipe(), Provenance.of(PHANTOM, seed, "cpu"))
    return folder


def test_recipe_and_provenance_come_back_equal() -> None:
    run = RunFolder(started(Path("run"), seed=4))
    assert run.read_recipe() == (Recipe(), Provenance.of(PHANTOM, 4, "cpu"))


def test_names_are_free_ones_and_resume_finds_the_latest() -> None:
    assert choose_folder(PHANTOM, "default", 0, None, resume=False) == Path("runs/phantom2d_12/default-seed0")
    started(Path("runs/phantom2d_12/default-seed0"))
    second = choose_folder(PHANTOM, "default", 0, None, resume=False)
    assert second == Path("runs/phantom2d_12/default-seed0-2")
    started(second)
    assert choose_folder(PHANTOM, "default", 0, None, resume=True) == second
    with pytest.raises(InputError, match="no run to resume"):
        choose_folder(PHANTOM, "default", 1, None, resume=True)


def test_another_seed_recipe_or_data_is_not_the_same_run() -> None:
    run = RunFolder(started(Path("run")))
    same = Provenance.of(PHANTOM, 0, "cpu")
    run.require_same(Recipe(), same)
    other = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=10, n_val=10, n_test=10, seed=1))
    for recipe, provenance, word in (
        (Recipe(), Provenance.of(PHANTOM, 1, "cpu"), "seed"),
        (Recipe(), Provenance.of(other, 0, "cpu"), "data_md5"),
        (Recipe(loss={"margin": 0.5}), same, "loss.margin"),
    ):
        with pytest.raises(InputError, match=word):
            run.require_same(recipe, provenance)


@pytest.mark.parametrize("content", ["", "run: 3\n", "run: {seed: 0}\n", "optim: {lr: 0.1}\n"])
def test_a_recipe_without_provenance_is_no_run(content: str) -> None:
    Path("run").mkdir()
    Path("run/recipe.yaml").write_text(content)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        RunFolder(Path("run")).read_recipe()
