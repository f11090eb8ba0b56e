"""What docs/models-and-augmentation.md shows is what happens."""

import doctest
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from medauc.data.augment import Augment
from medauc.models import build_model
from medauc.training.sections.evaluation import EvaluationSection

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models-and-augmentation.md"


def test_the_page_runs():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_its_table_lists_every_option_of_augment():
    table = PAGE.read_text(encoding="utf-8").split("## Augmentation")[1].split("###")[0]
    options = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert options == list(inspect.signature(Augment).parameters)[1:]


def test_its_table_tells_the_parameter_counts():
    table = PAGE.read_text(encoding="utf-8")

    def count(name: str, spatial_dims: int, width: int) -> int:
        network = build_model(name, spatial_dims=spatial_dims, in_channels=1, num_outputs=1, width=width)
        return sum(parameter.numel() for parameter in network.parameters())

    found = re.findall(r"([\d.]+) (M|k) / ([\d.]+) (?:M|k) at width (\d+)", table)
    names = ["resnet10", "resnet10", "resnet18", "resnet18", "resnet50", "fullres"]
    assert len(found) == len(names)
    for name, (flat, unit, volume, width) in zip(names, found, strict=True):
        size = {"M": 1e6, "k": 1e3}[unit]
        rounding = 0.051 if unit == "M" else 0.51
        assert count(name, 2, int(width)) / size == pytest.approx(float(flat), abs=rounding)
        assert count(name, 3, int(width)) / size == pytest.approx(float(volume), abs=rounding)


def test_its_table_lists_every_kind_of_test_time_copies():
    table = PAGE.read_text(encoding="utf-8").split("### Test-time augmentation")[1].split("###")[0]
    kinds = get_args(EvaluationSection.model_fields["test_time_augmentation"].annotation)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(kinds)
