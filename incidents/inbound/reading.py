"""From bytes to what is told: proof first, then JSON that the database takes, then the shape."""

import json
import math
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NoReturn

from incidents.inbound import alertmanager, generic, pagerduty
from incidents.inbound.refusals import NotJson, TooDeep, TooLarge, WrongShape
from incidents.inbound.told import Reading
from incidents.values import AlertProvider

LARGEST = 1024 * 1024
_DEEPEST = 20
_MOST_PARTS = 50_000
_EXCERPT = 400
_HIDDEN = "…"

# Whatever is called so stays out of what is shown: `"password": "…"`, `token=…`.
_SECRETIVE = re.compile(
    r"""((?:pass(?:word|wd)?|secret|token|api[_-]?key|credentials?|authorization|routing_key)
    \\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic)\s+)?)[^\s"'\\,}&]+""",
    re.IGNORECASE | re.VERBOSE,
)


def read(
    provider: str, *, body: bytes, headers: Mapping[str, str], secret: str, at: datetime
) -> Reading:
    """Return what a message tells. ``headers`` are found whatever their case.

    Of several alerts those that are good are told; the message is refused if none is.

    :raises AlertRefused: if it is too large, not proven, no JSON or of another shape
    """
    if len(body) > LARGEST:
        raise TooLarge
    match AlertProvider(provider):
        case AlertProvider.ALERTMANAGER:
            return alertmanager.understand(load(body), at=at)
        case AlertProvider.PAGERDUTY:
            pagerduty.prove(body=body, headers=headers, secret=secret)
            return pagerduty.understand(load(body), at=at)
        case AlertProvider.GENERIC:
            generic.prove(body=body, headers=headers, secret=secret, at=at)
            named = headers.get("webhook-id", "")
            return generic.understand(load(body), event_id=named, at=at)


def load(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a message, with nothing in it that a row cannot hold.

    :raises NotJson: if it is none, or holds figures that JSON does not have
    :raises TooDeep: if it is nested too deep, or of too many parts
    :raises WrongShape: if it is JSON, and no object
    """
    if not body.strip():
        raise NotJson("Nothing was sent. Send one JSON object.")
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as fault:
        raise TooDeep from fault
    except ValueError as fault:
        raise NotJson(f"This is not JSON: {_where(fault)}. Send one JSON object.") from fault
    if not isinstance(found, dict):
        raise WrongShape("This is JSON, and no object: send one that begins with {.")
    budget = [_MOST_PARTS]
    clean: dict[str, Any] = _clean(found, _DEEPEST, budget)
    return clean


def excerpt(body: bytes, *, hide: Collection[str] = ()) -> str:
    """Return the beginning of what was sent, without what looks like a secret, or is to be hidden.

    A secret that is cut in two at the end is not shown by halves.
    """
    longest = max((len(secret) for secret in hide), default=0)
    words = body[: 4 * (_EXCERPT + longest)].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return without_secrets(words, hide=hide)[:_EXCERPT]


def without_secrets(words: str, *, hide: Collection[str] = ()) -> str:
    """Return words without what is to be hidden, and without what is named like a secret."""
    for secret in filter(None, hide):
        words = words.replace(secret, _HIDDEN)
    return _SECRETIVE.sub(rf"\g<1>{_HIDDEN}", words)


def _clean(value: Any, depth: int, budget: list[int]) -> Any:
    """Return the same JSON in letters and figures that PostgreSQL takes."""
    budget[0] -= 1
    if depth < 0 or budget[0] < 0:
        raise TooDeep
    if isinstance(value, str):
        # No NUL in text, and no half of a surrogate pair in UTF-8.
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {
            _clean(name, depth, budget): _clean(part, depth - 1, budget)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_clean(part, depth - 1, budget) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJson("This holds a figure too large for JSON. Send one JSON object.")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is none of its figures")


def _where(fault: ValueError) -> str:
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg} at line {fault.lineno}, column {fault.colno}"
    if isinstance(fault, UnicodeDecodeError):
        return f"byte {fault.start} is no UTF-8"
    # Python's own sentence on figures of thousands of digits names its settings.
    return "a figure in it is none" if "digits" in str(fault) else str(fault)
