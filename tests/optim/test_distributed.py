"""Two processes with half of each batch take the same steps as one process with all of it."""

from pathlib import Path

import pytest
import torch
from torch import multiprocessing

from fixtures.optimizers import FORMS, small_network
from fixtures.two_ranks import run, work


@pytest.fixture(scope="module")
def on_two_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_ranks")
    multiprocessing.spawn(work, args=(str(folder),), nprocs=2)
    return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("form", FORMS)
def test_steps_on_two_parts_equal_steps_on_the_whole(form, on_two_ranks):
    for whole, halves in zip(run(form, small_network(), slice(None)), on_two_ranks[0][form], strict=True):
        assert len(whole) == len(halves)
        for name, value in whole.items():
            found = halves[name if name in halves else f"module.{name}"]
            torch.testing.assert_close(found, value, rtol=0, atol=1e-6, msg=name)
    assert whole["alpha"] > 0.01


@pytest.mark.parametrize("form", FORMS)
def test_ranks_agree_to_the_bit(form, on_two_ranks):
    """Weights, a, b, alpha, v_ref, look-ahead u, outer gradient z, moments."""
    for one, other in zip(*(rank[form] for rank in on_two_ranks), strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.equal(value, other[name]), name
