"""The tables and the figure of the study of objectives, made from its ledger (``objectives.py tables``)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from medauc.metrics import delong_test
from medauc.metrics.multiplicity import holm
from objectives import LEDGER, RANKS, RESULTS, TRIES, settings
from objectives_plot import Point, figure

OBJECTIVES = tuple(TRIES)
BASE = "cross_entropy"
NAMES = {
    "cross_entropy": "cross-entropy",
    "aucm_pesg": "AUCM + PESG",
    "aucm_adamw": "AUCM + AdamW",
    "ce_then_aucm": "CE, then AUCM",
    "pairwise": "pairwise",
    "compositional": "compositional",
}
AXES = {
    "reference": "as it is",
    "prevalence": "prevalence {:.0%}",
    "label_noise": "{:.0%} of labels wrong",
    "samples": "{:.0f} samples",
}
MARK = "<!-- made by benchmarks/objectives.py tables -->"


def write_tables() -> None:
    """Write ``objectives.md`` and ``objectives.svg`` from what the ledger holds so far."""
    ledger = pd.read_csv(LEDGER)
    study = complete(ledger[(ledger.purpose == "study") & ~ledger.diverged.astype(bool)])
    ranks = dict(np.load(RANKS)) if RANKS.exists() else {}
    differences = compare(study, ranks)
    parts = [f"# Objectives under the same conditions\n\n{MARK}\n\n{told(ledger, study)}"]
    for dataset in study.dataset.unique():
        of_set = study[study.dataset == dataset]
        parts.append(f"## {dataset}")
        parts.append(f"Test AUC, mean (standard deviation) over seeds{limit(of_set)}.")
        parts.append(table_of(of_set, "test_auc"))
        parts.append(
            "AUC less that of cross-entropy: mean over seeds, 95% interval paired over seeds; * where DeLong's test of "
            "the seed-mean ranks is below 0.05 after Holm's correction over all of this data set's comparisons."
        )
        parts.append(table_of_differences(differences[differences.dataset == dataset]))
        rare = of_set[of_set.axis.isin(["reference", "prevalence"])]
        parts.append("Test average precision; the test set keeps its own prevalence.")
        parts.append(table_of(rare, "test_ap"))
    parts += ["## Learning rates", table_of_rates(ledger)]
    (RESULTS / "objectives.md").write_text("\n\n".join(parts) + "\n")
    (RESULTS / "objectives.svg").write_text(figure(points(differences), NAMES))


def complete(study: pd.DataFrame) -> pd.DataFrame:
    """The rows of those seeds of a setting under which every objective has been trained: pairs need both."""
    counts = study.groupby(["setting", "seed"])["objective"].transform("nunique")
    seeds = study[counts == len(OBJECTIVES)]
    return seeds[seeds.groupby("setting")["seed"].transform("nunique") > 1]


def compare(study: pd.DataFrame, ranks: dict[str, np.ndarray]) -> pd.DataFrame:
    """Each objective against cross-entropy in each setting: paired over seeds, and over cases by DeLong's test."""
    rows = []
    for setting, of_setting in study.groupby("setting", sort=False):
        wide = of_setting.pivot_table(index="seed", columns="objective", values="test_auc")
        for objective in OBJECTIVES[1:]:
            gains = (wide[objective] - wide[BASE]).to_numpy()
            half = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
            first = of_setting.iloc[0]
            rows.append(
                {
                    "setting": setting,
                    "dataset": first.dataset,
                    "axis": first.axis,
                    "level": first.level,
                    "objective": objective,
                    "mean": gains.mean(),
                    "low": gains.mean() - half,
                    "high": gains.mean() + half,
                    "p": delong_p(of_setting, objective, ranks),
                }
            )
    found = pd.DataFrame(rows)
    for _, of_set in found.groupby("dataset"):
        known = of_set[of_set.p.notna()]
        if len(known):
            found.loc[known.index, "p_holm"] = holm(known.p.to_numpy())
    return found


def delong_p(of_setting: pd.DataFrame, objective: str, ranks: dict[str, np.ndarray]) -> float:
    """DeLong's test between the ranks of two objectives, each the mean over seeds; NaN for a phantom."""

    def mean_rank(name: str) -> np.ndarray:
        keys = of_setting[of_setting.objective == name].sort_values("seed").key
        return np.mean([ranks[key].astype(float) for key in keys], axis=0)

    target = ranks.get(f"target|{of_setting.iloc[0].dataset}")
    return np.nan if target is None else delong_test(target, mean_rank(objective), mean_rank(BASE))[1]


def told(ledger: pd.DataFrame, study: pd.DataFrame) -> str:
    seconds = ledger.wall_seconds.median()
    restored = int((ledger.val_auc.isna() & ~ledger.diverged.astype(bool)).sum())
    tuning = int((ledger.purpose == "tuning").sum())
    seeds = study.groupby("setting")["seed"].nunique()
    range_of_seeds = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    open_settings = [NAME for NAME in (s.key for s in settings()) if NAME not in set(study.setting)]
    lines = [
        f"{len(ledger)} trainings ({tuning} of them tuned learning rates, {int(ledger.diverged.sum())} diverged), "
        f"about {seconds:.0f} s each on one thread of a machine that did other work as well; {range_of_seeds} seeds a "
        "setting, all in [`objectives.csv`](objectives.csv). [What it means](../../docs/experiments.md).",
        "![Gain over cross-entropy](objectives.svg)",
    ]
    if restored:
        lines.insert(
            1,
            f"{restored} rows were restored from the ranks of their test scores after the file was lost: their test "
            "figures are exact, their validation figures and times are missing.",
        )
    if open_settings:
        lines.insert(1, f"Not measured yet: {', '.join(open_settings)}.")
    return "\n\n".join(lines)


def limit(of_set: pd.DataFrame) -> str:
    ideal = of_set.ideal_auc.dropna()
    return f"; the ideal observer has {ideal.iloc[0]:.3f}" if len(ideal) else ""


def label(row: pd.Series) -> str:
    return AXES[row.axis].format(row.level)


def _settings_in(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each setting with its label, in the order of the study."""
    for setting in settings():
        rows = frame[frame.setting == setting.key]
        if len(rows):
            yield label(rows.iloc[0]), rows


def table_of(study: pd.DataFrame, figure_name: str) -> str:
    """One row a setting, one column an objective."""
    lines = [
        f"| training split | positives | seeds | {' | '.join(NAMES[name] for name in OBJECTIVES)} |",
        "|---" * (len(OBJECTIVES) + 3) + "|",
    ]
    for title, rows in _settings_in(study):
        cells = []
        for objective in OBJECTIVES:
            values = rows[rows.objective == objective][figure_name]
            cells.append(f"{values.mean():.3f} ({values.std():.3f})")
        counts = f"{rows.n_positive.mean():.0f} | {rows.seed.nunique()}"
        lines.append(f"| {title} | {counts} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_differences(differences: pd.DataFrame) -> str:
    """One row a setting, one column an objective other than cross-entropy."""
    others = OBJECTIVES[1:]
    lines = [
        f"| training split | {' | '.join(NAMES[name] for name in others)} |",
        "|---" * (len(others) + 1) + "|",
    ]
    for title, rows in _settings_in(differences):
        by_name = rows.set_index("objective")
        cells = []
        for objective in others:
            row = by_name.loc[objective]
            star = " *" if row.get("p_holm", np.nan) < 0.05 else ""
            cells.append(f"{row['mean']:+.3f} [{row.low:+.3f}, {row.high:+.3f}]{star}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_rates(ledger: pd.DataFrame) -> str:
    """Validation AUC of every try; the chosen one in bold."""
    tuning = ledger[ledger.purpose == "tuning"]
    lines = ["| setting | objective | validation AUC by learning rate |", "|---|---|---|"]
    for setting in tuning.setting.unique():
        for objective in OBJECTIVES:
            tries = tuning[(tuning.setting == setting) & (tuning.objective == objective)].sort_values("lr")
            if tries.empty:
                continue
            best = tries.loc[tries.val_auc.idxmax(), "lr"]
            shown = [
                f"**{row.lr:g}: {row.val_auc:.3f}**" if row.lr == best else f"{row.lr:g}: {row.val_auc:.3f}"
                for row in tries.itertuples()
            ]
            lines.append(f"| {setting} | {NAMES[objective]} | {', '.join(shown)} |")
    return "\n".join(lines)


def points(differences: pd.DataFrame) -> dict[str, list[Point]]:
    """Gains by panel: one panel a data set and axis."""
    panels: dict[str, list[Point]] = {}
    for setting in settings():
        if setting.axis == "reference":
            continue
        for row in differences[differences.setting == setting.key].itertuples():
            title = f"{setting.dataset}: {setting.axis.replace('_', ' ')}"
            short = f"{row.level:.0f}" if row.level > 1 else f"{row.level:.0%}"
            panels.setdefault(title, []).append(Point(short, row.objective, row.mean, row.low, row.high))
    return panels


if __name__ == "__main__":
    write_tables()
    print(Path(RESULTS / "objectives.md"))
