"""A small set in shards, and a server that hands it out as badly as real ones do."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from medauc.data import Dataset, PhantomSpec, load_dataset
from medauc.data.shards import fetch, write_shards


def small_set(**changes: int) -> Dataset:
    """160 training images of 12 x 12 pixels, a quarter of them positive, with a further column."""
    spec = {"n_train": 160, "n_val": 40, "n_test": 30, "prevalence": 0.25, "signal_width": 1} | changes
    return load_dataset("phantom2d", 12, phantom=PhantomSpec(**spec))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def source() -> Dataset:
    return small_set()


@pytest.fixture(scope="session")
def shards(source: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its shards of about ten images each."""
    folder = tmp_path_factory.mktemp("shards") / "set"
    write_shards(source, folder, shard_bytes=25_000)
    return folder


@dataclass
class Faults:
    """What goes wrong; each count goes down with every request that it hits."""

    breaks: int = 0  # transfers of tar files that end half-way
    errors: int = 0  # answers 503
    damaged: int = 0  # tar files with other bytes in them
    ranges: bool = True  # whether parts are sent
    seconds: float = 0.0  # before an answer
    gone: bool = False  # no tar file is to be had
    lost_after: int | None = None  # tar files, after which the line is dead
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and range

    def fetched(self, ending: str = ".tar", *, parts: bool = False) -> list[str]:
        """Files that were asked for, as a whole or in part."""
        return [path for path, area in self.requests if path.endswith(ending) and (area is not None) is parts]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    faults: Faults

    def do_GET(self) -> None:
        area, faults = self.headers.get("Range"), self.faults
        path = self.folder / self.path.removeprefix("/set/")
        is_tar = path.suffix == ".tar"
        faults.requests.append((path.name, area))
        time.sleep(faults.seconds)
        if not path.is_file() or (is_tar and faults.gone):
            self.send_error(404)
            return
        if is_tar and faults.lost_after is not None:
            faults.lost_after -= 1
            if faults.lost_after < 0:
                self.close_connection = True
                return
        if is_tar and faults.errors:
            faults.errors -= 1
            self.send_error(503)
            return
        content, start = path.read_bytes(), 0
        total = len(content)
        if is_tar and faults.damaged:
            faults.damaged -= 1
            content = bytes(total)
        if area is not None and faults.ranges:
            first, _, last = area.removeprefix("bytes=").partition("-")
            start = int(first)
            content = content[start : int(last) + 1 if last else total]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if is_tar and faults.breaks:
            faults.breaks -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], tuple[str, Faults]]]:
    """Serve a folder; gives its address and the faults that can be set."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "FIRST_PAUSE", 0.002)
    servers = []

    def start(folder: Path) -> tuple[str, Faults]:
        faults = Faults()
        handler = type("Handler", (_Handler,), {"folder": folder, "faults": faults})
        servers.append(_Server(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/set", faults

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def colour_set() -> Dataset:
    """Two labels, some unknown, colour images, and a column of scanners."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    plain = small_set(n_train=40, n_val=12, n_test=12)
    splits = [
        replace(
            split,
            images=rng.integers(0, 256, (len(split), 6, 5, 3), dtype=np.uint8),
            targets=rng.integers(-1, 2, (len(split), 2)),
            groups=np.array([f"pätient {row // 2}/{name}" for row in range(len(split))]),
            metadata={"scanner": np.array(["A", "B b"])[rng.integers(0, 2, len(split))]},
        )
        for name, split in plain.splits.items()
    ]
    return replace(
        plain, train=splits[0], val=splits[1], test=splits[2], label_names=("one", "two"), name="colours"
    )
