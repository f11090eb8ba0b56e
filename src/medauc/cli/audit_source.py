"""What ``medauc audit`` was pointed at, as rows to audit."""

from collections.abc import Sequence
from pathlib import Path

from medauc.audit import Collection, collection_of


def collection_from(
    source: str,
    *,
    recipe: str,
    overrides: Sequence[str],
    data_dir: Path | None,
    allow_modified: bool,
) -> Collection:
    """Read what the recipe's section ``data`` says of a data set; patients that cross splits are no error here.

    Raises:
        InputError: As :func:`medauc.training.resolve`, or a manifest that cannot be read.
    """
    from medauc.training import resolve

    plan = resolve(
        source, recipe=recipe, overrides=overrides, data_dir=data_dir, allow_modified=allow_modified
    )
    return collection_of(plan.dataset)
