"""Predictor.predict_files: the run's own scores, its calibration and thresholds, and every way a file can be bad."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from medauc.data import BagSpec, PhantomSpec, load_dataset
from medauc.data.bags import make_bags
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions
from medauc.metrics import fit_calibration
from medauc.training import Predictor, RunFolder, parse_recipe, train
from medauc.training.prediction import rows
from medauc.training.prediction.verdict import Verdict

from .conftest import SMALL


@pytest.fixture
def predictor(trained) -> Predictor:
    return Predictor.load(trained, "cpu")


def own_scores(run) -> pd.Series:
    return pd.read_csv(RunFolder(run).predictions, dtype={"id": str}).set_index("id")["score"]


def test_files_of_the_test_images_get_the_run_s_own_scores_and_decisions(
    predictor, trained, pictures
) -> None:
    table = predictor.predict_files([pictures])
    flags = [name for name in table if name.startswith("flag_")]
    assert list(table) == ["id", "path", "score", "probability", *flags, "warnings", "error"]
    np.testing.assert_allclose(table.score, own_scores(trained)[table.id], rtol=1e-5, atol=1e-6)
    assert (table.error == "").all()
    val = Predictions.read(RunFolder(trained).predictions).select("val")
    refitted = fit_calibration(*val.known(), "platt")
    np.testing.assert_array_equal(table.probability, refitted.apply(table.score))
    points = Evaluation.read(RunFolder(trained).evaluation).operating_points
    assert flags == [f"flag_{point.name.replace(' ', '_')}" for point in points]
    for point, name in zip(points, flags, strict=True):
        assert table[name].tolist() == (table.score >= point.threshold).astype(int).tolist()


def test_what_cannot_be_read_is_a_row_and_stops_nothing(predictor, pictures, monkeypatch) -> None:
    monkeypatch.setattr(rows, "BATCH", 3)  # several batches, one of bad files alone
    (pictures / "0bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    paths = [pictures / "0bad.png"] * 3 + sorted(pictures.glob("test*"))
    table = predictor.predict_files(paths)
    assert len(table) == 11
    bad = table[table.error != ""]
    assert len(bad) == 3
    assert bad[["score", "probability"]].isna().all().all()
    assert bad.filter(like="flag_").isna().all().all()
    assert not bad.error.str.contains(str(pictures)).any()
    assert table.id.tolist()[3:] == [path.stem for path in sorted(pictures.glob("test*"))]
    np.testing.assert_array_equal(
        table.score[3:], predictor.predict_files(sorted(pictures.glob("test*"))[:8]).score
    )


def test_a_volume_and_a_bug_in_a_reader_are_rows_too(predictor, pictures, tmp_path, monkeypatch) -> None:
    np.save(tmp_path / "volume.npy", np.zeros((4, 5, 6), np.int16))
    table = predictor.predict_files([tmp_path / "volume.npy", pictures])
    assert table.error[0] == "it is a volume (4 x 5 x 6); the model takes flat images"
    assert table.score[1:].notna().all()

    def broken(path, **options):
        raise KeyError("oops")

    monkeypatch.setattr("medauc.data.readers.read_image", broken)
    assert set(predictor.predict_files([pictures]).error) == {"unexpected KeyError: 'oops'"}


def test_a_score_that_is_not_finite_costs_its_own_row_only(predictor, pictures, phantom) -> None:
    """The network fails at one image, known by its mean, which no mirroring changes."""
    before = predictor.predict_files([pictures])
    module = next(iter(predictor.modules.values()))
    at_fault = module.normalize(torch.from_numpy(np.array(phantom.test.images[2:3]))).mean()

    def spoil(_, inputs, output):
        hit = torch.isclose(inputs[0].mean(dim=(1, 2, 3)), at_fault, rtol=0, atol=1e-6)
        return output.masked_fill(hit.unsqueeze(1), float("nan"))

    module.network.register_forward_hook(spoil)
    after = predictor.predict_files([pictures])
    assert after.error.tolist() == [""] * 2 + ["its score is not finite"] + [""] * 5
    np.testing.assert_allclose(after.score.drop(2), before.score.drop(2), rtol=1e-5, atol=1e-6)


def test_arrays_files_and_the_predictor_agree(predictor, pictures, phantom, tmp_path) -> None:
    np.savez(tmp_path / "set.npz", test_images=phantom.test.images, test_ids=phantom.test.ids)
    table = predictor.predict_files([tmp_path / "set.npz"])
    assert table.id.tolist() == phantom.test.ids.tolist()
    np.testing.assert_array_equal(table.score, predictor(phantom.test.images))
    assert set(table.path) == {str(tmp_path / "set.npz")}


def test_foreign_images_are_flagged_and_few_ordinary_ones(predictor, phantom, tmp_path) -> None:
    rng = np.random.default_rng(0)
    images = np.asarray(phantom.test.images)
    np.savez(
        tmp_path / "x.npz",
        train_images=images,
        val_images=rng.integers(0, 256, (6, 12, 12), dtype=np.uint8),
        test_images=np.zeros((6, 12, 12), np.uint8),
    )
    told = predictor.predict_files([tmp_path / "x.npz"]).warnings
    assert (told[:20] != "").sum() <= 5  # limits from 20 images: each new one exceeds them by 1 in 21
    assert told[20:].str.contains("unlike the training images").all()


def test_size_and_colour_of_a_file_are_told(predictor, tmp_path) -> None:
    coloured = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(coloured).save(tmp_path / "c.png")
    told = predictor.predict_files([tmp_path / "c.png"]).warnings[0]
    assert "size 30 x 40 (trained on 12 x 12)" in told
    assert "in colour (trained on grey images)" in told


def test_hashed_ids_leave_no_name(predictor, pictures) -> None:
    (pictures / "MuellerAnna.png").write_bytes(b"no image")
    first, again, other = (predictor.predict_files([pictures], hash_ids=salt) for salt in ("a", "a", "b"))
    assert "Mueller" not in first.to_csv()
    assert "test-" not in first.to_csv()
    assert set(first.path) == {""}
    pd.testing.assert_frame_equal(first, again)
    assert first.id.nunique() == len(first)
    assert not set(first.id) & set(other.id)


def test_a_broken_array_and_a_missing_path_are_rows(predictor, pictures, tmp_path) -> None:
    np.savez(tmp_path / "pickled.npz", images=np.array([{"a": 1}], dtype=object))
    (pictures / "zero.png").write_bytes(b"")
    table = predictor.predict_files([tmp_path / "pickled.npz", tmp_path / "gone.png", pictures])
    assert table.id.tolist()[:2] == ["pickled", "gone"]
    assert table.error[1] == "no such file or folder"
    assert "never loaded" in table.error[0]
    assert not table.error.str.contains(str(tmp_path)).any()
    assert (table.error != "").sum() == 3
    assert table.score.notna().sum() == 8
    assert table.set_index("id").error["zero"] == "is empty; copy it again or leave it out"


def test_strange_columns_are_refused(predictor, pictures) -> None:
    with pytest.raises(InputError, match="target means nothing here"):
        predictor.predict_files([pictures], columns={"target": "label"})


def test_runs_without_calibration_reference_or_operating_points(trained, pictures, tmp_path) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained, old)
    run = RunFolder(old)
    run.reference.unlink()
    evaluation = Evaluation.read(run.evaluation)
    evaluation.model_copy(update={"calibration": [], "operating_points": []}).write(run.evaluation)
    scoring = rows.FileScoring(Predictor.load(old, "cpu"), [pictures])
    assert [note.split(":")[0] for note in scoring.notes] == ["No probabilities", "No warnings"]
    table = pd.concat(list(scoring))
    assert list(table) == ["id", "path", "score", "probability", "warnings", "error"]
    assert table.probability.isna().all()
    assert (table.warnings == "").all()
    np.testing.assert_allclose(table.score, own_scores(trained)[table.id], rtol=1e-5, atol=1e-6)


def test_several_labels_have_columns_each(tmp_path, phantom) -> None:
    both = {
        name: replace(split, targets=np.stack([split.targets, 1 - split.targets], axis=1))
        for name, split in phantom.splits.items()
    }
    two = replace(phantom, **both, class_names=("absent", "present"), label_names=("cyst", "mass"))
    recipe = parse_recipe({**SMALL, "sampling": {"batch_size": 16, "positive_share": None}}, "x")
    train(two, recipe, tmp_path / "run", device="cpu")
    np.save(tmp_path / "many.npy", phantom.test.images)
    table = Predictor.load(tmp_path / "run", "cpu").predict_files([tmp_path / "many.npy"])
    for name in ("score_cyst", "probability_cyst", "flag_youden_cyst", "score_mass", "flag_youden_mass"):
        assert table[name].notna().all()
    own = pd.read_csv(tmp_path / "run" / "predictions.csv").query("split == 'test'")
    for label in two.label_names:
        np.testing.assert_allclose(table[f"score_{label}"], own[f"score_{label}"], rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def ensemble(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    train(
        phantom, parse_recipe({**SMALL, "ensemble": {"folds": 2, "refit": True}}, "x"), folder, device="cpu"
    )
    return folder


def test_an_ensemble_scores_as_one_model_and_a_refit_has_limits(ensemble, pictures, phantom) -> None:
    scoring = rows.FileScoring(Predictor.load(ensemble, "cpu"), [pictures])
    assert scoring.notes == []
    table = pd.concat(list(scoring))
    np.testing.assert_allclose(table.score, own_scores(ensemble)[table.id], rtol=1e-5, atol=1e-6)
    (refit,) = scoring._quality.references.values()
    assert refit.limits > refit.training


def test_volumes_as_bags_of_slices(tmp_path) -> None:
    volumes = load_dataset(
        "phantom3d", 12, phantom=PhantomSpec(n_train=20, n_val=12, n_test=6, prevalence=0.5)
    )
    recipe = parse_recipe(
        {
            **SMALL,
            "data": {"size": 12, "bags": {"slices": 0}},
            "model": {**SMALL["model"], "bag_pooling": "max"},
        },
        "x",
    )
    train(make_bags(volumes, BagSpec(slices=0)), recipe, tmp_path / "run", device="cpu")
    np.save(tmp_path / "many.npy", volumes.test.images)
    table = Predictor.load(tmp_path / "run", "cpu").predict_files([tmp_path / "many.npy"])
    own = own_scores(tmp_path / "run")[volumes.test.ids]
    np.testing.assert_allclose(table.score, own, rtol=1e-5, atol=1e-6)
    assert not table.warnings.str.contains("size").any()


def test_a_verdict_of_nothing_is_blank() -> None:
    verdict = Verdict((), {}, ((None, "youden", 0.5),))
    table = verdict.columns(np.array([[0.7], [np.nan], [0.5]]))
    assert table.to_csv(index=False) == "score,probability,flag_youden\n0.7,,1\n,,\n0.5,,1\n"
