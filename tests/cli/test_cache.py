from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medauc.data.cache import cache_folder, list_cache, open_cache, read_limit
from medauc.data.preparation import PreparationSpec


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache with two entries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDAUC_CACHE", raising=False)
    monkeypatch.setattr("medauc.data.cache.digests._SETTLED", -1.0)  # files made just now are remembered too
    np.save(tmp_path / "image.npy", np.arange(36, dtype=np.uint8).reshape(6, 6))
    for size in (50, 1000):
        open_cache([tmp_path / "image.npy"], PreparationSpec(), size, 2)
    return cache_folder()


def test_listing_and_cleaning(invoke: Callable[..., Any], filled: Path) -> None:
    assert b"image.npy" in (filled / "files.sqlite").read_bytes()
    listed = invoke("cache")
    assert listed.status == 0, listed.err
    assert "50 x 50" in listed.out
    assert "1000 x 1000" in listed.out
    assert "1.0 MB of at most 100.0 GB" in " ".join(listed.out.split())
    cleaned = invoke("cache", "--clean")
    assert "removed 2 data sets" in cleaned.out
    assert list_cache() == []
    assert invoke("cache").status == 0
    left = {path.name: path.read_bytes() for path in filled.rglob("*") if path.is_file()}
    assert not [name for name in left if name.endswith(".lock")]
    assert not [name for name, content in left.items() if b"image.npy" in content]


def test_a_limit_is_applied_and_kept(invoke: Callable[..., Any], filled: Path) -> None:
    done = invoke("cache", "--limit", "0.5MB")
    assert done.status == 0, done.err
    assert read_limit() == 500_000
    assert sum(entry.bytes for entry in list_cache()) < 500_000


@pytest.mark.parametrize("size", ["many", "0", "0 GB", "-5GB", "5 potatoes", ""])
def test_a_wrong_size_is_one_line(invoke: Callable[..., Any], size: str) -> None:
    done = invoke("cache", f"--limit={size}")
    assert done.status == 2
    assert "--limit" in done.err
    assert len(done.err.splitlines()) == 1
