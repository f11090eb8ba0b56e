"""The recipes that a benchmark compares: those named, those that ``--vary`` makes of them, and what they are called."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from medauc.errors import InputError


@dataclass(frozen=True)
class Contender:
    """A recipe before it meets a data set.

    Attributes:
        recipe: "default", "seed", or the path of a YAML file.
        overrides: ``key.path=value`` texts.
        varied: those of them that tell this contender from the others of its recipe.
    """

    recipe: str
    overrides: tuple[str, ...] = ()
    varied: tuple[str, ...] = ()

    def name(self, recipe_name: str) -> str:
        """What tables call it.

        >>> Contender("default", varied=("loss.name=pairwise",)).name("default")
        'default loss.name=pairwise'
        """
        return " ".join((recipe_name, *self.varied))


def contenders(
    recipes: Sequence[str], overrides: Sequence[str] = (), variations: Sequence[str] = ()
) -> list[Contender]:
    """Every recipe with every combination of the varied values.

    Args:
        recipes: names or files.
        overrides: ``key.path=value`` texts for all.
        variations: ``key.path=v1,v2`` texts; commas inside brackets belong to a value.

    Raises:
        InputError: a variation that is none, or the same recipe twice.

    >>> [one.varied for one in contenders(["default"], [], ["loss.name=aucm,focal", "augment.scale=[0.9,1.1],none"])]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('loss.name=aucm', 'augment.scale=[0.9,1.1]'), ('loss.name=aucm', 'augment.scale=none'),
     ('loss.name=focal', 'augment.scale=[0.9,1.1]'), ('loss.name=focal', 'augment.scale=none')]
    """
    choices = [_choices(text) for text in variations]
    keys = [choice[0].partition("=")[0] for choice in choices]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise InputError(f"--vary {twice[0]} is given twice; put all its values into one")
    for recipe in recipes:
        if recipes.count(recipe) > 1:
            raise InputError(f"--recipe {recipe} is given twice")
    return [
        Contender(recipe, (*overrides, *varied), varied)
        for recipe in recipes
        for varied in itertools.product(*choices)
    ]


def _choices(text: str) -> list[str]:
    key, equals, values = text.partition("=")
    found = _split(values)
    if not equals or not key.strip() or not all(found) or len(set(found)) < len(found):
        raise InputError(
            f"--vary {text}: write it as key.path=value,value with different values, "
            "for example --vary loss.name=aucm,cross_entropy"
        )
    return [f"{key.strip()}={value}" for value in found]


def _split(values: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes.

    >>> _split("none,{flip: 0.5, rotation: 10},[1,2]")
    ['none', '{flip: 0.5, rotation: 10}', '[1,2]']
    """
    parts, depth, quote = [""], 0, ""
    for character in values:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += (character in "[{") - (character in "]}") if not quote else 0
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def folder_name(name: str) -> str:
    """What a recipe's folders are called: its name without what file systems or shells do not like.

    >>> folder_name("default augment={flip: 0.5}")
    'default-augment=-flip-0.5'
    """
    return re.sub(r"[^\w.=,+-]+", "-", name).strip("-")
