"""A network that is lost in the middle of a file: it goes on where it was, or is told in one line."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from medauc.data.download import download
from medauc.errors import InputError

CONTENT = bytes(range(256)) * 8_000  # 2 MB
OTHER = CONTENT[::-1]
MD5 = hashlib.md5(CONTENT).hexdigest()
STEP = 300_000  # bytes until the connection is lost


class Server(ThreadingHTTPServer):
    """Serves CONTENT with parts on demand; ``plan`` says what goes wrong with each request, in turn."""

    daemon_threads = True

    def __init__(self, plan: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.sent, self.requests = plan, 0, 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/set.npz"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        fault = self.server.plan.pop(0) if self.server.plan else "none"
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere.npz")
            self.end_headers()
            return
        if fault == "overloaded":
            self.send_error(503)
            return
        if fault == "closed":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = OTHER if fault == "other" else CONTENT
        wanted, version = self.headers.get("Range"), f'"{hashlib.md5(content).hexdigest()}"'
        known = self.headers.get("If-Range", version) == version
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and known else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", version)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + STEP if fault in ("lost", "stalled") else len(content)
        self.server.sent += len(content[start:end])
        self.wfile.write(content[start:end])
        self.wfile.flush()
        if fault == "stalled":
            self.server.released.wait(60)
        if fault == "lost":
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[..., Server]]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("medauc.data.download._PAUSE", 0.0)
    monkeypatch.setattr("medauc.data.download._CHUNK", 1 << 16)
    monkeypatch.setattr("pooch.downloaders.DEFAULT_TIMEOUT", 0.5)
    servers: list[Server] = []

    def start(*plan: str) -> Server:
        servers.append(Server(list(plan)))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.released.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "plan",
    [
        ["lost"] * 6,
        ["stalled", "lost"],
        ["lost", "closed", "closed", "lost"],
        ["redirect", "lost", "redirect", "stalled"],
    ],
    ids=["lost six times", "stalled", "nobody there for a while", "redirected"],
)
def test_it_goes_on_where_it_was(serve, tmp_path, plan):
    server = serve(*plan)
    download(server.url, tmp_path / "set.npz", MD5)
    assert (tmp_path / "set.npz").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]
    lost = sum(fault in ("lost", "stalled") for fault in plan)
    assert server.sent <= len(CONTENT) + lost * (1 << 17), "what had come was not asked for again"


def test_two_versions_never_make_one_file(serve, tmp_path):
    server = serve("lost", "other")
    with pytest.raises(InputError, match=f"MD5 {hashlib.md5(OTHER).hexdigest()}, published is {MD5}"):
        download(server.url, tmp_path / "set.npz", MD5)
    assert server.sent == STEP + len(OTHER)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (["stalled", "closed", "closed", "closed"], "no connection"),
        (["lost", "overloaded"], "503"),
        (["stalled"] + ["closed"] * 9, "no connection"),
    ],
)
def test_what_does_not_come_back_is_told(serve, tmp_path, plan, word):
    server = serve(*plan)
    with pytest.raises(InputError, match=word) as told:
        download(server.url, tmp_path / "set.npz", MD5)
    assert "--data-dir" in str(told.value)
    assert "\n" not in str(told.value)
    assert server.requests <= 4
    assert not list(tmp_path.iterdir())
