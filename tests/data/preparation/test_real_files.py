from pathlib import Path

import numpy as np
import pytest

from medauc.data.preparation import PreparationSpec, prepare
from medauc.data.readers import MedicalImage, read_image
from medauc.errors import InputError

SPECS = (
    PreparationSpec(fit="crop_pad", intensity="percentile"),
    PreparationSpec(spacing=1.3, fit="crop_pad", intensity="zscore", colour="grey"),
    PreparationSpec(orientation="SPL"),
    PreparationSpec(intensity="dicom_window"),
    PreparationSpec(intensity="brain"),
    PreparationSpec(colour="rgb"),
)


@pytest.mark.parametrize("folder", ["dicom_dir", "formats_dir", "series_dir"])
def test_whatever_can_be_read_is_prepared_or_refused_in_a_line(
    folder: str, request: pytest.FixtureRequest
) -> None:
    """Real files of many kinds; by default every readable one is prepared, and none comes out empty."""
    place = request.getfixturevalue(folder)
    for path in [place] if folder == "series_dir" else sorted(place.iterdir()):
        try:
            image = read_image(path)
        except InputError:
            continue
        assert np.ptp(prepare(image, PreparationSpec(), 16, image.spatial_dims)) > 0, path.name
        for spec in SPECS:
            found = prepared_or_line(image, spec)
            if isinstance(found, str):
                assert "\n" not in found
            else:
                assert found.dtype == np.uint8
                assert found.shape[: image.spatial_dims] == (16,) * image.spatial_dims


def prepared_or_line(image: MedicalImage, spec: PreparationSpec) -> np.ndarray | str:
    try:
        return prepare(image, spec, 16, image.spatial_dims)
    except InputError as refusal:
        return str(refusal)


def test_the_same_brain_from_nifti_and_nrrd(formats_dir: Path) -> None:
    """One is stored towards RAS, the other towards LPS: turned alike they are the same."""
    spec = PreparationSpec(orientation="SPL", spacing=3.0, fit="crop_pad")
    paths = formats_dir / "FLAIR.nii.gz", formats_dir / "FLAIR.nrrd"
    first, second = (prepare(read_image(path), spec, 40, 3) for path in paths)
    np.testing.assert_array_equal(first, second)
    assert first.any()
