"""Fetching a published file over HTTP: whole and checked, or not at all."""

import sys
import time
from pathlib import Path
from typing import BinaryIO

from medauc.data.npz import file_md5
from medauc.errors import InputError
from medauc.files import atomic_path

_ATTEMPTS = 3
_PAUSE = 1.0  # seconds until the next, longer each time
_CHUNK = 1 << 20


def download(url: str, path: Path, md5: str) -> None:
    """Download ``url`` to ``path``; the file appears there only when it is whole and its MD5 is right.

    A transfer that breaks off goes on where it ended, if the server can do that, else from the start, until three of
    them on end have brought nothing new. Proxies are taken from the usual
    environment variables (``HTTPS_PROXY`` ...). Progress is shown on a terminal only.

    Args:
        url: An http or https address.
        path: Where the file shall lie; its folder is made if missing.
        md5: The published MD5, 32 hexadecimal digits.

    Raises:
        InputError: The server cannot be reached, refuses, or sends another file; or the folder cannot
            be written. The line says what to do instead.
        DiskFull: There is no room for it.
    """
    import requests  # both it and pooch cost 0.2 s, and most starts find the file in place

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            with temporary.open("wb") as file:
                _fetch(url, file)
            _check_md5(temporary, md5, url, path)
    except requests.RequestException as error:  # an OSError too, so it comes first
        raise InputError(f"cannot download {url} ({reason_of(error)}); {_advice(path)}") from error
    except OSError as error:
        raise InputError(
            f"cannot write {path} ({error.strerror}); name another folder with --data-dir"
        ) from error


def _fetch(url: str, file: BinaryIO) -> None:
    """Write what lies at ``url``, going on where a transfer broke off as often as each brings something new."""
    import requests
    from pooch import HTTPDownloader

    version: dict[str, str] = {}  # of the file, where the server tells

    def begin(response: requests.Response, **_: object) -> None:
        if response.status_code == requests.codes.ok:  # the whole file, whatever was asked for
            file.seek(0)
            file.truncate()
            if "ETag" in response.headers:  # so that parts of two versions never make one file
                version["If-Range"] = response.headers["ETag"]

    most = failures = 0
    while True:
        headers = {"Range": f"bytes={file.tell()}-", **version} if file.tell() else {}
        fetch = HTTPDownloader(
            progressbar=sys.stderr.isatty(), chunk_size=_CHUNK, headers=headers, hooks={"response": begin}
        )
        try:
            fetch(url, file, None)
            return
        except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError, requests.Timeout):
            if not file.tell():  # nothing ever came: nobody is there
                raise
            failures = 0 if file.tell() > most else failures + 1
            most = max(most, file.tell())
            if failures == _ATTEMPTS:
                raise
            time.sleep(_PAUSE * 2**failures)


def _check_md5(temporary: Path, md5: str, url: str, path: Path) -> None:
    """Refuse a file that is not the published one."""
    found = file_md5(temporary)
    if found != md5:
        raise InputError(
            f"{url} sent a file with MD5 {found}, published is {md5}; it was discarded; {_advice(path)}"
        )


def reason_of(error: Exception) -> str:
    """Why a transfer failed, in few words."""
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached or refuses"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__


def _advice(path: Path) -> str:
    """What to do without a download."""
    return f"try again, or get {path.name} by other means, put it into a folder and pass --data-dir FOLDER"
