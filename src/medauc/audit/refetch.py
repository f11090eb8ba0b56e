"""Pixels that are looked at once more, after they were measured: files may have changed meanwhile."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medauc.audit.collection import Images
from medauc.audit.facts import ImageFacts, digest_of


class Gone(Exception):
    """An image is no longer what was measured."""


class Refetch:
    """Pixels by number, as long as they are those that were measured.

    Args:
        images: where pixels come from.
        facts: what was measured.
    """

    def __init__(self, images: Images, facts: Sequence[ImageFacts]) -> None:
        self._images = images
        self._facts = facts
        self._gone: dict[int, str] = {}

    def __call__(self, number: int) -> tuple[NDArray[np.generic], bool]:
        """Pixels of one image, and whether they are colour.

        Raises:
            Gone: its file has changed, or cannot be read any more.
        """
        from medauc.data.cache.rows import reason_of

        if number in self._gone:
            raise Gone
        try:
            pixels, colour = self._images.pixels(number)
        except Exception as error:  # one file must not end the audit
            reason = reason_of(error, str(self._images.path(number)))
            self._gone[number] = f"was read once, and then no more: {reason}"
            raise Gone from None
        if digest_of(pixels) != self._facts[number].digest:
            self._gone[number] = "changed while it was audited; audit again when nobody writes to it"
            raise Gone
        return pixels, colour

    def told(self) -> list[ImageFacts]:
        """The facts, with an error where an image has changed."""
        return [
            replace(fact, error=self._gone.get(number, fact.error)) for number, fact in enumerate(self._facts)
        ]
