"""What is printed at the end of a training."""

from medauc.data import Dataset
from medauc.evaluation.figures import Runs
from medauc.training.fit import Run


def summary_lines(run: Run, dataset: Dataset) -> list[str]:
    """Test AUC with its interval, the numbers to compare it with, and the folder.

    The seed's number is that of the method medauc started from; the published one is the best of a network trained
    from scratch on 28-pixel images.
    """
    auroc = run.evaluation.test.auroc
    assert auroc is not None  # an evaluation without a test AUC is refused
    lines = [f"test AUC {auroc.value:.3f} [95% {auroc.low:.3f} to {auroc.high:.3f}, {auroc.method}]"]
    recipe, made_of = run.folder.read_recipe()
    if made_of.asked is not None:
        size, asked = recipe.sampling.batch_size, made_of.asked["sampling"]
        lines.append(f"trained with batches of {size}, since {asked} did not fit into memory")
    lines += [_single_line(found) for found in run.evaluation.runs]
    if dataset.ideal_auc is not None:
        expected = "on average over test sets; this one may lie above or below"
        lines.append(
            f"best AUC that any observer can reach on this phantom: {dataset.ideal_auc:.3f} ({expected})"
        )
    if dataset.entry is not None:
        seed, best = dataset.entry.seed_result, dataset.entry.best_from_scratch
        lines.append(f"reported for the seed method: {f'{seed.auc:.2f}' if seed else 'none'}")
        lines.append(f"best published from scratch: {f'{best.auc:.3f} ({best.method})' if best else 'none'}")
    lines.append(f"run folder: {run.folder.path} (report.html shows everything)")
    return lines


def _single_line(runs: Runs) -> str:
    of = "" if runs.label is None else f" for {runs.label}"
    each = f"mean test AUC {runs.mean.text()}, SD {runs.spread:.3f}"
    return f"of its {len(runs.names)} networks alone{of}: {each}"
