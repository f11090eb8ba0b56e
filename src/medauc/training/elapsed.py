"""How far trainings are, for whoever shows them."""

from pathlib import Path


def epochs_of(folder: Path) -> int:
    """Epochs that a run has finished so far, those of all its networks together."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in folder.rglob("metrics.csv"))


def duration(seconds: float) -> str:
    """How long something took, in the unit that suits it.

    >>> duration(0.44), duration(48), duration(200)
    ('0.4 s', '48 s', '3.3 minutes')
    """
    if seconds >= 60:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
