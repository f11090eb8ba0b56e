"""What is done when the process of a training dies: the one rule for every executor."""

from medauc.training.unit import Outcome, Unit

ATTEMPTS = 2  # a process's death may be another program's fault; twice in one unit is the unit's
OUT_OF_MEMORY = "killed; was there enough memory?"


def after_death(unit: Unit, attempt: int, cause: str) -> Outcome | None:
    """Judge a death that the training itself may have caused.

    Args:
        unit: what the process was at.
        attempt: the how manieth try this was, from 1.
        cause: how the process ended, in a few words.

    Returns:
        None to try again, which resumes from the last checkpoint; else what is told of the unit.
    """
    if attempt < ATTEMPTS:
        return None
    return Outcome(unit, f"its process died {ATTEMPTS} times ({cause}); run it again to resume")
