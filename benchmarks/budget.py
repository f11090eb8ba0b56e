"""Test AUC against minutes: what trainings of different lengths reach, from the rows of the ledger.

    medauc benchmark adrenalmnist3d --vary training.max_epochs=2,4,8,16 --seeds 5 --out runs/budget
    python benchmarks/accuracy.py add runs/budget
    python benchmarks/budget.py                    write results/budget.md and results/budget-<data set>.svg

Test is scored once per training, so every point is trainings of its own, whose schedule ends with their budget; recipes
that differ in nothing but ``training.max_epochs`` make one curve.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medauc.benchmark import (
    LEDGER,
    Measured,
    current_title,
    fingerprint,
    gather,
    kept_recipe,
    published,
    read_ledger,
)
from medauc.training.recipe import Recipe

RESULTS = Path(__file__).parent / "results"
COLOURS = ("#0b5fa5", "#c2410c", "#15803d", "#7e22ce", "#a16207")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 60, 50, 30, 20


class Point(NamedTuple):
    """Trainings of one length: mean minutes, mean test AUC, its interval over seeds where there are several."""

    epochs: int
    minutes: float
    auc: float
    low: float | None
    high: float | None
    seeds: int
    where: str


Curve = tuple[str, list[Point]]


def main() -> None:
    parts = [
        "# Test AUC against minutes",
        " ".join((__doc__ or "").split("\n\n")[-1].split()).replace("``", "`"),
    ]
    for flag, (found, best) in curves().items():
        (RESULTS / f"budget-{flag}.svg").write_text(plot(flag, found, best))
        parts += [f"## {flag}", f"![Test AUC against minutes](budget-{flag}.svg)", table(found, best)]
    if len(parts) == 2:
        parts.append("Nothing measured yet: the ledger has no recipe trained for two lengths or more.")
    (RESULTS / "budget.md").write_text("\n\n".join(parts) + "\n")


def curves() -> dict[str, tuple[list[Curve], float | None]]:
    """By data set: recipes that were trained for two lengths or more, and the best published number."""
    groups: dict[str, dict[tuple[str, str], list[tuple[Recipe, Measured]]]] = {}
    for one in gather(read_ledger(RESULTS / LEDGER), RESULTS, lambda row: current_title(row, RESULTS)):
        recipe = kept_recipe(one.rows[0], RESULTS)
        if recipe is not None:
            key = (fingerprint(with_epochs(recipe, 1)), one.where)
            groups.setdefault(one.flag, {}).setdefault(key, []).append((recipe, one))
    found = {}
    for flag, recipes in groups.items():
        several = [curve(members) for members in recipes.values() if len(members) > 1]
        if several:
            found[flag] = several, published(next(iter(recipes.values()))[0][1])[1]
    return found


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"max_epochs": epochs})})


def curve(members: Sequence[tuple[Recipe, Measured]]) -> Curve:
    """The points in order of length, named without their length."""
    ordered = sorted(members, key=lambda member: member[0].training.max_epochs)
    title = min((one.title for _, one in ordered), key=len)
    name = " ".join(word for word in title.split(" ") if not word.startswith("training.max_epochs="))
    return name, [point(recipe, one) for recipe, one in ordered]


def point(recipe: Recipe, one: Measured) -> Point:
    interval = one.over_seeds
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Point(recipe.training.max_epochs, one.minutes, one.mean, low, high, len(one.rows), one.where)


def table(found: Sequence[Curve], best: float | None) -> str:
    lines = [
        "| recipe | epochs at most | minutes | threads or device | seeds | test AUC [95% over seeds] |",
        "|---|---|---|---|---|---|",
    ]
    for name, points in found:
        for p in points:
            interval = "" if p.low is None else f" [{p.low:.3f}, {p.high:.3f}]"
            cells = (name, p.epochs, f"{p.minutes:.1f}", p.where, p.seeds, f"{p.auc:.3f}{interval}")
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + ("" if best is None else f"\n\nBest published from scratch: {best:.3f}.")


def plot(flag: str, found: Sequence[Curve], best: float | None) -> str:
    """SVG: minutes on a logarithmic axis, means as a line, intervals as bars, the best published number dashed."""
    points = [p for _, curve_points in found for p in curve_points]
    minutes = [max(p.minutes, 0.01) for p in points]
    values = [v for p in points for v in (p.auc, p.low, p.high) if v is not None] + ([best] if best else [])
    x_low, x_high = np.log10(min(minutes)) - 0.1, np.log10(max(minutes)) + 0.1
    y_low, y_high = max(0.0, min(values) - 0.01), min(1.0, max(values) + 0.01)

    def x(value: float) -> float:
        share = (np.log10(max(value, 0.01)) - x_low) / (x_high - x_low)
        return round(float(LEFT + share * (WIDTH - LEFT - RIGHT)), 1)

    def y(value: float) -> float:
        return round(float(HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP)), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(WIDTH / 2, 18, f"{flag}: test AUC against minutes of training"),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "minutes"),
    ]
    for value in np.linspace(y_low, y_high, 6):
        parts.append(f'<path d="M{LEFT} {y(value)}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(text(LEFT - 6, y(value) + 4, f"{value:.3f}", "end"))
    for value in ticks(10**x_low, 10**x_high):
        parts.append(text(x(value), HEIGHT - BOTTOM + 18, f"{value:g}"))
    if best is not None:
        parts.append(f'<path d="M{LEFT} {y(best)}H{WIDTH - RIGHT}" stroke="#555" stroke-dasharray="6 4"/>')
        parts.append(text(WIDTH - RIGHT, y(best) - 5, f"best published from scratch {best:.3f}", "end"))
    for place, (name, curve_points) in enumerate(found):
        colour = COLOURS[place % len(COLOURS)]
        line = " ".join(f"{x(p.minutes)},{y(p.auc)}" for p in curve_points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in curve_points:
            parts.append(f'<circle cx="{x(p.minutes)}" cy="{y(p.auc)}" r="3.5" fill="{colour}"/>')
            if p.low is not None and p.high is not None:
                parts.append(f'<path d="M{x(p.minutes)} {y(p.low)}V{y(p.high)}" stroke="{colour}"/>')
        parts.append(text(LEFT + 8, TOP + 14 + 16 * place, name, "start", colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float) -> list[float]:
    every = [digit * 10.0**power for power in range(-2, 4) for digit in (1, 2, 5)]
    return [value for value in every if low <= value <= high]


def text(x: float, y: float, words: str, anchor: str = "middle", fill: str = "black") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'


if __name__ == "__main__":
    main()
