"""One line for each of pydantic's errors: key, given value, what is wrong, what is allowed."""

import difflib
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, NamedTuple, get_args

from pydantic.fields import FieldInfo

from medauc.training.sections.base import Section


class _Place(NamedTuple):
    """Where an error is: keys as the user wrote them, the class that holds the last one, its siblings by name."""

    keys: list[str]
    holder: type[Any] | None
    siblings: Mapping[str, type[Any]]


def explain(item: Any, recipe: type[Section]) -> str:
    """Turn one error into a line.

    Args:
        item: an element of ``ValidationError.errors()``.
        recipe: the class that was validated.
    """
    place = _locate(item["loc"], recipe)
    key = ".".join(place.keys)
    if item["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return _unknown_key(place)
    if item["type"] == "value_error":
        return f"{key + ': ' if key else ''}{item['ctx']['error']}"
    if item["type"] == "union_tag_invalid":
        allowed = list(_variants(getattr(place.holder, "model_fields", {})[place.keys[-1]]))
        near = difflib.get_close_matches(item["ctx"]["tag"], allowed, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return f"{key}.name is '{item['ctx']['tag']}': {hint}(allowed: {' | '.join(allowed)})"
    allowed_range = _allowed_range(place)
    given = f"{key} is {item['input']!r}: {item['msg']}"
    return given + (f" (allowed: {allowed_range})" if allowed_range else "")


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
