"""The process in which compressed frames are decoded, so that a codec may hang, crash or grow without harm.

Started by :mod:`.codecs` with the bytes that it may take. For each line of JSON ``[path, frames, seconds]`` it
answers, for each frame, a line of JSON with type and shape and then the plain values, and at the end
``{"end": null}`` or ``{"end": "why not"}``. It sends no pickles: an overrun codec can run nothing in the parent.
"""

import contextlib
import itertools
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.frames import described, installed_decoder
from medauc.data.readers.dicom.source import opened
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet, without_values
from medauc.data.readers.values import native


def main() -> None:
    """Answer until the input ends."""
    _limit_memory(int(sys.argv[1]))
    replies = _private_output()
    _say(replies, {"ready": True})
    for line in sys.stdin:
        try:
            path, count, seconds = json.loads(line)
            _limit_time(seconds)
            with quiet():
                for frame in _frames(path, count):
                    _say(replies, {"dtype": frame.dtype.str, "shape": frame.shape})
                    replies.write(frame.data)
            _say(replies, {"end": None})
        except Refusal as refusal:
            _say(replies, {"end": str(refusal)})
        except MemoryError:
            _say(replies, {"end": "its codec asks for more memory than is allowed; the file is damaged"})
        except Exception as error:
            reason = without_values(error)
            _say(
                replies,
                {"end": f"its compressed pixels cannot be decoded ({reason}); copy it again or leave it out"},
            )


def _frames(path: str, count: int) -> Iterator[npt.NDArray[Any]]:
    from pydicom.pixels.utils import iter_pixels

    with opened(Path(path), Limits()) as source:
        installed_decoder(source.syntax)
        for frame in described(itertools.islice(iter_pixels(source.pixels), count)):
            yield np.ascontiguousarray(native(frame))


def _say(replies: BinaryIO, answer: object) -> None:
    replies.write(json.dumps(answer).encode() + b"\n")
    replies.flush()


def _private_output() -> BinaryIO:
    """Standard output for the answers alone; what a codec prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return replies


def _limit_time(seconds: float) -> None:
    """End this process after ``seconds`` more of its own time, however busy the machine is."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        bound = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (bound, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit_memory(extra: int) -> None:
    """Allow ``extra`` bytes beyond what the interpreter takes now, where the system can bound it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound = pages * resource.getpagesize() + extra
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


if __name__ == "__main__":
    main()
