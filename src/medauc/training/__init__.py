"""Training: a recipe and a data set become a run folder.

Names are imported on first use, so that reading a finished run loads neither torch nor Lightning.
"""

from typing import TYPE_CHECKING

from medauc import lazy

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
else:
    __getattr__, __dir__, __all__ = lazy.attach(
        __name__,
        {
            "executor": ["Executor", "LocalExecutor"],
            "fit": ["Interrupted", "Run", "train"],
            "module": ["TrainingDiverged"],
            "plan": ["Plan", "resolve", "resolve_recipe", "shipped_recipes"],
            "predictor": ["Predictor"],
            "recipe": ["Recipe", "parse_recipe"],
            "run_folder": ["Provenance", "RunFolder", "choose_folder"],
            "scoring": ["evaluate_path", "evaluate_paths", "read_source", "read_sources"],
            "summary": ["summary_lines"],
            "unit": ["Outcome", "Unit", "run_unit"],
        },
    )
