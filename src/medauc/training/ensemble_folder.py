"""The folder of an ensemble: a run folder whose networks lie in run folders of their own below it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.data.column_folds import plain_values
from medauc.data.manifest.moments import moments
from medauc.data.readers import hash_ids
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.evaluation.alignment import Aligned, align
from medauc.evaluation.ranking import evaluate_split
from medauc.files import write_text_atomically
from medauc.training.combination import Combination, single_predictions, single_scores
from medauc.training.run_folder import RunFolder
from medauc.training.sections.ensemble import EnsembleSection

LEVEL = 0.95


class EnsembleFolder(RunFolder):
    """Paths of an ensemble beside those of a run, and their content."""

    @property
    def folds(self) -> Path:
        """The fold of each sample of train and validation."""
        return self.path / "folds.csv"

    @property
    def combination(self) -> Path:
        """How single scores become one."""
        return self.path / "ensemble.json"

    @property
    def singles(self) -> Path:
        """Scores of every network, as it gave them."""
        return self.path / "members.csv"

    def member(self, name: str) -> RunFolder:
        """The run folder of one network."""
        return RunFolder(self.path / "members" / name)

    def write_folds(self, dataset: Dataset, assignment: NDArray[np.int64]) -> None:
        """Write ``folds.csv``."""
        table = pd.DataFrame({"id": _pooled_ids(dataset), "fold": assignment})
        write_text_atomically(self.folds, table.to_csv(index=False, lineterminator="\n"))

    def read_folds(self, dataset: Dataset) -> NDArray[np.int64]:
        """Read it back, which holds over what another release of a library would draw; InputError on other samples."""
        table = self._read_folds()
        if list(table.columns) != ["id", "fold"] or table["id"].tolist() != _pooled_ids(dataset):
            raise InputError(f"{self.folds}: not the samples of {dataset.name}; restore the file")
        return table["fold"].to_numpy(dtype=np.int64)

    def _read_folds(self) -> pd.DataFrame:
        try:
            return pd.read_csv(self.folds, dtype={"id": str, "fold": np.int64}, na_filter=False)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folds}: cannot read the folds: {' '.join(str(error).split())}") from None

    def write_singles(self, tables: dict[str, Predictions]) -> None:
        """Write ``members.csv``."""
        text = single_scores(tables).to_csv(index=False, lineterminator="\n")
        write_text_atomically(self.singles, text)

    def aligned_singles(self, predictions: Predictions, salt: str | None = None) -> Aligned | None:
        """Test scores of the networks that make the ensemble's, raw; None when there is but one.

        Args:
            predictions: the ensemble's.
            salt: with which their ids are hashed, where they are not so in the folder.
        """
        names = [member.name for member in Combination.read(self.combination).scored_by]
        if len(names) < 2:
            return None
        try:
            table = pd.read_csv(
                self.singles, dtype={"split": str, "id": str}, keep_default_na=False, na_values={}
            )
            table["id"] = hash_ids(table["id"].to_numpy(dtype=np.str_), self.salt_left(salt))
            return align(single_predictions(predictions, table, names), "test")
        except (OSError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.singles}: not the single scores of this ensemble ({reason})") from None

    def notes(self, predictions: Predictions) -> tuple[str, ...]:
        """What a reader must know of the rows of ``predictions.csv``.

        Args:
            predictions: those rows.
        """
        section = self.read_recipe()[0].ensemble
        combination = Combination.read(self.combination)
        scored_by = len(combination.scored_by)
        if section.folds is None:
            return (f"Scores are means of the standardised scores of {scored_by} networks.",)
        networks = "1 network" if section.members == 1 else f"{section.members} networks"
        found = [
            f"Validation stands for out-of-fold scores of all training and validation samples: each sample was scored "
            f"by {networks}, trained on the {section.folds - 1} of {section.folds} folds that do not hold it."
        ]
        if combination.refit_epochs is not None:
            again = "1 further network" if scored_by == 1 else f"{scored_by} further networks"
            epochs = " and ".join(map(str, combination.refit_epochs))
            found.append(
                f"Test was scored by {again}, trained on all folds for {epochs} epochs: thresholds "
                "and calibration, from networks that saw less, are approximate there."
            )
        else:
            found.append(
                f"Test scores are means over {scored_by} networks, out-of-fold scores over {section.members}, and so "
                "noisier: thresholds and calibration are approximate on test."
            )
        if section.folds_by is not None or section.folds_order_by is not None:
            found.append(self._held_out(predictions.select("val"), section))
        return tuple(found)

    def _held_out(self, pooled: Predictions, section: EnsembleSection) -> str:
        """AUROC of each fold that a column made, by networks that saw none of its samples."""
        column = section.folds_by or section.folds_order_by
        of_id = self._read_folds().set_index("id")["fold"]
        folds, found = of_id.loc[pooled.ids].to_numpy(), list[str]()
        for fold in np.unique(folds):
            part = replace(pooled, frame=pooled.frame[folds == fold].reset_index(drop=True))
            auroc = evaluate_split(part, LEVEL, whole=False).auroc
            values = part.frame[column].to_numpy(dtype=np.str_)
            named = ", ".join(np.unique(plain_values(values))) if section.folds_by else _range(values)
            found.append(f"{named}: {'none' if auroc is None else auroc.text()} ({part.n} samples)")
        how = "Folds go by" if section.folds_by else "Folds are blocks in the order of"
        return f"{how} {column}; AUROC of each with 95% interval, by networks that saw none of it: {'; '.join(found)}."

    def _make_subfolders(self) -> None:
        (self.path / "members").mkdir(exist_ok=True)


def folder_at(path: Path) -> RunFolder:
    """The run folder at ``path``, as an :class:`EnsembleFolder` where its recipe says so.

    Raises:
        InputError: not a run folder.
    """
    run = RunFolder(path)
    return run if run.read_recipe()[0].ensemble.is_single else EnsembleFolder(path)


def _range(values: NDArray[np.str_]) -> str:
    """The first and the last of dates or numbers."""
    order = moments(values).argsort()
    return f"{values[order[0]]} to {values[order[-1]]}"


def _pooled_ids(dataset: Dataset) -> list[str]:
    return [str(name) for split in (dataset.train, dataset.val) for name in split.ids]
