"""Small tensors of processes on one host, by sockets: these take a third of the time of gloo's threads, or less.

A network has dozens of normalisations, whose processes wait for each other's few numbers in every step.
"""

import socket
import struct
import tempfile
from contextlib import ExitStack
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, distributed

_LARGEST = 2**16  # bytes
_SHARE = 4  # of what the system holds of a socket: two exchanges are under way at most, and it counts its own use too
_SECONDS = 1800.0  # that a process may take for a step, where the group does not say
_LONGEST = 108  # bytes of a path, which sockets have room for
_HEAD = struct.Struct("=II")  # which exchange it is, and of how many bytes


class Neighbours:
    """The other processes of the default group, all on this host.

    Args:
        sockets: to each of them, by rank.
        rank: of this process.

    Attributes:
        largest: bytes that can be gathered: so few that no process waits to send.
    """

    def __init__(self, sockets: dict[int, socket.socket], rank: int, largest: int = _LARGEST) -> None:
        self._sockets = sockets
        self._rank = rank
        self.largest = largest
        self._exchanges = 0

    def gather(self, own: Tensor) -> Tensor:
        """What all processes hold.

        Args:
            own: on the CPU, of one shape and dtype in all processes, (...).

        Returns:
            Shape (number of processes, ...), in the order of their ranks; no gradient flows.

        Raises:
            torch.distributed.DistNetworkError: another process has ended, is silent for as long as the group allows, or
                is at another exchange or shape.
        """
        rows = own.new_empty(len(self._sockets) + 1, own.numel())
        rows[self._rank] = own.detach().flatten()
        content = rows.view(torch.uint8).numpy()
        head = _HEAD.pack(self._exchanges, content.shape[1])
        self._exchanges = (self._exchanges + 1) % 2**32
        try:
            for connection in self._sockets.values():
                connection.sendall(head + content[self._rank].tobytes())
            for peer, connection in self._sockets.items():
                _expect(connection, head, peer)
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
    size = own.numel() * own.element_size()
    if own.device.type == "cpu" and size <= _LARGEST and (near := _neighbours()) and size <= near.largest:
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
    rooms = _all_gathered(min(map(_room, connected.values()), default=0).to_bytes(4, "big"), size)
    seconds = _seconds()
    for connection in connected.values():
        connection.settimeout(seconds)
    return Neighbours(connected, rank, min(int.from_bytes(room, "big") for room in rooms))


def _room(connection: socket.socket) -> int:
    """Bytes that can be sent at a time and wait there, once the system was asked for enough of them."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SHARE * (_LARGEST + _HEAD.size))
    held = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return min(_LARGEST, max(0, held // _SHARE - _HEAD.size))


def _seconds() -> float:
    """How long the group waits for a process."""
    backend = getattr(distributed.group.WORLD, "_get_backend", lambda device: None)(torch.device("cpu"))
    allowed = getattr(getattr(backend, "options", None), "_timeout", None)
    return _SECONDS if allowed is None else allowed.total_seconds()


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


def _expect(connection: socket.socket, head: bytes, peer: int) -> None:
    """Receive a head, which must be this process's own: else numbers of one tensor would be taken for another's."""
    found = bytearray(_HEAD.size)
    _fill(connection, memoryview(found))
    if found != head:
        (theirs, size), (ours, own) = _HEAD.unpack(found), _HEAD.unpack(head)
        raise ConnectionError(
            f"process {peer} sends {size} bytes in exchange {theirs}, this one {own} in {ours}"
        )


def _fill(connection: socket.socket, room: memoryview) -> None:
    """Receive until ``room`` is full."""
    while len(room):
        received = connection.recv_into(room)
        if not received:
            raise ConnectionError("it has ended")
        room = room[received:]
