"""What the catalog says about a data set. The facts stand in ``medmnist.py`` and ``lidc.py``."""

from dataclasses import dataclass, field
from typing import Literal

Evidence = Literal["seed", "benchmark", "baseline", "best from scratch", "best of any kind", "limit"]


@dataclass(frozen=True)
class PublishedResult:
    """A test AUC that somebody reported.

    Attributes:
        method: What was trained, in the words of the source.
        auc: Test AUC in [0, 1] (mean over labels for multi-label sets).
        evidence: ``"seed"`` (the method medauc started from), ``"benchmark"`` (MedMNIST v2's own tables) or
            the best number found since, trained from scratch at 28 pixels or in any way; ``"baseline"`` is
            what a few measurements reach without looking at the image, published by nobody; ``"limit"`` is
            what no observer can exceed (phantoms).
        source: Where it was published.
    """

    method: str
    auc: float
    evidence: Evidence
    source: str


@dataclass(frozen=True)
class CatalogEntry:
    """Everything known about a data set before its file is opened.

    Attributes:
        name: The name users type, also the stem of the file.
        title: The name as published.
        description: One sentence: what the images are and what is to be told apart.
        spatial_dims: 2 or 3.
        class_names: What raw labels 0 and 1 mean; ``("absent", "present")`` for multi-label sets.
        label_names: Names of the labels of a multi-label set; empty for binary sets.
        default_positive: The raw label (0 or 1) that counts as positive unless the user says otherwise.
        n_samples: Samples in train, val, test.
        n_positive: Samples of the default positive class in train, val, test; None if not known
            before the file is read.
        md5: Published MD5 by size in pixels; its keys are the sizes that exist.
        licence: SPDX-like name.
        citations: What to cite, MedMNIST first.
        results: Published test AUCs.
        files: Name of the file by size, where it is not ``<name>[_<size>].npz``.
        origin: Where the file comes from and how it was made, if nobody offers it for download; else empty.
    """

    name: str
    title: str
    description: str
    spatial_dims: int
    class_names: tuple[str, str]
    label_names: tuple[str, ...]
    default_positive: int
    n_samples: tuple[int, int, int]
    n_positive: tuple[int, int, int] | None
    md5: dict[int, str]
    licence: str
    citations: tuple[str, ...]
    results: tuple[PublishedResult, ...]
    files: dict[int, str] = field(default_factory=dict)
    origin: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes that exist, in pixels or voxels a side."""
        return tuple(self.md5)

    @property
    def positive_share(self) -> float | None:
        """Share of the default positive class over the three splits, in (0, 1), where known."""
        return sum(self.n_positive) / sum(self.n_samples) if self.n_positive else None

    @property
    def seed_result(self) -> PublishedResult | None:
        """The number reported for the method medauc started from, where there is one."""
        return self._result("seed")

    @property
    def best_from_scratch(self) -> PublishedResult | None:
        """The best published number of a network trained from scratch on 28-pixel images."""
        return self._result("best from scratch")

    @property
    def best_of_any_kind(self) -> PublishedResult | None:
        """The best published number, pretraining and higher resolution allowed."""
        return self._result("best of any kind")

    def _result(self, evidence: Evidence) -> PublishedResult | None:
        return next((result for result in self.results if result.evidence == evidence), None)

    def file_name(self, size: int) -> str:
        """Name of the file for a size; 28 has no suffix.

        >>> from medauc.data import CATALOG
        >>> CATALOG["adrenalmnist3d"].file_name(28), CATALOG["adrenalmnist3d"].file_name(64)
        ('adrenalmnist3d.npz', 'adrenalmnist3d_64.npz')
        """
        return self.files.get(size, f"{self.name}.npz" if size == 28 else f"{self.name}_{size}.npz")

    def url(self, size: int) -> str | None:
        """Where the file for a size can be downloaded; None where nobody offers it (``origin`` tells more)."""
        return None if self.origin else f"{ZENODO_FILES}/{self.file_name(size)}?download=1"


ZENODO_FILES = "https://zenodo.org/records/10519652/files"
