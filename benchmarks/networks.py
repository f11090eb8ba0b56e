"""What a network costs: multiply-adds, parameters, and training samples a second of one CPU thread.

    python benchmarks/networks.py

Forward and backward of a batch at 28 pixels a side, in processor time of one thread, so that other work on the
machine hardly matters; every round runs each network of a table once, the figures are medians over the rounds.
The first row of a table is its unit: compare the column "times". Writes results/networks.md.
"""

import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from medauc.files import write_text_atomically
from medauc.models import build_model

SIDE, ROUNDS = 28, 7
RESULT = Path(__file__).parent / "results" / "networks.md"


@dataclass(frozen=True)
class Contender:
    """A network by its options; ``layout`` replaces the memory layout that ``build_model`` chose."""

    label: str
    options: dict[str, Any]
    layout: torch.memory_format | None = None
    bfloat16: bool = False

    def build(self, spatial_dims: int) -> nn.Module:
        network = build_model(
            **{"name": "resnet18", "in_channels": 1, "num_outputs": 1, **self.options},
            spatial_dims=spatial_dims,
        )
        return network if self.layout is None else network.to(memory_format=self.layout)


HALF = {"width": 16, "stem": "half"}
VOLUMES = [
    Contender("resnet18, width 16, stem half", HALF),
    Contender("the same, pooling mean_max", HALF | {"pooling": "mean_max"}),
    Contender(
        "the same, stochastic_depth 0.2, dropout 0.2", HALF | {"stochastic_depth": 0.2, "dropout": 0.2}
    ),
    Contender("the same, norm group", HALF | {"norm": "group"}),
    Contender("the same, norm instance", HALF | {"norm": "instance"}),
    Contender("the same, conversion acs", HALF | {"conversion": "acs"}),
    Contender("the same, upsample 2 (first stage at 28)", HALF | {"upsample": 2}),
    Contender("resnet10, width 16, stem half", HALF | {"name": "resnet10"}),
    Contender("resnet10, width 24, stem half", HALF | {"name": "resnet10", "width": 24}),
    Contender("resnet10, width 8, stem full", {"name": "resnet10", "width": 8}),
    Contender("resnet10, width 16, stem full", {"name": "resnet10", "width": 16}),
    Contender("fullres, width 8", {"name": "fullres", "width": 8}),
    Contender("fullres, width 8, norm instance", {"name": "fullres", "width": 8, "norm": "instance"}),
    Contender("fullres, width 8, norm batch", {"name": "fullres", "width": 8, "norm": "batch"}),
]
IMAGES = [
    Contender("resnet18, width 32, stem full", {"width": 32}),
    Contender("resnet10, width 32, stem full", {"name": "resnet10", "width": 32}),
    Contender("resnet18, width 16, stem full", {"width": 16}),
    Contender("resnet18, width 32, stem half", {"width": 32, "stem": "half"}),
    Contender(
        "resnet18, width 32, stem half, upsample 2 (first stage at 28)",
        {"width": 32, "stem": "half", "upsample": 2},
    ),
    Contender(
        "resnet18, width 32, stem imagenet, upsample 4 (first stage at 28)",
        {"width": 32, "stem": "imagenet", "upsample": 4},
    ),
    Contender("fullres, width 16", {"name": "fullres", "width": 16}),
]
LAYOUTS = [
    Contender(f"resnet18, width {width}, stem {stem}, {words}", {"width": width, "stem": stem}, layout)
    for width, stem in ((16, "full"), (32, "full"), (64, "half"))
    for words, layout in (("contiguous", torch.contiguous_format), ("channels last", torch.channels_last))
]
PRECISIONS = [
    Contender("resnet18, width 16, stem half, float32", HALF),
    Contender("the same, bfloat16 autocast", HALF, bfloat16=True),
]


def multiply_adds(network: nn.Module, image: torch.Tensor) -> int:
    """Of the forward pass of one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    network.train()
    return counter.get_total_flops() // 2


def seconds_a_batch(
    contenders: list[Contender], networks: dict[str, nn.Module], images: torch.Tensor
) -> dict[str, float]:
    """Median processor time of forward and backward over alternating rounds, the first round left out."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for round_number in range(ROUNDS + 1):
        for each in contenders:
            start = time.thread_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=each.bfloat16):
                total = networks[each.label](images).float().sum()
            total.backward()
            if round_number:
                seconds[each.label].append(time.thread_time() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def table(title: str, contenders: list[Contender], spatial_dims: int, batch: int) -> str:
    torch.manual_seed(0)
    networks = {each.label: each.build(spatial_dims) for each in contenders}
    images = torch.randn(batch, 1, *[SIDE] * spatial_dims)
    seconds = seconds_a_batch(contenders, networks, images)
    unit = next(iter(seconds.values()))
    lines = [f"## {title}", "", f"Batches of {batch}.", ""]
    lines += ["| network | parameters | multiply-adds | samples/s | times |", "|---|--:|--:|--:|--:|"]
    for name, network in networks.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        adds = multiply_adds(network, images[:1])
        speed = f"{batch / seconds[name]:.1f} | {unit / seconds[name]:.2f}"
        lines.append(f"| {name} | {count / 1e3:.0f} k | {adds / 1e6:.0f} M | {speed} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    torch.set_num_threads(1)
    parts = [
        "# Cost of networks",
        "",
        f"Made by `benchmarks/networks.py`: one thread ({torch.backends.cpu.get_cpu_capability()}), torch "
        f"{torch.__version__}, Python {platform.python_version()}; forward and backward, medians of {ROUNDS}",
        "alternating rounds in processor time; multiply-adds of the forward pass of one image (a training step takes",
        "about three times as many).",
        "",
        table(f"Volumes of {SIDE} voxels a side", VOLUMES, 3, 16),
        table(f"Images of {SIDE} pixels a side", IMAGES, 2, 32),
        table("Memory layout of 2D networks (compare in pairs)", LAYOUTS, 2, 64),
        table("Precision", PRECISIONS, 3, 16),
    ]
    text = "\n".join(parts)
    write_text_atomically(RESULT, text)
    print(text)


if __name__ == "__main__":
    main()
