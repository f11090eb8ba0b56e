"""Pydantic's errors in the user's words: key, given value, what is needed, what is allowed."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, NamedTuple, get_args

from pydantic.fields import FieldInfo

from medauc.training.sections.base import Section

_OUT_OF_RANGE = frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error"}
)
_WORDS = {  # by the first word of pydantic's type
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "model": "a section with keys of its own",
    "dataclass": "a section with keys of its own",
    "dict": "a section with keys of its own",
    "mapping": "a section with keys of its own",
}


class _Place(NamedTuple):
    """Where an error is: keys as the user wrote them, the class that holds the last one, its siblings by name."""

    keys: list[str]
    holder: type[Any] | None
    siblings: Mapping[str, type[Any]]


def explain(errors: Sequence[Any], recipe: type[Section]) -> str:
    """Say in one line what is wrong: each key once, as deep as it is known.

    Args:
        errors: what ``ValidationError.errors()`` gives.
        recipe: the class that was validated.
    """
    places = [_locate(item["loc"], recipe) for item in errors]
    found: dict[str, list[tuple[Any, _Place]]] = {}
    for item, place in zip(errors, places, strict=True):
        if not any(other.keys[: len(place.keys)] == place.keys != other.keys for other in places):
            found.setdefault(".".join(place.keys), []).append((item, place))
    return "; ".join(_line(key, [item for item, _ in ones], ones[0][1]) for key, ones in found.items())


def _line(key: str, items: Sequence[Any], place: _Place) -> str:
    """What is wrong with one key; a field of several types has an error for each."""
    item = items[0]
    if item["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return _unknown_key(place)
    if item["type"] == "value_error":
        # What checks itself names itself.
        reason = str(item["ctx"]["error"])
        return f"{key}: {reason.removeprefix(f'{place.keys[-1]}: ')}" if key else reason
    if item["type"] == "union_tag_invalid":
        names = list(_variants(getattr(place.holder, "model_fields", {})[place.keys[-1]]))
        near = difflib.get_close_matches(item["ctx"]["tag"], names, n=1)
        hint = f": did you mean '{near[0]}'?" if near else ""
        return f"{key}.name is '{item['ctx']['tag']}'{hint} (allowed: {' | '.join(names)})"
    allowed = _allowed_range(place)
    given, needed = f"{key} is {_shown(item['input'])}", _needed(items, bool(allowed))
    if allowed == "null":
        return f"{given}: {needed} or null is needed"
    return given + (f": {needed} is needed" if needed else "") + (f" (allowed: {allowed})" if allowed else "")


def _shown(value: Any) -> str:
    """A value as YAML has it, where Python's way is strange to a reader."""
    return (
        str(value).lower().replace("none", "null")
        if value is None or isinstance(value, bool)
        else repr(value)
    )


def _needed(items: Sequence[Any], has_range: bool) -> str:
    """What would do in place of the given value, in words; nothing where the allowed range says it."""
    if has_range and any(item["type"] in _OUT_OF_RANGE for item in items):
        return ""
    words = [_WORDS.get(item["type"].partition("_")[0]) or _in_own_words(item) for item in items]
    return " or ".join(dict.fromkeys(words))


def _in_own_words(item: Any) -> str:
    if item["type"] in ("too_long", "too_short"):
        number = item["ctx"].get("max_length", item["ctx"].get("min_length"))
        return f"a list of {number} values"
    return str(item["msg"]).removeprefix("Input should be ")


def _locate(location: tuple[int | str, ...], recipe: type[Section]) -> _Place:
    """Follow pydantic's location through the sections; it holds tags of unions beside the keys."""
    keys: list[str] = []
    holder: type[Any] | None = None
    node: type[Any] | None = recipe
    variants: dict[str, type[Any]] = {}
    siblings: Mapping[str, type[Any]] = {}
    for part in location:
        if part in variants and node is None:
            node, siblings, variants = variants[str(part)], variants, {}
            continue
        if node is None:
            if not _is_union_branch(part):
                keys.append(str(part))
            continue
        keys.append(str(part))
        holder = node
        field = getattr(node, "model_fields", {}).get(part)
        variants = _variants(field)
        node = None if variants else _section_of(holder, str(part))
        if node is not None:
            siblings = {}
    return _Place(keys, holder, siblings)


def _variants(field: FieldInfo | None) -> dict[str, type[Any]]:
    """Sections by name that a discriminated field chooses from."""
    if field is None or field.discriminator is None:
        return {}
    return {section.model_fields["name"].default: section for section in get_args(field.annotation)}


def _section_of(holder: type[Any], name: str) -> type[Any] | None:
    """The section class of a key, if it holds a section."""
    if not issubclass(holder, Section) or name not in holder.model_fields:
        return None
    annotation = holder.model_fields[name].annotation
    candidates = [annotation, *get_args(annotation)]
    sections = [c for c in candidates if isinstance(c, type) and (issubclass(c, Section) or is_dataclass(c))]
    return sections[0] if sections else None


def _unknown_key(place: _Place) -> str:
    known, last = _keys_of(place.holder), place.keys[-1]
    near = difflib.get_close_matches(last, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    owners = [name for name, section in place.siblings.items() if last in _keys_of(section)]
    if owners:
        *parents, _ = place.keys
        hint = f"; it belongs to {'.'.join(parents)}.name {' and '.join(owners)}"
    return f"unknown key {'.'.join(place.keys)}{hint} (known here: {', '.join(known)})"


def _keys_of(holder: type[Any] | None) -> list[str]:
    if holder is None:
        return []
    return list(holder.__dataclass_fields__ if is_dataclass(holder) else holder.model_fields)


def _is_union_branch(part: int | str) -> bool:
    """Pydantic names the branch of a union in the location, as in ``float`` or ``constrained-float``."""
    return isinstance(part, str) and (part in {"float", "int", "str", "none"} or "-" in part or "[" in part)


def _allowed_range(place: _Place) -> str:
    """Read the bounds of a numeric field from its JSON schema, as in ``> 0, <= 100``."""
    holder = place.holder
    if holder is None or is_dataclass(holder) or place.keys[-1] not in holder.model_fields:
        return ""
    schema = holder.model_json_schema()["properties"][place.keys[-1]]
    symbols = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    parts = []
    for option in schema.get("anyOf", [schema]):
        bounds = ", ".join(f"{sign} {option[word]:g}" for word, sign in symbols.items() if word in option)
        choices = " | ".join(map(str, option.get("enum", [option["const"]] if "const" in option else [])))
        parts.append(bounds or choices or ("null" if option.get("type") == "null" else ""))
    return " or ".join(part for part in parts if part)
