"""Whole audits of small made sets: each planted fault is named with the right severity, a clean set has none."""

import numpy as np
import pytest

from fixtures.textures import textures
from medauc.audit import Audit, audit_collection, audit_lines
from medauc.errors import InputError
from medauc.evaluation import Predictions


def severity(audit: Audit, check: str) -> str | None:
    return next((finding.severity for finding in audit.findings if finding.check == check), None)


def test_a_clean_set_is_valid(build) -> None:
    audit = audit_collection(build(groups=np.arange(120))).audit
    assert audit.exit_status == 0
    assert not [finding for finding in audit.findings if finding.severity != "note"]
    assert audit.duplicates.n_exact == audit.duplicates.n_near == 0
    assert [(split.name, split.n, split.positive) for split in audit.splits] == [
        ("train", 60, {"tumour": 30}),
        ("val", 20, {"tumour": 10}),
        ("test", 40, {"tumour": 20}),
    ]
    assert "Nothing that invalidates" in audit_lines(audit)[-1]


def test_duplicates_and_conflicts_across_splits(build) -> None:
    images = textures(120)
    images[100] = images[4]  # test copy of a training image, equal label
    images[101] = images[6]  # another, label 1 against 0
    images[70] = np.clip(images[8] * 0.5 + 30, 0, 255).astype(np.uint8)  # a near one in validation
    audit = audit_collection(build(images)).audit
    assert audit.exit_status == 3
    assert severity(audit, "duplicates across splits") == "invalid"
    assert severity(audit, "label conflict, exact") == "invalid"
    assert severity(audit, "label conflict, near") is None
    kinds = {(pair.first, pair.second): (pair.kind, pair.labels_differ) for pair in audit.duplicates.pairs}
    assert kinds == {
        ("s004", "s100"): ("exact", False),
        ("s006", "s101"): ("exact", True),
        ("s008", "s070"): ("near", False),
    }
    counts = {(row.first, row.second): (row.exact, row.near) for row in audit.duplicates.by_splits}
    assert counts[("train", "test")] == (2, 0)
    assert counts[("train", "val")] == (0, 1)
    assert sum(row.expected for row in audit.duplicates.by_splits) == pytest.approx(3, abs=0.3)
    assert audit.duplicates.images_with_twin == {"train": 3, "val": 1, "test": 2}


def test_patients_across_splits(build) -> None:
    groups = np.arange(120)
    groups[[90, 91, 65]] = groups[[3, 3, 7]]
    audit = audit_collection(build(groups=groups)).audit
    assert severity(audit, "patients across splits") == "invalid"
    assert audit.leaking_groups == ["3", "7"]
    assert "2 patients in more than one split; 1 of them in test, with 2 images" in "\n".join(
        audit_lines(audit)
    )


def test_a_split_with_one_class(build) -> None:
    targets = np.arange(120) % 2
    targets[80:] = 0
    assert severity(audit_collection(build(targets=targets)).audit, "one class") == "invalid"
    both = np.column_stack((targets, np.arange(120) % 2))
    audit = audit_collection(build(targets=both, labels=("a", "b"))).audit
    assert severity(audit, "one class") == "warning"
    assert audit.exit_status == 0


def test_worthless_images(build) -> None:
    images = textures(120)
    images[5] = 77
    images[6] = 0
    images[6, 3, 3] = 200
    audit = audit_collection(build(images)).audit
    assert severity(audit, "constant") == "warning"
    named = {finding.check: finding.ids for finding in audit.findings}
    assert named["constant"] == ["s005"]
    assert named.get("nearly empty") is None  # one pixel of 576 is more than a thousandth
    large = textures(120, (48, 48))
    large[6] = 0
    large[6, 3, 3] = 200
    assert severity(audit_collection(build(large)).audit, "nearly empty") == "warning"


def test_splits_that_differ_in_brightness(build) -> None:
    images = textures(120).astype(np.int64)
    images[80:] = images[80:] // 2
    audit = audit_collection(build(images.astype(np.uint8))).audit
    flagged = [found.name for found in audit.differences if found.flagged]
    assert "intensity, mean" in flagged
    assert "prevalence of tumour" not in flagged
    assert severity(audit, "splits differ") == "warning"


def test_a_shortcut_in_the_border_and_in_a_column(build) -> None:
    rng = np.random.default_rng(0)
    total, targets = 400, np.arange(400) % 2
    images = textures(total)
    images[:, 0] = np.clip(100 + 40 * targets[:, None] + rng.normal(0, 25, (total, 1)), 0, 255)
    view = np.where(rng.random(total) < 0.3 + 0.5 * targets, "AP", "PA")
    audit = audit_collection(
        build(
            images,
            (200, 60, 140),
            targets=targets,
            columns={"view": view, "target again": targets.astype(str)},
        )
    ).audit
    assert severity(audit, "shortcut, border") == "warning"
    assert severity(audit, "shortcut, column") == "warning"
    assert audit.columns_that_say_the_label == ["target again"]
    assert {"view", "border pixels, mean"} <= {found.feature for found in audit.associations}
    assert audit.exit_status == 0


def memorising(collection, gain: float = 4.0) -> Predictions:
    """A model that knows test images it has seen, by heart, and little of the others."""
    rng = np.random.default_rng(1)
    rows = np.flatnonzero(collection.splits == "test")
    target = collection.targets[rows, 0]
    seen = np.isin(collection.ids[rows], [f"s{number:03d}" for number in range(80, 110)])
    score = rng.normal(size=len(rows)) + target * (0.5 + gain * seen)
    return Predictions.from_arrays(
        split="test", ids=collection.ids[rows].tolist(), targets=target, scores=score
    )


def test_a_run_is_judged_with_and_without_duplicates(build) -> None:
    images = textures(200)
    images[80:110] = images[:30]
    collection = build(images, (60, 20, 120))
    audit = audit_collection(collection, run=memorising(collection), run_name="net").audit
    of_run = [effect for effect in audit.duplicates.effects if effect.model == "net"]
    assert [effect.n_removed for effect in of_run] == [30]
    assert of_run[0].every.value > of_run[0].clean.value
    assert of_run[0].p < 0.05
    neighbour = [
        e for e in audit.duplicates.effects if e.model.startswith("nearest") and "fitting" in e.statement
    ]
    assert neighbour[0].difference.low > 0  # equal labels of copies: it knows them by heart
    assert "net: " in "\n".join(audit_lines(audit))


def test_a_run_on_other_data_is_refused(build) -> None:
    other = Predictions.from_arrays(split="test", ids=["x", "y"], targets=[0, 1], scores=[0, 1])
    with pytest.raises(InputError, match=r"another data set.*'x'"):
        audit_collection(build(), run=other, run_name="net")


def test_hashed_ids_tell_nothing(build) -> None:
    collection = build(groups=np.repeat(np.arange(60), 2))
    hashed = collection.with_hashed_ids("secret")
    assert len(set(hashed.ids)) == 120
    assert len(set(hashed.groups)) == 60
    text = audit_collection(hashed).audit.model_dump_json()
    assert "s001" not in text
    with pytest.raises(InputError, match="salt"):
        collection.with_hashed_ids("")


def test_the_document_is_read_back_as_written(build, tmp_path) -> None:
    images = textures(120)
    images[100], images[50] = images[4], 9
    audit = audit_collection(build(images)).audit
    audit.write(tmp_path / "audit.json")
    assert Audit.read(tmp_path / "audit.json") == audit


def test_without_labels_and_splits(build) -> None:
    from dataclasses import replace

    made = build()
    heap = replace(made, splits=np.full(120, "all"), targets=np.empty((120, 0), np.int64), label_names=())
    audit = audit_collection(heap).audit
    assert audit.exit_status == 0
    assert [split.name for split in audit.splits] == ["all"]


def test_bags_are_audited_image_by_image() -> None:
    from medauc.audit import collection_of
    from medauc.data import BagSpec, PhantomSpec, load_dataset, make_bags

    data = load_dataset("phantom3d", size=8, phantom=PhantomSpec(n_train=12, n_val=10, n_test=10))
    bags = make_bags(data, BagSpec(slices=0))
    made = collection_of(bags)
    assert len(made) == len(made.groups) == 32 * 8
    assert made.targets.shape == (256, 1)
