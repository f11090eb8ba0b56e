"""Downloads against a server on this machine that misbehaves in every way a real one does."""

import errno
import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import pooch
import pytest

from medauc.data.download import download
from medauc.errors import InputError
from medauc.files import DiskFull

CONTENT = bytes(range(256)) * 20_000  # 5 MB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT: whole, broken off a number of times, or stalled half-way."""

    daemon_threads = True
    breaks = 0
    requests = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.half_sent = threading.Event()
        self.release = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = len(CONTENT) // 2
        self.wfile.write(CONTENT[:half])
        if self.path == "/stalled":
            self.server.half_sent.set()
            self.server.release.wait(60)
        if self.server.requests <= self.server.breaks:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(CONTENT[half:])

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("medauc.data.download._PAUSE", 0.0)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.release.set()
        running.shutdown()


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def fails(url: str, path: Path, *words: str, md5: str = MD5) -> None:
    """The download is refused in one line with these words, and leaves nothing behind."""
    with pytest.raises(InputError) as caught:
        download(url, path, md5)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_a_whole_file_arrives_silently(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "folder" / "set.npz"
    download(server.url("set.npz"), path, MD5)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["set.npz"]
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_on_a_terminal(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    download(server.url("set.npz"), tmp_path / "set.npz", MD5)
    assert "100%" in capsys.readouterr().err


def test_a_broken_transfer_is_restarted(server: Server, tmp_path: Path) -> None:
    server.breaks = 2
    download(server.url("set.npz"), tmp_path / "set.npz", MD5)
    assert (tmp_path / "set.npz").read_bytes() == CONTENT
    assert server.requests == 3


def test_a_transfer_that_keeps_breaking(server: Server, tmp_path: Path) -> None:
    server.breaks = 99
    fails(server.url("set.npz"), tmp_path / "set.npz", "broke off", "--data-dir")
    assert server.requests == 4  # the first brought half of it, three nothing new


def test_a_wrong_md5_shows_both_sums(server: Server, tmp_path: Path) -> None:
    fails(server.url("set.npz"), tmp_path / "set.npz", MD5, "0" * 32, "discarded", md5="0" * 32)


def test_a_missing_file_on_the_server(server: Server, tmp_path: Path) -> None:
    fails(server.url("missing"), tmp_path / "set.npz", "404", "set.npz", "--data-dir")


def test_a_refused_connection(tmp_path: Path, closed_port: int) -> None:
    fails(f"http://127.0.0.1:{closed_port}/set.npz", tmp_path / "set.npz", "no connection", "--data-dir")


def test_a_proxy_that_is_not_there(tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    fails("http://files.invalid/set.npz", tmp_path / "set.npz", "proxy", "--data-dir")


def test_a_proxy_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    download("http://files.invalid/set.npz", tmp_path / "set.npz", MD5)
    assert server.requests == 1


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*--data-dir"):
        download(server.url("set.npz"), tmp_path / "file" / "set.npz", MD5)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def __init__(self, **_: object) -> None: ...

        def __call__(self, url: str, output_file: BinaryIO, _: None) -> None:
            output_file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch, "HTTPDownloader", FullDisk)
    with pytest.raises(DiskFull, match=r"no space left to write .*set\.npz"):
        download("http://127.0.0.1/set.npz", tmp_path / "set.npz", MD5)
    assert not list(tmp_path.iterdir())


def test_a_killed_download_is_never_taken_for_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    arguments = f"{server.url('stalled')!r}, Path({str(path)!r}), {MD5!r}"
    code = f"from pathlib import Path; from medauc.data.download import download; download({arguments})"
    process = subprocess.Popen([sys.executable, "-c", code])
    assert server.half_sent.wait(60)
    process.kill()
    process.wait()
    server.release.set()
    assert not path.exists()
    download(server.url("set.npz"), path, MD5)
    assert path.read_bytes() == CONTENT
