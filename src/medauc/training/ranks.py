"""The processes that train one network together: which one this is, and what they decide together.

They are started by torchrun or by ``medauc train --devices`` (:mod:`medauc.training.launch`). In a process alone every
function here does its work and nothing else.
"""

import atexit
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from medauc.errors import InputError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

T = TypeVar("T")

# A process that others wait for may be saving a large checkpoint, or preparing a data set, or be dead: the launcher
# ends all as soon as one dies, so these hold only where a whole host is lost.
STEP_LIMIT = timedelta(minutes=30)
WORK_LIMIT = timedelta(hours=12)


class _Group:
    """Of processes that wait for each other's work; None until they have met."""

    waiting: "ClassVar[ProcessGroup | None]" = None


class LostProcess(RuntimeError):
    """Another process of the training ended, or can no longer be reached."""


def several() -> bool:
    """Whether this process was started as one of several that train together."""
    return "TORCHELASTIC_RUN_ID" in os.environ and world_size() > 1


def world_size() -> int:
    """Number of processes, 1 if this one is alone."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ["RANK"]) if several() else 0


def local_rank() -> int:
    """Number of this process among those of its host, which is also that of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if several() else 0


def nobody() -> dict[str, None]:
    """What a process started from here must not inherit, lest it take itself for one of several: its absence."""
    names = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE")
    sizes = ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE")
    launchers = [name for name in os.environ if name.startswith(("TORCHELASTIC_", "MASTER_"))]
    return dict.fromkeys([*names, *sizes, *launchers])


def is_first() -> bool:
    """Whether this is the process that writes files and speaks to the user."""
    return rank() == 0


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Meet the other processes, unless they have met before; they stay together until they end.

    Args:
        device: "cpu", "cuda", of which each process takes the GPU of its number, or "auto", GPUs if there are any.

    Raises:
        InputError: the host has fewer GPUs than processes.
        LostProcess: another process ended or could not be reached.
    """
    if not several():
        yield
        return
    with _telling_loss():
        if _Group.waiting is None:
            _meet(device)
        try:
            yield
        except BaseException:
            _leave_the_end_to_the_launcher()
            raise


def _meet(device: str) -> None:
    import torch
    from torch import distributed

    # Stopping is always a kill: whatever a process waits for, it ends at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        if local_rank() >= torch.cuda.device_count():
            raise InputError(
                f"{os.environ['LOCAL_WORLD_SIZE']} processes for {torch.cuda.device_count()} GPUs: start one a GPU, "
                "or take --device cpu"
            )
        torch.cuda.set_device(local_rank())
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    distributed.init_process_group(backend, timeout=STEP_LIMIT)
    _Group.waiting = distributed.new_group(timeout=WORK_LIMIT, backend="gloo")
    # Not before: processes that parted cannot meet a second time by the same store.
    atexit.register(distributed.destroy_process_group)


def _leave_the_end_to_the_launcher() -> None:
    """After an error the others may wait in any collective: nothing is to be agreed with them."""
    from torch import distributed

    atexit.unregister(distributed.destroy_process_group)


def decided(work: Callable[[], T]) -> T:
    """Let the first process do something, and give all of them what it returned, or raise what it raised.

    Args:
        work: its answer must be picklable.
    """
    if not several():
        return work()
    from torch import distributed

    answer, error = _attempted(work) if is_first() else (None, None)
    box: list[Any] = [(answer, _described(error))]
    distributed.broadcast_object_list(box, src=0, group=_Group.waiting)
    _raise_any(error, [box[0][1]])
    found: T = box[0][0]
    return found


def together(work: Callable[[], T]) -> T:
    """Do something in every process; where one fails, all do, with its message."""
    if not several():
        return work()
    answer, error = _attempted(work)
    _exchange(error)
    return answer  # type: ignore[return-value]  # there is one, since there was no error


def in_turns(work: Callable[[], T]) -> T:
    """Do something in the first process of every host, then in the others, who find in a cache what it left there."""
    if not several():
        return work()
    leads = local_rank() == 0
    answer, error = _attempted(work) if leads else (None, None)
    _exchange(error)
    if not leads:
        answer, error = _attempted(work)
    _exchange(error)
    return answer  # type: ignore[return-value]


@contextmanager
def first_in(context: AbstractContextManager[Any]) -> Iterator[None]:
    """Let only the first process enter a context; what it raises on the way in, all raise."""
    with ExitStack() as stack:
        decided(lambda: bool(stack.enter_context(context)))
        yield


def _attempted(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _exchange(error: Exception | None) -> None:
    """Raise the error of this process, or one that another one has."""
    from torch import distributed

    found: list[Any] = [None] * world_size()
    distributed.all_gather_object(found, _described(error), group=_Group.waiting)
    _raise_any(error, found)


def _described(error: Exception | None) -> tuple[bool, str] | None:
    """What can be sent of an error: whether the user can mend it, and its message."""
    return None if error is None else (isinstance(error, InputError), str(error) or type(error).__name__)


def _raise_any(own: Exception | None, found: list[tuple[bool, str] | None]) -> None:
    if own is not None:
        raise own
    for description in found:
        if description is not None:
            users_fault, message = description
            raise InputError(message) if users_fault else RuntimeError(message)


def trainer_options() -> dict[str, Any]:
    """What Lightning's Trainer has to know of the processes."""
    if not several():
        return {"devices": 1}
    from pytorch_lightning.strategies import DDPStrategy

    # Buffers are equal without being sent: normalisations and losses see the global batch.
    strategy = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True, timeout=STEP_LIMIT)
    hosts = int(os.environ["GROUP_WORLD_SIZE"])
    return {"devices": int(os.environ["LOCAL_WORLD_SIZE"]), "num_nodes": hosts, "strategy": strategy}


def own_device(accelerator: str) -> int | list[int]:
    """What Lightning calls ``devices`` of a Trainer that works in this process alone."""
    return [local_rank()] if several() and accelerator == "cuda" else 1


@contextmanager
def _telling_loss() -> Iterator[None]:
    """Turn what communication raises when a process is gone into one readable line."""
    from torch.distributed import DistError

    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, DistError) and "gloo" not in str(error) and "NCCL" not in str(error):
            raise
        raise LostProcess(
            f"process {rank()} of {world_size()} lost another one: all end; see what that one said, and continue with "
            "--resume"
        ) from error
