"""Squared hinge over all positive-negative pairs, forward and backward: time and memory against the number of samples.

medauc (one sort) against all pairs written out in torch and LibAUC 2.0.1 (the same, behind a check that walks the
batch in Python), as far as those fit into memory, on one thread; and medauc once more on all cores. Every point is a
process of its own, so that its peak of memory is its own. Run with the peers' environment (see README.md here):
benchmarks/.venv-peers/bin/python benchmarks/all_pairs.py
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

RESULTS = Path(__file__).parent / "results"
PREVALENCE = 0.1
SIZES = {
    "medauc": [10**3, 10**4, 10**5, 10**6, 10**7],
    "pairs in torch": [10**3, 3 * 10**3, 10**4, 3 * 10**4],
    "libauc": [10**3, 3 * 10**3, 10**4, 3 * 10**4],
}
COLOURS = {"medauc": "#0b6e4f", "pairs in torch": "#b5651d", "libauc": "#6a4c93"}

Loss = Callable[[Tensor, Tensor], Tensor]


def contender(name: str) -> Loss:
    if name == "medauc":
        from medauc.losses import PairwiseAUCLoss

        return PairwiseAUCLoss("squared_hinge")
    if name == "pairs in torch":
        return lambda h, y: (1 - h[y == 1][:, None] + h[y == 0]).relu().square().mean()
    # LibAUC imports torchvision, whose CUDA wheels look for these operators and stop on a CPU build without them.
    operators = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from libauc.losses.auc import PairwiseAUCLoss as PeerLoss

    peer = PeerLoss("squared_hinge")
    return lambda h, y: (peer(h, y), operators)[0]  # a Library lives as long as something holds it


def memory(field: str) -> int:
    """VmRSS or VmHWM (its peak) of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure(name: str, n: int, rounds: int) -> dict[str, float]:
    """Seconds and peak memory above the inputs of forward and backward, in this process."""
    loss = contender(name)
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(n, generator=generator) < PREVALENCE).long()
    scores = (torch.randn(n, generator=generator) + targets).requires_grad_()
    small = slice(0, 1000)
    loss(scores[small], targets[small]).backward()  # loads what is loaded at the first call
    scores.grad = None
    Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
    before = memory("VmRSS")
    seconds = []
    for _ in range(rounds):
        scores.grad = None
        start = time.perf_counter()
        value = loss(scores, targets)
        value.backward()
        seconds.append(time.perf_counter() - start)
    return {
        "n": n,
        "median_s": statistics.median(seconds),
        "fastest_s": min(seconds),
        "peak_mb": (memory("VmHWM") - before) / 1e6,
        "value": value.item(),
    }


def in_own_process(name: str, n: int, threads: int, rounds: int) -> dict[str, float]:
    arguments = [sys.executable, "-W", "ignore", __file__, "--point", name, str(n), "--rounds", str(rounds)]
    found = subprocess.run(
        [*arguments, "--threads", str(threads)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    point: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return point


def plot(curves: dict[str, list[dict[str, float]]]) -> str:
    """Time against n as SVG, both axes logarithmic."""
    width, height, left, bottom, decades_x, decades_y = 640, 420, 70, 50, (3, 7), (-4, 2)

    def place(n: float, seconds: float) -> tuple[float, float]:
        x = (math.log10(n) - decades_x[0]) / (decades_x[1] - decades_x[0])
        y = (math.log10(seconds) - decades_y[0]) / (decades_y[1] - decades_y[0])
        return left + x * (width - left - 130), height - bottom - y * (height - bottom - 30)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">Squared hinge over all pairs, forward and backward</text>',
        f'<text x="{(width - 60) / 2}" y="{height - 10}" text-anchor="middle">samples</text>',
        f'<text transform="translate(16 {height / 2}) rotate(-90)" text-anchor="middle">seconds</text>',
    ]
    for power in range(decades_x[0], decades_x[1] + 1):
        (x, low), (_, high) = place(10**power, 10 ** decades_y[0]), place(10**power, 10 ** decades_y[1])
        parts.append(f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{low + 18:.1f}" text-anchor="middle">{exponent(power)}</text>')
    for power in range(decades_y[0], decades_y[1] + 1):
        (near, y), (far, _) = place(10 ** decades_x[0], 10.0**power), place(10 ** decades_x[1], 10.0**power)
        parts.append(f'<line x1="{near:.1f}" y1="{y:.1f}" x2="{far:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{near - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{exponent(power)}</text>')
    for name, points in curves.items():
        places = [place(point["n"], point["median_s"]) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[name]}"/>' for x, y in places]
        x, y = places[-1]
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def exponent(power: int) -> str:
    return f'10<tspan dy="-5" font-size="10">{power}</tspan>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--point", nargs=2, metavar=("CONTENDER", "N"), help="measure this alone, in this process"
    )
    options = parser.parse_args()
    if options.point:
        torch.set_num_threads(options.threads)
        print(json.dumps(measure(options.point[0], int(options.point[1]), options.rounds)))
        return
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    curves = {
        name: [in_own_process(name, n, options.threads, options.rounds) for n in sizes]
        for name, sizes in SIZES.items()
    }
    result = {
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "cpu": {"machine": platform.machine(), "cores": cores},
        "threads": options.threads,
        "load_average_before": load,
        "prevalence": PREVALENCE,
        "dtype": "float32",
        "rounds": options.rounds,
        "curves": curves,
        "million_samples_on_all_cores": in_own_process("medauc", 10**6, cores, options.rounds),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "all_pairs.json").write_text(json.dumps(result, indent=2) + "\n")
    (RESULTS / "all_pairs.svg").write_text(plot(curves))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
