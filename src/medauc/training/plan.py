"""From what a user typed (data set, recipe, overrides) to loaded data and a validated recipe."""

import difflib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from medauc.data import CATALOG, BagSpec, BagSplit, Dataset, load_dataset, make_bags, parse_name, take_subset
from medauc.data.load import is_path
from medauc.data.phantom import PHANTOM_DIMS
from medauc.errors import InputError
from medauc.training.overrides import apply_overrides
from medauc.training.recipe import Recipe, parse_recipe, read_recipe

Load = Callable[..., Dataset]  # called as medauc.data.load_dataset is

FAMILIES = ("default", "seed")
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Plan:
    """What is about to be trained.

    Attributes:
        dataset: the loaded data.
        recipe: the validated recipe, its ``data.size`` the one that was loaded.
        recipe_name: short name for the run folder, such as "default" or the stem of the recipe's file.
        seed: seed written in a run's own ``recipe.yaml``, if that was the recipe.
    """

    dataset: Dataset
    recipe: Recipe
    recipe_name: str
    seed: int | None

    def describe(self) -> str:
        """One line on data and network, printed before a training."""
        data, model = self.dataset, self.recipe.model
        counts = " / ".join(str(len(split)) for split in data)
        shape = "x".join(map(str, data.image_shape))
        positive = data.positive_class or f"{len(data.label_names)} labels"
        sizes = f"{shape}, {counts} train/val/test{_bag_sizes(data)}, positive: {positive}"
        ensemble = self.recipe.ensemble
        several = "" if ensemble.is_single else f", {ensemble.text}"
        return f"{data.name} ({sizes}): {model.name}, {self.recipe.loss.name}{several}"


def _bag_sizes(dataset: Dataset) -> str:
    """How many images the samples have, in words; empty where each has one."""
    if not isinstance(dataset.train, BagSplit):
        return ""
    lengths = np.concatenate([split.lengths for split in dataset if isinstance(split, BagSplit)])
    few, many = lengths.min(), lengths.max()
    return f" bags of {few}" + (f" to {many}" if many > few else "") + " images"


@dataclass(frozen=True)
class NamedRecipe:
    """A validated recipe before any data are loaded.

    Attributes:
        recipe: the recipe, its ``data.size`` that of the data set's name if that has one.
        name: short name for folders: "default", "seed" or the stem of the recipe's file.
        seed: seed written in a run's own ``recipe.yaml``, if that was the recipe.
        source: where the recipe came from, for messages.
    """

    recipe: Recipe
    name: str
    seed: int | None
    source: str


def resolve(
    dataset: str,
    *,
    recipe: str = "default",
    overrides: Sequence[str] = (),
    data_dir: Path | None = None,
    allow_modified: bool = False,
    hash_ids: str | None = None,
) -> Plan:
    """Load ``dataset`` and the recipe for it.

    Args:
        dataset: name of the catalog (with or without size), a phantom, or the path of an ``.npz`` file.
        recipe: "default" or "seed" (the one shipped for this data set), or the path of a YAML file.
        overrides: ``key.path=value`` texts (:func:`medauc.training.overrides.apply_overrides`).
        data_dir: folder of the catalog's files.
        allow_modified: accept a file whose MD5 is not the published one.
        hash_ids: salt with which ids and groups are hashed (:func:`medauc.data.load_dataset`).

    Raises:
        InputError: unknown data set or recipe, invalid values, unreadable data.

    >>> resolve("phantom2d", overrides=["data.phantom.n_train=40"]).recipe.data.phantom.n_train
    40
    """
    read = lru_cache(maxsize=1)(load_dataset)  # an own file's kind is asked for before its recipe
    named = resolve_recipe(dataset, recipe=recipe, overrides=overrides, load=read)
    loaded, fitted = load_for(dataset, named.recipe, data_dir, allow_modified, hash_ids, load=read)
    _require_size(dataset, named.recipe.data.size, loaded.size, overrides)
    return Plan(loaded, fitted, named.name, named.seed)


def resolve_recipe(
    dataset: str, *, recipe: str = "default", overrides: Sequence[str] = (), load: Load = load_dataset
) -> NamedRecipe:
    """Find and validate the recipe for ``dataset``; no image is read, unless an own file's kind decides.

    Args:
        dataset: as in :func:`resolve`.
        recipe: as in :func:`resolve`.
        overrides: as in :func:`resolve`.
        load: reads an own file.

    Raises:
        InputError: unknown data set or recipe, invalid values.

    >>> found = resolve_recipe("breastmnist_64", recipe="seed", overrides=["loss.margin=0.5"])
    >>> found.name, found.source, found.recipe.data.size, found.recipe.loss.margin
    ('seed', 'seed/breastmnist.yaml', 64, 0.5)
    """
    if is_path(dataset):
        names = [_kind_of_path(dataset, overrides, load)] if recipe in FAMILIES else []
    else:
        flag, _ = parse_name(dataset)
        multi_label = flag in CATALOG and bool(CATALOG[flag].label_names)
        dims = CATALOG[flag].spatial_dims if flag in CATALOG else PHANTOM_DIMS[flag]
        own = [] if _asks_for_slices(overrides) else [flag]  # a volume's recipe does not suit its slices
        names = [*own, _kind(dims, multi_label, overrides)]
    values, source = _recipe_values(recipe, names)
    seed = _recorded_seed(values, source)
    resolved = _overridden(values, overrides, source)
    if not is_path(dataset):
        _, size = parse_name(dataset, resolved.data.size)
        _require_size(dataset, resolved.data.size, size, overrides)
        resolved = _with_size(resolved, size)
        if flag in PHANTOM_DIMS:
            bags = resolved.data.bags.resolved(has_column=resolved.data.phantom.bag_images > 1)
            resolved = _with_bags(resolved, bags)
    name = recipe if recipe in FAMILIES else Path(source).stem
    return NamedRecipe(resolved, name, seed, source)


def _overridden(values: dict[str, Any], overrides: Sequence[str], source: str) -> Recipe:
    """The recipe with its overrides; what is wrong is told of the file where it is wrong without them."""
    changed = deepcopy(values)
    apply_overrides(changed, overrides)
    try:
        return parse_recipe(changed, source)
    except InputError:
        parse_recipe(values, source)
        return parse_recipe(changed, "--set")


def _kind_of_path(dataset: str, overrides: Sequence[str], load: Load) -> str:
    """The general recipe for an own file; how its columns are to be read stands in the overrides alone so far."""
    from medauc.data.files import is_arrays, is_files, kind_of

    values: dict[str, Any] = {}
    apply_overrides(values, overrides)
    data = parse_recipe({"data": values.get("data", {})}, "--set").data
    path = Path(dataset).expanduser()
    if is_files(path):
        return _kind(*kind_of(path, data.files, data.positive_class), overrides)
    loaded = load(dataset, **({"files": data.files} if is_arrays(path) else {}))
    return _kind(loaded.spatial_dims, loaded.multi_label, overrides)


def _asks_for_slices(overrides: Sequence[str]) -> bool:
    """Whether volumes shall become bags of slices."""
    values: dict[str, Any] = {}
    apply_overrides(values, overrides)
    try:
        return values["data"]["bags"]["slices"] is not None
    except (KeyError, TypeError):
        return False


def load_for(
    dataset: str,
    recipe: Recipe,
    data_dir: Path | None = None,
    allow_modified: bool = False,
    hash_ids: str | None = None,
    *,
    load: Load = load_dataset,
) -> tuple[Dataset, Recipe]:
    """Load what the recipe's ``data`` section says; a size in the name of the data set wins over the recipe's.

    Args:
        dataset: as in :func:`resolve`.
        recipe: says size, positive class, phantom and subset.
        data_dir: folder of the catalog's files.
        allow_modified: accept a file whose MD5 is not the published one.
        hash_ids: salt with which ids and groups are hashed.
        load: reads the data; a caller with many trainings keeps them by a cached one.

    Returns:
        The data, and the recipe with the size that they have.

    Raises:
        InputError: unknown data set, or unreadable data.
    """
    options = _options(dataset, recipe, data_dir, allow_modified)
    loaded = load(dataset, **options, **({} if hash_ids is None else {"hash_ids": hash_ids}))
    fitted = _with_bags(_with_size(recipe, loaded.size), recipe.data.bags.for_data(loaded))
    return take_subset(make_bags(loaded, fitted.data.bags), recipe.data.subset), fitted


def _options(dataset: str, recipe: Recipe, data_dir: Path | None, allow_modified: bool) -> dict[str, Any]:
    """What the recipe says to :func:`medauc.data.load_dataset`."""
    data = recipe.data
    if is_path(dataset):
        chosen = {} if data.positive_class is None else {"positive_class": data.positive_class}
        is_npz = dataset.lower().endswith(".npz")  # it has one size, splits of its own and pixels as they are
        return chosen if is_npz else chosen | {"size": data.size, "files": data.files}
    return {
        "size": data.size,
        "data_dir": data_dir,
        "positive_class": data.positive_class,
        "allow_modified": allow_modified,
        "phantom": data.phantom if parse_name(dataset)[0] in PHANTOM_DIMS else None,
    }


def _with_size(recipe: Recipe, size: int) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"size": size})})


def _with_bags(recipe: Recipe, bags: BagSpec) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"bags": bags})})


def _require_size(dataset: str, asked: int, found: int, overrides: Sequence[str]) -> None:
    """Raise InputError when a size was typed and the data have another."""
    if asked != found and any(text.startswith("data.size=") for text in overrides):
        raise InputError(f"--set data.size={asked}: {dataset} has size {found}; leave it out")


def _recorded_seed(values: dict[str, Any], source: str) -> int | None:
    """Take the section ``run`` of a run's recipe.yaml out of ``values`` and return its seed."""
    run = values.pop("run", None)
    if run is None:
        return None
    seed = run.get("seed") if isinstance(run, dict) else None
    if not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise InputError(
            f"{source}: section 'run' has no seed from 0 to {MAX_SEED}; mend or remove the section"
        )
    return seed


def _kind(spatial_dims: int, multi_label: bool, overrides: Sequence[str]) -> str:
    """Name of the general recipe, for data that have none of their own."""
    dims = 2 if _asks_for_slices(overrides) else spatial_dims
    return f"{dims}d" + ("-multilabel" if multi_label else "")


def _recipe_values(recipe: str, names: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Read a shipped recipe (the first of ``names`` that its family has) or a file; also say where it came from."""
    if recipe in FAMILIES:
        shipped = shipped_recipes(recipe)
        name = next((name for name in names if name in shipped), None)
        if name is None:
            raise InputError(
                f"--recipe {recipe}: none ships for {names[0]}; take another's, as in --recipe {recipe}/{shipped[0]} "
                f"(there are {', '.join(shipped)})"
            )
        return read_shipped(recipe, name), f"{recipe}/{name}.yaml"
    family, _, name = recipe.partition("/")
    if family in FAMILIES and name in shipped_recipes(family):
        return read_shipped(family, name), f"{family}/{name}.yaml"
    path = Path(recipe).expanduser()
    if not path.exists():
        near = difflib.get_close_matches(recipe, FAMILIES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"--recipe {recipe}: {hint}neither 'default' nor 'seed' nor a file")
    return read_recipe(path), str(path)


def read_shipped(family: str, name: str) -> dict[str, Any]:
    """Plain values of a shipped recipe, as in ``read_shipped("seed", "vesselmnist3d")``."""
    with resources.as_file(resources.files("medauc") / "recipes" / family / f"{name}.yaml") as path:
        return read_recipe(path)


def shipped_text(family: str, name: str) -> str:
    """A shipped recipe as it stands in its file, comments included."""
    return (resources.files("medauc") / "recipes" / family / f"{name}.yaml").read_text(encoding="utf-8")


def shipped_recipes(family: str) -> list[str]:
    """Names of the recipes of a family ("default" or "seed") that ship with the package.

    >>> "vesselmnist3d" in shipped_recipes("seed")
    True
    """
    folder = resources.files("medauc") / "recipes" / family
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
