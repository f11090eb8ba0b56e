"""The rows of the table: samples are read, scored in batches, judged and held against the training images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.data.cache.pool import cores
from medauc.data.mapped import ImageArray
from medauc.data.slices import slices_of
from medauc.errors import InputError
from medauc.evaluation import Evaluation
from medauc.training.module import TrainingDiverged
from medauc.training.prediction.features import FeatureTap
from medauc.training.prediction.intensity import describe_intensities
from medauc.training.prediction.preparing import Preparation, Prepared, prepare_ahead
from medauc.training.prediction.quality import Quality, about_pixels
from medauc.training.prediction.samples import Sample, Wanted, find_samples
from medauc.training.prediction.structured_report import NoReport, ReportWriter
from medauc.training.prediction.verdict import Verdict
from medauc.training.run_folder import mark_of_salt

if TYPE_CHECKING:
    from medauc.training.predictor import Predictor

FloatArray = NDArray[np.float64]

BATCH = 64  # images that are scored together, at least
_MOST_JOBS = 8


class FileScoring:
    """Scores what lies at paths, batch by batch.

    Args:
        predictor: the model.
        paths: as for :func:`~medauc.training.prediction.samples.find_samples`.
        root: as for :class:`~medauc.training.prediction.samples.Wanted`.
        columns: column of a manifest by meaning ("path", "id", "group"), before the recipe's.
        jobs: images that are read at a time; None takes as many as there are cores, at most 8.
        hash_ids: salt; names become hashes of it and the name, paths are left out.
        dicom_sr: folder for a DICOM structured report of each DICOM image that is scored.

    Attributes:
        samples: what will be scored, in order.
        notes: sentences on what was decided, and what is missing in all rows.

    Raises:
        InputError: as :func:`~medauc.training.prediction.samples.find_samples`.
    """

    def __init__(
        self,
        predictor: "Predictor",
        paths: Sequence[Path | str],
        *,
        root: Path | None = None,
        columns: Mapping[str, Any] | None = None,
        jobs: int | None = None,
        hash_ids: str | None = None,
        dicom_sr: Path | None = None,
    ) -> None:
        if strange := set(columns or {}) - {"path", "id", "group"}:
            raise InputError(f"--columns: {min(strange)} means nothing here; name path, id or group")
        data, inputs = predictor.recipe.data, predictor.inputs
        self._preparation = Preparation.of(data, inputs)
        wanted = Wanted(
            1 + self._preparation.spatial_dims + (inputs.channels == 3),
            replace(data.columns, **(columns or {})),
            root,
            data.bags.by if inputs.bags and data.bags.by != "none" else None,
        )
        self.samples, notes = find_samples(paths, wanted)
        self._predictor = predictor
        self._verdict = Verdict.of(Evaluation.read(predictor.run.evaluation))
        self._quality = Quality.of(predictor.run)
        self._jobs = jobs or min(cores(), _MOST_JOBS)
        self._salt = hash_ids
        self._reports = None if dicom_sr is None else ReportWriter.of(predictor.run, dicom_sr)
        self.notes = [*notes, *self._verdict.notes(), *self._quality.lacking, *self._other_names()]

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Score; yields tables with ``id``, ``path``, the columns of the verdict, ``warnings`` and ``error``."""
        ahead = prepare_ahead(self.samples, self._preparation, self._jobs, ahead=BATCH + 2 * self._jobs)
        for batch in _batches(ahead):
            yield self._table(batch)

    def _table(self, batch: Sequence[Prepared]) -> pd.DataFrame:
        good = [number for number, prepared in enumerate(batch) if len(prepared.images)]
        scores = np.full((len(batch), len(self._predictor.inputs.labels)), np.nan)
        excess = np.zeros((len(batch), 2))
        if good:
            scores[good], excess[good] = self._scored([batch[number] for number in good])
        finite = np.isfinite(scores).all(axis=1)
        judged = self._verdict.columns(np.where(finite[:, None], scores, np.nan))
        names = pd.DataFrame([self._named(prepared.sample) for prepared in batch], columns=["id", "path"])
        told = pd.DataFrame(
            [
                ("; ".join(self._warnings(prepared, beyond)) if fine else "", self._error(prepared, fine))
                for prepared, beyond, fine in zip(batch, excess, finite.tolist(), strict=True)
            ],
            columns=["warnings", "error"],
        )
        table = pd.concat([names, judged, told], axis=1)
        return table if self._reports is None else self._reported(table, batch, self._reports)

    def _reported(
        self, table: pd.DataFrame, batch: Sequence[Prepared], reports: ReportWriter
    ) -> pd.DataFrame:
        """Write structured reports; a warning says which image has none."""
        told = list[str]()
        for prepared, row in zip(batch, table.to_dict("records"), strict=True):
            warnings = str(row["warnings"])
            if not row["error"]:
                try:
                    reports.write(prepared.sample, {str(name): value for name, value in row.items()})
                except NoReport as reason:
                    warnings = "; ".join(filter(None, [warnings, f"no structured report: {reason}"]))
            told.append(warnings)
        return table.assign(warnings=told)

    def _scored(self, batch: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        """Scores (N, L), not a number where they are not finite, and how far limits are exceeded (N, 2)."""
        try:
            return self._scored_together(batch)
        except TrainingDiverged:
            if len(batch) == 1:
                return np.full((1, len(self._predictor.inputs.labels)), np.nan), np.zeros((1, 2))
        # One of them has no finite score; the others shall have theirs.
        parts = [self._scored([prepared]) for prepared in batch]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _scored_together(self, batch: Sequence[Prepared]) -> tuple[FloatArray, FloatArray]:
        predictor = self._predictor
        images: ImageArray = np.concatenate([prepared.images for prepared in batch])
        starts = np.cumsum([0, *(len(prepared.images) for prepared in batch)])
        if (axis := predictor.recipe.data.bags.slices) is not None:
            starts, images = starts * images.shape[1 + axis], slices_of(images, axis)
        with ExitStack() as stack:
            taps = {
                name: stack.enter_context(FeatureTap(module)) for name, module in predictor.modules.items()
            }
            scores = predictor(images, starts if predictor.inputs.bags else None)
            features = {name: tap.features() for name, tap in taps.items()}
        intensities = describe_intensities(images, predictor.inputs.channels)
        excess = self._quality.excess(intensities, features)
        # A bag is unlike the training images if its images are so on average: a limit is for one image.
        return scores.reshape(len(batch), -1), np.add.reduceat(excess, starts[:-1]) / np.diff(starts)[:, None]

    def _other_names(self) -> list[str]:
        """What to say where the run hides names, and this table does not, or does so otherwise."""
        mark = self._predictor.run.read_recipe()[1].ids_hashed
        if mark is None or (self._salt is not None and mark_of_salt(self._salt) == mark):
            return []
        if self._salt is not None:
            return [
                "The ids of the run are hashed with another salt, so none of this table is equal to one of them; "
                "--hash-ids with the salt of the run makes them equal."
            ]
        return [
            "The run has hashed ids, and this table gets ids and paths as they are; "
            "--hash-ids with the salt of the run hashes them."
        ]

    def _named(self, sample: Sample) -> tuple[str, str]:
        if self._salt is None:
            return sample.id, str(sample.path)
        from medauc.data.readers import hash_id

        return hash_id(sample.id, self._salt), ""

    def _warnings(self, prepared: Prepared, beyond: FloatArray) -> list[str]:
        files = [words for image in prepared.acquired for words in self._quality.about_files(image)]
        lost = len(prepared.errors)
        missing = (
            [
                f"{lost} of {len(prepared.sample.items)} images left out: {self._hidden(prepared, prepared.errors[0])}"
            ]
            if lost
            else []
        )
        notes = [self._hidden(prepared, note) for note in prepared.notes]
        return [*dict.fromkeys(files), *about_pixels(beyond), *missing, *notes]

    def _error(self, prepared: Prepared, finite: bool) -> str:
        if not len(prepared.images):
            return self._hidden(prepared, prepared.errors[0])
        return "" if finite else "its score is not finite"

    def _hidden(self, prepared: Prepared, text: str) -> str:
        """Words about a file, without its name where names are hashed."""
        if self._salt is None:
            return text
        from medauc.data.readers import without_names

        sample = prepared.sample
        return without_names(text, sample.id, *(item.path for item in sample.items))


def _batches(prepared: Iterable[Prepared]) -> Iterator[list[Prepared]]:
    """Samples together, until they have enough images."""
    batch, images = list[Prepared](), 0
    for found in prepared:
        batch.append(found)
        images += max(1, len(found.images))
        if images >= BATCH:
            yield batch
            batch, images = [], 0
    if batch:
        yield batch
