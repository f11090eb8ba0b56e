"""``--set key.path=value``: single values of a recipe changed before it is validated."""

from collections.abc import Sequence
from typing import Any

import yaml

from medauc.errors import InputError
from medauc.training.sections.loss import section_of
from medauc.training.yaml_text import parse_yaml

# Naming another loss or optimizer replaces keys that belong to the old one, so these come before all others.
_SWITCHES = ("loss.name", "optim.name")
# Where they stand: in the recipe itself and in its first stage, each with the loss that it has when it names none.
_STAGES = {"": "aucm", "first_stage.": "cross_entropy"}
_SECTIONS = {  # and an assignment to show
    "data": "size=28",
    "model": "width=32",
    "loss": "name=pairwise",
    "optim": "lr=0.01",
    "sampling": "batch_size=32",
    "training": "max_epochs=50",
    "evaluation": "calibration=beta",
    "ensemble": "folds=5",
}


def apply_overrides(values: dict[str, Any], assignments: Sequence[str]) -> None:
    """Change plain recipe values in place.

    Another ``loss.name`` or ``optim.name`` than the present one starts its section anew with the defaults of that
    loss or optimizer; the optimizer's ``schedule`` stays. A new loss that the present optimizer cannot train
    takes its own default optimizer along. These two are applied first, wherever they stand; all others in order.
    ``first_stage.loss.name`` and ``first_stage.optim.name`` do the same to the first stage.

    Args:
        values: nested mapping as read from YAML.
        assignments: ``key.path=value`` texts, the value in YAML.

    Raises:
        InputError: a text that is no assignment, a value that is not YAML, or one value for a whole section.

    >>> values = {"loss": {"name": "aucm", "margin": 0.5}, "optim": {"name": "pesg", "lr": 0.1}}
    >>> apply_overrides(values, ["loss.gamma=1.0", "loss.name=focal"])
    >>> values
    {'loss': {'name': 'focal', 'gamma': 1.0}, 'optim': {}}
    """
    parsed = [_parse(assignment) for assignment in assignments]
    for key, value in parsed:
        if key in _SECTIONS and not isinstance(value, dict):
            example = f"--set {key}.{_SECTIONS[key]}"
            raise InputError(
                f"--set {key}={value}: {key} is a section of the recipe; set one of its keys, as in {example}"
            )
    first = [prefix + switch for prefix in _STAGES for switch in _SWITCHES]
    for prefix, default in _STAGES.items():
        for switch in _SWITCHES:
            for key, value in parsed:
                if key == prefix + switch:
                    _switch(_stage(values, prefix), switch, value, default)
    for key, value in parsed:
        if key not in first:
            _set(values, key, value)


def _stage(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The part of the values that a stage's loss and optimizer stand in, made where it is missing."""
    name = prefix.removesuffix(".")
    if not name:
        return values
    if not isinstance(values.get(name), dict):
        values[name] = {}
    stage: dict[str, Any] = values[name]
    return stage


def _present_names(values: dict[str, Any], default_loss: str) -> tuple[Any, Any]:
    """Names of loss and optimizer, those that follow by default included."""
    loss, optim = (values.get(part) for part in ("loss", "optim"))
    loss_name = loss.get("name", default_loss) if isinstance(loss, dict) else default_loss
    default = section_of(loss_name).optimizers[0]
    return loss_name, optim.get("name", default) if isinstance(optim, dict) else default


def _switch(values: dict[str, Any], key: str, name: Any, default_loss: str) -> None:
    loss, optim = _present_names(values, default_loss)
    if key == "loss.name" and name != loss:
        values["loss"] = {"name": name}
        if optim not in section_of(name).optimizers:
            values["optim"] = _schedule_of(values)
    if (key == "loss.name" and name != loss) or (key == "optim.name" and name != optim):
        values.pop("description", None)  # it tells of the loss and optimizer that are replaced
    if key == "optim.name" and name != optim:
        values["optim"] = {"name": name, **_schedule_of(values)}
    _set(values, key, name)


def _schedule_of(values: dict[str, Any]) -> dict[str, Any]:
    optim = values.get("optim")
    return {"schedule": optim["schedule"]} if isinstance(optim, dict) and "schedule" in optim else {}


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = key.split(".")
    node = values
    for parent in parents:
        if not isinstance(node.get(parent), dict):
            node[parent] = {}
        node = node[parent]
    node[leaf] = value


def _parse(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {assignment}: write it as key.path=value, for example --set optim.lr=0.05")
    try:
        value = parse_yaml(text)
    except yaml.YAMLError:
        raise InputError(f"--set {assignment}: the value is not valid YAML, or has a key twice") from None
    return key.strip(), number_or_text(value) if isinstance(value, str) else value


def number_or_text(text: str) -> float | str:
    """The number that a text stands for: YAML 1.1 reads ``1e-4`` as text.

    >>> number_or_text("1e-4"), number_or_text("adamw")
    (0.0001, 'adamw')
    """
    try:
        return float(text)
    except ValueError:
        return text
