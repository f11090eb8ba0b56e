"""Where 16-bit arithmetic is worth its name: on GPUs, and on CPUs that have instructions for it."""

from typing import Literal

import torch

from medauc.errors import InputError

Precision = Literal["32-true", "bf16-mixed"]


def has_bfloat16(device: str) -> bool:
    """Whether ``device`` ("cpu" or "cuda") computes in bfloat16 itself.

    Without AVX-512 (or Arm's counterpart) oneDNN falls back to plain loops over bfloat16 values: correct to its 3
    digits, but many times slower than float32 (docs/models-and-augmentation.md).
    """
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def require_precision(precision: Precision, device: str) -> None:
    """Raise InputError when training with ``precision`` on ``device`` would crawl."""
    if precision == "bf16-mixed" and not has_bfloat16(device):
        raise InputError(
            "training.precision is bf16-mixed, but this CPU has no instructions for it and would be over ten times "
            "slower than with 32-true; set training.precision=32-true, or take --device cuda"
        )


def for_scoring(precision: Precision, device: str) -> Precision:
    """The precision to score with: that of the training, unless ``device`` lacks it."""
    return precision if has_bfloat16(device) else "32-true"
