"""Ensembles of real, tiny trainings: what each network saw, what the folder says, what the predictor repeats."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data import Dataset, PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.metrics import roc_auc
from medauc.report import report_path
from medauc.training import (
    Interrupted,
    Predictor,
    Recipe,
    Run,
    RunFolder,
    ensemble,
    evaluate_path,
    parse_recipe,
    read_source,
    train,
)
from medauc.training.combination import Combination
from medauc.training.executor import LocalExecutor
from medauc.training.unit import Outcome, run_unit

PHANTOM = {"n_train": 40, "n_val": 20, "n_test": 30, "prevalence": 0.4}


def tiny(**ensemble_section: object) -> Recipe:
    """One or two epochs of a very small network."""
    return parse_recipe(
        {
            "data": {"size": 12, "phantom": PHANTOM},
            "model": {"width": 4, "stem": "imagenet"},
            "optim": {"name": "adamw", "lr": 0.01},
            "sampling": {"batch_size": 16},
            "training": {"max_epochs": 2, "patience": None, "weight_averaging": "ema"},
            "evaluation": {"test_time_augmentation": "flips"},
            "ensemble": ensemble_section,
        },
        "a test",
    )


@pytest.fixture(scope="module")
def phantom() -> Dataset:
    return load_dataset("phantom2d", 12, phantom=PhantomSpec(**PHANTOM))


@pytest.fixture(scope="module")
def refitted(phantom: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two folds, two networks each, and two refits."""
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    return train(phantom, tiny(folds=2, members=2, refit=True), folder, seed=3, device="cpu")


def test_each_network_is_an_ordinary_run_with_a_seed_and_a_part_of_its_own(refitted: Run) -> None:
    names = {path.name for path in (refitted.folder.path / "members").iterdir()}
    seeds = {
        f"{part}-seed{30_000 + 100 * n + k}"
        for n, part in enumerate(("fold0", "fold1", "refit"))
        for k in (0, 1)
    }
    assert names == seeds
    parts = set()
    for name in names:
        recipe, provenance = RunFolder(refitted.folder.path / "members" / name).read_recipe()
        assert recipe.ensemble.is_single
        assert name.endswith(f"seed{provenance.seed}")
        parts.add(provenance.part)
        predictions, _ = evaluate_path(refitted.folder.path / "members" / name)
        assert predictions.select("test").n == 30
    assert len(parts) == 3
    assert None not in parts


def test_every_validation_score_is_of_networks_that_did_not_see_the_sample(
    refitted: Run, phantom: Dataset
) -> None:
    """Score each sample anew with the networks of its fold, whose own record says that the fold was held out."""
    folder = refitted.folder.path
    folds = pd.read_csv(folder / "folds.csv").set_index("id")["fold"]
    pooled = np.concatenate([phantom.train.images, phantom.val.images])
    ids = [*phantom.train.ids, *phantom.val.ids]
    assert sorted(folds.index) == sorted(ids)
    scored = read_source(folder).select("val").frame.set_index("id")["score"]
    combination = Combination.read(folder / "ensemble.json")
    for fold in (0, 1):
        own = [member for member in combination.out_of_fold if member.fold == fold]
        rows = [row for row, name in enumerate(ids) if folds[name] == fold]
        each = []
        for member in own:
            part = RunFolder(folder / "members" / member.name).read_recipe()[1].part
            assert part is not None
            assert part.startswith(f"validation is fold {fold} of 2")
            raw = Predictor.load(folder / "members" / member.name, "cpu")(pooled[rows])
            each.append((raw - raw.mean()) / raw.std())
        expected = np.mean(each, axis=0)
        np.testing.assert_allclose(scored[[ids[row] for row in rows]], expected, atol=1e-6)


def test_the_predictor_scores_as_the_table_was_scored(refitted: Run, phantom: Dataset) -> None:
    for folder in (refitted.folder.path, refitted.folder.path / "members" / "fold0-seed30000"):
        table = read_source(folder).select("test")
        predictor = Predictor.load(folder, "cpu")
        np.testing.assert_allclose(predictor(phantom.test.images), table.score(), atol=1e-6)
        backwards = predictor(phantom.test.images[::-1])
        np.testing.assert_allclose(backwards[::-1], table.score(), atol=1e-5)
        assert predictor(phantom.test.images[:0]).shape == (0,)
    with pytest.raises(InputError, match=r"images are float64 .* takes uint8 of shape \(N, 12, 12\)"):
        predictor(phantom.test.images.astype(np.float64))
    with pytest.raises(InputError, match=r"takes uint8 of shape \(N, 12, 12\)"):
        predictor(phantom.test.images[:, :8])


def test_evaluation_tells_of_single_networks_and_of_what_validation_is(refitted: Run) -> None:
    predictions, evaluation = evaluate_path(refitted.folder.path)
    assert evaluation == refitted.evaluation
    (found,) = evaluation.runs
    assert found.names == ["refit-seed30200", "refit-seed30201"]
    aucs = []
    for name in found.names:
        single = Predictions.read(refitted.folder.path / "members" / name / "predictions.csv").select("test")
        aucs.append(roc_auc(single.target(), single.score()))
    assert found.auroc == pytest.approx(aucs)
    assert evaluation.splits["val"].n == predictions.select("val").n == 60
    assert any(
        "out-of-fold scores of all training and validation samples" in text for text in evaluation.warnings
    )
    assert any("Test was scored by 2 further networks" in text for text in evaluation.warnings)


def test_the_report_shows_every_network_and_counts_no_sample_twice(refitted: Run) -> None:
    page = report_path(refitted.folder.path).read_text(encoding="utf-8")
    card = (refitted.folder.path / "model_card.md").read_text(encoding="utf-8")
    assert "validation AUC of each of 4 networks by epoch" in page
    assert "training loss of each of 6 networks by epoch" in page
    assert "split into 2 folds, stratified by target" in page
    assert "chosen on the out-of-fold scores of the pool" in page
    assert "fits the networks and, out-of-fold" in card
    assert "| train | fits the network |" not in card


def test_a_finished_ensemble_is_returned_as_it_is(refitted: Run, phantom: Dataset) -> None:
    stamp = (refitted.folder.path / "predictions.csv").stat().st_mtime_ns
    again = train(
        phantom, tiny(folds=2, members=2, refit=True), refitted.folder.path, seed=3, device="cpu", resume=True
    )
    assert again.evaluation == refitted.evaluation
    assert (refitted.folder.path / "predictions.csv").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match=r"cannot resume.*ensemble\.members \(2 -> 3\)"):
        train(phantom, tiny(folds=2, members=3, refit=True), refitted.folder.path, seed=3, resume=True)


def test_a_network_cannot_be_trained_on_as_a_run_of_its_own(refitted: Run, phantom: Dataset) -> None:
    folder = refitted.folder.path / "members" / "fold0-seed30000"
    with pytest.raises(InputError, match=r"cannot resume.*part \(validation is fold 0 of 2"):
        train(phantom, RunFolder(folder).read_recipe()[0], folder, seed=30_000, device="cpu", resume=True)


def test_interrupted_between_networks_it_keeps_the_finished_ones(
    phantom: Dataset, tmp_path, monkeypatch
) -> None:
    recipe, real, trained = tiny(members=3), ensemble.train, []

    def stop_at_the_third(*arguments: object, **options: object) -> Run:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(options["seed"])
        return real(*arguments, **options)

    monkeypatch.setattr(ensemble, "train", stop_at_the_third)
    with pytest.raises(Interrupted, match=r"medauc train phantom2d --resume --out .*broken"):
        train(phantom, recipe, tmp_path / "broken", device="cpu")
    monkeypatch.setattr(ensemble, "train", real)
    kept = (tmp_path / "broken" / "members" / "seed1" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    with LocalExecutor(jobs=1, threads=1) as executor:  # a process of its own goes on
        train(phantom, recipe, tmp_path / "broken", device="cpu", resume=True, executor=executor)
    assert (
        tmp_path / "broken" / "members" / "seed1" / "checkpoints" / "last.ckpt"
    ).stat().st_mtime_ns == kept
    train(phantom, recipe, tmp_path / "whole", device="cpu")
    one, other = read_source(tmp_path / "broken"), read_source(tmp_path / "whole")
    assert one.ids == other.ids
    np.testing.assert_allclose(one.score(), other.score(), atol=1e-4)
    assert {path.name for path in (tmp_path / "broken").iterdir()} == {
        path.name for path in (tmp_path / "whole").iterdir()
    }


def test_a_network_that_fails_in_its_process_is_named_and_the_others_are_kept(
    phantom: Dataset, tmp_path
) -> None:
    class Failing:
        """Stands for an executor one of whose processes dies."""

        def run(self, units):
            for place, unit in enumerate(units):
                yield Outcome(unit, "its process died") if place == 1 else run_unit(unit)

    with pytest.raises(
        InputError, match=r"seed1: its process died; --resume trains again what is not finished"
    ):
        train(phantom, tiny(members=3), tmp_path / "run", device="cpu", executor=Failing())
    finished = [path.parent.name for path in (tmp_path / "run").rglob("evaluation.json")]
    assert sorted(finished) == ["seed0", "seed2"]


def test_random_labels_are_learned_by_heart_and_not_predicted_out_of_fold(tmp_path) -> None:
    """Networks that know their own samples' random labels rank samples they have not seen by chance alone."""
    phantom = load_dataset(
        "phantom2d", 12, phantom=PhantomSpec(n_train=60, n_val=30, n_test=20, prevalence=0.4)
    )
    rng = np.random.default_rng(0)
    random = replace(
        phantom,
        train=replace(phantom.train, targets=rng.permutation(phantom.train.targets)),
        val=replace(phantom.val, targets=rng.permutation(phantom.val.targets)),
    )
    values = tiny(folds=2).model_dump()
    values["model"]["width"], values["loss"] = 16, {"name": "cross_entropy"}
    values["training"] |= {"max_epochs": 20, "selection": "last", "weight_averaging": "none"}
    values["evaluation"] = {}
    run = train(random, parse_recipe(values, "a test"), tmp_path / "run", device="cpu")
    for name in ("fold0-seed0", "fold1-seed100"):
        assert pd.read_csv(run.folder.path / "members" / name / "metrics.csv")["train_auc"].iloc[-1] > 0.97
    val = read_source(run.folder.path).select("val")
    assert val.n == 90
    assert abs(roc_auc(val.target(), val.score()) - 0.5) < 3 * 0.062  # three standard errors of chance


def test_what_cannot_be_trained_leaves_nothing_behind(phantom: Dataset, tmp_path: Path) -> None:
    few = replace(phantom, train=replace(phantom.train, targets=np.zeros(40, np.int64)))
    with pytest.raises(InputError, match="the rarer class has 8"):
        train(few, tiny(folds=10), tmp_path / "a", device="cpu")
    flat = replace(phantom, train=replace(phantom.train, images=phantom.train.images[:, :, :11]))
    turned = parse_recipe(tiny(members=2).model_dump() | {"augment": {"quarter_turns": True}}, "a test")
    with pytest.raises(InputError, match="quarter_turns needs equal sides"):
        train(flat, turned, tmp_path / "b", device="cpu")
    assert not list(tmp_path.iterdir())


def test_damaged_folders_are_named(refitted: Run, phantom: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(refitted.folder.path, copy)
    (copy / "members.csv").write_text("split,id\ntest,a\n")
    with pytest.raises(InputError, match=r"members\.csv: not the single scores"):
        evaluate_path(copy)
    (copy / "evaluation.json").unlink()
    (copy / "folds.csv").write_text("id,fold\nx,0\n")
    with pytest.raises(InputError, match=r"folds\.csv: not the samples of phantom2d"):
        train(phantom, tiny(folds=2, members=2, refit=True), copy, seed=3, device="cpu", resume=True)
    with pytest.raises(InputError, match="not finished"):
        Predictor.load(copy, "cpu")
