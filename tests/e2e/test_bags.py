"""Bags through the whole command: trained, predicted, reported, refused; that they resume is in test_resume."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medauc.data import BagSplit, Dataset, make_bags
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.training import Predictor, resolve, train
from medauc.training.rescoring import rescore

PHANTOM = [
    "data.size=8", "data.phantom.n_train=24", "data.phantom.n_val=12", "data.phantom.n_test=12",
    "data.phantom.prevalence=0.5", "data.phantom.signal_width=1", "model.name=resnet10", "model.width=4",
    "model.stem=imagenet", "training.max_epochs=2", "training.patience=null", "sampling.batch_size=8",
]  # fmt: skip
BAGS = [*PHANTOM, "data.phantom.bag_images=5", "data.bags.max_images=3"]
SLICES = [*PHANTOM, "data.bags.slices=1", "data.bags.max_images=4"]


def trained(name: str, settings: list[str], folder: Path, **changes: Any) -> tuple[Dataset, Path]:
    plan = resolve(name, overrides=settings)
    dataset = replace(plan.dataset, **changes) if changes else plan.dataset
    train(dataset, plan.recipe, folder, device="cpu")
    return dataset, folder


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """A run of bags by attention, with test-time flips."""
    settings = [*BAGS, "augment={flip: 0.5}", "evaluation.test_time_augmentation=flips"]
    return trained("phantom2d", settings, tmp_path_factory.mktemp("runs") / "attention")


def test_predictions_have_a_row_a_bag_and_instances_one_an_image(attention: tuple[Dataset, Path]) -> None:
    dataset, folder = attention
    assert isinstance(dataset.test, BagSplit)
    table = Predictions.read(folder / "predictions.csv").frame
    assert table["id"].tolist() == [*dataset.val.ids, *dataset.test.ids]
    images = pd.read_csv(folder / "instances.csv")
    assert images["image"].tolist()[-60:] == dataset.test.names.tolist()
    assert images.groupby("id")["weight"].sum().to_numpy() == pytest.approx(np.ones(24), abs=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_the_scores_of_images_make_that_of_their_bag(pooling: str, tmp_path: Path) -> None:
    _, folder = trained(
        "phantom2d", [*BAGS, f"model.bag_pooling={pooling}", "augment=none"], tmp_path / "run"
    )
    table = Predictions.read(folder / "predictions.csv").frame.set_index("id")
    images = pd.read_csv(folder / "instances.csv").groupby("id")["score"]
    pooled = images.mean() if pooling == "mean" else images.max()
    assert pooled.loc[table.index].to_numpy() == pytest.approx(table["score"].to_numpy(), abs=1e-5)


def test_a_loaded_run_scores_bags_as_the_training_did(attention: tuple[Dataset, Path]) -> None:
    dataset, folder = attention
    assert isinstance(dataset.test, BagSplit)
    expected = Predictions.read(folder / "predictions.csv").select("test").frame["score"].to_numpy()
    predictor = Predictor.load(folder, "cpu")
    assert predictor(dataset.test.images, dataset.test.starts) == pytest.approx(expected, abs=1e-5)
    assert rescore(folder, dataset, splits=("test",), device="cpu").frame[
        "score"
    ].to_numpy() == pytest.approx(expected, abs=1e-5)
    assert predictor(dataset.test.images).shape == (60,)  # each image as a bag of its own


def test_a_model_of_slices_scores_volumes(tmp_path: Path) -> None:
    dataset, folder = trained("phantom3d", SLICES, tmp_path / "run")
    volumes = resolve("phantom3d", overrides=[*SLICES, "data.bags.slices=null"]).dataset.test
    expected = Predictions.read(folder / "predictions.csv").select("test").frame
    assert dataset.image_shape == (8, 8)
    assert Predictor.load(folder, "cpu")(volumes.images) == pytest.approx(
        expected["score"].to_numpy(), abs=1e-5
    )
    assert expected["id"].tolist() == volumes.ids.tolist()
    images = pd.read_csv(folder / "instances.csv", dtype=str)
    assert images["image"].iloc[-1] == f"{volumes.ids[-1]} slice 7"


def test_patients_stay_whole_in_folds_and_their_bags_make_an_ensemble(tmp_path: Path) -> None:
    plan = resolve("phantom2d", overrides=[*PHANTOM, "ensemble.folds=2", "data.bags.by=group"])
    images = resolve("phantom2d", overrides=PHANTOM).dataset
    splits = {
        name: replace(
            split, targets=np.repeat(np.arange(len(split) // 3) % 2, 3), groups=np.repeat(split.ids[::3], 3)
        )
        for name, split in images.splits.items()
    }
    dataset = make_bags(replace(images, **splits), plan.recipe.data.bags)
    train(dataset, plan.recipe, tmp_path / "run", device="cpu")
    folds = pd.read_csv(tmp_path / "run" / "folds.csv")
    assert sorted(folds["id"]) == sorted([*dataset.train.ids, *dataset.val.ids])
    assert len(Predictions.read(tmp_path / "run" / "predictions.csv").select("test").frame) == 4
    assert isinstance(dataset.test, BagSplit)
    assert Predictor.load(tmp_path / "run", "cpu")(dataset.test.images, dataset.test.starts).shape == (4,)


def test_several_labels_weigh_images_by_themselves(tmp_path: Path) -> None:
    plan = resolve("phantom2d", overrides=[*BAGS, "loss.name=aucm", "optim.name=adamw"])
    two = {
        name: replace(split, targets=np.stack([split.targets, 1 - split.targets], axis=1))
        for name, split in plan.dataset.splits.items()
    }
    train(
        replace(plan.dataset, **two, label_names=("first", "second")),
        plan.recipe,
        tmp_path / "run",
        device="cpu",
    )
    images = pd.read_csv(tmp_path / "run" / "instances.csv")
    assert list(images)[3:] == ["score_first", "score_second", "weight_first", "weight_second"]
    for label in ("first", "second"):
        assert images.groupby("id")[f"weight_{label}"].sum().to_numpy() == pytest.approx(
            np.ones(24), abs=1e-5
        )
    assert not np.allclose(images["weight_first"], images["weight_second"])


def test_the_report_shows_the_image_that_decided(invoke: Callable[..., Any], tmp_path: Path) -> None:
    settings = [part for setting in BAGS for part in ("--set", setting)]
    done = invoke("train", "phantom2d", *settings, "--device", "cpu", "--out", tmp_path / "run")
    assert done.status == 0, done.err
    assert "24 / 12 / 12 train/val/test bags of 5 images" in done.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "of 5 images the one that decided, weight 0." in page
    assert "A sample was several images. The network scored each image" in page
    assert "Attention-based deep multiple instance learning" in page
    invoke("report", tmp_path / "run")  # from the folder alone
    again = (tmp_path / "run" / "report.html").read_text()
    assert again.count("the one that decided") == page.count("the one that decided") > 0


def test_what_does_not_fit_bags_is_refused_in_one_line(invoke: Callable[..., Any], tmp_path: Path) -> None:
    cases = {
        "augment={mixup: 0.4}": "augment.mixup mixes single images",
        "data.bags.by=study": "there is no such column; choose one of group, bag, or none",
        "data.bags.slices=0": "data.bags.slices cuts volumes; its images are 2D",
        "data.bags.slices=5": "it must be an axis of a volume: 0, 1 or 2",
        "data.bags.max_images=0": "it must be 1 or more",
        "model.bag_pooling=sum": "allowed: mean | max | attention",
    }
    for setting, message in cases.items():
        options = [part for each in [*BAGS, setting] for part in ("--set", each)]
        found = invoke("train", "phantom2d", *options, "--device", "cpu", "--out", tmp_path / "run")
        assert found.status == 2
        assert message in found.err
        assert found.err.count("\n") == 1
        assert not (tmp_path / "run").exists()


def test_a_model_of_single_images_refuses_bags(tmp_path: Path) -> None:
    dataset, folder = trained("phantom2d", PHANTOM, tmp_path / "run")
    assert not (folder / "instances.csv").exists()
    with pytest.raises(InputError, match="scores single images"):
        Predictor.load(folder, "cpu")(dataset.test.images, np.array([0, 12]))


def test_files_of_a_patient_are_a_bag_from_training_to_prediction(
    invoke: Callable[..., Any], tmp_path: Path
) -> None:
    rows = []
    for name, split in resolve("phantom2d", overrides=PHANTOM).dataset.splits.items():
        for number, image in enumerate(np.asarray(split.images)):
            patient = number // 3 if number < 6 else number % 2 + 2  # from 3 images to many
            rows.append((f"{name}{number}.png", patient % 2, f"{name}-{patient}", name, "FM"[patient % 2]))
            Image.fromarray(image).save(tmp_path / rows[-1][0])
    table = pd.DataFrame(rows, columns=["path", "target", "patient", "split", "sex"])
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "manifest.csv", index=False)
    settings = [
        *PHANTOM[5:],
        "data.size=8",
        "data.bags.by=group",
        "model.bag_pooling=max",
        "data.bags.max_images=2",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    done = invoke("train", "manifest.csv", *options, "--device", "cpu", "--out", "run")
    assert done.status == 0, done.err
    assert "4 / 4 / 4 train/val/test bags of 3 to 9 images" in done.out
    scored = Predictions.read(tmp_path / "run" / "predictions.csv").frame.set_index("id")["score"]
    assert set(scored.index) == {f"{split}-{patient}" for split in ("val", "test") for patient in range(4)}
    assert "the one that decided" in (tmp_path / "run" / "report.html").read_text()
    assert invoke("predict", "run", "manifest.csv", "--out", "new.csv", "--device", "cpu").status == 0
    new = pd.read_csv(tmp_path / "new.csv", dtype={"id": str}).set_index("id")["score"]
    assert new.loc[scored.index].to_numpy() == pytest.approx(scored.to_numpy(), abs=1e-5)


def test_volumes_in_files_are_bags_of_slices_from_training_to_prediction(
    invoke: Callable[..., Any], tmp_path: Path
) -> None:
    rows = []
    for name, split in resolve("phantom3d", overrides=PHANTOM).dataset.splits.items():
        for identity, volume, target in zip(split.ids, np.asarray(split.images), split.targets, strict=True):
            rows.append((f"{identity}.nii", int(target), name))
            nib.save(nib.Nifti1Image(volume.T, np.eye(4)), tmp_path / rows[-1][0])
    pd.DataFrame(rows, columns=["path", "target", "split"]).to_csv(tmp_path / "manifest.csv", index=False)
    settings = [*SLICES[5:], "data.size=8", "training.max_epochs=1"]
    options = [part for setting in settings for part in ("--set", setting)]
    done = invoke("train", "manifest.csv", *options, "--device", "cpu", "--out", "run")
    assert done.status == 0, done.err
    scored = Predictions.read(tmp_path / "run" / "predictions.csv").frame.set_index("id")["score"]
    assert len(pd.read_csv(tmp_path / "run" / "instances.csv")) == 8 * len(scored) == 8 * 24
    assert invoke("predict", "run", "manifest.csv", "--out", "new.csv", "--device", "cpu").status == 0
    new = pd.read_csv(tmp_path / "new.csv", dtype={"id": str}).set_index("id")["score"]
    assert new.loc[scored.index].to_numpy() == pytest.approx(scored.to_numpy(), abs=1e-5)
