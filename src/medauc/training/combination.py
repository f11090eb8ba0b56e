"""How the scores of an ensemble's networks become one score: the mean of the scores, each standardised."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.evaluation import Predictions
from medauc.evaluation.columns import pairs
from medauc.evaluation.figures import Document, Strict
from medauc.training.members import Member

Scores = NDArray[np.float64]


class CombinedMember(Strict):
    """One network: its seed, the fold it has not seen, and location and scale of its scores, one a label."""

    name: str
    fold: int | None = None
    seed: int
    location: tuple[float, ...]
    scale: tuple[float, ...]

    def standardized(self, scores: Scores) -> Scores:
        """``(score - location) / scale``, shape ``(N, L)``."""
        found: Scores = (scores - np.array(self.location)) / np.array(self.scale)
        return found


class Combination(Document):
    """What ``ensemble.json`` holds: ``scored_by`` scores whatever is new, ``out_of_fold`` scored validation.

    AUC losses leave location and scale of scores free, so a network must not weigh more because its scores spread
    more: each network's scores are standardised by the mean and the standard deviation that they have on samples
    it was not trained on, its validation split. Ranks would need the other samples to score one.
    """

    kind = "an ensemble"

    scored_by: tuple[CombinedMember, ...]
    out_of_fold: tuple[CombinedMember, ...] = ()
    refit_epochs: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        tables: Mapping[Member, Predictions],
        refits: Sequence[Member] = (),
        refit_epochs: tuple[int, ...] | None = None,
    ) -> Self:
        """Measure location and scale on each member's validation rows.

        A refit has none, so it takes the mean location and scale of the folds' members: the same recipe on nearly
        the same data.

        Args:
            tables: predictions of each member trained on folds or on the official splits.
            refits: members trained on train and validation together; they alone score what is new.
            refit_epochs: for how long, one number a stage.
        """
        members = tuple(_measured(member, table) for member, table in tables.items())
        location = tuple(np.mean([member.location for member in members], axis=0).tolist())
        scale = tuple(np.mean([member.scale for member in members], axis=0).tolist())
        refitted = tuple(
            CombinedMember(name=member.name, seed=member.seed, location=location, scale=scale)
            for member in refits
        )
        has_folds = members[0].fold is not None
        return cls(
            scored_by=refitted or members,
            out_of_fold=members if has_folds else (),
            refit_epochs=refit_epochs,
        )

    def combine(self, scores: Mapping[str, Scores]) -> Scores:
        """Mean standardised score of new samples.

        Args:
            scores: shape ``(N, L)``, of every member in ``scored_by``, by name.
        """
        each = [member.standardized(scores[member.name]) for member in self.scored_by]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    def predictions(self, tables: Mapping[str, Predictions]) -> Predictions:
        """Validation and test scores of the whole.

        Args:
            tables: predictions of every member, by name; those of one fold list the same validation samples.

        Returns:
            With folds, each validation row is the mean over the members that did not see it, and the rows are all
            of train and validation, fold by fold.
        """
        folds: dict[int | None, list[CombinedMember]] = {}
        for member in self.out_of_fold or self.scored_by:
            folds.setdefault(member.fold, []).append(member)
        parts = [_mean_of(members, tables, "val") for members in folds.values()]
        return Predictions.concatenate([*parts, _mean_of(self.scored_by, tables, "test")])


def score_table(part: Predictions) -> Scores:
    """Scores of all labels, shape ``(N, L)``."""
    return part.frame[[score for _, score in pairs(part.labels)]].to_numpy(dtype=np.float64)


def single_scores(tables: Mapping[str, Predictions]) -> pd.DataFrame:
    """Scores of every member side by side, raw: ``split``, ``id``, a column a member (and label).

    Empty where a member has not scored a sample: it was trained on it.
    """
    columns = {}
    for name, table in tables.items():
        rows = pd.MultiIndex.from_frame(table.frame[["split", "id"]])
        for label, score in zip(table.labels or (None,), score_table(table).T, strict=True):
            columns[name if label is None else f"{name}:{label}"] = pd.Series(score, index=rows)
    joined = pd.concat(columns, axis=1, sort=False).reset_index()
    return joined.sort_values("split", key=lambda split: split == "test", kind="stable")


def single_predictions(
    predictions: Predictions, singles: pd.DataFrame, names: Sequence[str]
) -> dict[str, Predictions]:
    """Test predictions of each single member.

    Args:
        predictions: the ensemble's, for targets and groups.
        singles: what :func:`single_scores` returned, written and read.
        names: the members wanted.
    """
    test = predictions.select("test")
    rows = singles[singles["split"] == "test"].set_index("id").loc[test.ids]
    found = {}
    for name in names:
        own = {
            score: rows[name if label is None else f"{name}:{label}"].to_numpy(dtype=np.float64)
            for label, (_, score) in zip(test.labels or (None,), pairs(test.labels), strict=True)
        }
        found[name] = replace(test, frame=test.frame.assign(**own))
    return found


def _measured(member: Member, table: Predictions) -> CombinedMember:
    scores = score_table(table.select("val"))
    spread = scores.std(axis=0)
    return CombinedMember(
        name=member.name,
        fold=member.fold,
        seed=member.seed,
        location=tuple(scores.mean(axis=0).tolist()),
        scale=tuple(np.where(spread > 0, spread, 1.0).tolist()),
    )


def _mean_of(members: Sequence[CombinedMember], tables: Mapping[str, Predictions], split: str) -> Predictions:
    parts = [tables[member.name].select(split) for member in members]
    scores = np.mean(
        [member.standardized(score_table(part)) for member, part in zip(members, parts, strict=True)], axis=0
    )
    columns = {name: column for (_, name), column in zip(pairs(parts[0].labels), scores.T, strict=True)}
    return replace(parts[0], frame=parts[0].frame.assign(**columns))
