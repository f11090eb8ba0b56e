"""Evaluating predictions: those of a training as its recipe says, or a table from anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from medauc.data.dataset import BAG_COLUMN
from medauc.data.readers import hash_ids as hashes_of
from medauc.errors import InputError
from medauc.evaluation import (
    Evaluation,
    Predictions,
    ReadOptions,
    Settings,
    evaluate,
    evaluate_runs,
    require_evaluable,
)
from medauc.evaluation.runs import add_runs
from medauc.training.ensemble_folder import EnsembleFolder, folder_at
from medauc.training.recipe import Recipe, differing_keys
from medauc.training.run_folder import RunFolder


def settings_of(recipe: Recipe, positive_name: str | None) -> Settings:
    """What the recipe's ``evaluation`` section decides; ``positive_name`` is what target 1 means."""
    section = recipe.evaluation
    return Settings(
        target_specificity=section.target_specificity,
        target_sensitivity=section.target_sensitivity,
        confidence=section.confidence,
        cost_ratio=section.cost_ratio,
        prevalence=section.prevalence,
        calibration=section.calibration,
        positive_name=positive_name,
    )


def evaluate_path(
    source: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    hash_ids: str | None = None,
    **options: Unpack[ReadOptions],
) -> tuple[Predictions, Evaluation]:
    """Evaluate a run folder, by its own recipe, or a table of scores from anywhere.

    Of an ensemble's folder, the evaluation holds mean and spread of its single networks too.

    Args:
        source: a run folder or a file (:meth:`medauc.evaluation.Predictions.read`).
        changes: fields of :class:`medauc.evaluation.Settings` that replace the recipe's or the default.
        hash_ids: as in :func:`read_source`.
        **options: how to read a file whose names are not medauc's.

    Raises:
        InputError: no such path, not a run folder, or a table that cannot be evaluated.
    """
    predictions = read_source(source, hash_ids=hash_ids, **options)
    require_evaluable(predictions, str(source))
    evaluation = evaluate(predictions, _settings(source, changes, options))
    run = folder_at(source) if source.is_dir() else None
    singles = run.aligned_singles(predictions, hash_ids) if isinstance(run, EnsembleFolder) else None
    return predictions, evaluation if singles is None else add_runs(evaluation, singles)


def evaluate_paths(
    sources: Sequence[Path],
    changes: Mapping[str, Any] | None = None,
    *,
    hash_ids: str | None = None,
    **options: Unpack[ReadOptions],
) -> tuple[Predictions, Evaluation]:
    """Evaluate several runs of the same data: their mean and spread, and their ensemble as one model.

    Args:
        sources: run folders or files, two or more; the first one's recipe decides.
        changes: as in :func:`evaluate_path`.
        hash_ids: as in :func:`read_source`.
        **options: as in :func:`evaluate_path`.

    Returns:
        The ensemble's predictions and its evaluation.

    Raises:
        InputError: as :func:`evaluate_path`, or runs that are not about the same samples.
    """
    runs = read_sources(sources, hash_ids=hash_ids, **options)
    for name, table in runs.items():
        require_evaluable(table, name)
    joined, evaluation = evaluate_runs(runs, _settings(sources[0], changes, options))
    told = [*evaluation.warnings, *_not_just_seeds(dict(zip(runs, sources, strict=True)))]
    return joined, evaluation.model_copy(update={"warnings": told})


def _not_just_seeds(sources: Mapping[str, Path]) -> list[str]:
    """Say when run folders are no repetitions of one training with different seeds."""
    read = {name: RunFolder(path).read_recipe() for name, path in sources.items() if path.is_dir()}
    found: list[str] = []
    for name, (recipe, _) in list(read.items())[1:]:
        first, (reference, _) = next(iter(read.items()))
        if keys := differing_keys(reference, recipe):
            shown = ", ".join(keys[:3])
            found.append(
                f"Run {name} differs from {first} in more than the seed, so the spread is not that of seeds: {shown}."
            )
    seeds = [provenance.seed for _, provenance in read.values()]
    if not found and len(set(seeds)) < len(seeds):
        found.append(f"Some runs have the same seed ({', '.join(map(str, seeds))}): the spread is too small.")
    return found


def _settings(source: Path, changes: Mapping[str, Any] | None, options: ReadOptions) -> Settings:
    if source.is_dir():
        recipe, provenance = RunFolder(source).read_recipe()
        found = settings_of(recipe, provenance.positive_class)
    else:
        found = Settings(positive_name=options.get("positive"))
    return replace(found, **(changes or {}))


def read_source(source: Path, *, hash_ids: str | None = None, **options: Unpack[ReadOptions]) -> Predictions:
    """Read the predictions of a run folder, or a table of scores from anywhere.

    Args:
        source: a run folder or a file (:meth:`medauc.evaluation.Predictions.read`).
        hash_ids: salt; ids and groups become hashes of it and themselves, unless they are such already.
        **options: how to read a file; of a run folder's own, only whether groups may span splits matters.

    Raises:
        InputError: no such path, a run folder without predictions, or a table that cannot be read.
    """
    if not source.exists():
        raise InputError(f"{source}: no such run folder or predictions file")
    if not source.is_dir():
        return _hashed(Predictions.read(source, **options), hash_ids)
    run = folder_at(source)
    if not run.predictions.exists():
        _, provenance = run.read_recipe()
        raise InputError(
            f"{source}: this run has no predictions.csv yet; finish it with "
            f"medauc train {provenance.dataset} --resume --out {source}"
        )
    predictions = Predictions.read(run.predictions, allow_leakage=options.get("allow_leakage", False))
    notes = run.notes(predictions) if isinstance(run, EnsembleFolder) else ()
    return _hashed(replace(predictions, notes=(*predictions.notes, *notes)), run.salt_left(hash_ids))


def _hashed(predictions: Predictions, salt: str | None) -> Predictions:
    if salt is None:
        return predictions
    frame = predictions.frame
    columns = {
        name: hashes_of(frame[name].to_numpy(dtype=np.str_), salt)
        for name in ("id", "group", BAG_COLUMN)
        if name in frame
    }
    return replace(predictions, frame=frame.assign(**columns))


def read_sources(
    sources: Sequence[Path], *, hash_ids: str | None = None, **options: Unpack[ReadOptions]
) -> dict[str, Predictions]:
    """Read the predictions of several models.

    Args:
        sources: run folders or files.
        hash_ids: see :func:`read_source`.
        **options: see :func:`read_source`.

    Returns:
        Predictions by a short name: that of the run folder or of the file, with as many of the folders
        above it as make it unlike the others.

    Raises:
        InputError: see :func:`read_source`; or a source is given twice.
    """
    return {
        name: read_source(source, hash_ids=hash_ids, **options)
        for name, source in zip(_names(sources), sources, strict=True)
    }


def _names(sources: Sequence[Path]) -> list[str]:
    """Shortest distinct ends of the paths."""
    whole = [
        path if path.is_dir() else path.parent if path.stem == "predictions" else path.with_suffix("")
        for path in (source.resolve() for source in sources)
    ]
    if len(set(whole)) < len(whole):  # x.csv beside x.parquet, or really twice
        whole = [source.resolve() for source in sources]
    for path in whole:
        if whole.count(path) > 1:
            raise InputError(f"{path}: given twice; a comparison needs different models")
    return ["/".join(path.parts[-_depth(path, whole) :]) for path in whole]


def _depth(path: Path, others: Sequence[Path]) -> int:
    """How many last parts of ``path`` tell it from the others."""
    return next(
        depth
        for depth in range(1, len(path.parts) + 1)
        if sum(other.parts[-depth:] == path.parts[-depth:] for other in others) == 1
    )
