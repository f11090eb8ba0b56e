"""A process that reads files for the fuzzer, so that a crash or a hang is seen and not suffered."""

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

# Wall time after which a file counts as hanging, generous as tests may share a core.
TIMEOUT = 300.0
_AROUND = "--around"


class Victim:
    """Reads one file after the other in a child process; a new one is started after each death."""

    def __init__(self, *, around: bool = False) -> None:
        """Read files; with ``around`` list each too, look for names in it, and ask for its parts and patient."""
        self._around = [_AROUND] if around else []
        self._child: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> dict[str, Any]:
        """What became of a file: read, refused, leaked, raised, crashed or hung; processor seconds; peak in MiB."""
        child = self._child or subprocess.Popen(
            [sys.executable, __file__, *self._around],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff tells of every damage
            text=True,
            bufsize=1,
        )
        self._child = child
        assert child.stdin is not None
        assert child.stdout is not None
        started = time.monotonic()
        child.stdin.write(f"{path}\n")
        ready, _, _ = select.select([child.stdout], [], [], TIMEOUT)
        line = child.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        child.kill()
        status = child.wait()
        self._child = None
        outcome = "crashed" if ready else "hung"
        return {
            "outcome": outcome,
            "seconds": time.monotonic() - started,
            "peak_mib": 0,
            "said": f"exit status {status}",
        }

    def close(self) -> None:
        """End the child."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            self._child.wait(10)


def _processor_seconds() -> float:
    """Time of this process and of its codec processes, those that live and those that have ended."""
    from medauc.data.readers.dicom import codecs

    times = os.times()
    ticks = 0
    for running in codecs._running:
        with contextlib.suppress(OSError):
            ticks += sum(
                map(
                    int, Path(f"/proc/{running.child.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                )
            )
    ended = times.children_user + times.children_system
    return times.user + times.system + ended + ticks / os.sysconf("SC_CLK_TCK")


def _peak_bytes() -> int:
    """Most memory that this process or one of its codec processes ever had.

    By VmHWM, since getrusage counts what the process that started this one had: exec passes it on.
    """
    from medauc.data.readers.dicom import codecs

    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    alive = [Path("/proc/self/status")] + [
        Path(f"/proc/{running.child.pid}/status") for running in codecs._running
    ]
    peaks = [
        int(line.split()[1])
        for status in alive
        if status.exists()
        for line in status.read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return 1024 * max(ended, *peaks)


def _serve() -> None:
    """Read the paths that come in, answer one line of JSON each."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fuzz.fuzz_corpus import CANARY

    for line in sys.stdin:
        started = _processor_seconds()
        path = Path(line.rstrip("\n"))
        outcome, said = _became(path)
        if outcome != "raised" and _AROUND in sys.argv:
            wrong, more = looked_around(path)
            outcome, said = wrong or outcome, said + more
        if CANARY in said or "\n" in said:
            outcome = "leaked"
        answer = {
            "outcome": outcome,
            "seconds": _processor_seconds() - started,
            "peak_mib": round(_peak_bytes() / 2**20),
            "said": said,
        }
        print(json.dumps(answer), flush=True)


def _became(path: Path) -> tuple[str, str]:
    """What reading made of an image or a data set, and what it said."""
    from medauc.errors import InputError

    try:
        return "read", _read(path)
    except InputError as error:
        return "refused", str(error)
    except BaseException as error:
        return "raised", f"{type(error).__name__}: {error}"


def _read(path: Path) -> str:
    """Read what lies at a path, every image of it, and say what is told beside."""
    from medauc.data import load_arrays, read_npz
    from medauc.data.manifest import is_manifest, read_manifest
    from medauc.data.readers import read_image
    from medauc.data.shards import load_shards

    if is_manifest(path):
        return str(read_manifest(path).notes)
    if path.is_dir():
        found = load_shards(path) if (path / "shards.json").exists() else load_arrays(path)
        return str([split.images[range(len(split))].shape for split in found])
    if path.name in ("stored.npz", "packed.npz"):  # those of fuzz_sets; another is an image
        read_npz(path)
        return ""
    image = read_image(path)
    return f"{image.notes} {dict(image.tags)}"


def looked_around(path: Path) -> tuple[str | None, str]:
    """What goes wrong where a file is not read but listed, as ``init``, ``audit`` and ``predict`` list a folder.

    None where nothing does; and all that is said of the file or warned of, which may repeat nothing from its inside.
    """
    from medauc.data.readers import files_of_image, list_images, named_like_images, patient_id_of, phi_in

    wrong: str | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            listed = {*list_images(path.parent), *named_like_images(path.parent)}
            known = {*path.parent.iterdir(), path.parent}
            said = [str(phi_in(path))]
            patient_id_of(path)
            if not listed <= known or not set(files_of_image(path)) <= known:
                wrong, said = "raised", ["names files that are not there"]
        except BaseException as error:
            wrong, said = "raised", [f"{type(error).__name__}: {error}"]
    return wrong, " ".join([*said, *(str(warning.message) for warning in caught)])


if __name__ == "__main__":
    _serve()
