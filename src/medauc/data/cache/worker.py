"""A process that prepares rows: ``python -m medauc.data.cache.worker``, told what to do by lines on standard input.

A program of its own rather than ``multiprocessing``: that would import the user's script anew in every worker, which
goes wrong in scripts without ``if __name__ == "__main__"``.
"""

import json
import os
import signal
import sys

from medauc.data.cache.rows import RowJob, write_rows


def main() -> None:
    """Serve until standard input ends: the first line is the job, each further one a list of rows and paths."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the process that started this one decides what Ctrl-C means
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a codec prints must not mix with the answers
    job = RowJob.from_json(sys.stdin.readline())
    if job.spatial_dims == 3:
        _import_nibabel()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer: object = write_rows(job, json.loads(line))
        except OSError as error:
            answer = {"errno": error.errno, "strerror": error.strerror}
        print(json.dumps(answer), file=answers, flush=True)


def _import_nibabel() -> None:
    """Import nibabel without pydicom, which it takes along for headers within headers, with all that fetches data.

    Half of a worker's start, which counts where volumes are few.
    """
    sys.modules["pydicom"] = None  # type: ignore[assignment]  # so importing it fails for now
    try:
        import nibabel.nifti1  # noqa: F401
    finally:
        del sys.modules["pydicom"]


if __name__ == "__main__":
    main()
