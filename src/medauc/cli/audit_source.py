"""What ``medauc audit`` was pointed at, as rows to audit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medauc.audit import Collection, collection_of, collection_of_folder, collection_of_manifest
from medauc.errors import InputError
from medauc.printing import say

if TYPE_CHECKING:
    from medauc.training.sections.data import DataSection


def collection_from(
    source: str,
    *,
    recipe: str,
    overrides: Sequence[str],
    data_dir: Path | None,
    allow_modified: bool,
    jobs: int,
    trained: Path | None = None,
    hash_ids: str | None = None,
) -> Collection:
    """Read what the recipe's section ``data`` says of a data set; patients that cross splits are no error here.

    Args:
        source: As typed.
        recipe: "default", "seed" or a YAML file.
        overrides: ``key.path=value`` texts.
        data_dir: Folder of the catalog's files.
        allow_modified: Accept a file whose MD5 is not the published one.
        jobs: Processes that read files.
        trained: Scores that are joined. Own files are read as the run folder's recipe says unless ``recipe`` is
            another, and split as for a training.
        hash_ids: Salt of the ids in a file of splits; those of the collection stay as they are.

    Raises:
        InputError: As :func:`medauc.training.resolve`, or a manifest that cannot be read.
    """
    from medauc.data import load_dataset
    from medauc.data.files import is_arrays, is_files
    from medauc.data.load import is_path
    from medauc.training import resolve

    path = Path(source).expanduser()
    own_recipe = _recipe_of(trained) if recipe == "default" else recipe
    if path.suffix.lower() == ".npz" or (is_path(source) and is_arrays(path)):
        data = _data_section(own_recipe, overrides)
        positive, files = data.positive_class, data.files
        return collection_of(load_dataset(path, positive_class=positive, files=files, allow_leakage=True))
    if not is_path(source) or not is_files(path):
        plan = resolve(
            source, recipe=recipe, overrides=overrides, data_dir=data_dir, allow_modified=allow_modified
        )
        return collection_of(plan.dataset)
    data = _data_section(own_recipe, overrides)
    return _of_files(path, data, jobs, needs_splits=trained is not None, salt=hash_ids)


def _recipe_of(trained: Path | None) -> str:
    own = None if trained is None else trained / "recipe.yaml"
    return "default" if own is None or not own.is_file() else str(own)


def _of_files(
    path: Path, data: "DataSection", jobs: int, *, needs_splits: bool, salt: str | None
) -> Collection:
    from medauc.data.files import manifest_of
    from medauc.data.grouping import with_told_patients
    from medauc.data.manifest import split_manifest
    from medauc.data.manifest.split import UNUSED_SPLITS

    try:
        manifest = manifest_of(path, data.files, data.positive_class, needs_target=False)
    except InputError as error:  # a heap of images without classes can be audited too
        try:
            return collection_of_folder(path, jobs)
        except InputError:
            raise error from None
    if data.split is not None or (needs_splits and not manifest.has_splits):
        made, _ = split_manifest(with_told_patients(manifest), data.split, salt)
        if UNUSED_SPLITS in made.notes:
            say(f"medauc: {UNUSED_SPLITS}", err=True)
        # Who the patients are, the audit tells by itself.
        manifest = manifest.with_splits(made.column("split"))
    return collection_of_manifest(manifest, jobs)


def _data_section(recipe: str, overrides: Sequence[str]) -> "DataSection":
    """The recipe's section ``data``; shipped recipes say nothing about own files."""
    from medauc.training.overrides import apply_overrides
    from medauc.training.plan import FAMILIES
    from medauc.training.recipe import parse_recipe, read_recipe

    values: dict[str, Any] = {} if recipe in FAMILIES else read_recipe(Path(recipe).expanduser())
    values.pop("run", None)
    apply_overrides(values, overrides)
    return parse_recipe({"data": values.get("data", {})}, recipe).data
