"""Small valid data sets in every form that is no single image: tables, archives, arrays and shards."""

import gzip
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medauc.data import PhantomSpec, load_dataset
from medauc.data.shards import write_shards


@dataclass(frozen=True)
class SetSeed:
    """Files of a valid set, of which one is to be damaged; ``whole`` where the set is their folder."""

    name: str
    files: dict[str, bytes]
    damaged: str
    whole: bool = True

    @property
    def content(self) -> bytes:
        """Of the file that is to be damaged."""
        return self.files[self.damaged]

    def write(self, folder: Path, content: bytes) -> Path:
        """Write the set with other content in that file, and return what is to be read."""
        for name, data in (self.files | {self.damaged: content}).items():
            (folder / name).write_bytes(data)
        if "shards.json" in self.files and self.damaged != "shards.json":
            _tell_length(folder / "shards.json", self.damaged, len(content))
        return folder if self.whole else folder / self.damaged


def every_set() -> list[SetSeed]:
    """One for each file whose damage is a case of its own."""
    return [*_tables(), *_archives(), *_arrays(), *_shards()]


def _tell_length(path: Path, name: str, length: int) -> None:
    """Damage shall be found by what is inside, not by the length."""
    described = json.loads(path.read_text())
    for file in (*described["index"], *described["shards"]):
        if file["name"] == name:
            file["bytes"] = length
    path.write_text(json.dumps(described))


def _tables() -> list[SetSeed]:
    table = pd.DataFrame(
        {
            "path": [f"i{row}.png" for row in range(24)],
            "target": np.arange(24) % 2,
            "patient": [f"p{row // 2}" for row in range(24)],
            "age": np.arange(24) * 1.5,
            "sex": pd.Categorical(["f", "m"] * 12),
        }
    )
    text, columns = table.to_csv(index=False).encode(), io.BytesIO()
    table.to_parquet(columns)
    found = {"m.csv": text, "m.csv.gz": gzip.compress(text), "m.parquet": columns.getvalue()}
    return [SetSeed(name, {name: content}, name, whole=False) for name, content in found.items()]


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _archives() -> list[SetSeed]:
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.random.default_rng(0).integers(0, 256, (6, 6, 6), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(6) % 2
        arrays[f"{split}_ids"] = np.array([f"{split}{row}" for row in range(6)])
    stored, packed = io.BytesIO(), io.BytesIO()
    np.savez(stored, **arrays)
    np.savez_compressed(packed, **arrays)
    found = {"stored.npz": stored.getvalue(), "packed.npz": packed.getvalue()}
    return [SetSeed(name, {name: content}, name, whole=False) for name, content in found.items()]


def _arrays() -> list[SetSeed]:
    rng = np.random.default_rng(0)
    files = {
        "images.npy": _npy(rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)),
        "targets.npy": _npy(np.arange(40) % 2),
        "ids.npy": _npy(np.array([f"i{row}" for row in range(40)])),
        "groups.npy": _npy(np.array([f"g{row}".encode() for row in range(40)])),
    }
    return [SetSeed(f"arrays {name}", files, name) for name in files]


def _shards() -> list[SetSeed]:
    spec = PhantomSpec(n_train=20, n_val=10, n_test=10)
    with tempfile.TemporaryDirectory() as folder:
        write_shards(load_dataset("phantom2d", 12, phantom=spec), Path(folder, "set"))
        files = {path.name: path.read_bytes() for path in Path(folder, "set").iterdir()}
    tar = min(name for name in files if name.endswith(".tar"))
    chosen = ("shards.json", "ids.npy", "shard.npy", "offset.npy", "targets.npy", "pixel-counts.npy", tar)
    return [SetSeed(f"shards {name}", files, name) for name in chosen]
