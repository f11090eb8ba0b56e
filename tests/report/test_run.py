"""The report of a run folder, made without a training: its files are written here."""

from dataclasses import replace

import numpy as np
import pytest

from medauc.data import load_dataset
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.report import report_path, report_runs, write_run_report
from medauc.training import Provenance, RunFolder, evaluate_path, parse_recipe

SMALL_PHANTOM = {"n_train": 20, "n_val": 40, "n_test": 60, "prevalence": 0.3}


@pytest.fixture
def recipe():
    return parse_recipe({"data": {"phantom": SMALL_PHANTOM}}, "a test")


@pytest.fixture
def finished(tmp_path, recipe):
    """Finish a run folder for a data set, scored by brightness."""

    def finish(dataset):
        run = RunFolder(tmp_path / "run")
        run.create(recipe, Provenance.of(dataset, 3, "cpu"))
        parts = []
        for name in ("val", "test"):
            split = dataset.splits[name]
            scores = split.images.reshape(len(split), -1).std(axis=1)
            parts.append(
                Predictions.from_arrays(
                    split=name, ids=split.ids, groups=split.groups, targets=split.targets, scores=scores
                )
            )
        Predictions.concatenate(parts).write(run.predictions)
        evaluate_path(run.path)[1].write(run.evaluation)
        run.metrics.write_text(
            "epoch,loss,a,b,alpha,lr,train_auc,val_auc,seconds\n0,0.5,,,,0.1,0.6,0.7,2.0\n"
        )
        return run

    return finish


@pytest.fixture
def phantom(recipe):
    return load_dataset("phantom2d", phantom=recipe.data.phantom)


@pytest.fixture
def npz(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("train", "val", "test"):
        arrays[f"{name}_images"] = rng.integers(0, 256, (40, 10, 11, 12), dtype=np.uint8)
        arrays[f"{name}_labels"] = (np.arange(40) % 3 == 0).astype(np.uint8)[:, None]
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "hospital.npz", **arrays)
    return tmp_path / "data" / "hospital.npz"


def test_a_run_at_hand(finished, phantom):
    run = finished(phantom)
    page = write_run_report(run, phantom).read_text(encoding="utf-8")
    assert run.report.exists()
    assert f"Best AUROC that any observer can reach on this phantom: {phantom.ideal_auc:.3f}" in page
    assert page.count('<img src="data:image/png;base64,') == 12
    for text in ("phantom2d: run", "n_test: 60", "Learning rate", "signal present", phantom.md5):
        assert text in page


def test_a_phantom_is_made_anew_for_its_images(finished, phantom):
    run = finished(phantom)
    at_hand = write_run_report(run, phantom).read_text(encoding="utf-8")
    assert report_path(run.path).read_text(encoding="utf-8") == at_hand


def test_volumes_are_found_where_they_were_and_where_the_user_says(finished, npz, tmp_path):
    run = finished(load_dataset(npz))
    assert report_path(run.path).read_text(encoding="utf-8").count("<img ") == 3 * 12
    moved = tmp_path / "elsewhere"
    npz.parent.rename(moved)
    without = report_path(run.path).read_text(encoding="utf-8")
    assert "<img " not in without
    assert "No images" in without
    assert report_path(run.path, data_dir=moved).read_text(encoding="utf-8").count("<img ") == 3 * 12


def test_a_changed_data_file_gives_no_images(finished, npz):
    run = finished(load_dataset(npz))
    with np.load(npz) as arrays:
        changed = dict(arrays) | {"test_images": np.zeros((40, 10, 11, 12), np.uint8)}
    np.savez(npz, **changed)
    assert "has changed" in report_path(run.path).read_text(encoding="utf-8")


def test_no_folder_of_this_machine_is_told(finished, npz):
    page = report_path(finished(load_dataset(npz)).path).read_text(encoding="utf-8")
    assert "hospital.npz" in page
    assert str(npz.parent) not in page


def test_a_table_from_anywhere(tmp_path):
    (tmp_path / "reader.csv").write_text("target,score\n" + "0,1\n1,2\n0,2\n1,3\n" * 5)
    assert report_path(tmp_path / "reader.csv") == tmp_path / "report.html"
    out = tmp_path / "page.html"
    assert report_path(tmp_path / "reader.csv", out) == out
    assert "<h1>reader.csv</h1>" in out.read_text(encoding="utf-8")


def test_bad_sources_are_named(tmp_path, finished, phantom):
    with pytest.raises(InputError, match="absent"):
        report_path(tmp_path / "absent")
    run = finished(phantom)
    run.metrics.write_text("epoch\n1\nx,y,z\n")
    with pytest.raises(InputError, match=r"metrics\.csv is not the table of epochs"):
        report_path(run.path)


def test_a_model_card_lies_beside_the_page(finished, phantom, tmp_path):
    run = finished(phantom)
    report_path(run.path)
    card = (run.path / "model_card.md").read_text(encoding="utf-8")
    assert card.startswith("# phantom2d: run\n")
    assert "| train | fits the network | 20 | 20 |" in card
    report_path(run.path, tmp_path / "page.html")
    assert (tmp_path / "page_model_card.md").read_text(encoding="utf-8") == card


def test_several_runs_make_one_page(finished, phantom, tmp_path):
    run = finished(phantom)
    again = tmp_path / "again.csv"
    table = Predictions.read(run.predictions)
    noise = np.random.default_rng(0).normal(size=table.n) * table.frame["score"].std()
    replace(table, frame=table.frame.assign(score=table.frame["score"] + noise)).write(again)
    page = report_runs([run.predictions, again], tmp_path / "both.html").read_text(encoding="utf-8")
    assert "Several trainings" in page
    assert "again" in page
    assert "Scores of 2 trainings were divided" in page
    assert (tmp_path / "both_model_card.md").is_file()


def test_training_counts_follow_the_positive_class_of_the_run(finished, npz):
    run = finished(load_dataset(npz, positive_class=0))
    report_path(run.path)
    card = (run.path / "model_card.md").read_text(encoding="utf-8")
    for split in ("train | fits the network", "test | is reported"):
        assert f"| {split} | 40 | 40 | 26 | 14 | 0 |" in card
