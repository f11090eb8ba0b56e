"""Small collections with known faults."""

from collections.abc import Callable

import numpy as np
import pytest

from fixtures.textures import textures
from medauc.audit.collection import ArrayImages, Collection

Build = Callable[..., Collection]


@pytest.fixture
def build() -> Build:
    """Make a collection of arrays; splits are given as counts of train, val and test."""

    def make(
        images: np.ndarray | None = None,
        counts: tuple[int, int, int] = (60, 20, 40),
        targets: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        columns: dict[str, np.ndarray] | None = None,
        labels: tuple[str, ...] = ("tumour",),
    ) -> Collection:
        total = sum(counts)
        images = textures(total) if images is None else images
        targets = np.arange(total) % 2 if targets is None else targets
        ids = np.array([f"s{number:03d}" for number in range(total)])
        return Collection(
            name="made",
            ids=ids,
            groups=ids if groups is None else np.asarray(groups, dtype=np.str_),
            splits=np.repeat(["train", "val", "test"], counts),
            targets=np.asarray(targets, dtype=np.int64).reshape(total, -1),
            label_names=labels,
            columns=columns or {},
            images=ArrayImages([images]),
            groups_known=groups is not None,
        )

    return make
