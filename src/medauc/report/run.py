"""The report of a run folder, or of a table of scores from anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pandas as pd

from medauc.data import Dataset, SubsetSpec, file_md5, load_dataset, make_bags, take_subset
from medauc.data.shards import is_url
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions, ReadOptions
from medauc.report.build import write_report
from medauc.report.flow import SplitFlow, split_flow
from medauc.report.gallery import most_confident_errors
from medauc.report.material import RunMaterial
from medauc.report.model_card import write_model_card
from medauc.report.shown import Shown, shown_images
from medauc.training import Provenance, Recipe, RunFolder, evaluate_path, evaluate_paths, read_source
from medauc.training.members import members_of, refits_of


def report_path(
    source: Path,
    out: Path | None = None,
    data_dir: Path | None = None,
    changes: Mapping[str, Any] | None = None,
    *,
    hash_ids: str | None = None,
    **options: Unpack[ReadOptions],
) -> Path:
    """Evaluate a run folder or a CSV file, write its page and its model card; nothing is downloaded for it.

    Args:
        source: A run folder, or predictions that :meth:`medauc.evaluation.Predictions.read` accepts.
        out: File to write; ``report.html`` beside the predictions when ``None``.
        data_dir: Folder of the data file, for the images of a run; where it was at training when ``None``.
        changes: Fields of :class:`medauc.evaluation.Settings` that replace the recipe's or the default.
        hash_ids: Salt; the page has hashes of it and ids in place of ids. Of a run that has such already, the salt of
            its training: without it the page has no images.
        **options: How to read a file whose names are not medauc's.

    Returns:
        The page written; the model card lies at :func:`card_of` it. Without the data file of the run, the page
        has no images and says so.

    Raises:
        InputError: The source cannot be read or evaluated, or the page cannot be written.
    """
    predictions, evaluation = evaluate_path(source, changes, hash_ids=hash_ids, **options)
    if source.is_dir():
        run = RunFolder(source)
        title, material = _describe(run, _find_dataset(run, data_dir, hash_ids), predictions, evaluation)
        target = out or run.report
    else:
        title, material, target = source.name, None, out or source.with_name("report.html")
    write_report(target, evaluation, predictions, title=title, material=material)
    write_model_card(card_of(target), evaluation, predictions, title=title, material=material)
    return target


def report_runs(
    sources: Sequence[Path],
    out: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    hash_ids: str | None = None,
    **options: Unpack[ReadOptions],
) -> Path:
    """Evaluate several runs of the same data and write the page and model card of their ensemble.

    Args:
        sources: Run folders or files, two or more.
        out: File to write.
        changes: As in :func:`report_path`.
        hash_ids: As in :func:`report_path`.
        **options: As in :func:`report_path`.

    Returns:
        The file written. It shows the runs' mean and spread; recipe, images and training curves are each run's own
        and left out.

    Raises:
        InputError: As :func:`report_path`, or runs that are not about the same samples.
    """
    predictions, evaluation = evaluate_paths(sources, changes, hash_ids=hash_ids, **options)
    title = f"{len(sources)} trainings: {', '.join(source.resolve().name for source in sources)}"
    write_report(out, evaluation, predictions, title=title)
    write_model_card(card_of(out), evaluation, predictions, title=title)
    return out


def card_of(page: Path) -> Path:
    """Where the model card of a page lies: beside it.

    >>> card_of(Path("run/report.html")).as_posix(), card_of(Path("run/seed1.html")).as_posix()
    ('run/model_card.md', 'run/seed1_model_card.md')
    """
    return page.with_name("model_card.md" if page.stem == "report" else f"{page.stem}_model_card.md")


def write_run_report(run: RunFolder, dataset: Dataset) -> Path:
    """Write ``report.html`` and ``model_card.md`` of a finished run whose data set is at hand.

    Raises:
        InputError: The run is not finished, or the page cannot be written.
    """
    predictions, evaluation = read_source(run.path), Evaluation.read(run.evaluation)
    title, material = _describe(run, dataset, predictions, evaluation)
    write_report(run.report, evaluation, predictions, title=title, material=material)
    write_model_card(card_of(run.report), evaluation, predictions, title=title, material=material)
    return run.report


def _describe(
    run: RunFolder, dataset: Dataset | None, predictions: Predictions, evaluation: Evaluation
) -> tuple[str, RunMaterial]:
    """Title of the page of a run, and what its training adds."""
    recipe, provenance = run.read_recipe()
    shown = (
        Shown()
        if dataset is None
        else shown_images(run, dataset, most_confident_errors(predictions, evaluation))
    )
    material = RunMaterial(
        data_name=provenance.dataset,
        notes=_notes(provenance, dataset),
        recipe=recipe,
        seed=provenance.seed,
        environment=_environment(provenance),
        unscored={}
        if dataset is None or recipe.ensemble.folds is not None
        else _unscored(dataset, predictions, recipe.data.subset),
        history=_read_history(run.metrics) if recipe.ensemble.is_single else _read_histories(run),
        images=shown.images,
        captions=shown.captions,
    )
    return f"{provenance.dataset}: {run.path.resolve().name}", material


def _find_dataset(run: RunFolder, data_dir: Path | None, salt: str | None) -> Dataset | None:
    """Load the data of a run if they are here, unchanged, and go by the ids of the run."""
    recipe, provenance = run.read_recipe()
    if provenance.ids_hashed is not None and salt is None:
        return None
    if provenance.data_path is None:  # a phantom, generated anew
        dataset = load_dataset(
            provenance.dataset, recipe.data.size, phantom=recipe.data.phantom, hash_ids=salt
        )
        return make_bags(dataset, recipe.data.bags) if dataset.md5 == provenance.data_md5 else None
    if is_url(provenance.data_path):
        return _find_files(provenance.data_path, recipe, provenance.data_md5, salt)
    recorded = Path(provenance.data_path)
    file = recorded if data_dir is None else data_dir / recorded.name
    if file.suffix.lower() != ".npz":
        return _find_files(file, recipe, provenance.data_md5, salt)
    if not file.is_file() or file_md5(file) != provenance.data_md5:
        return None
    return make_bags(
        load_dataset(file, hash_ids=salt), recipe.data.bags
    )  # by path: nothing can be downloaded


def _find_files(source: Path | str, recipe: Recipe, md5: str | None, salt: str | None) -> Dataset | None:
    """Load own files, prepared as the run's recipe says, if they are here and unchanged."""
    chosen = recipe.data
    try:
        dataset = load_dataset(
            source, chosen.size, positive_class=chosen.positive_class, files=chosen.files, hash_ids=salt
        )
    except InputError:
        return None
    return make_bags(dataset, chosen.bags) if dataset.md5 == md5 else None


def _unscored(dataset: Dataset, predictions: Predictions, subset: SubsetSpec) -> dict[str, SplitFlow]:
    """Sizes of the splits that were not scored; a file alone does not know which class was positive."""
    labels = dataset.label_names if dataset.multi_label else ()
    if not dataset.multi_label and _is_flipped(dataset, predictions):
        train, val, test = (replace(split, targets=1 - split.targets) for split in dataset)
        dataset = replace(dataset, train=train, val=val, test=test)
    return {
        name: split_flow(name, split.targets, split.groups, labels)
        for name, split in take_subset(dataset, subset).splits.items()
        if name not in predictions.splits
    }


def _is_flipped(dataset: Dataset, predictions: Predictions) -> bool:
    stored = dict(zip(map(str, dataset.test.ids), dataset.test.targets.tolist(), strict=True))
    test = predictions.select("test")
    return any(stored.get(name) == 1 - int(used) for name, used in zip(test.ids, test.target(), strict=True))


def _notes(provenance: Provenance, dataset: Dataset | None) -> list[str]:
    found = []
    if provenance.positive_class is not None:
        found.append(f"Positive class: {provenance.positive_class}.")
    if provenance.part is not None:
        found.append(f"Of this data set, {provenance.part}.")
    found += provenance.data_notes
    if provenance.data_modified:
        found.append(f"The data file is not the published one (MD5 {provenance.data_md5}).")
    if dataset is None and provenance.ids_hashed is not None:
        found.append(
            "No images: the ids of the run are hashed; --hash-ids with their salt shows images where the data are here."
        )
    elif dataset is None:
        found.append("No images: the data file of the run was not found, or has changed; name its folder.")
    elif dataset.ideal_auc is not None:
        found.append(f"Best AUROC that any observer can reach on this phantom: {dataset.ideal_auc:.3f}.")
    return found


def _environment(provenance: Provenance) -> dict[str, str]:
    """Name what was used; of the data file only its name, since a page is handed around."""
    file = "generated" if provenance.data_path is None else Path(provenance.data_path).name
    return {
        "data": f"{file}, MD5 {provenance.data_md5}",
        "seed": str(provenance.seed),
        "medauc": provenance.medauc,
        "PyTorch": provenance.torch,
        "Python": provenance.python,
        "platform": provenance.platform,
        "device": f"{provenance.device}, {provenance.threads} threads",
    }


def _read_histories(run: RunFolder) -> pd.DataFrame | None:
    """Epochs of all networks of an ensemble, below each other; those whose folders are still there."""
    recipe, provenance = run.read_recipe()
    members = [
        *members_of(recipe.ensemble, provenance.seed),
        *refits_of(recipe.ensemble, provenance.seed),
    ]
    found = []
    for member in members:
        history = _read_history(run.path / "members" / member.name / "metrics.csv")
        if history is not None:
            found.append(history.assign(member=member.name))
    return pd.concat(found, ignore_index=True) if found else None


def _read_history(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        history = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        history = pd.DataFrame()
    if "epoch" not in history or not all(map(pd.api.types.is_numeric_dtype, history.dtypes)):
        raise InputError(f"{path} is not the table of epochs that the training wrote; restore or remove it")
    return history
