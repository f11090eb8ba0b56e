"""How far trainings are, for whoever shows them."""

from pathlib import Path


def epochs_of(folder: Path) -> int:
    """Epochs that a run has finished so far, those of all its networks together."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in folder.rglob("metrics.csv"))


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
