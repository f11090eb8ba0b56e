"""What a search leaves: the best recipe, a table of trials, every figure."""

import statistics
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from medauc.evaluation.figures import Figure
from medauc.files import save_text
from medauc.metrics import Estimate
from medauc.search.book import Book, Trial
from medauc.search.curves import curves_of
from medauc.search.document import Found, Row, Winner
from medauc.search.job import Workplace
from medauc.search.repeats import repeated_validation
from medauc.search.run import Search
from medauc.search.space import text_of
from medauc.search.worth import best_of

if TYPE_CHECKING:
    from optuna import Study

_LEVEL = 0.95
_FEWEST_FOR_IMPORTANCE = 4  # complete trials
_FOUND = "percentiles of the bootstrap over validation samples"
_CORRECTED = "bootstrap bias correction, choosing by the samples drawn, judging by the others"
_REFERENCE = "Tsamardinos et al., Mach. Learn. 107 (2018) 1895"
_BOOTSTRAP = "Efron & Tibshirani, An Introduction to the Bootstrap (1993)"
_FANOVA = "share of the variance of AUC over complete trials (fANOVA, Hutter et al., ICML 2014)"


def write_result(search: Search) -> Found:
    """Write ``best.yaml`` where there is one, ``trials.csv`` and ``search.json``, from all that is known by now.

    Raises:
        InputError: a file cannot be written, or scores of a trial are missing.
    """
    with search.deciding():
        found = summarize(search.place, search.book)
        folder = search.place.folder
        if found.winner is not None:
            save_text(folder.best, _recipe_text(search.place, found))
        save_text(folder.table, _table(found))
        found.write(folder.document)
    return found


def summarize(place: Workplace, book: Book) -> Found:
    """Everything about a search so far.

    Args:
        place: folder and definition.
        book: the trials.

    Raises:
        InputError: scores of a trial are missing.
    """
    definition, trials = place.definition, book.trials()
    complete = [trial for trial in trials if trial.state == "complete"]
    folds = (
        "validation split"
        if definition.folds is None
        else f"{definition.folds} folds of train and validation"
    )
    return Found(
        name=book.name,
        dataset=Path(definition.dataset).name,
        objective=f"AUC, {folds}",
        sampler=definition.sampler,
        pruner=definition.pruner,
        space=definition.asked.plain(),
        rows=[_row(trial, curves_of(trial, place.folder, definition)) for trial in trials],
        winner=_winner(trials, place) if complete else None,
        importance=_importance(book.study) if len(complete) >= _FEWEST_FOR_IMPORTANCE else {},
        importance_method=_FANOVA,
        ending=book.ending,
        notes=_notes(trials, place),
    )


def _row(trial: Trial, curves: list[dict[int, float]]) -> Row:
    done = trial.seeds.values()
    return Row(
        index=trial.index,
        state=trial.state,
        values=trial.values,
        auc=statistics.fmean(trial.aucs) if trial.aucs else None,
        seeds=trial.aucs,
        epochs=sum(seed.epochs for seed in done),
        seconds=round(sum(seed.seconds for seed in done), 1),
        error=next((seed.error for seed in done if seed.error is not None), None),
        curves=curves,
    )


def _winner(trials: list[Trial], place: Workplace) -> Winner:
    complete = [trial for trial in trials if trial.state == "complete"]
    best, samples = best_of(complete, place.folder, place.definition)
    trial = complete[best.winner]
    start = trials[0] if place.definition.starts_with_base else None
    return Winner(
        index=trial.index,
        values=trial.values,
        seeds=trial.aucs,
        found=_figure(best.found, samples, _FOUND, _BOOTSTRAP),
        corrected=_figure(best.corrected, samples, _CORRECTED, _REFERENCE),
        optimism=best.optimism,
        candidates=len(complete),
        start=statistics.fmean(start.aucs) if start is not None and start.state == "complete" else None,
        repeated=repeated_validation(trial, start, best.found.value, place.splits),
    )


def _figure(found: Estimate, n: int, method: str, reference: str) -> Figure:
    return Figure(
        value=found.value,
        low=found.low,
        high=found.high,
        level=_LEVEL,
        n=n,
        method=method,
        reference=reference,
    )


def _importance(study: "Study") -> dict[str, float]:
    """How much each field matters, most first; none where all AUCs are equal."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        except (RuntimeError, ValueError):  # nothing varies
            return {}


def _notes(trials: list[Trial], place: Workplace) -> list[str]:
    """What a reader has to know of the figures."""
    notes = ["Test was given to no trial."]
    if place.definition.asked.base.training.selection == "best":
        notes.append(
            "Each training keeps its best epoch by the same validation samples, which no correction here takes back."
        )
    if any(trial.state == "pruned" for trial in trials):
        notes.append(
            "Trials that were given up early were no candidates: the correction knows the others alone."
        )
    if place.splits.refusal is not None:
        notes.append(f"The winner was not trained on fresh splits: {place.splits.refusal}.")
    done = [one for trial in trials for one in (*trial.seeds.values(), *trial.repeats.values())]
    if errors := [one.error for one in done if one.error is not None]:
        notes.append(f"{len(errors)} trainings failed, the last: {errors[-1]}")
    return notes


def _recipe_text(place: Workplace, found: Found) -> str:
    winner = found.winner
    assert winner is not None
    values = text_of(winner.values)
    recipe = place.definition.space.recipe(winner.values)
    told = recipe.model_copy(update={"description": f"found by medauc tune, trial {winner.index}: {values}"})
    head = [
        f"# The best of a search on {found.dataset} ({found.counts}).",
        *(f"# {line}" for line in winner.lines),
    ]
    body = yaml.safe_dump(told.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return "\n".join(head) + "\n" + body


def _table(found: Found) -> str:
    import pandas as pd

    rows = [
        {
            "trial": row.index,
            "state": row.state,
            "auc": row.auc,
            "seeds": len(row.seeds),
            "sd": statistics.stdev(row.seeds) if len(row.seeds) > 1 else None,
            "epochs": row.epochs,
            "seconds": row.seconds,
            **row.values,
            "error": row.error,
        }
        for row in found.rows
    ]
    frame = pd.DataFrame(rows, columns=None if rows else ["trial", "state", "auc"])
    if "error" in frame:
        frame["error"] = frame.pop("error")  # the last, whatever fields a trial has
    return str(frame.to_csv(index=False, lineterminator="\n"))
