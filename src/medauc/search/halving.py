"""Asynchronous successive halving, as a verdict that follows from what was told and from nothing else."""

from typing import TYPE_CHECKING

from optuna.pruners import BasePruner

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class Halving(BasePruner):
    """Lets the best trials of each rung go on; until there are ``factor`` of them, the best one.

    Optuna's own notes in the trial that a rung was passed, before it judges: a process killed in between would leave a
    trial that is never judged there again. Here a trial stands at a rung by the values it told.

    Args:
        first: epochs of the first rung, >= 1.
        factor: of so many trials one goes on, to a rung with as many times the epochs; >= 2.

    Source:
        Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020.
    """

    def __init__(self, first: int, factor: int) -> None:
        self.first, self.factor = first, factor

    def prune(self, study: "Study", trial: "FrozenTrial") -> bool:
        """Whether the trial, at the last epoch that it told, is to end."""
        told = sorted(trial.intermediate_values)
        if not told:
            return False
        before = told[-2] if len(told) > 1 else 0
        rung = self.first
        while rung <= told[-1]:
            if rung > before and not self._goes_on(study, trial, rung):
                return True
            rung *= self.factor
        return False

    def _goes_on(self, study: "Study", trial: "FrozenTrial", rung: int) -> bool:
        own = trial.intermediate_values[trial.last_step or 0]
        others = [
            value
            for one in study.get_trials(deepcopy=False)
            if one.number != trial.number and (value := _value_at(one, rung)) is not None
        ]
        ahead = sum(value > own for value in others)
        return ahead < max(1, (len(others) + 1) // self.factor)


def _value_at(trial: "FrozenTrial", rung: int) -> float | None:
    """What a trial told when it came to a rung; an epoch without a defined AUC tells nothing."""
    reached = [epoch for epoch in trial.intermediate_values if epoch >= rung]
    return trial.intermediate_values[min(reached)] if reached else None
