"""Joining a Ray cluster: one line says why it cannot be, soon, where Ray would try for a quarter of an hour."""

import logging
import os
import socket
from typing import Any

from medauc.errors import InputError


def connect(address: str) -> tuple[Any, bool]:
    """Join a cluster.

    Args:
        address: ``HOST:PORT`` of the head, or "auto" for the cluster that this machine is in.

    Returns:
        The module of Ray, and whether this call joined: another part of the process may have done so before.

    Raises:
        InputError: Ray is not installed, or the cluster does not take this process.
    """
    url = f"--executor ray://{address}"
    # Its twenty tries at a wrong port take a quarter of an hour.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError(f"{url}: Ray is not installed; pip install 'medauc[ray]'") from None
    if ray.is_initialized():
        return ray, False
    if address != "auto":
        _require_answer(address, url)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises of every kind
        why = last_line(error)
        if why.startswith("Could not find any running Ray instance"):
            why = "no cluster runs on this machine"
        raise InputError(f"{url}: {why}; {_how_to_join(address)}") from error
    # Without this Ray prints the last lines of a dead node's log on standard output.
    ray._private.worker._worker_logs_enabled = False
    return ray, True


def _how_to_join(address: str) -> str:
    if address == "auto":
        return "begin one with `ray start --head`, or join one with `ray start --address=HOST:PORT`"
    return (
        "the port must be the head's, this machine a node of the cluster "
        f"(`ray start --address={address} --num-cpus=0`), and RAY_AUTH_TOKEN that of the cluster if it has one"
    )


def _require_answer(address: str, url: str) -> None:
    """Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InputError(f"{url}: write ray://HOST:PORT, as `ray start --head` tells it, or ray://auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        raise InputError(
            f"{url}: nobody answers there ({error.strerror or error}); is the head running?"
        ) from None


def last_line(error: BaseException) -> str:
    """What an exception of Ray says, less the traceback that it carries along."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
