"""The arithmetic of size: what 10^5, 10^7 and 10^9 images cost on 1, 8 and 64 GPUs, and where the bottleneck is.

    .venv/bin/python benchmarks/arithmetic.py                                  writes docs/arithmetic.md
    .venv/bin/python benchmarks/arithmetic.py --images 2e6 --gpus 4 --kind 96^3 --set host_network=1.25e9

Bytes, multiply-adds and CPU seconds are measured (arithmetic_inputs.py, cache.py, shards.py); everything about GPUs,
networks and disks is computed from the assumptions below, which --set replaces.
"""

import argparse
import json
from dataclasses import asdict, dataclass, fields, replace
from math import ceil, log2
from pathlib import Path
from typing import Any

from medauc.files import write_text_atomically

HERE = Path(__file__).parent
PAGE, PROSE = HERE.parent / "docs" / "arithmetic.md", HERE / "arithmetic.in.md"
COUNTS, GPUS = (10**5, 10**7, 10**9), (1, 8, 64)


@dataclass(frozen=True)
class Assumptions:
    """What was not measured. Change one to see what it decides."""

    gpu_flops: float = 3e14  # peak of a data-centre GPU in 16 bit, floating-point operations a second
    flops_share: float = 0.3  # of it that convolutions of such networks reach
    gpu_bandwidth: float = 2e12  # bytes a second of its memory
    bandwidth_share: float = 0.6  # of it that is reached
    passes: float = 4  # times that each kept activation crosses that memory in a step
    gpu_memory: float = 80e9  # bytes
    batch_a_gpu: float = 64  # images
    step_overhead: float = 6e-3  # seconds a step at least: some 400 kernels are launched from Python
    gpus_a_host: float = 8  # GPUs
    cores_a_host: float = 64  # cores
    host_network: float = 3e9  # bytes a second that a host reads from storage (25 Gbit/s)
    link_in_host: float = 2e11  # bytes a second between GPUs of a host
    link_between: float = 2.5e10  # bytes a second between hosts (200 Gbit/s)
    share_validation: float = 0.1  # images of the validation split, of those of the training split


@dataclass(frozen=True)
class Cost:
    """Seconds of an epoch, part by part, on a number of GPUs; computed."""

    network: float
    all_reduce: float
    reading: float
    feeding: float
    evaluation: float

    @property
    def total(self) -> float:
        """Reading and feeding go on beside the network, all-reduce and evaluation (as a worst case) do not."""
        return max(self.network + self.all_reduce, self.reading, self.feeding) + self.evaluation

    @property
    def bottleneck(self) -> str:
        """The part that decides."""
        return max(asdict(self), key=lambda name: getattr(self, name))


def seconds_a_step_image(kind: dict[str, Any], given: Assumptions) -> float:
    """Of one image on a GPU: by arithmetic or by memory traffic, whichever takes longer; forward and backward."""
    arithmetic = 3 * 2 * kind["multiply_adds"] / (given.gpu_flops * given.flops_share)
    traffic = given.passes * kind["kept_bytes"] / 2 / (given.gpu_bandwidth * given.bandwidth_share)  # 16 bit
    return max(arithmetic, traffic)


def cost(kind: dict[str, Any], inputs: dict[str, Any], images: float, gpus: int, given: Assumptions) -> Cost:
    """An epoch of ``images`` training images, streamed from shards on shared storage."""
    hosts = ceil(gpus / given.gpus_a_host)
    image = seconds_a_step_image(kind, given)
    steps = images / (given.batch_a_gpu * gpus)
    link = given.link_in_host if hosts == 1 else given.link_between
    reduced = 2 * (gpus - 1) / gpus * 4 * kind["parameters"] / link
    scored = images * given.share_validation
    auc = inputs["evaluation_seconds"]["auc"]["10000000"] * scored * log2(max(scored, 2)) / (1e7 * log2(1e7))
    return Cost(
        network=steps * max(given.batch_a_gpu * image, given.step_overhead),
        all_reduce=steps * reduced,
        reading=images * kind["stored_bytes"] / (hosts * given.host_network),
        feeding=images * kind["feeding_seconds"] / gpus,
        evaluation=scored * image / 3 / gpus + auc,
    )


ADVICE = {
    "network": "more GPUs; a larger batch; a smaller `model.width`; `training.precision`",
    "all_reduce": "a larger `sampling.batch_size`; GPUs of one host",
    "reading": "a faster or a local disk, more hosts; smaller `data.size`",
    "feeding": "one process a GPU is too few: smaller `data.size`, more hosts",
    "evaluation": "`sampling.epoch_batches`: fewer epochs are scored; a smaller validation split",
}


def read_inputs() -> dict[str, Any]:
    """Measured figures, with bytes and seconds of shards added to each kind of image."""
    inputs: dict[str, Any] = json.loads((HERE / "results" / "arithmetic_inputs.json").read_text())
    shards = json.loads((HERE / "results" / "shards.json").read_text())
    per_byte = 1 / (shards["96^3"]["images_per_second"]["folder"] * shards["96^3"]["pixels"])
    per_image = 1 / shards["28^2"]["images_per_second"]["folder"]
    for kind in inputs["images"].values():
        pixels = 1
        for side in kind["shape"]:
            pixels *= side
        kind["pixels"] = pixels
        kind["stored_bytes"] = (pixels + 128 + 511) // 512 * 512 + 1536
        kind["feeding_seconds"] = per_image + pixels * per_byte
    inputs["shards"] = shards
    return inputs


def amount(seconds: float) -> str:
    """Time for people.

    >>> amount(0.5), amount(90), amount(7200), amount(2e6)
    ('0.50 s', '90 s', '2.0 h', '23 d')
    """
    for limit, unit, name in (
        (100, 1, "s"),
        (6000, 60, "min"),
        (172800, 3600, "h"),
        (float("inf"), 86400, "d"),
    ):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.{2 if value < 1 else 1 if value < 10 else 0}f} {name}"
    raise AssertionError


def size(count: float) -> str:
    """Bytes for people."""
    for unit, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            value = count / unit
            return f"{value:.{1 if value < 10 else 0}f} {name}"
    return f"{count:.0f} B"


def measured_table(inputs: dict[str, Any]) -> str:
    """Time and memory of a sample, measured."""
    lines = [
        "| images | network | multiply-adds | training step | scoring | augmentation | kept for backward | "
        "peak grows by | in a shard |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, kind in inputs["images"].items():
        times = (kind[f"{part}_seconds"] for part in ("training", "scoring", "augmentation"))
        shown = " | ".join(f"{1e3 * value:.3g} ms" for value in times)
        memory = f"{size(kind['kept_bytes'])} | {size(kind['peak_bytes'])} | {size(kind['stored_bytes'])}"
        lines.append(
            f"| {name} | {kind['network']} | {kind['multiply_adds'] / 1e6:,.0f} M | {shown} | {memory} |"
        )
    return "\n".join(lines)


def cost_table(name: str, inputs: dict[str, Any], given: Assumptions) -> str:
    """Nine cases of one kind of image, computed."""
    kind = inputs["images"][name]
    lines = [
        "| images | in shards | GPUs | network | all-reduce | reading | feeding | evaluation | an epoch | bottleneck |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for images in COUNTS:
        for gpus in GPUS:
            found = cost(kind, inputs, images, gpus, given)
            parts = " | ".join(amount(value) for value in asdict(found).values())
            lines.append(
                f"| 10^{round(len(str(images)) - 1)} | {size(images * kind['stored_bytes'])} | {gpus} | {parts} | "
                f"{amount(found.total)} | {found.bottleneck.replace('_', '-')} |"
            )
    return "\n".join(lines)


def preparing_table(inputs: dict[str, Any], given: Assumptions) -> str:
    """Decoding and preparing once; rates of a core are measured (cache.py)."""
    cache = json.loads((HERE / "results" / "cache.json").read_text())["against MONAI"]
    rates = {
        "64 x 64 PNG": cache["64x64 PNG"]["medauc"]["build_samples_per_second"],
        "96^3 NIfTI": cache["96^3 NIfTI"]["medauc"]["build_samples_per_second"],
    }
    lines = ["| files | a core, measured | 10^5 | 10^7 | 10^9 |", "|---|--:|--:|--:|--:|"]
    for name, rate in rates.items():
        days = " | ".join(amount(images / rate / given.cores_a_host) for images in COUNTS)
        lines.append(f"| {name} | {rate:,.0f} a second | {days} |")
    return "\n".join(lines)


def evaluation_table(inputs: dict[str, Any]) -> str:
    """Seconds of figures, measured up to 10^7."""
    found = inputs["evaluation_seconds"]
    auc = found["auc"]["10000000"]
    large = auc * 1e9 * log2(1e9) / (1e7 * log2(1e7))
    rows = [
        (
            "AUC",
            *(amount(found["auc"][str(n)]) for n in (10**5, 10**6, 10**7)),
            f"{amount(large)} (extrapolated)",
        ),
        ("AUC with DeLong's interval", *(amount(found["delong"][str(n)]) for n in (10**5, 10**6)), "", ""),
    ]
    lines = ["| | 10^5 | 10^6 | 10^7 | 10^9 |", "|---|--:|--:|--:|--:|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    boot = found["bootstrap_2000"]["10000"]
    return (
        "\n".join(lines)
        + f"\n\n2,000 bootstrap replicates of 10^4 scores: {amount(boot)}, in proportion to the scores beyond."
    )


def checked_table() -> str:
    """Predictions beside measurements."""
    rows = json.loads((HERE / "results" / "arithmetic_check.json").read_text())
    lines = ["| training | network | predicted | measured | ratio |", "|---|---|--:|--:|--:|"]
    for name, row in rows.items():
        lines.append(
            f"| {name}, {row['images']} images, 2 epochs | {row['network']} | {row['predicted_seconds']} s | "
            f"{row['measured_seconds']} s | {row['ratio']:.2f} |"
        )
    return "\n".join(lines)


def assumed_table(given: Assumptions) -> str:
    source = Path(__file__).read_text().splitlines()
    meaning = {
        line.split(":")[0].strip(): line.partition("#")[2].strip() for line in source if ": float = " in line
    }
    rows = [
        f"| `{field.name}` | {getattr(given, field.name):g} | {meaning[field.name]} |"
        for field in fields(given)
    ]
    return "\n".join(["| name | value | |", "|---|--:|---|", *rows])


def page(given: Assumptions) -> str:
    """The page: prose with tables in place of their names."""
    inputs = read_inputs()
    memory = inputs["shards"]["sampler, bytes a sample"]
    tables = {
        "MACHINE": inputs["machine"],
        "MEASURED": measured_table(inputs),
        "CHECKED": checked_table(),
        "ASSUMED": assumed_table(given),
        "PREPARING": preparing_table(inputs, given),
        "EVALUATION": evaluation_table(inputs),
        "WHOLE": f"{memory['whole shuffle']:.0f}",
        "WINDOWS": f"{memory['windows of shards']:.0f}",
        **{f"COST {name}": cost_table(name, inputs, given) for name in inputs["images"]},
    }
    text = PROSE.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = text.replace(f"<!-- {name} -->", table)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=float)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--kind", default="224^2", help="28^2, 224^2, 28^3 or 96^3")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    changes = {name: float(value) for name, _, value in (text.partition("=") for text in arguments.set)}
    given = replace(Assumptions(), **changes)
    if arguments.images is None:
        write_text_atomically(PAGE, page(given))
        return
    inputs = read_inputs()
    found = cost(inputs["images"][arguments.kind], inputs, arguments.images, arguments.gpus, given)
    for name, value in asdict(found).items():
        print(f"{name:12} {amount(value)}")
    print(
        f"{'an epoch':12} {amount(found.total)}; bottleneck: {found.bottleneck}. {ADVICE[found.bottleneck]}"
    )


if __name__ == "__main__":
    main()
