"""Training: a recipe and a data set become a run folder.

Names are imported on first use, so that reading a finished run loads neither torch nor Lightning.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medauc.training.executor import Executor as Executor
    from medauc.training.executor import LocalExecutor as LocalExecutor
    from medauc.training.fit import Interrupted as Interrupted
    from medauc.training.fit import Run as Run
    from medauc.training.fit import train as train
    from medauc.training.module import TrainingDiverged as TrainingDiverged
    from medauc.training.plan import Plan as Plan
    from medauc.training.plan import resolve as resolve
    from medauc.training.plan import resolve_recipe as resolve_recipe
    from medauc.training.plan import shipped_recipes as shipped_recipes
    from medauc.training.predictor import Predictor as Predictor
    from medauc.training.recipe import Recipe as Recipe
    from medauc.training.recipe import parse_recipe as parse_recipe
    from medauc.training.run_folder import Provenance as Provenance
    from medauc.training.run_folder import RunFolder as RunFolder
    from medauc.training.run_folder import choose_folder as choose_folder
    from medauc.training.scoring import evaluate_path as evaluate_path
    from medauc.training.scoring import evaluate_paths as evaluate_paths
    from medauc.training.scoring import read_source as read_source
    from medauc.training.scoring import read_sources as read_sources
    from medauc.training.summary import summary_lines as summary_lines
    from medauc.training.unit import Outcome as Outcome
    from medauc.training.unit import Unit as Unit
    from medauc.training.unit import run_unit as run_unit

_HOME = {
    "Interrupted": "fit",
    "Plan": "plan",
    "Predictor": "predictor",
    "Provenance": "run_folder",
    "Recipe": "recipe",
    "Run": "fit",
    "RunFolder": "run_folder",
    "TrainingDiverged": "module",
    "choose_folder": "run_folder",
    "Executor": "executor",
    "LocalExecutor": "executor",
    "Outcome": "unit",
    "Unit": "unit",
    "evaluate_path": "scoring",
    "evaluate_paths": "scoring",
    "parse_recipe": "recipe",
    "read_source": "scoring",
    "read_sources": "scoring",
    "resolve": "plan",
    "resolve_recipe": "plan",
    "run_unit": "unit",
    "shipped_recipes": "plan",
    "summary_lines": "summary",
    "train": "fit",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'medauc.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medauc.training.{_HOME[name]}"), name)
