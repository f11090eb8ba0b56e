from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import medauc.data.cache.pool as pool
from medauc.data.cache.rows import RowJob


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Twelve 8-bit images of 6 pixels a side."""
    folder = tmp_path / "images"
    folder.mkdir()
    return [write_image(folder / f"{number:02}.npy", seed=number) for number in range(12)]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are prepared while the test runs, in their order."""
    names: list[str] = []
    write_rows = pool.write_rows

    def watched(job: RowJob, rows: list[tuple[int, str]]) -> list[tuple[int, str]]:
        names.extend(Path(path).name for _, path in rows)
        return write_rows(job, rows)

    monkeypatch.setattr(pool, "write_rows", watched)
    return names


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are handed out one at a time, and what is done is written down after each."""
    monkeypatch.setattr("medauc.data.cache.build._CHUNK_ROWS", 1)
    monkeypatch.setattr("medauc.data.cache.build._SAVE_EVERY", 0.0)


def write_image(path: Path, seed: int) -> Path:
    np.save(path, np.random.default_rng(seed).integers(0, 256, (6, 6)).astype(np.uint8))
    return path


Writer = Callable[[Path, int], Path]


@pytest.fixture
def write() -> Writer:
    """Write an image of 6 pixels a side, by its seed."""
    return write_image
