"""The grid: data sets x recipes x seeds, each cell one training with a run folder of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from medauc.benchmark.contenders import Contender, folder_name
from medauc.data import CATALOG, load_dataset, parse_name
from medauc.data.load import folder_of_data, is_path
from medauc.data.npz import file_md5
from medauc.data.phantom import PHANTOM_DIMS
from medauc.errors import InputError
from medauc.files import require_writable
from medauc.training.plan import Load, load_for, resolve_recipe
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder, differences_from, mark_of_salt


@dataclass(frozen=True, eq=False)
class Cell:
    """One training of the grid.

    Attributes:
        dataset: as typed.
        flag: the data set's name with its size unless that is 28; names the folder.
        name: the recipe's name in tables.
        recipe: the validated recipe, with the size that the data have.
        seed: decides all randomness.
        folder: the run folder, ``<out>/<flag>/<recipe>-seed<seed>``.
    """

    dataset: str
    flag: str
    name: str
    recipe: Recipe
    seed: int
    folder: Path

    @property
    def is_finished(self) -> bool:
        """Whether the run has been evaluated."""
        return RunFolder(self.folder).evaluation.exists()

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self.flag}, {self.name}, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """All cells, seeds in the outermost loop: a grid that is stopped early has whole rounds of seeds.

    Attributes:
        out: folder of all runs.
        cells: the trainings.
        not_at_hand: data sets of the catalog that are left out.
        hash_ids: salt with which ids and groups are hashed in all runs.
    """

    out: Path
    cells: tuple[Cell, ...]
    not_at_hand: tuple[str, ...] = ()
    hash_ids: str | None = field(default=None, repr=False)

    def describe(self) -> str:
        """What is about to be done, and which data sets are left out."""
        finished = sum(cell.is_finished for cell in self.cells)
        flags, names = ({getattr(cell, key) for cell in self.cells} for key in ("flag", "name"))
        counts = (
            f"{len(flags)} data sets, {len(names)} recipes: {len(self.cells)} trainings, {finished} finished"
        )
        left_out = f"\nnot measured, their files are not at hand: {', '.join(self.not_at_hand)}"
        return f"{counts}; runs in {self.out}{left_out if self.not_at_hand else ''}"


def build_grid(
    datasets: Sequence[str],
    recipes: Sequence[Contender],
    seeds: int,
    out: Path,
    *,
    data_dir: Path | None = None,
    hash_ids: str | None = None,
) -> Grid:
    """Resolve every recipe for every data set and compare with what ``out`` holds; nothing is trained.

    Args:
        datasets: as typed; none means every set of the catalog whose file (28 a side) is at hand.
        recipes: what to compare.
        seeds: how many, 1 or more: 0, 1, ...
        out: folder of all runs.
        data_dir: folder of the catalog's files.
        hash_ids: salt with which ids and groups are hashed in all runs.

    Raises:
        InputError: ``out`` cannot be written, unknown data set or recipe, invalid values, two recipes of one name, no
            data at hand, or a run folder that was started with another recipe, other data or another salt.
    """
    require_writable(out)
    here = folder_of_data(data_dir)
    missing: list[str] = []
    if not datasets:
        missing = [entry.name for entry in CATALOG.values() if not (here / entry.file_name(28)).is_file()]
        datasets = [name for name in CATALOG if name not in missing]
        if not datasets:
            raise InputError(
                f"{here} holds no file of the catalog; name data sets, or their folder with --data-dir"
            )
    read = lru_cache(maxsize=1)(load_dataset)
    rows = [_resolve(dataset, contender, read, hash_ids) for dataset in datasets for contender in recipes]
    cells = tuple(
        Cell(dataset, flag, name, recipe, seed, out / flag / f"{folder_name(name)}-seed{seed}")
        for seed in range(seeds)
        for dataset, flag, name, recipe in rows
    )
    _require_distinct(cells)
    for dataset, flag, name, recipe in rows:
        _require_unmixed(out / flag, name, recipe, _md5(dataset, recipe, here, read, hash_ids), hash_ids)
    return Grid(out, cells, tuple(missing), hash_ids)


def _resolve(
    dataset: str, contender: Contender, read: Load, salt: str | None
) -> tuple[str, str, str, Recipe]:
    named = resolve_recipe(dataset, recipe=contender.recipe, overrides=contender.overrides, load=read)
    recipe = named.recipe
    if is_path(dataset):
        loaded, recipe = load_for(dataset, recipe, hash_ids=salt, load=read)
        flag = loaded.name
    else:
        flag, size = parse_name(dataset, recipe.data.size)
        flag = flag if size == 28 else f"{flag}_{size}"
    return dataset, flag, contender.name(named.name) + recipe.ensemble.suffix, recipe


def _require_distinct(cells: Sequence[Cell]) -> None:
    seen: dict[Path, Cell] = {}
    for cell in cells:
        other = seen.setdefault(cell.folder, cell)
        if other is not cell:
            raise InputError(
                f"two trainings of the grid would be called {cell.folder}; give the recipe files different names, "
                "and name each data set once"
            )


def _md5(dataset: str, recipe: Recipe, folder: Path, read: Load, salt: str | None) -> str | None:
    """MD5 of the data; None for phantoms, which the recipe decides, and for files still to be downloaded."""
    if is_path(dataset):
        return load_for(dataset, recipe, hash_ids=salt, load=read)[0].md5
    flag, size = parse_name(dataset, recipe.data.size)
    path = None if flag in PHANTOM_DIMS else folder / CATALOG[flag].file_name(size)
    return file_md5(path) if path is not None and path.is_file() else None


def _require_unmixed(folder: Path, name: str, recipe: Recipe, md5: str | None, salt: str | None) -> None:
    """Refuse a grid whose rows would be of several recipes or data, or whose ids would not be those of one another."""
    mark = None if salt is None else mark_of_salt(salt)
    for found in sorted(folder.glob(f"{folder_name(name)}-seed[0-9]*/recipe.yaml")):
        old_recipe, old = RunFolder(found.parent).read_recipe()
        if old.ids_hashed != mark:
            remedy = "leave it out" if old.ids_hashed is None else "give that"
            raise InputError(
                f"{found.parent}: was trained with other --hash-ids; {remedy}, or name another --out"
            )
        differences = differences_from(old_recipe, old, recipe)
        if old.data_md5 is not None and md5 is not None and old.data_md5 != md5:
            differences.append(f"data_md5 ({old.data_md5} -> {md5})")
        if differences:
            raise InputError(
                f"{found.parent}: was trained with another recipe or other data: {', '.join(differences)}; "
                "name another folder with --out, or remove this one"
            )
