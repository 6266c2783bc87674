"""The parts of a message, each read with its own refusal: text, times, addresses, labels, keys."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from incidents.inbound.refusals import ImpossibleTime, WrongShape
from incidents.times import is_in_time
from incidents.values import When

KEY_LENGTH = 180
TITLE_LENGTH = 300
_TEXT_LENGTH = 4000
_WORD_LENGTH = 40
_LINK_LENGTH = 2000
_MOST_LABELS = 100
_SHOWN = 60

# Clocks disagree by minutes; what is further ahead than this has another cause.
_AHEAD = timedelta(days=1)
# RFC 3339, with as many digits of a second as the sender likes.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
# What stands for "no time" in JSON that Go has written.
_NO_TIME = "0001-01-01T00:00:00"


def shown(value: Any) -> str:
    """Return the beginning of a value as JSON writes it: what a refusal may quote."""
    words = json.dumps(value, ensure_ascii=True)
    return words if len(words) <= _SHOWN else words[:_SHOWN] + "…"


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a JSON object; an absent one is empty.

    :raises WrongShape: if it is anything else
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongShape(f"{where} must be an object, not {shown(value)}.")
    return value


def text(value: Any, where: str, *, most: int = _TEXT_LENGTH) -> str:
    """Return words without blanks around them, cut to a length; an absent value is empty.

    :raises WrongShape: if it is no string
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongShape(f"{where} must be a string, not {shown(value)}.")
    words = value.strip()
    return words if len(words) <= most else words[: most - 1] + "…"


def line(value: Any, where: str, *, most: int = TITLE_LENGTH) -> str:
    """Return words on one line, cut to a length.

    :raises WrongShape: if it is no string
    """
    return text(" ".join(text(value, where).split()), where, most=most)


def word(value: Any, *, most: int = _WORD_LENGTH) -> str:
    """Return a short word, such as a severity; anything that is none is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    words = " ".join(str(value).split())[:most]
    return words if words.isprintable() else ""


def link(*candidates: Any) -> str:
    """Return the first that is an http or https address; empty if none is."""
    for candidate in candidates:
        if not isinstance(candidate, str) or not 0 < len(candidate) <= _LINK_LENGTH:
            continue
        try:
            parts = urlsplit(candidate)
        except ValueError:
            continue
        is_plain = not any(letter.isspace() or not letter.isprintable() for letter in candidate)
        if parts.scheme in ("http", "https") and parts.netloc and is_plain:
            return candidate
    return ""


def labels(value: Any, where: str) -> dict[str, str]:
    """Return labels as words. Figures and truth values are written out.

    :raises WrongShape: if it is no object of plain values, or of more than 100
    """
    found = mapping(value, where)
    if len(found) > _MOST_LABELS:
        raise WrongShape(f"{where} has more than {_MOST_LABELS} parts. Send those that matter.")
    read = {}
    for name, part in found.items():
        if isinstance(part, dict | list):
            raise WrongShape(f"{where}.{name[:_SHOWN]} must be a string, not {shown(part)}.")
        read[name] = part if isinstance(part, str) else json.dumps(part)
    return read


def moment(value: Any, where: str, *, at: datetime) -> datetime | None:
    """Return a time, in UTC; None if there is none, or the year 1 that Go writes for none.

    :raises WrongShape: if it is not written as RFC 3339, with its offset
    :raises ImpossibleTime: if it cannot be meant: more than a day after ``at``, or before 1970
    """
    if value is None or value == "":
        return None
    written = _TIME.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise WrongShape(
            f"{where} must be a time such as 2026-01-12T00:14:00Z, with its offset, "
            f"not {shown(value)}."
        )
    day, clock, fraction, offset = written.groups()
    if f"{day}T{clock}" == _NO_TIME:
        return None
    try:
        found = datetime.fromisoformat(
            f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{offset.upper()}"
        ).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise ImpossibleTime(f"{where} cannot be meant: there is no {shown(value)}.") from fault
    if not is_in_time(When(at=found)):
        raise ImpossibleTime(f"{where} cannot be meant: {shown(value)}. Correct the year.")
    if found > at + _AHEAD:
        raise ImpossibleTime(
            f"{where} is more than a day from now: {shown(value)}. Set the sender's clock."
        )
    return found


def key(value: str) -> str:
    """Return a key that a row can hold: a long one ends in a digest of the whole."""
    if len(value) <= KEY_LENGTH:
        return value
    tail = hashlib.sha256(value.encode()).hexdigest()[:32]
    return f"{value[: KEY_LENGTH - 33]}~{tail}"


def key_of(parts: Mapping[str, Any]) -> str:
    """Return a key for what has no name but its parts: the same for the same parts."""
    whole = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:32]
