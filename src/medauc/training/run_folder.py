"""The run folder: where the files of a run lie, and what its ``recipe.yaml`` records."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from medauc import __version__
from medauc.data import Dataset
from medauc.data.npz import file_md5
from medauc.errors import InputError
from medauc.files import is_leftover, require_writable, telling_full, write_text_atomically
from medauc.training import ranks
from medauc.training.inputs import Inputs
from medauc.training.recipe import Recipe, differing_keys, parse_recipe, read_recipe


@dataclass(frozen=True)
class Provenance:
    """What a run was made of beside its recipe; stored under ``run:`` in ``recipe.yaml``."""

    dataset: str
    data_path: str | None
    data_md5: str | None
    data_modified: bool
    positive_class: str | None
    seed: int
    medauc: str
    torch: str
    python: str
    platform: str
    device: str
    threads: int
    weights_md5: str | None = None  # of the file that the recipe's model.weights names
    part: str | None = None  # what the splits are made of, where not the data set's own
    data_notes: tuple[str, ...] = ()  # what was decided in loading own files
    ids_hashed: str | None = None  # mark of the salt (mark_of_salt); None: plain ids
    asked: dict[str, int] | None = None  # batch sizes of the recipe that did not fit into memory
    processes: int = 1  # that trained together when it was begun
    inputs: Inputs | None = None  # None for an ensemble: each of its networks has its own

    @classmethod
    def of(cls, dataset: Dataset, seed: int, device: str, weights: str | None = None) -> "Provenance":
        """Describe this process, ``dataset`` and the file of starting weights."""
        import torch  # not at the top: reading a finished run needs no torch

        return cls(
            dataset=dataset.name,
            data_path=dataset.address or (None if dataset.source is None else str(dataset.source.resolve())),
            data_md5=dataset.md5,
            data_modified=dataset.modified,
            positive_class=dataset.positive_class,
            seed=seed,
            medauc=__version__,
            torch=str(torch.__version__),
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
            device=device,
            threads=torch.get_num_threads(),
            processes=ranks.world_size(),
            part=dataset.part,
            data_notes=dataset.notes,
            ids_hashed=None if dataset.salt is None else mark_of_salt(dataset.salt),
            weights_md5=file_md5(Path(weights)) if weights is not None and Path(weights).is_file() else None,
        )


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder (design: each is a file a person can open)."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe with its provenance."""
        return self.path / "recipe.yaml"

    @property
    def metrics(self) -> Path:
        """One row per epoch."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """``last.ckpt`` and ``best.safetensors``."""
        return self.path / "checkpoints"

    @property
    def reference(self) -> Path:
        """What the images look like that it was trained on; runs of older versions have none."""
        return self.path / "reference.npz"

    @property
    def predictions(self) -> Path:
        """The table of scores."""
        return self.path / "predictions.csv"

    @property
    def instances(self) -> Path:
        """The table of images, where samples are bags."""
        return self.path / "instances.csv"

    @property
    def evaluation(self) -> Path:
        """Every figure."""
        return self.path / "evaluation.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def splits(self) -> Path:
        """The split of each sample, where splits were made; ``data.split.file`` takes it."""
        return self.path / "split.csv"

    def create(self, recipe: Recipe, provenance: Provenance) -> None:
        """Make the folder and write its recipe first, by which it is a run; raise InputError when it cannot be made."""
        with self._telling_why_not():
            self.path.mkdir(parents=True, exist_ok=True)
            self.write_recipe(recipe, provenance)
            self._make_subfolders()

    def restore(self) -> None:
        """Make the folders that a run lacks: it was killed before it had them, or tidied; raise InputError as above."""
        with self._telling_why_not():
            self._make_subfolders()

    @contextmanager
    def _telling_why_not(self) -> Iterator[None]:
        try:
            with telling_full(self.path):
                yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"{self.path}: cannot write the run folder ({reason}); name another with --out"
            ) from None

    def _make_subfolders(self) -> None:
        self.checkpoints.mkdir(exist_ok=True)

    def remove_leftovers(self) -> None:
        """Delete temporary files that a killed process left."""
        for leftover in filter(is_leftover, self.path.rglob(".*")):
            leftover.unlink()

    def write_recipe(self, recipe: Recipe, provenance: Provenance) -> None:
        """Write ``recipe.yaml``."""
        content = recipe.model_dump(mode="json") | {"run": asdict(provenance)}
        write_text_atomically(self.recipe, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def write_splits(self, dataset: Dataset) -> None:
        """Write ``split.csv``, unless it is there, where splits were made for this run; equal files give equal ones."""
        if dataset.made_splits is None or self.splits.exists():
            return
        import pandas as pd

        tables = [
            pd.DataFrame({"id": split.ids, "group": split.groups, "split": name})
            for name, split in dataset.splits.items()
        ]
        write_text_atomically(self.splits, pd.concat(tables).to_csv(index=False, lineterminator="\n"))

    def read_recipe(self) -> tuple[Recipe, Provenance]:
        """Read it back; raise InputError when this is not a run folder."""
        if not self.recipe.is_file():
            raise InputError(f"{self.path}: not a run folder: it has no recipe.yaml")
        values = read_recipe(self.recipe)
        run: Any = values.pop("run", None)
        try:
            inputs, notes = run.get("inputs"), tuple(run.get("data_notes", ()))
            provenance = Provenance(
                **{**run, "data_notes": notes, "inputs": None if inputs is None else Inputs(**inputs)}
            )
        except (TypeError, AttributeError):
            raise InputError(f"{self.recipe}: its section 'run' is missing or incomplete") from None
        return parse_recipe(values, str(self.recipe)), provenance

    def salt_left(self, salt: str | None) -> str | None:
        """With what ids in the files of this run are still to be hashed; None where they are, or shall stay plain.

        Raises:
            InputError: they are hashed with another salt.
        """
        marked = self.read_recipe()[1].ids_hashed
        if salt is None or marked is None:
            return salt
        if marked != mark_of_salt(salt):
            raise InputError(f"{self.path}: its ids are hashed with another salt; give that one")
        return None

    def require_same(self, recipe: Recipe, provenance: Provenance) -> Recipe:
        """Raise InputError unless the run here was started with this recipe, seed and data; return what it trains.

        That is another recipe than the one asked for where its batches did not fit into memory.
        """
        trained, old = self.read_recipe()
        if old.ids_hashed != provenance.ids_hashed:
            remedy = "leave --hash-ids out" if old.ids_hashed is None else "give it with the salt of that run"
            raise InputError(f"{self.path}: cannot resume, the run there has other --hash-ids; {remedy}")
        differences = differences_from(trained, old, recipe)
        for key in ("dataset", "data_md5", "positive_class", "seed", "part"):
            if getattr(old, key) != getattr(provenance, key):
                differences.append(f"{key} ({getattr(old, key)} -> {getattr(provenance, key)})")
        # A finished run does without the file that it started from.
        if provenance.weights_md5 not in (None, old.weights_md5):
            differences.append(f"weights_md5 ({old.weights_md5} -> {provenance.weights_md5})")
        if differences:
            raise InputError(
                f"{self.path}: cannot resume, the run there was started with another recipe: {', '.join(differences)}; "
                f"--resume --out {self.path} without --recipe, --set and --seed takes the run's own"
            )
        return trained


def differences_from(trained: Recipe, run: Provenance, recipe: Recipe) -> list[str]:
    """In what a run was started with another recipe, as :func:`differing_keys` says it.

    Args:
        trained: what the run trains.
        run: what else its ``recipe.yaml`` says.
        recipe: what is asked for now; what is done when memory ends may be changed later.
    """
    asked = trained if run.asked is None else trained.with_batch_sizes(run.asked)
    each = [differing_keys(one, recipe) for one in (asked, trained)]
    return [key for key in min(each, key=len) if not key.startswith("training.out_of_memory ")]


def mark_of_salt(salt: str) -> str:
    """What a run keeps of the salt of its ids: enough to tell whether another one is the same."""
    from medauc.data.readers import hash_id

    return hash_id("the salt of this run's ids", salt)


def choose_folder(dataset: Dataset, recipe_name: str, seed: int, out: Path | None, resume: bool) -> Path:
    """Where a run goes: ``out``, or ``runs/<dataset>/<recipe>-seed<seed>``, numbered when that exists.

    Args:
        dataset: names the folder, with its size unless that is 28 or the file is the user's own.
        recipe_name: "default", "seed" or the stem of a recipe file.
        seed: the run's seed.
        out: the folder that the user asked for.
        resume: look for the latest run of that name instead of a free name.

    Raises:
        InputError: nothing to resume, or ``out`` is a folder with other things in it.
    """
    if out is not None:
        require_usable(out, resume)
        return out
    is_own_file = dataset.entry is None and dataset.source is not None  # comes in one size
    flag = dataset.name if dataset.size == 28 or is_own_file else f"{dataset.name}_{dataset.size}"
    first = Path("runs") / flag / f"{recipe_name}-seed{seed}"
    latest, candidate, number = None, first, 1
    while candidate.exists():
        latest, number = candidate, number + 1
        candidate = first.with_name(f"{first.name}-{number}")
    if not resume:
        return candidate
    if latest is None:
        raise InputError(f"{first}: no run to resume; name its folder with --out")
    return latest


def require_usable(out: Path, resume: bool) -> None:
    """Raise InputError unless ``out`` can be written, and is free for a new run or, to ``resume``, holds one."""
    is_run = RunFolder(out).recipe.exists()
    if resume and not is_run:
        raise InputError(f"{out}: no run to resume: it has no recipe.yaml")
    if not resume and is_run:
        raise InputError(
            f"{out}: holds a run already; continue it with --resume, or name another folder with --out"
        )
    if not is_run and out.is_dir() and not all(map(is_leftover, out.iterdir())):
        raise InputError(f"{out}: not empty and not a run; name a new folder with --out")
    require_writable(out)
    require_writable(RunFolder(out).checkpoints)
