"""Starting the processes that train one network together, and telling once why they ended."""

import json
import logging
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medauc.errors import InputError
from medauc.training import ranks

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

_LAUNCHED = "MEDAUC_LAUNCHED"  # set in processes whose launcher, this module, speaks for them
_PORT = 29400
# A killed process is noticed a moment after those that lost it have told so.
_NOTICED_LATE = 3


class Stopped(Exception):
    """Processes that trained together have ended; the message says why."""


def launch(devices: int, nodes: int, arguments: Sequence[str], device: str) -> None:
    """Run ``medauc ARGUMENTS`` in several processes, and wait for them.

    Args:
        devices: processes on this host, >= 1, one a GPU.
        nodes: hosts, >= 1; on each of them the same command runs, and all find each other where ``MASTER_ADDR`` and
            ``MASTER_PORT`` (default 29400) say, which is one of them.
        arguments: of the command line.
        device: "cpu", "cuda", or "auto", which takes GPUs if there are any.

    Raises:
        InputError: one of them found the input at fault; the host has fewer GPUs; ``MASTER_ADDR`` is not set.
        Stopped: one of them failed or was killed, or Ctrl-C.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    _require_gpus(devices, device)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, _cores() // devices)))
    os.environ[_LAUNCHED] = "1"
    logging.disable(logging.CRITICAL)  # torch's launcher reports what is told here in one line
    with tempfile.TemporaryDirectory(prefix="medauc-") as folder:
        try:
            elastic_launch(_config(devices, nodes, folder), sys.executable)("-m", "medauc", *arguments)
        except ChildFailedError as failed:
            number, failure = _cause(failed.failures)
            raise _told(number, failure, arguments) from None
        except SignalException:
            raise Stopped(f"interrupted; continue with: {_resume_command(arguments)}") from None
        finally:
            logging.disable(logging.NOTSET)
            del os.environ[_LAUNCHED]


def tells(message: str) -> bool:
    """Leave a message for the launcher, and say whether this process is the one that shows it to the user.

    Of processes that fail alike one should speak: with this module's launcher the launcher itself, under torchrun the
    first process that asks.
    """
    if not ranks.several():
        return True
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        content = {"message": message, "extraInfo": {"py_callstack": "", "timestamp": str(int(time.time()))}}
        Path(file).write_text(json.dumps({"message": content}), encoding="utf-8")
    return _LAUNCHED not in os.environ and _is_first_to_fail()


def _is_first_to_fail() -> bool:
    from datetime import timedelta

    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    try:
        place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(*place, is_master=False, timeout=timedelta(seconds=5))
        return store.add(f"medauc/failed/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", 1) == 1
    except Exception:  # whatever the reason, a message twice is better than none
        return True


def _config(devices: int, nodes: int, folder: str) -> Any:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    if nodes == 1:
        place: dict[str, Any] = {
            "rdzv_endpoint": "localhost:0",
            "local_addr": "localhost",
            "run_id": Path(folder).name,
        }
    else:
        address = os.environ.get("MASTER_ADDR")
        if not address:
            raise InputError(
                f"--nodes {nodes}: set MASTER_ADDR to the address of one of the hosts, the same on all of them"
            )
        port = os.environ.get("MASTER_PORT", str(_PORT))
        place = {"rdzv_endpoint": f"{address}:{port}", "run_id": "medauc"}
    return LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=devices,
        rdzv_backend="c10d",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=folder),
        **place,
    )


def _require_gpus(devices: int, device: str) -> None:
    import torch

    found = 0 if device == "cpu" else torch.cuda.device_count()
    if devices > found and (found or device == "cuda"):
        raise InputError(f"--devices {devices}: this host has {found} GPUs; take fewer, or --device cpu")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cause(failures: "dict[int, ProcessFailure]") -> "tuple[int, ProcessFailure]":
    """Rank and failure of the process that ended first, which the others followed."""
    # By SIGTERM the launcher itself ends those that are left.
    own = -signal.SIGTERM
    killed = {
        number for number, failure in failures.items() if failure.exitcode < 0 and failure.exitcode != own
    }

    def when(number: int) -> tuple[bool, int]:
        failure = failures[number]
        return failure.exitcode == own, failure.timestamp - _NOTICED_LATE * (number in killed)

    number = min(failures, key=when)
    return number, failures[number]


def _told(number: int, failure: "ProcessFailure", arguments: Sequence[str]) -> Exception:
    if failure.exitcode < 0:
        return Stopped(
            f"process {number} was killed ({failure.signal_name()}; was there enough memory?), so all were ended; "
            f"continue with: {_resume_command(arguments)}"
        )
    told = failure.error_file_data.get("message")
    message = told["message"] if isinstance(told, dict) else f"process {number} ended without a message"
    return InputError(message) if failure.exitcode == 2 else Stopped(message)


def _resume_command(arguments: Sequence[str]) -> str:
    shown = [*arguments] if "--resume" in arguments else [*arguments, "--resume"]
    for place, argument in enumerate(shown):
        if argument.startswith("--hash-ids="):
            shown[place] = "--hash-ids=SALT"
        elif place and shown[place - 1] == "--hash-ids":
            shown[place] = "SALT"
    return shlex.join(["medauc", *shown])
