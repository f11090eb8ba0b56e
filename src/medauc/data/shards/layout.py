"""What lies in a set of shards: ``shards.json``, the index's arrays, and the tar files that they speak of."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medauc.data.dataset import SPLIT_NAMES
from medauc.errors import InputError

# One array a file, one row a sample, the splits behind each other; loaded as they are, never unpickled.
IDS, GROUPS, TARGETS, COLUMN = "ids.npy", "groups.npy", "targets.npy", "column-{}.npy"
SHARD, OFFSET, CHECKSUM, COUNTS = "shard.npy", "offset.npy", "crc32.npy", "pixel-counts.npy"

_Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
]  # a plain one: nothing outside the folder
_Title = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,199}$")]  # it names run folders
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredFile(_Strict):
    """A file of the set.

    Attributes:
        name: in the folder.
        bytes: its length.
        sha256: of its content.
    """

    name: _Name
    bytes: int = Field(ge=0)
    sha256: _Digest


class Description(_Strict):
    """``shards.json``: the whole set in a page.

    Attributes:
        format: of this file and what it describes.
        name: of the data set.
        image_shape: (H, W), (H, W, 3) or (D, H, W) of every image; pixels are uint8.
        counts: samples in train, val and test.
        class_names: what target 0 and target 1 mean.
        label_names: one a label.
        multi_label: whether targets have a label axis.
        columns: names of further columns; the file of the i-th is ``column-i.npy``.
        index: files of the index.
        shards: tar files.
        notes: what was decided in loading the source.
        made_splits: how splits were made, where they were.
        md5: digest of the data set that was written.
    """

    format: Literal["medauc shards 1"] = "medauc shards 1"
    name: _Title
    image_shape: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(min_length=2, max_length=3)
    counts: dict[str, Annotated[int, Field(ge=0)]]
    class_names: tuple[str, str]
    label_names: tuple[str, ...]
    multi_label: bool
    columns: tuple[str, ...] = ()
    index: tuple[StoredFile, ...]
    shards: tuple[StoredFile, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    made_splits: str | None = None
    md5: str

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [file.name for file in (*self.index, *self.shards)]
        if len(set(names)) < len(names) or set(self.counts) != set(SPLIT_NAMES):
            raise ValueError("a file is named twice, or a split is missing")
        if self.total == 0:
            raise ValueError("no samples")
        needed = {IDS, GROUPS, TARGETS, SHARD, OFFSET, CHECKSUM, COUNTS}
        needed |= {COLUMN.format(number) for number in range(len(self.columns))}
        missing = needed - {file.name for file in self.index}
        if missing:
            raise ValueError(f"the index lacks {min(missing)}")
        return self

    @property
    def total(self) -> int:
        """Samples of all splits."""
        return sum(self.counts.values())

    def to_json(self) -> str:
        """Text of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def parse_description(text: str, where: Path | str) -> Description:
    """Read ``shards.json``.

    Raises:
        InputError: it is damaged, or of a later version.
    """
    try:
        return Description.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "whole file"
        raise InputError(
            f"{where}: no description of shards ({place}: {first['msg']}); write them anew"
        ) from None
