"""The space that is searched where none is given: what matters most to the recipe's loss and optimizer."""

from typing import Any

from medauc.search.reading import parse_space
from medauc.search.space import Space
from medauc.training.recipe import Recipe
from medauc.training.sections.loss import LossSection

_LR = {"low": 1e-3, "high": 0.3, "log": True}
_DECAY = {"low": 1e-6, "high": 1e-2, "log": True}
_EPOCH_DECAY = {"low": 1e-4, "high": 0.1, "log": True}
_MOMENTUM = {"low": 0.0, "high": 0.95}

_OPTIM: dict[str, dict[str, Any]] = {
    # With the margin, the five that the seed method swept one at a time.
    "pesg": {"lr": _LR, "epoch_decay": _EPOCH_DECAY, "weight_decay": _DECAY, "momentum": _MOMENTUM},
    "pdsca": {"lr": _LR, "inner_lr": _LR, "epoch_decay": _EPOCH_DECAY, "weight_decay": _DECAY},
    "adamw": {
        "lr": {"low": 1e-4, "high": 3e-2, "log": True},
        "weight_decay": {"low": 1e-4, "high": 0.3, "log": True},
    },
    "sgd": {"lr": _LR, "weight_decay": _DECAY, "momentum": _MOMENTUM},
}
_LOSS: dict[str, dict[str, Any]] = {
    "cross_entropy": {"label_smoothing": {"low": 0.0, "high": 0.2}},
    "focal": {"gamma": {"low": 0.5, "high": 5.0}},
    "ldam": {
        "max_margin": {"low": 0.1, "high": 2.0, "log": True},
        "scale": {"low": 1.0, "high": 30.0, "log": True},
    },
    "partial_auc_kl": {"temperature": {"low": 0.1, "high": 10.0, "log": True}},
}
_BOUNDED, _FREE = {"low": 0.1, "high": 1.0}, {"low": 0.1, "high": 10.0, "log": True}


def default_space(recipe: Recipe) -> Space:
    """The space of a recipe's loss and optimizer.

    >>> sorted(default_space(Recipe()).parameters)
    ['loss.margin', 'optim.epoch_decay', 'optim.lr', 'optim.momentum', 'optim.weight_decay']
    """
    found = {f"optim.{key}": given for key, given in _OPTIM[recipe.optim.name].items()}
    if recipe.loss.name == "aucm" and recipe.optim.name in ("adamw", "sgd"):
        found["optim.loss_lr"] = _LR
    found |= {f"loss.{key}": given for key, given in _of_loss(recipe.loss).items()}
    if recipe.optim.schedule.name in (
        "cosine",
        "one_cycle",
    ):  # they end with the last epoch, whenever that is
        epochs = recipe.training.max_epochs
        found["training.max_epochs"] = {"low": max(1, epochs // 2), "high": max(2, 3 * epochs // 2)}
    return parse_space(found, recipe, "the default search space")


def _of_loss(loss: LossSection) -> dict[str, Any]:
    found = dict(_LOSS.get(loss.name, {}))
    if "margin" in type(loss).model_fields:
        # Scores between 0 and 1 are never further apart than 1.
        found["margin"] = _BOUNDED if getattr(loss, "activation", "none") != "none" else _FREE
    return found
