"""What a methods section says about changes of images: in training, and at test time."""

from collections.abc import Callable, Iterator

from medauc.training.recipe import Recipe
from medauc.training.sections.augment import AugmentSection
from medauc.training.sections.evaluation import EvaluationSection

TURNS = {
    "rotation": "rotation",
    "scale": "scaling",
    "shear": "shearing",
    "shift": "translation",
    "crop": "cropping",
    "elastic": "elastic deformation",
}
LOOKS = {
    "blur": "blurring",
    "brightness": "brightness",
    "contrast": "contrast",
    "gamma": "gamma",
    "speckle": "speckle noise",
    "noise": "noise",
    "voxel_scaling": "multiplication of intensities by a uniform number",
    "erase": "erasing of a box",
}
INTERPOLATED = ("rotation", "scale", "shear", "shift", "elastic")
COPIES = {
    "flips": "their mirror images",
    "octahedral": "all orientations by quarter turns and their mirror images",
    "random": "{copies} copies, the image itself and fixed draws of the changes of training",
}
_MIXUP = "Zhang H, Cisse M, Dauphin YN, Lopez-Paz D. mixup: beyond empirical risk minimization. ICLR 2018."
_AUC_MIXUP = "Xv J, Li G, Yang T. AUC-mixup: deep AUC maximization with mixup. arXiv 2310.11693, 2023."


def augmentation_sentences(recipe: Recipe, cite: Callable[[str | None], str]) -> Iterator[str]:
    """Say how training images were changed, and whether they were mixed."""
    augment = recipe.augment or AugmentSection()
    changes = _changes(augment)
    if changes:
        yield f"Training images were changed at random by {changes}."
    if augment.mixup > 0:
        pairs = (
            "training images and their targets" if augment.makes_soft_targets else "images of the same class"
        )
        source = cite(_MIXUP) + (cite(_AUC_MIXUP) if augment.makes_soft_targets else "")
        yield f"Pairs of {pairs} were mixed, with shares from Beta({augment.mixup:g}, {augment.mixup:g}){source}."
    if not changes and not augment.mixup:
        yield "Training images were not augmented."


def copies_sentence(section: EvaluationSection) -> str:
    """Say what scores were averaged over, with a leading space; nothing where they were not."""
    if section.test_time_augmentation == "none":
        return ""
    copies = COPIES[section.test_time_augmentation].format(copies=section.test_time_copies)
    return f" Scores of test images were averaged over {copies}."


def _changes(augment: AugmentSection) -> str:
    flips = augment.flip if isinstance(augment.flip, tuple) else (augment.flip,)
    off = {"scale": (1.0, 1.0)}
    on = {key for key in (*TURNS, *LOOKS) if getattr(augment, key) != off.get(key, 0)}
    found = ["mirroring"] * any(flips) + ["quarter turns"] * augment.quarter_turns
    found += [name for key, name in (TURNS | LOOKS).items() if key in on]
    few = augment.warp_share < 1 and bool(on.intersection(INTERPOLATED))
    rest = f" (those that interpolate in {100 * augment.warp_share:g}% of the images)" if few else ""
    return listed(found) + rest


def listed(names: list[str]) -> str:
    """Join names with commas and "and"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
