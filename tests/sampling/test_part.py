"""Random numbers of a part of a batch are those that the whole has there."""

import pytest
import torch

from medauc.data.augment import Augment
from medauc.models import build_model
from medauc.sampling.part import Rows, current_rows, draw_rows, drawing_for, own_rows

IMAGES = torch.rand(10, 1, 12, 12, generator=torch.Generator().manual_seed(0))
EVERYTHING = {
    "flip": 0.5, "quarter_turns": True, "rotation": 20, "scale": (0.8, 1.2), "shear": 0.1, "shift": 0.1, "crop": 1,
    "elastic": 0.05, "warp_share": 0.7, "blur": 0.5, "gamma": 0.3, "brightness": 0.1, "contrast": 0.1, "speckle": 0.1,
    "noise": 0.1, "erase": 0.2, "voxel_scaling": True,
}  # fmt: skip


def regularized(**options: float) -> torch.nn.Module:
    """A network that draws random numbers, and normalises each image by itself."""
    shape = {"spatial_dims": 2, "in_channels": 1, "num_outputs": 1, "width": 4, "stem": "half"}
    torch.manual_seed(0)
    return build_model("resnet10", **shape, norm="group", **options).train()


@pytest.mark.parametrize("places", [[0], [1, 4, 9], list(range(10))])
@pytest.mark.parametrize(
    "make", [lambda: Augment(2, **EVERYTHING), lambda: regularized(dropout=0.4, stochastic_depth=0.4)]
)
def test_a_part_is_changed_as_in_the_whole(make, places: list[int]) -> None:
    module = make()
    torch.manual_seed(1)
    whole = module(IMAGES)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    with drawing_for(Rows(len(IMAGES), torch.tensor(places))):
        part = module(IMAGES[places])
    torch.testing.assert_close(part, whole[places], rtol=0, atol=1e-6)
    assert torch.equal(torch.get_rng_state(), state), "processes would drift apart"


def test_rows_hold_only_inside() -> None:
    rows = Rows(4, torch.tensor([2, 3]))
    with drawing_for(rows):
        assert current_rows() is rows
        assert own_rows(torch.arange(4)).tolist() == [2, 3]
    assert current_rows() is None
    assert own_rows(torch.arange(4)).tolist() == [0, 1, 2, 3]
    assert draw_rows(torch.zeros, 3, 2, dtype=torch.float64).shape == (3, 2)
