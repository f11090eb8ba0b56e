"""Fetching over HTTP: whole files and parts of files, with retries that go on where a transfer broke off."""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medauc.data.download import reason_of
from medauc.data.shards.layout import StoredFile
from medauc.errors import InputError
from medauc.files import atomic_path

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between attempts, doubling
_TIMEOUTS = (10, 30)  # seconds to connect, and without a byte
_CHUNK = 1 << 16  # of a transfer that breaks off less than this is lost
_LONGEST_TEXT = 1 << 26  # bytes of a description; a shard takes about a hundred of them
_sessions = threading.local()  # a session may not be shared by threads


class _Again(Exception):
    """An attempt failed for a reason that may pass."""


def fetch_text(url: str) -> str:
    """Fetch a small text.

    Raises:
        InputError: the server cannot be reached, or does not have it.
    """

    def attempt() -> str:
        with closing(_get(url)) as answer:
            content = _read(answer, _LONGEST_TEXT)
        if len(content) > _LONGEST_TEXT:
            raise InputError(
                f"{url}: more than {_LONGEST_TEXT:,} bytes, which no description has; check the address"
            )
        return content.decode("utf-8", errors="replace")

    return _persist(url, attempt)


def fetch_file(url: str, path: Path, expected: StoredFile) -> None:
    """Fetch a file; it appears at ``path`` only when it is whole and has its digest.

    Raises:
        InputError: the server cannot be reached, or sends something else.
        OSError: the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.touch()
        _persist(url, lambda: _continue(url, temporary, expected))


def fetch_range(url: str, start: int, length: int) -> bytes:
    """Fetch a part of a file, by the header ``Range``.

    Raises:
        InputError: the server cannot be reached, or does not know ranges.
    """

    def attempt() -> bytes:
        with closing(_get(url, {"Range": f"bytes={start}-{start + length - 1}"})) as answer:
            if answer.status_code != 206:
                raise InputError(
                    f"{url}: the server does not send parts of files (no HTTP ranges); take another"
                )
            content = _read(answer, length)
        if len(content) != length:
            raise _Again(f"{min(len(content), length + 1)} of {length} bytes came")
        return content

    return _persist(url, attempt)


def _persist(url: str, attempt: Callable[[], T]) -> T:
    """Try until it succeeds; of what keeps failing tell the last reason."""
    reason, pause = "", FIRST_PAUSE
    for number in range(ATTEMPTS):
        if number:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        try:
            return attempt()
        except _Again as error:
            reason = str(error)
    raise InputError(
        f"{url} cannot be fetched ({reason}; {ATTEMPTS} attempts); when it is back, go on with the same command, "
        "a training with --resume"
    )


def _continue(url: str, path: Path, expected: StoredFile) -> None:
    """Fetch what ``path`` still lacks, and check the whole."""
    have = path.stat().st_size
    with (
        closing(_get(url, {"Range": f"bytes={have}-"} if have else {})) as answer,
        path.open("ab" if answer.status_code == 206 else "wb") as file,
    ):
        for chunk in _chunks(answer):
            file.write(chunk[: expected.bytes + 1 - file.tell()])
            if file.tell() > expected.bytes:  # whatever it is: no disk is filled with it
                break
    size = path.stat().st_size
    if size < expected.bytes:
        raise _Again(f"the transfer broke off after {size:,} of {expected.bytes:,} bytes")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.sha256:
        path.write_bytes(b"")
        raise _Again("it is not the file that shards.json speaks of")


def _read(answer: "requests.Response", most: int) -> bytes:
    """What a server sends, up to one byte more than ``most``."""
    content = bytearray()
    for chunk in _chunks(answer):
        content += chunk[: most + 1 - len(content)]
        if len(content) > most:
            break
    return bytes(content)


def _chunks(answer: "requests.Response"):  # type: ignore[no-untyped-def]
    import requests

    try:
        yield from answer.iter_content(_CHUNK)
    except requests.RequestException as error:
        raise _Again(reason_of(error)) from None


def _get(url: str, headers: dict[str, str] | None = None) -> "requests.Response":
    """Ask for something, of which nothing is read yet; the caller closes the answer."""
    import requests

    if not hasattr(_sessions, "session"):
        _sessions.session = requests.Session()
    session: requests.Session = _sessions.session
    try:
        # Packed content would be unpacked on the way, and its parts are not those of the file.
        plain = {"Accept-Encoding": "identity"} | (headers or {})
        answer = session.get(url, headers=plain, timeout=_TIMEOUTS, stream=True)
    except requests.exceptions.InvalidURL as error:
        raise InputError(f"{url} is no address ({error})") from None
    except requests.RequestException as error:
        raise _Again(reason_of(error)) from None
    code = answer.status_code
    if code == 429 or code >= 500:
        answer.close()
        raise _Again(f"the server answers {code} {answer.reason}")
    if code >= 400:
        answer.close()
        raise InputError(f"{url}: the server answers {code} {answer.reason}; check the address")
    return answer
