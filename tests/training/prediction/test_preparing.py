"""What a model cannot take is said of the image, not of the recipe that trained the model long ago."""

from pathlib import Path

import numpy as np
import pytest

from medauc.data.preparation import PreparationSpec
from medauc.data.readers import MedicalImage
from medauc.training.prediction import samples
from medauc.training.prediction.preparing import Preparation, prepare_ahead

FLAT = MedicalImage(np.zeros((5, 6), np.int16), bits=16)
VOLUME = MedicalImage(np.zeros((4, 5, 6), np.int16), bits=16)


def error_of(image: MedicalImage, spec: PreparationSpec, dims: int, monkeypatch) -> str:
    monkeypatch.setattr(samples.Item, "read", lambda _: image)
    sample = samples.Sample("x", (samples.Item(Path("x.png")),))
    (prepared,) = prepare_ahead([sample], Preparation(spec, 4, dims), jobs=1, ahead=1)
    return "; ".join(prepared.errors)


@pytest.mark.parametrize(
    ("image", "spec", "dims", "message"),
    [
        (FLAT, PreparationSpec(orientation="SPL"), 3, "it is a flat image (5 x 6); the model takes volumes"),
        (FLAT, PreparationSpec(), 3, "it is a flat image (5 x 6); the model takes volumes"),
        (VOLUME, PreparationSpec(), 2, "it is a volume (4 x 5 x 6); the model takes flat images"),
        (VOLUME, PreparationSpec(orientation="SPL"), 3, "its file does not say where its axes point"),
        (
            MedicalImage(VOLUME.pixels, bits=16, modality="MR"),
            PreparationSpec(intensity="lung"),
            3,
            "it is MR; the model takes CT (lung window)",
        ),
    ],
)
def test_an_image_that_the_model_cannot_take_is_told_why(image, spec, dims, message, monkeypatch) -> None:
    error = error_of(image, spec, dims, monkeypatch)
    assert error.startswith(message)
    assert "data.preparation" not in error


def test_a_volume_of_one_slice_is_flat_where_the_model_is(monkeypatch) -> None:
    thin = MedicalImage(VOLUME.pixels[:1], bits=16)
    assert error_of(thin, PreparationSpec(), 2, monkeypatch) == ""
