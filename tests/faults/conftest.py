"""Small trainings, and disks that are small or read-only."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SETTINGS = [
    "data.phantom.n_train=40", "data.phantom.n_val=40", "data.phantom.n_test=40", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=3",
]  # fmt: skip

Disk = Callable[[str], Path]


@pytest.fixture
def settings() -> list[str]:
    """Values of a recipe that is trained in a second."""
    return list(SETTINGS)


@pytest.fixture
def options(settings: list[str]) -> list[str]:
    """The same for the command line."""
    return [*(part for setting in settings for part in ("--set", setting)), "--device", "cpu"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes file systems in memory: ``disk("size=1m")`` is the folder of one of a megabyte."""
    made: list[Path] = []

    def mount(choices: str) -> Path:
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        if os.geteuid() != 0 or _run("mount", "-t", "tmpfs", "-o", choices, "none", folder):
            pytest.skip("only root may mount a file system")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        assert _run("umount", "--lazy", folder) == 0


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only: by its permissions, or, for root whom these do not stop, by a read-only mount of it."""
    bound: list[Path] = []

    def protect(folder: Path) -> None:
        if os.geteuid() != 0:
            folder.chmod(0o555)
            bound.append(folder)
            return
        if _run("mount", "--bind", folder, folder):
            pytest.skip("root may not mount here")
        bound.append(folder)
        assert _run("mount", "-o", "remount,ro,bind", folder) == 0

    yield protect
    for folder in bound:
        if os.geteuid() != 0:
            folder.chmod(0o755)
        else:
            assert _run("umount", "--lazy", folder) == 0


def _run(*arguments: str | Path) -> int:
    try:
        return subprocess.run(arguments, capture_output=True, check=False).returncode
    except OSError:
        return 1
