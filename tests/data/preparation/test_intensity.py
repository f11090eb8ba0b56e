import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import medauc.data.preparation.intensity as intensity

kinds = st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32])
pixels_of_any_kind = kinds.flatmap(
    lambda kind: arrays.arrays(
        kind,
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=9),
        elements={"allow_nan": False, "allow_infinity": False} if kind is np.float32 else None,
    )
)


@given(pixels_of_any_kind, st.integers(-2000, 2000), st.integers(0, 4000), st.integers(1, 40), st.booleans())
def test_planes_by_themselves_become_what_the_whole_becomes(
    pixels: np.ndarray, low: int, width: int, block: int, turned: bool
) -> None:
    if turned:
        pixels = pixels[::-1].swapaxes(0, 1)
    window = (low, low + width)
    levels = intensity.to_levels(pixels, window)
    expected = np.rint(np.minimum(np.maximum(levels, 0), 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intensity, "_BLOCK", block)
        found = intensity.to_bytes(pixels, window)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
