"""Exchange by sockets between threads that stand for processes; tests/training/test_distributed.py has processes."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import distributed

from medauc.losses.neighbours import _HEAD, Neighbours, _room


def connected(size: int) -> list[Neighbours]:
    sockets: list[dict[int, socket.socket]] = [{} for _ in range(size)]
    for low in range(size):
        for high in range(low + 1, size):
            sockets[low][high], sockets[high][low] = socket.socketpair()
    return [Neighbours(found, rank) for rank, found in enumerate(sockets)]


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 2), (16_000,)])
def test_everybody_gets_what_all_hold(size: int, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    held = (torch.randn(3, size, *shape, generator=torch.Generator().manual_seed(0)) * 10).to(dtype)
    everybody = connected(size)
    with ThreadPoolExecutor(size) as pool:
        found = list(
            pool.map(lambda rank: [everybody[rank].gather(turn[rank]) for turn in held], range(size))
        )
    for turns in found:
        assert all(torch.equal(got, expected) for got, expected in zip(turns, held, strict=True))


def test_values_between_others_and_with_a_gradient_are_sent_too() -> None:
    first, second = connected(2)
    table = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(one.gather, table[:, column]) for column, one in enumerate((first, second))]
        for future in futures:
            assert torch.equal(future.result(), table.detach()[:, :2].T)
            assert not future.result().requires_grad


def test_a_process_that_ended_is_told_as_the_group_tells_it() -> None:
    first, second = connected(2)
    second._sockets[0].close()
    with pytest.raises(distributed.DistError, match="connection to another process lost"):
        first.gather(torch.zeros(3))


def test_a_silent_process_is_not_waited_for_forever() -> None:
    first, second = connected(2)
    first._sockets[1].settimeout(0.01)
    with pytest.raises(distributed.DistError, match="connection to another process lost: timed out"):
        first.gather(torch.zeros(3))
    assert second._sockets


def test_a_process_that_sends_another_shape_is_no_source_of_wrong_numbers() -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(one.gather, torch.ones(length))
            for one, length in zip(connected(2), (3, 4), strict=True)
        ]
        for future in futures:
            with pytest.raises(distributed.DistNetworkError, match=r"sends 1[26] bytes in exchange 0"):
                future.result()


def test_a_process_that_is_an_exchange_ahead_is_told() -> None:
    first, second = connected(2)
    first._exchanges = 1
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(one.gather, torch.ones(3)) for one in (first, second)]
        with pytest.raises(distributed.DistNetworkError, match="12 bytes in exchange 0, this one 12 in 1"):
            futures[0].result()


class Stingy(socket.socket):
    """On a system that gives no more room than it did."""

    def setsockopt(self, *asked: Any) -> None:
        """What is asked for is not granted."""


@pytest.mark.parametrize("held", [4096, 2**14, 2**16, 2**18])
def test_what_may_be_sent_fits_twice_into_what_the_system_holds(held: int) -> None:
    end, receiver = socket.socketpair()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, held // 2)
    with Stingy(fileno=end.detach()) as sender, receiver:
        room = _room(sender)
        assert 512 <= room <= 2**16
        sender.setblocking(False)
        for _ in range(2):
            sender.sendall(bytes(_HEAD.size + room))


def test_the_system_is_asked_for_room() -> None:
    sender, receiver = socket.socketpair()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with sender, receiver:
        assert _room(sender) == 2**16
