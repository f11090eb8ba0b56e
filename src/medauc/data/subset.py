"""A training set made smaller, rarer or noisier on purpose, to learn what that costs."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medauc.data.dataset import Dataset, Split
from medauc.errors import InputError

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SubsetSpec:
    """What is left of the training split, and how wrong its labels are; the defaults change nothing.

    Attributes:
        samples: How many samples stay, 2 or more, in the proportion of the classes (or at ``prevalence``); None keeps
            all. Where samples share groups, whole patients stay or go, so a few samples may be missing.
        prevalence: Share of positives, between 0 and 1, reached by dropping positives, or negatives when it must rise.
        label_noise: Share of labels flipped, 0 to 1, of each class or ``(of negatives, of positives)``.
        validation: Validation is treated in the same way: the same fraction of its samples, the same prevalence and
            noise. Few samples are a hard case only where validation has few as well.
        seed: Decides which samples stay and which labels are flipped; 0 or more.

    Raises:
        InputError: A value is out of range; the line names it and the range.
    """

    samples: int | None = None
    prevalence: float | None = None
    label_noise: float | tuple[float, float] = 0.0
    validation: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.samples is None or self.samples >= 2, "samples", self.samples, "2 or more")
        prevalence = self.prevalence
        _require(prevalence is None or 0 < prevalence < 1, "prevalence", prevalence, "between 0 and 1")
        shares_fit = all(0 <= share <= 1 for share in self.noise)
        _require(
            shares_fit, "label_noise", self.label_noise, "0 to 1, a number or [of negatives, of positives]"
        )
        _require(self.seed >= 0, "seed", self.seed, "0 or more")

    @property
    def noise(self) -> tuple[float, float]:
        """Share of flipped labels among negatives and among positives."""
        return self.label_noise if isinstance(self.label_noise, tuple) else (self.label_noise,) * 2

    @property
    def changes_nothing(self) -> bool:
        """True for the defaults, whatever the seed."""
        return self.samples is None and self.prevalence is None and not any(self.noise)


def take_subset(dataset: Dataset, spec: SubsetSpec) -> Dataset:
    """Reduce the training split as ``spec`` says, and validation too where it asks for that; test never changes.

    Samples keep their order. With one seed and one prevalence a smaller subset is part of every larger one (where
    samples do not share groups), and label noise flips the same labels and more as its share rises.

    Args:
        dataset: A loaded data set.
        spec: What shall be left.

    Returns:
        The data set with the subset, ``Dataset.part`` saying so; ``dataset`` itself if ``spec`` changes nothing.

    Raises:
        InputError: The split has too few samples, a class would be empty, or ``prevalence`` meets several labels.

    >>> from medauc.data import PhantomSpec, load_dataset
    >>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=100, n_val=20, n_test=20, prevalence=0.5))
    >>> rare = take_subset(data, SubsetSpec(prevalence=0.1))
    >>> len(rare.train), int(rare.train.targets.sum()), rare.part
    (56, 6, 'training is 56 of its 100 samples')
    """
    if spec.changes_nothing:
        return dataset
    streams = np.random.SeedSequence(spec.seed).spawn(2)
    train, part = _reduce(dataset, "train", spec, spec.samples, streams[0])
    if not spec.validation:
        return replace(dataset, train=train, part=part)
    count = None if spec.samples is None else round(spec.samples / len(dataset.train) * len(dataset.val))
    val, part_of_val = _reduce(dataset, "val", spec, count, streams[1])
    return replace(dataset, train=train, val=val, part=f"{part}; {part_of_val}")


_WORDS = {"train": "training", "val": "validation"}


def _require(fits: bool, name: str, value: object, allowed: str) -> None:
    if not fits:
        raise InputError(f"subset: {name} is {value!r}, it must be {allowed}")


def _reduce(
    dataset: Dataset, name: str, spec: SubsetSpec, samples: int | None, stream: np.random.SeedSequence
) -> tuple[Split, str]:
    """Choose the samples of one split and flip labels; also say in words what was done."""
    split, where = dataset.splits[name], f"{dataset.name}: data.subset of the {_WORDS[name]} split"
    choosing, flipping = (np.random.default_rng(child) for child in stream.spawn(2))
    if spec.prevalence is not None and split.targets.ndim == 2:
        raise InputError(f"{where}: prevalence is for one label, this set has {split.targets.shape[1]}")
    if samples is not None or spec.prevalence is not None:
        split = _take(split, samples, spec.prevalence, where, choosing)
    targets, flipped = _flip_labels(split.targets, spec.noise, flipping)
    _require_both_classes(targets, where)
    told = f"{_WORDS[name]} is {len(split)} of its {len(dataset.splits[name])} samples"
    return replace(split, targets=targets), told + (f", {flipped} labels flipped" if flipped else "")


def _take(
    split: Split, samples: int | None, prevalence: float | None, where: str, rng: np.random.Generator
) -> Split:
    """Choose samples, stratified for one label; whole groups where a number of samples is asked for."""
    # With several labels there is no one class to stratify by.
    classes = np.zeros(len(split), np.int64) if split.targets.ndim == 2 else split.targets
    have = np.bincount(classes, minlength=2)
    wanted = _class_counts(have, samples, prevalence)
    if (wanted > have).any():
        if prevalence is None:
            raise InputError(f"{where}: {samples} samples asked for, it has {len(split)}")
        short = int(np.argmax(wanted - have))
        what = ("negatives", "positives")[short]
        raise InputError(f"{where}: {wanted[short]} {what} asked for, it has {have[short]}")
    order = rng.permutation(len(split))
    if samples is not None and len(np.unique(split.groups)) < len(split):
        kept = _whole_groups(split.groups, classes, order, wanted)
    else:
        kept = np.concatenate([order[classes[order] == label][: wanted[label]] for label in (0, 1)])
    kept.sort()
    return split.take(kept)


def _class_counts(have: Indices, samples: int | None, prevalence: float | None) -> Indices:
    """How many negatives and positives stay, of the (negatives, positives) that there are.

    >>> _class_counts(np.array([90, 10]), None, 0.05), _class_counts(np.array([90, 10]), 20, None)
    (array([90,  5]), array([18,  2]))
    """
    negatives, positives = have.tolist()
    if samples is None and prevalence is not None:
        odds = prevalence / (1 - prevalence)
        return np.minimum(have, [round(positives / odds), round(negatives * odds)])
    assert samples is not None
    few = round(samples * (positives / (negatives + positives) if prevalence is None else prevalence))
    if prevalence is None and positives > 0 and negatives > 0:
        few = min(max(few, 1), samples - 1)  # a set of one class cannot be ranked
    return np.array([samples - few, few])


def _whole_groups(groups: npt.NDArray[np.str_], classes: Indices, order: Indices, wanted: Indices) -> Indices:
    """Take groups in random order, each whole: first as far as each class allows, then as far as their total does.

    Then those come first that are richest in the class of which more is lacking; in random order a class that ran
    short by chance would stay short.
    """
    members: dict[str, list[int]] = {}
    for index in order.tolist():
        members.setdefault(str(groups[index]), []).append(index)
    left, chosen = wanted.copy(), list[int]()

    def take(names: list[str], allowed: Callable[[Indices], bool]) -> None:
        nonlocal left
        for name in names:
            after = left - np.bincount(classes[members[name]], minlength=2)
            if allowed(after):
                left = after
                chosen.extend(members.pop(name))

    take([*members], lambda after: bool(after.min() >= 0))
    lacking = int(np.argmax(left))
    richest = sorted(members, key=lambda name: -float(np.mean(classes[members[name]] == lacking)))
    take(richest, lambda after: bool(after.sum() >= 0))
    return np.array(chosen, np.int64)


def _flip_labels(
    targets: npt.NDArray[np.int64], noise: tuple[float, float], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], int]:
    """Flip the share of each class, in every label by itself; unknown targets (-1) stay. Also count the flips."""
    noisy = targets.copy()
    columns = noisy.reshape(len(noisy), -1)  # a view
    original = columns.copy()
    for label in range(columns.shape[1]):
        order = rng.permutation(len(columns))
        for value, share in enumerate(noise):
            of_class = order[original[order, label] == value]
            columns[of_class[: round(share * len(of_class))], label] = 1 - value
    return noisy, int((columns != original).sum())


def _require_both_classes(targets: npt.NDArray[np.int64], where: str) -> None:
    """Refuse a subset in which no label has both classes."""
    both = (targets == 0).any(axis=0) & (targets == 1).any(axis=0)
    if not both.any():
        missing = "negative" if (targets == 1).any() else "positive"
        raise InputError(
            f"{where}: it leaves {len(targets)} samples, none of them {missing}; "
            "change samples, prevalence or label_noise"
        )
