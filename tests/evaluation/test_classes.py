import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medauc.errors import InputError
from medauc.evaluation import Predictions, evaluate


def write(path, rows, classes=("benign", "malignant", "other"), target=str):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(classes), rows)
    scores = np.eye(len(classes))[truth] + rng.normal(size=(rows, len(classes)))
    scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
    lines = ["id,target," + ",".join(f"score_{name}" for name in classes)]
    for row in range(rows):
        lines.append(f"{row},{target(truth[row])}," + ",".join(map(repr, map(float, scores[row]))))
    path.write_text("\n".join(lines) + "\n")
    return truth, scores


@pytest.mark.parametrize("named", [True, False])
def test_one_against_the_rest_and_hand_till(tmp_path, named):
    classes = ("benign", "malignant", "other")
    truth, scores = write(tmp_path / "x.csv", 300, target=lambda k: classes[k] if named else k)
    table = Predictions.read(tmp_path / "x.csv")
    assert table.is_multiclass
    assert table.select("test").is_multiclass
    test = evaluate(table).test
    probability = np.exp(scores)
    for number, name in enumerate(classes):
        assert test.labels[name].auroc.value == pytest.approx(
            roc_auc_score(truth == number, scores[:, number])
        )
    assert test.auroc.value == pytest.approx(roc_auc_score(truth, probability, multi_class="ovr"))
    assert test.hand_till.value == pytest.approx(roc_auc_score(truth, probability, multi_class="ovo"))
    assert test.hand_till.low < test.hand_till.value < test.hand_till.high
    assert test.micro_auroc is None


def test_a_target_without_scores_is_named(tmp_path):
    write(tmp_path / "x.csv", 20, target=lambda k: "strange")
    with pytest.raises(InputError, match="target 'strange' is none of the classes benign, malignant, other"):
        Predictions.read(tmp_path / "x.csv")


def test_labels_that_may_occur_together_have_a_micro_mean(make_split):
    table = make_split("test", labels=["a", "b"])
    test = evaluate(table).test
    pooled = roc_auc_score(
        np.concatenate([table.target("a"), table.target("b")]),
        np.concatenate([table.score("a"), table.score("b")]),
    )
    assert test.micro_auroc.value == pytest.approx(pooled)
    assert test.hand_till is None


def test_a_positive_class_is_refused_where_each_is_one_in_turn(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("target,score_a,score_b\na,1,0\nb,0,1\n")
    with pytest.raises(InputError, match="scores the classes a, b"):
        Predictions.read(path, positive="a")
