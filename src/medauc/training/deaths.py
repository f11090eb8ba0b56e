"""What is done when the process of a training dies: the one rule for every executor."""

from medauc.training.memory import is_halved, lower_batch
from medauc.training.unit import Outcome, Unit

ATTEMPTS = 2  # a process's death may be another program's fault; twice in one unit is the unit's
KILLED = "killed; was there enough memory?"
OUT_OF_MEMORY = "killed by the system, out of memory"


def goes_on_elsewhere(outcome: Outcome, attempt: int) -> bool:
    """Whether half the batch, which had no chance in a process that was refused memory, is to be tried in a fresh one.

    Args:
        outcome: what the process answered; where it is ``exhausted``, the process trains nothing more.
        attempt: the how manieth try this was, from 1.
    """
    return outcome.exhausted and attempt < ATTEMPTS and is_halved(outcome.unit.folder)


def after_death(unit: Unit, attempt: int, cause: str) -> Outcome | None:
    """Judge a death that the training itself may have caused.

    Args:
        unit: what the process was at.
        attempt: the how manieth try this was, from 1.
        cause: how the process ended, in a few words; ``OUT_OF_MEMORY`` where that is certain.

    Returns:
        None to try again, which resumes from the last checkpoint, or begins with half the batch where memory ended
        and ``training.out_of_memory`` allows it; else what is told of the unit.
    """
    if cause == OUT_OF_MEMORY and lower_batch(unit.folder, unit.recipe):
        return None
    if attempt < ATTEMPTS:
        return None
    batch = unit.recipe.sampling.batch_size
    lower = f"lower sampling.batch_size (asked for: {batch}) or --jobs, or " if cause == OUT_OF_MEMORY else ""
    return Outcome(unit, f"its process died {attempt} times ({cause}); {lower}run it again to resume")
