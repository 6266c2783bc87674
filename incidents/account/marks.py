"""Hidden marks of a document: what the visible words do not say, as JSON inside a comment."""

import json
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

_MARK = re.compile(
    r"<!-- hw:(record|section|body|block|resume|close|rows|entry|update|promise|impact|cause|"
    r"action|dismissal|end)(?: (.*?))? -->"
)


class Unreadable(ValueError):
    """A mark does not say what it should."""


def mark(name: str, value: Any = None, *, without: tuple[str, ...] = ()) -> str:
    """Return a mark on a line of its own. What equals the default of its field is left out."""
    if value is None:
        return f"<!-- hw:{name} -->"
    plain = _bare(value, without) if is_dataclass(value) else value
    words = json.dumps(plain, default=_plain, ensure_ascii=True, separators=(",", ":"))
    # No sign that ends a comment, or looks like one's end, can stand inside.
    for sign in "<>-&":
        words = words.replace(sign, f"\\u{ord(sign):04x}") if sign in words else words
    return f"<!-- hw:{name} {words} -->"


def read_mark(line: str) -> tuple[str, str] | None:
    """Return the name of the mark that a line is, and its JSON; None for any other line."""
    found = _MARK.fullmatch(line.strip())
    return (found[1], found[2] or "") if found else None


def value_of(words: str) -> Any:
    """Return what a mark holds.

    :raises Unreadable: if it is no JSON
    """
    try:
        return json.loads(words)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("The hidden mark is no JSON.") from fault


def filled(kind: type[Any], given: Any) -> Any:
    """Return a value of a dataclass from the JSON of a mark.

    :raises Unreadable: if a field is missing, unknown, or of another kind
    """
    if not isinstance(given, Mapping):
        raise Unreadable("The hidden mark is no object.")
    hints = get_type_hints(kind)
    if strange := set(given) - set(hints):
        raise Unreadable(f"The hidden mark has an unknown field {min(strange)!r}.")
    try:
        return kind(**{name: _as(hints[name], value) for name, value in given.items()})
    except TypeError as fault:
        raise Unreadable("The hidden mark misses a field.") from fault


def _bare(value: Any, without: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        own = getattr(value, field.name)
        default = field.default if field.default is not MISSING else MISSING
        if default is MISSING and field.default_factory is not MISSING:
            default = field.default_factory()
        if field.name in without or (default is not MISSING and own == default):
            continue
        found[field.name] = asdict(own) if is_dataclass(own) and not isinstance(own, type) else own
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return asdict(value)


def _as(hint: Any, value: Any) -> Any:
    """Return a value as its field wants it."""
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        return _as(next(one for one in get_args(hint) if one is not type(None)), value)
    if get_origin(hint) is tuple:
        return _as_tuple(get_args(hint), value)
    if hint is datetime:
        return _moment(value)
    if is_dataclass(hint) and isinstance(hint, type):
        return filled(hint, value)
    if type(value) is not hint:
        raise Unreadable(f"The hidden mark holds {value!r}, which is of another kind.")
    return value


def _as_tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise Unreadable("The hidden mark holds something else than a list.")
    if inner[-1] is Ellipsis:
        return tuple(_as(inner[0], one) for one in value)
    if len(value) != len(inner):
        raise Unreadable("The hidden mark holds a pair that is none.")
    return tuple(_as(hint, one) for hint, one in zip(inner, value, strict=True))


def _moment(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError) as fault:
        raise Unreadable(f"The hidden mark holds no time: {value!r}.") from fault
    if at.tzinfo is None:
        raise Unreadable(f"The hidden mark holds a time without a zone: {value!r}.")
    return at.astimezone(UTC)
