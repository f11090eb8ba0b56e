"""What it costs two processes of one host to exchange the numbers of a normalisation: by sockets, and by gloo.

    python benchmarks/exchange.py       write results/exchange.json; seconds

Counted is processor time, threads included, of the first process; and the time that passes, which other work on the
machine lengthens. A ratio is gloo's over the sockets' within this run.
"""

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from medauc.losses.neighbours import gather

RESULT = Path(__file__).parent / "results" / "exchange.json"
NUMBERS = {"64 channels": 129, "512 channels": 1025}
ROUNDS, TIMES = 5, 200


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(probe.getsockname()[1])
        probe.close()
        multiprocessing.spawn(work, (folder,), nprocs=2)
        found = json.loads((Path(folder) / "found.json").read_text())
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    found = {}
    for name, count in NUMBERS.items():
        own = torch.randn(count)
        rows = own.new_empty(2, count)
        ways = {
            "gloo": lambda own=own, rows=rows: distributed.all_gather(list(rows.unbind()), own),
            "sockets": lambda own=own: gather(own),
        }
        best = {way: min(measure(exchange) for _ in range(ROUNDS)) for way, exchange in ways.items()}
        ratio = best["gloo"][0] / best["sockets"][0]
        found[name] = {
            way: {
                "processor, microseconds": round(used * 1e6, 1),
                "passed, microseconds": round(passed * 1e6, 1),
            }
            for way, (used, passed) in best.items()
        } | {"ratio of processor time": round(ratio, 1)}
    if rank == 0:
        (Path(folder) / "found.json").write_text(json.dumps(found))
    distributed.destroy_process_group()


def measure(exchange: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor, and seconds that passed, an exchange."""
    distributed.barrier()
    exchange()
    used, passed = time.process_time(), time.perf_counter()
    for _ in range(TIMES):
        exchange()
    return (time.process_time() - used) / TIMES, (time.perf_counter() - passed) / TIMES


if __name__ == "__main__":
    main()
