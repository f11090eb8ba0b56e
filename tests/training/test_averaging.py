import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from medauc.training.averaging import build_averaging, ema_update, swa_update
from medauc.training.sections.training import TrainingSection


@given(values=st.lists(st.floats(-10, 10), min_size=3, max_size=12), first=st.integers(0, 4))
def test_swa_is_the_equal_average_from_first_on(values: list[float], first: int) -> None:
    average = [torch.zeros(1, dtype=torch.float64)]
    update = swa_update(first)
    for count, value in enumerate(values):
        update(average, [torch.tensor([value], dtype=torch.float64)], torch.tensor(count))
    kept = values[first:] or values[-1:]
    assert average[0].item() == np.mean(kept) or abs(average[0].item() - np.mean(kept)) < 1e-9


@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=30), decay=st.floats(0.5, 0.999))
def test_ema_against_its_recursion(values: list[float], decay: float) -> None:
    average, expected = [torch.full((1,), 7.0, dtype=torch.float64)], 7.0
    for count, value in enumerate(values):
        ema_update(decay)(average, [torch.tensor([value], dtype=torch.float64)], count)
        kept = min(decay, (1 + count) / (10 + count))
        expected = kept * expected + (1 - kept) * value
    assert abs(average[0].item() - expected) < 1e-9


def test_integer_buffers_are_copied() -> None:
    average = [torch.tensor(3)]
    ema_update(0.9)(average, [torch.tensor(8)], 5)
    assert average[0].item() == 8


def test_none_means_no_callback() -> None:
    assert build_averaging(TrainingSection()) == []
    assert len(build_averaging(TrainingSection(weight_averaging="swa"))) == 1
