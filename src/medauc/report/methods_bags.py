"""Sentences of the methods paragraph on bags: several images with one target."""

from collections.abc import Iterator

from medauc.report.methods_objective import Cite
from medauc.training import Recipe

_ATTENTION = "Ilse M, Tomczak JM, Welling M. Attention-based deep multiple instance learning. ICML 2018."
_POOLINGS = {
    "mean": ("the mean of these scores", None),
    "max": ("the highest of these scores", None),
    "attention": ("their mean weighted by gated attention", _ATTENTION),
}


def bag_sentences(recipe: Recipe, cite: Cite) -> Iterator[str]:
    """Say of what images a sample was made, and how their scores became one; nothing for samples of one image.

    >>> from medauc.training import parse_recipe
    >>> recipe = parse_recipe({"data": {"bags": {"by": "group"}}, "model": {"bag_pooling": "max"}}, "")
    >>> for sentence in bag_sentences(recipe, str):
    ...     print(sentence)
    A sample was the set of a patient's images.
    The network scored each image, and the score of the sample was the highest of these scores.
    In training at most 16 images of a sample were drawn at random for each batch, at test time all were used.
    """
    bags = recipe.data.bags
    if not bags.makes_bags:
        return
    slices = f"the slices along axis {(bags.slices or 0) + 1} of "
    whose = {"group": "a patient's", "auto": "a", "none": "a"}.get(bags.by, f"one {bags.by}'s")
    if bags.slices is None:
        yield f"A sample was the set of {whose} images."
    else:
        yield f"A sample was the set of {slices}{whose} volume{'s' if whose != 'a' else ''}."
    pooled, source = _POOLINGS[recipe.model.bag_pooling]
    yield (
        "The network scored each image, and the score of the sample was "
        f"{pooled}{cite(source) if source is not None else ''}."
    )
    if bags.max_images is not None:
        yield (
            f"In training at most {bags.max_images} images of a sample were drawn at random for each batch, at test "
            "time all were used."
        )
