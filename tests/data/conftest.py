"""What tests of data sets from files share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared images of a test go nowhere else."""
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Forty grey PNG of two classes, the ill ones brighter, in one folder a class."""
    rng = np.random.default_rng(0)
    for name, level in (("healthy", 60), ("ill", 180)):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for row in range(20):
            pixels = rng.integers(level - 40, level + 40, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "scans" / name / f"{row:02d}.png")
    return tmp_path / "scans"
