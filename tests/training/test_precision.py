"""16-bit training: where it is refused, that scoring falls back, and what bfloat16 convolutions are worth."""

import pytest
import torch
from torch import nn

from medauc.data import PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.training import parse_recipe, precision
from medauc.training.fit import train

DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
RECIPE = parse_recipe(
    {
        "model": {"name": "resnet10", "width": 4, "stem": "half"},
        "training": {"precision": "bf16-mixed", "max_epochs": 1},
        "sampling": {"batch_size": 10},
    },
    "a test",
)


def test_a_cpu_without_the_instructions_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    with pytest.raises(InputError, match=r"bf16-mixed, but this CPU .* training\.precision=32-true"):
        train(DATA, RECIPE, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_cpu_with_the_instructions_trains_and_scores_in_16_bits(tmp_path, monkeypatch):
    """Whatever CPU this is, the arithmetic must hold: its NaN would stop the training."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    done = train(DATA, RECIPE, tmp_path / "run", device="cpu")
    assert done.evaluation.splits["test"].n == 10


def test_scoring_falls_back_to_float32_only_where_16_bits_are_missing(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: device == "cuda")
    assert precision.for_scoring("bf16-mixed", "cpu") == "32-true"
    assert precision.for_scoring("bf16-mixed", "cuda") == "bf16-mixed"
    assert precision.for_scoring("32-true", "cpu") == "32-true"


def test_a_gpu_always_has_bfloat16():
    assert precision.has_bfloat16("cuda")


LAYERS = {
    "3-wide": lambda dims: CONVOLUTION[dims](8, 16, 3, padding=1, bias=False),
    "3-wide, stride 2": lambda dims: CONVOLUTION[dims](8, 16, 3, stride=2, padding=1, bias=False),
    "1-wide, stride 2": lambda dims: CONVOLUTION[dims](8, 16, 1, stride=2, bias=False),
    "batch": lambda dims: nn.BatchNorm2d(8) if dims == 2 else nn.BatchNorm3d(8),
    "group": lambda dims: nn.GroupNorm(4, 8),
    "mean": lambda dims: nn.AdaptiveAvgPool2d(1) if dims == 2 else nn.AdaptiveAvgPool3d(1),
}
CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_is_right_to_the_digits_of_bfloat16(kind, dims, last):
    """Forward and both gradients, on whatever CPU this is: slow it may be, but none of its kernels is wrong."""
    torch.manual_seed(0)
    layer = LAYERS[kind](dims).to(memory_format=LAST[dims] if last else torch.contiguous_format)
    images = torch.randn(4, 8, *[6] * dims).bfloat16().float()
    found = []
    for mixed in (False, True):
        layer.zero_grad()
        inputs = images.bfloat16() if mixed else images.clone()
        inputs = inputs.contiguous(
            memory_format=LAST[dims] if last else torch.contiguous_format
        ).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            outputs = layer(inputs)
        weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1))
        outputs.backward(weights.to(outputs.dtype))
        found.append([outputs.detach(), inputs.grad, *(parameter.grad for parameter in layer.parameters())])
    for exact, rounded in zip(*found, strict=True):
        assert (rounded.float() - exact).norm() < 0.01 * exact.norm()
