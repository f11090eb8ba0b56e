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
    A sample was all images of a patient.
    The network scored each image, and the score of the sample was the highest of these scores.
    In training at most 16 images of a sample were drawn at random for each batch, at test time all were used.
    """
    bags = recipe.data.bags
    if not bags.makes_bags:
        return
    several = {"group": "all {} of a patient", "bag": "several {}"}.get(bags.by, f"all {{}} of one {bags.by}")
    if bags.slices is None:
        yield f"A sample was {several.format('images')}."
    else:
        volumes = "a volume" if bags.by in ("auto", "none") else several.format("volumes")
        yield f"A sample was all slices along axis {bags.slices + 1} of {volumes}."
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
