"""Fetching a published file over HTTP: whole and checked, or not at all."""

import errno
import sys
from pathlib import Path

from medauc.data.npz import file_md5
from medauc.errors import InputError
from medauc.files import atomic_path

_ATTEMPTS = 3
_CHUNK = 1 << 20


def download(url: str, path: Path, md5: str) -> None:
    """Download ``url`` to ``path``; the file appears there only when it is whole and its MD5 is right.

    A transfer that breaks off is restarted, three attempts in all. Proxies are taken from the usual
    environment variables (``HTTPS_PROXY`` ...). Progress is shown on a terminal only.

    Args:
        url: An http or https address.
        path: Where the file shall lie; its folder is made if missing.
        md5: The published MD5, 32 hexadecimal digits.

    Raises:
        InputError: The server cannot be reached, refuses, or sends another file; or the folder cannot
            be written. The line says what to do instead.
    """
    import requests  # both cost 0.2 s, and most starts find the file in place
    from pooch import HTTPDownloader

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            fetch = HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=_CHUNK)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    fetch(url, str(temporary), None)
                    break
                except requests.exceptions.ChunkedEncodingError:
                    if attempt == _ATTEMPTS:
                        raise
            _check_md5(temporary, md5, url, path)
    except requests.RequestException as error:  # an OSError too, so it comes first
        raise InputError(f"cannot download {url} ({_reason(error)}); {_advice(path)}") from error
    except OSError as error:
        reason = "disk full" if error.errno == errno.ENOSPC else error.strerror
        raise InputError(f"cannot write {path} ({reason}); name another folder with --data-dir") from error


def _check_md5(temporary: Path, md5: str, url: str, path: Path) -> None:
    """Refuse a file that is not the published one."""
    found = file_md5(temporary)
    if found != md5:
        raise InputError(
            f"{url} sent a file with MD5 {found}, published is {md5}; it was discarded; {_advice(path)}"
        )


def _reason(error: Exception) -> str:
    """Why a transfer failed, in few words."""
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached or refuses"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the transfer broke off {_ATTEMPTS} times"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__


def _advice(path: Path) -> str:
    """What to do without a download."""
    return f"try again, or get {path.name} by other means, put it into a folder and pass --data-dir FOLDER"
