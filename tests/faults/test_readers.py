"""Processes and threads that read images: a killed one is replaced, and nothing waits for it for ever."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medauc.data import load_dataset


def workers() -> list[int]:
    """Processes that prepare images for this one."""
    me, found = os.getpid(), []
    for task in Path(f"/proc/{me}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            if b"medauc.data.cache.worker" in command:
                found.append(int(child))
    return found


class Killer(threading.Thread):
    """Kills workers, each only after it has lived for a random part of a second."""

    def __init__(self, kills: int) -> None:
        super().__init__()
        self.left, self.stopped = kills, threading.Event()

    def run(self) -> None:
        chance = np.random.default_rng(0)
        while self.left and not self.stopped.is_set():
            for worker in workers()[: self.left]:
                time.sleep(chance.uniform(0.0, 0.4))
                os.kill(worker, signal.SIGKILL)
                self.left -= 1
            time.sleep(0.01)


@pytest.mark.parametrize(
    "side",
    [
        pytest.param(32, id="many rows at a time"),
        pytest.param(1500, id="one row at a time", marks=pytest.mark.slow),
    ],
)
def test_killed_workers_of_the_cache_are_replaced(tmp_path, monkeypatch, side):
    chance = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "images" / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 255, (32, 32), dtype=np.uint8)).save(path)
    monkeypatch.setattr("medauc.data.cache.build._CHUNK_ROWS", 4)
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "whole"))
    expected = load_dataset(str(tmp_path / "images"), size=side)
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "killed"))
    killer = Killer(2)
    killer.start()
    try:
        found = load_dataset(str(tmp_path / "images"), size=side)
    finally:
        killer.stopped.set()
        killer.join()
    assert killer.left == 0, "nothing was killed"
    assert found.notes == expected.notes, "no file is blamed"
    for name, split in expected.splits.items():
        np.testing.assert_array_equal(np.asarray(found.splits[name].images[:]), np.asarray(split.images[:]))
