"""One process's part of a global batch, and random numbers that do not depend on how a batch is shared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from torch import Tensor


class Part(NamedTuple):
    """The samples of a batch that one process gets.

    Attributes:
        batch: sample numbers of the global batch, in the order in which one process would have them.
        places: positions in it of this process's samples, ascending.
    """

    batch: Sequence[int]
    places: Sequence[int]

    @property
    def own(self) -> list[int]:
        """Sample numbers of this process.

        >>> Part([7, 8, 9], range(0, 3, 2)).own
        [7, 9]
        """
        return [self.batch[place] for place in self.places]


class Rows(NamedTuple):
    """Which rows of the global batch's images this process holds.

    Attributes:
        total: rows that all processes hold together.
        places: (n,) int64, their own places of this process's rows, ascending.
    """

    total: int
    places: Tensor


_rows: ContextVar[Rows | None] = ContextVar("rows", default=None)


@contextmanager
def drawing_for(rows: Rows | None) -> Iterator[None]:
    """Let :func:`draw_rows` draw for the global batch that this process holds ``rows`` of; None holds all of it."""
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


def current_rows() -> Rows | None:
    """Rows of the batch that is worked on; None where this process holds all of it."""
    return _rows.get()


def own_rows(values: Tensor) -> Tensor:
    """Rows of this process, of ``values`` (total, ...) for the global batch."""
    rows = _rows.get()
    return values if rows is None else values[rows.places.to(values.device)]


def draw_rows(make: Callable[..., Tensor], count: int, *shape: int, **options: object) -> Tensor:
    """Draw random numbers (count, *shape) for the rows that this process holds.

    Processes with equal generators draw for the global batch and keep their own rows: each sample gets the
    numbers that it would get in one process, and all generators stay equal.

    Args:
        make: such as ``torch.rand``, called with sizes and ``options``.
        count: rows of this process.
        shape: of the numbers of one row.
        options: of ``make``: dtype, device, generator.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> whole = draw_rows(torch.rand, 4, 2)
    >>> _ = torch.manual_seed(0)
    >>> with drawing_for(Rows(4, torch.tensor([1, 3]))):
    ...     part = draw_rows(torch.rand, 2, 2)
    >>> bool((part == whole[1::2]).all())
    True
    """
    rows = _rows.get()
    if rows is None:
        return make(count, *shape, **options)
    return own_rows(make(rows.total, *shape, **options))
