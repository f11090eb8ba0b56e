import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, evaluate
from medauc.evaluation.runs import evaluate_runs
from medauc.metrics import roc_auc, seed_interval
from medauc.report import build_report


@pytest.fixture
def runs(both) -> dict[str, Predictions]:
    """Three trainings that see the same signal through noise of their own, on scales of their own."""
    made = {}
    for seed, scale in enumerate((1.0, 10.0, 0.1)):
        noise = np.random.default_rng(seed).normal(size=both.n)
        frame = both.frame.assign(score=scale * (both.frame["score"] + 0.7 * noise))
        made[f"seed{seed}"] = Predictions(frame)
    return made


def test_mean_spread_and_ensemble(runs):
    _, result = evaluate_runs(runs)
    (found,) = result.runs
    tests = [part.select("test") for part in runs.values()]
    aucs = [roc_auc(part.target(), part.score()) for part in tests]
    assert found.names == list(runs)
    assert found.auroc == pytest.approx(aucs)
    assert found.mean.value == pytest.approx(np.mean(aucs))
    assert found.spread == pytest.approx(np.std(aucs, ddof=1))
    expected = seed_interval(tests[0].target(), [part.score() for part in tests])
    assert (found.mean.low, found.mean.high) == pytest.approx((expected.auc.low, expected.auc.high))
    assert result.test.auroc.value > max(aucs)


def test_the_scale_of_a_run_does_not_weigh_in_the_ensemble(runs):
    louder = {**runs, "seed0": Predictions(runs["seed0"].frame.assign(score=1000 * runs["seed0"].score()))}
    one, other = (evaluate_runs(each)[1].test.auroc for each in (runs, louder))
    assert one.value == pytest.approx(other.value, abs=1e-12)


def test_the_order_of_rows_does_not_matter(runs):
    shuffled = dict(runs)
    shuffled["seed1"] = Predictions(runs["seed1"].frame.sample(frac=1, random_state=0).reset_index(drop=True))
    assert evaluate_runs(shuffled)[1].test.auroc == evaluate_runs(runs)[1].test.auroc


def test_one_run_or_other_samples_are_refused(runs, make_split):
    with pytest.raises(InputError, match="two or more"):
        evaluate_runs({"one": runs["seed0"]})
    with pytest.raises(InputError, match="not about the same splits"):
        evaluate_runs({"a": runs["seed0"], "b": make_split("test", ids=range(200))})
    with pytest.raises(InputError, match="share no id"):
        evaluate_runs({"a": make_split("test", n=300), "b": make_split("test", n=300, ids=range(300))})


def test_equal_runs_have_no_spread_and_the_interval_of_one(both):
    _, result = evaluate_runs({"a": both, "b": both})
    assert result.runs[0].spread == 0.0
    assert result.test.auroc.value == pytest.approx(evaluate(both).test.auroc.value)


def test_several_classes_stay_classes_and_notes_stay_told(tmp_path):
    rng, tables = np.random.default_rng(0), {}
    targets = np.arange(90) % 3
    for name in ("a", "b"):
        scores = np.eye(3)[targets] + rng.normal(size=(90, 3))
        rows = [f"{target},{','.join(map(str, row))}" for target, row in zip(targets, scores, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["target,score_x,score_y,score_z", *rows]))
        tables[name] = Predictions.read(tmp_path / f"{name}.csv")
    joined, found = evaluate_runs(tables)
    assert joined.is_multiclass
    assert found.test.hand_till is not None
    assert found.test.micro_auroc is None
    assert any("Ids are row numbers" in warning for warning in found.warnings)
    assert "With any label" not in build_report(found, joined, title="x")
