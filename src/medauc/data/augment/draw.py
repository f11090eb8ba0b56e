"""Random numbers for the images of a batch, and the ranges that options must keep."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from medauc.errors import InputError
from medauc.sampling.part import draw_rows


class Draw:
    """Random numbers for each image of a batch, on its device, in single precision at least.

    Where several processes share a batch, each image gets those that it would get in one process.

    Args:
        images: the batch, (N, C, *spatial).
        generator: source of randomness on the device of ``images``; torch's global one of that device if None.
    """

    def __init__(self, images: Tensor, generator: Generator | None = None) -> None:
        self.count, self.device, self.generator = len(images), images.device, generator
        self.dtype = torch.promote_types(images.dtype, torch.float32)

    def uniform(self, *shape: int) -> Tensor:
        """Draw uniform numbers (N, *shape) in [0, 1)."""
        return self._numbers(torch.rand, shape)

    def symmetric(self, limit: float, *shape: int) -> Tensor:
        """Draw uniform numbers (N, *shape) in [-limit, limit)."""
        return limit * (2 * self.uniform(*shape) - 1)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers (N, *shape)."""
        return self._numbers(torch.randn, shape)

    def identities(self, d: int) -> Tensor:
        """Repeat the unit matrix for each image: (N, d, d)."""
        return torch.eye(d, dtype=self.dtype, device=self.device).expand(self.count, d, d)

    def _numbers(self, make: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        options = {"dtype": self.dtype, "device": self.device, "generator": self.generator}
        return draw_rows(make, self.count, *shape, **options)


class SharedDraw(Draw):
    """The same random numbers for all images of a batch, whatever its size and its device.

    Args:
        images: the batch, (N, C, *spatial).
        generator: source of randomness on the CPU.
    """

    def __init__(self, images: Tensor, generator: Generator) -> None:
        super().__init__(images, generator)

    def _numbers(self, make: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        numbers = make(1, *shape, dtype=self.dtype, generator=self.generator)
        return numbers.to(self.device).expand(self.count, *shape)


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise InputError naming an option, its value and what is allowed, unless ``condition`` holds."""
    if not condition:
        raise InputError(f"augment {name} is {value!r}; it must be {allowed}")


def require_between(name: str, value: float, limit: float) -> None:
    """Raise InputError unless an option lies between 0 and ``limit``."""
    require(0 <= value <= limit, name, value, f"between 0 and {limit:g}")
