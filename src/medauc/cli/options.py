"""Options that several verbs share."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

_MEANINGS = ("path", "target", "id", "group", "split")
SALT_VARIABLE = "MEDAUC_HASH_IDS"
SHORTEST_SALT = 8


class DeviceOption(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Devices = Annotated[
    int | None,
    typer.Option(
        "--devices",
        min=1,
        help="Train one network on so many GPUs of this host, or processes with --device cpu.",
        show_default="1",
    ),
]
Nodes = Annotated[
    int | None,
    typer.Option(
        "--nodes",
        min=1,
        help="Hosts that train it together; run the same command on each, with MASTER_ADDR naming one of them.",
        show_default="1",
    ),
]


class CalibrationOption(StrEnum):
    """How scores become probabilities."""

    none = "none"
    platt = "platt"
    temperature = "temperature"
    beta = "beta"
    isotonic = "isotonic"
    auto = "auto"


def _long_enough(salt: str | None) -> str | None:
    """Refuse a salt that can be found by trying all."""
    from medauc.errors import InputError

    if salt is None and SALT_VARIABLE in os.environ:  # set by a command that failed, for one
        raise InputError(
            f"{SALT_VARIABLE} is empty, so that nothing would be hashed; give it a salt, or unset it"
        )
    if salt is not None and salt.startswith("--"):
        raise InputError(f"--hash-ids needs a salt, and {salt!r} is an option")
    if salt is not None and len(salt) < SHORTEST_SALT:
        raise InputError(
            f"--hash-ids: a salt of {len(salt)} characters can be guessed, and ids with it; take {SHORTEST_SALT} "
            "or more, a secret of your project"
        )
    return salt


Dataset = Annotated[
    str,
    typer.Argument(
        help="A name of `medauc datasets`, a folder of images, a manifest (.csv, .parquet), an .npz or .npy file."
    ),
]
RecipeName = Annotated[
    str, typer.Option("--recipe", help="'default', 'seed', or a YAML file, a run's recipe.yaml too.")
]
RecipeNames = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe", help="'default', 'seed', or a YAML file; may be repeated.", show_default="default"
    ),
]
RecipeSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY.PATH=VALUE", help="Change one value of the recipe, or of all; may be repeated."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Decides all randomness.")]
RecipeSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        max=2**32 - 1,
        help="Decides all randomness. Default: 0, or that of a run's recipe.yaml.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Trainings at a time, each in a process; they share the cores.",
        show_default="1, or all that a cluster has room for",
    ),
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|ray://HOST:PORT|ray://auto",
        help="Where to train: this machine, or a Ray cluster that it is a node of.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Threads of each training.",
        show_default="share of the cores; 1 on a cluster",
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus",
        min=0,
        help="GPUs of each training on a cluster; 0.5 lets two share one.",
        show_default="1 where there are any",
    ),
]
ReaderJobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Images read at a time.", show_default="the cores"),
]
Folds = Annotated[
    int | None,
    typer.Option("--folds", help="Train on folds of train and validation together.", show_default=False),
]
Members = Annotated[
    int | None,
    typer.Option("--members", help="Networks with seeds of their own, a fold.", show_default="1"),
]
Refit = Annotated[
    bool, typer.Option("--refit", help="After the folds, train on all of it for the epochs they chose.")
]
HashIds = Annotated[
    str | None,
    typer.Option(
        "--hash-ids",
        metavar="SALT",
        envvar=SALT_VARIABLE,
        callback=_long_enough,
        help="Write hashes of SALT (a secret of your project) and id in place of ids and patients, and no paths.",
        show_default=False,
        show_envvar=True,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with <name>[_<size>].npz, filled by download. Default: $MEDAUC_DATA, or the user's cache.",
        show_default=False,
    ),
]
Device = Annotated[DeviceOption, typer.Option("--device", help="'auto' takes a GPU if there is one.")]
AllowModified = Annotated[
    bool,
    typer.Option(
        "--allow-modified", help="Accept a data file whose MD5 is not the published one; recorded in the run."
    ),
]
Source = Annotated[
    Path,
    typer.Argument(metavar="RUN|PREDICTIONS.CSV", help="A run folder, or a table of scores from anywhere."),
]
Sources = Annotated[
    list[Path],
    typer.Argument(metavar="RUN|PREDICTIONS.CSV...", help="Run folders, or tables of scores from anywhere."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="TARGET=LABEL,SCORE=PROB",
        help="The file's own names of medauc's columns target, score, split, id, group; may be repeated.",
        show_default=False,
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Folder that a manifest's paths are relative to. Default: the manifest's own.",
        show_default=False,
    ),
]
ManifestColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="TARGET=DIAGNOSIS,GROUP=PATIENT",
        help="A manifest's own names of the columns path, target, id, group, split; may be repeated.",
        show_default=False,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive",
        help="The target that counts as positive, where targets are not 0 and 1: 'malignant'.",
        show_default=False,
    ),
]
Level = Annotated[
    float | None, typer.Option("--level", help="Confidence of every interval.", show_default="0.95")
]
Prevalence = Annotated[
    float | None,
    typer.Option(
        "--prevalence", help="Share of positives where the model will be used, for PPV, NPV and net benefit."
    ),
]
CostRatio = Annotated[
    float | None,
    typer.Option(
        "--cost-ratio", help="Cost of a missed positive over that of a false alarm: one more operating point."
    ),
]
CalibrationMethod = Annotated[
    CalibrationOption | None,
    typer.Option("--calibration", help="Map from scores to probabilities.", show_default="platt"),
]
Subgroups = Annotated[
    str | None,
    typer.Option(
        "--subgroups",
        metavar="SEX,SCANNER",
        help="Columns to evaluate by value, or 'none'.",
        show_default="every further column with 2 to 12 values",
    ),
]
AllowLeakage = Annotated[
    bool, typer.Option("--allow-leakage", help="Accept a group (patient) that occurs in more than one split.")
]


def files_settings(root: Path | None, columns: list[str] | None) -> list[str]:
    """What ``--root`` and ``--columns`` say of a manifest, as ``--set`` would; a root is relative to where one is.

    Raises:
        InputError: ``--columns`` is malformed, or names what is no column's meaning.

    >>> files_settings(None, ["target=label,group=patient"])
    ['data.columns.target="label"', 'data.columns.group="patient"']
    """
    from medauc.errors import InputError
    from medauc.evaluation import parse_columns

    found = [] if root is None else [f"data.root={json.dumps(str(root.absolute()))}"]
    for meaning, name in parse_columns(columns or ()).items():
        if meaning not in _MEANINGS:
            raise InputError(
                f"--columns {meaning}={name}: there is no {meaning}; name {', '.join(_MEANINGS)}"
            )
        found.append(f"data.columns.{meaning}={json.dumps(name)}")
    return found


def gpus_for(device: DeviceOption, executor: str, gpus: float | None) -> float | None:
    """``--gpus``, where it is not given what ``--device`` means for it.

    >>> gpus_for(DeviceOption.cpu, "ray://auto", None), gpus_for(DeviceOption.cuda, "ray://auto", 0.5)
    (0.0, 0.5)
    """
    if gpus is not None or executor == "local":
        return gpus
    return {DeviceOption.cpu: 0.0, DeviceOption.cuda: 1.0}.get(device)


def ensemble_settings(folds: int | None, members: int | None, refit: bool) -> list[str]:
    """What ``--folds``, ``--members`` and ``--refit`` say, as ``--set`` would; they stand after it and hold over it.

    >>> ensemble_settings(5, None, True)
    ['ensemble.folds=5', 'ensemble.refit=True']
    """
    given = {"folds": folds, "members": members, "refit": True if refit else None}
    return [f"ensemble.{key}={value}" for key, value in given.items() if value is not None]


def settings_changes(
    level: float | None,
    prevalence: float | None,
    cost_ratio: float | None,
    calibration: CalibrationOption | None,
    subgroups: str | None,
) -> dict[str, Any]:
    """Fields of :class:`medauc.evaluation.Settings` that were given on the command line."""
    given = {
        "level": level,
        "prevalence": prevalence,
        "cost_ratio": cost_ratio,
        "calibration": None if calibration is None else calibration.value,
        "subgroups": None if subgroups is None else _names(subgroups),
    }
    return {name: value for name, value in given.items() if value is not None}


def _names(text: str) -> tuple[str, ...]:
    return () if text == "none" else tuple(name.strip() for name in text.split(",") if name.strip())
