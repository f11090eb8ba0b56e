"""Two processes that each hold a part of a batch compute what one process computes of the whole."""

from pathlib import Path

import pytest
import torch
from torch import multiprocessing

from fixtures.every_loss import CASES
from fixtures.two_processes import (
    CUTS,
    SIZE,
    Result,
    Step,
    batches,
    case_by_name,
    run,
    training_targets,
    worker,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Result]:
    folder = tmp_path_factory.mktemp("two_processes")
    multiprocessing.spawn(worker, (str(folder),), nprocs=2)
    first, second = (torch.load(Path(folder) / f"{rank}.pt") for rank in range(2))
    return first, second


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", [str(case) for case in CASES])
def test_two_parts_are_as_good_as_the_whole(results: tuple[Result, Result], name: str, cut: str) -> None:
    case = case_by_name(name)
    step = Step(case, training_targets())
    expected = run(case, slice(0, SIZE), step, step)
    for found in (ranks[f"{name} {cut}"] for ranks in results):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-6, equal_nan=True, msg=key)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", [str(case) for case in CASES])
def test_processes_agree_to_the_bit(results: tuple[Result, Result], name: str, cut: str) -> None:
    first, second = (ranks[f"{name} {cut}"] for ranks in results)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=0, atol=0, equal_nan=True, msg=key)


@pytest.mark.parametrize("name", [str(case) for case in CASES])
def test_evaluation_is_each_process_own(results: tuple[Result, Result], name: str) -> None:
    case = case_by_name(name)
    step = Step(case, training_targets())
    run(case, slice(0, SIZE), step, step)
    step.eval()
    features, targets, index = next(batches())
    expected = step(features[:14], targets[:14], index[:14]).detach()
    torch.testing.assert_close(results[0][f"{name} evaluated"]["value"], expected, rtol=1e-6, atol=1e-6)
