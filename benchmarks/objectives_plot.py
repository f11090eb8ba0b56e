"""The figure of the study of objectives: gain over cross-entropy with intervals, one panel a data set and axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, COLUMNS = 330, 230, 52, 46, 3
COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7")


@dataclass(frozen=True)
class Point:
    """One mean difference: where on the axis, of which objective, and its interval."""

    level: str
    objective: str
    mean: float
    low: float
    high: float


def figure(panels: Mapping[str, Sequence[Point]], names: Mapping[str, str]) -> str:
    """Draw all panels on scales of their own; a legend above."""
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * WIDTH + 20, rows * HEIGHT + TOP
    objectives = list(dict.fromkeys(point.objective for points in panels.values() for point in points))
    colours = dict(zip(objectives, COLOURS, strict=False))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for place, objective in enumerate(objectives):
        x = LEFT + 170 * place
        parts.append(f'<circle cx="{x}" cy="18" r="5" fill="{colours[objective]}"/>')
        parts.append(f'<text x="{x + 10}" y="22">{names[objective]}</text>')
    for place, (title, points) in enumerate(panels.items()):
        left, top = (place % COLUMNS) * WIDTH, TOP + (place // COLUMNS) * HEIGHT
        parts.append(f'<g transform="translate({left},{top})">{_panel(title, points, colours)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, points: Sequence[Point], colours: Mapping[str, str]) -> str:
    low, high = min(0.0, *(p.low for p in points)), max(0.0, *(p.high for p in points))
    bottom, right = HEIGHT - 40, WIDTH - 12
    levels = list(dict.fromkeys(point.level for point in points))
    step = (right - LEFT) / len(levels)

    def y(value: float) -> float:
        return 22 + (high - value) / (high - low) * (bottom - 22)

    parts = [f'<text x="{LEFT}" y="12" font-weight="bold">{title}</text>']
    for tick in _ticks(low, high):
        shade = "#333" if tick == 0 else "#ddd"
        parts.append(
            f'<line x1="{LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="{shade}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:+.2f}</text>')
    for place, level in enumerate(levels):
        centre = LEFT + (place + 0.5) * step
        parts.append(f'<text x="{centre:.1f}" y="{bottom + 18}" text-anchor="middle">{level}</text>')
        here = [point for point in points if point.level == level]
        for number, point in enumerate(here):
            x = centre + (number - (len(here) - 1) / 2) * step / 7
            colour = colours[point.objective]
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(point.low):.1f}" y2="{y(point.high):.1f}" '
                f'stroke="{colour}" stroke-width="2"/>'
            )
            parts.append(f'<circle cx="{x:.1f}" cy="{y(point.mean):.1f}" r="4" fill="{colour}"/>')
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Round values between the two, at most eight."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / step <= 8)
    return [round(k * step, 2) for k in range(-100, 101) if low <= k * step <= high]
