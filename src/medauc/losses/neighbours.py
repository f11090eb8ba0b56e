"""Small tensors of processes on one host, by sockets: these take a third of the time of gloo's threads, or less.

A network has dozens of normalisations, whose processes wait for each other's few numbers in every step.
"""

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, distributed

_LARGEST = (
    2**16
)  # bytes; two of them fit into what the system holds of a socket, so that no process waits to send
_SECONDS = 1800.0  # that a process may take for a step
_LONGEST = 108  # bytes of a path, which sockets have room for


class Neighbours:
    """The other processes of the default group, all on this host.

    Args:
        sockets: to each of them, by rank.
        rank: of this process.
    """

    def __init__(self, sockets: dict[int, socket.socket], rank: int) -> None:
        self._sockets = sockets
        self._rank = rank

    def gather(self, own: Tensor) -> Tensor:
        """What all processes hold.

        Args:
            own: on the CPU, of one shape and dtype in all processes, (...).

        Returns:
            Shape (number of processes, ...), in the order of their ranks; no gradient flows.

        Raises:
            torch.distributed.DistNetworkError: another process has ended, or is silent for half an hour.
        """
        rows = own.new_empty(len(self._sockets) + 1, own.numel())
        rows[self._rank] = own.detach().flatten()
        content = rows.view(torch.uint8).numpy()
        try:
            for connection in self._sockets.values():
                connection.sendall(content[self._rank])
            for peer, connection in self._sockets.items():
                _fill(connection, memoryview(content[peer]))
        except OSError as error:  # told as the group's own communication tells it
            raise distributed.DistNetworkError(f"connection to another process lost: {error}") from error
        return rows.view(len(rows), *own.shape)


def gather(own: Tensor) -> Tensor:
    """What all processes of the default group hold: small tensors by sockets where that is possible.

    Args:
        own: of one shape and dtype in all processes, (...).

    Returns:
        Shape (number of processes, ...), in the order of their ranks; no gradient flows.
    """
    if own.device.type == "cpu" and own.numel() * own.element_size() <= _LARGEST and (near := _neighbours()):
        return near.gather(own)
    found = own.new_empty(distributed.get_world_size(), *own.shape)
    distributed.all_gather(list(found.unbind()), own.detach().contiguous())
    return found


_met: "WeakKeyDictionary[distributed.ProcessGroup, Neighbours | None]" = WeakKeyDictionary()


def _neighbours() -> Neighbours | None:
    """The others, who meet when this is first asked by all of them; None where not all are on this host."""
    group = distributed.group.WORLD
    assert group is not None
    if group not in _met:
        _met[group] = _meet()
    return _met[group]


def _meet() -> Neighbours | None:
    rank, size = distributed.get_rank(), distributed.get_world_size()
    with ExitStack() as stack:
        listener = _listener(stack, size)
        places = _all_gathered(_address(listener).ljust(_LONGEST, b"\0"), size)
        connected = _connected(places[:rank], rank) if all(place.strip(b"\0") for place in places) else None
        if not all(map(any, _all_gathered(bytes([connected is not None]), size))):
            return None
        assert connected is not None
        assert listener is not None
        for _ in range(rank + 1, size):  # all wait in the queue already
            connection = listener.accept()[0]
            connected[int.from_bytes(connection.recv(4), "big")] = connection
    for connection in connected.values():
        connection.settimeout(_SECONDS)
    return Neighbours(connected, rank)


def _listener(stack: ExitStack, size: int) -> socket.socket | None:
    """A socket in a folder of its own, which only this user can enter; both go with ``stack``."""
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="medauc-"))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(Path(folder) / "socket"))
        listener.listen(size)
    except (OSError, AttributeError):  # the path is too long, or the system has no such sockets
        return None
    return listener


def _address(listener: socket.socket | None) -> bytes:
    return b"" if listener is None else str(listener.getsockname()).encode()


def _connected(places: list[bytes], rank: int) -> dict[int, socket.socket] | None:
    """Sockets to the processes at ``places``; None where one is not on this host."""
    found = {}
    for peer, place in enumerate(places):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(place.rstrip(b"\0"))
            connection.sendall(rank.to_bytes(4, "big"))
        except OSError:
            return None
        found[peer] = connection
    return found


def _all_gathered(own: bytes, size: int) -> list[bytes]:
    """Bytes of all processes, of one length, by the group itself."""
    found = torch.empty(size, len(own), dtype=torch.uint8)
    distributed.all_gather(list(found.unbind()), torch.frombuffer(bytearray(own), dtype=torch.uint8))
    return [bytes(row.tolist()) for row in found]


def _fill(connection: socket.socket, room: memoryview) -> None:
    """Receive until ``room`` is full."""
    while len(room):
        received = connection.recv_into(room)
        if not received:
            raise ConnectionError("it has ended")
        room = room[received:]
