"""Scores of a finished run under another test-time augmentation, without training it again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medauc.data import BagSplit, Dataset
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.training.ensemble_folder import EnsembleFolder, folder_at
from medauc.training.fit import Device
from medauc.training.predictor import Predictor


def rescore(
    folder: Path,
    dataset: Dataset,
    *,
    splits: Sequence[str] = ("val",),
    device: Device = "auto",
    **changes: Any,
) -> Predictions:
    """Score splits of a data set by the weights that a run kept.

    Nothing is written. The choice between settings belongs to validation: score test by the chosen one only.

    Args:
        folder: the folder of a run of one network. Validation samples of an ensemble are scored by the networks
            that have not seen them: rescore its members.
        dataset: the data that the run was trained on.
        splits: of "val" and "test".
        device: "auto" takes a GPU if there is one.
        **changes: keys of the recipe's section ``evaluation`` that replace the run's own, such as
            ``test_time_augmentation="octahedral"``.

    Returns:
        The table of scores; without ``changes`` the rows of the run's own ``predictions.csv``.

    Raises:
        InputError: an unfinished run, an ensemble, other data, or a change out of range.
    """
    run = folder_at(folder)
    if isinstance(run, EnsembleFolder):
        raise InputError(f"{folder}: an ensemble; rescore the run folders of its members")
    _, provenance = run.read_recipe()
    if (provenance.dataset, provenance.data_md5) != (dataset.name, dataset.md5):
        raise InputError(
            f"{folder}: trained on other data than this {dataset.name}; give {provenance.dataset}"
        )
    predictor = Predictor.load(folder, device, changes)
    labels = dataset.label_names if dataset.multi_label else None
    tables = []
    for name in splits:
        split = dataset.splits[name]
        tables.append(
            Predictions.from_arrays(
                split=name,
                ids=split.ids,
                groups=split.groups,
                targets=split.targets,
                scores=predictor(split.images, split.starts if isinstance(split, BagSplit) else None),
                label_names=labels,
                further=split.metadata,
            )
        )
    return Predictions.concatenate(tables)
