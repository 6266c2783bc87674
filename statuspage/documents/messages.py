"""What pages show of an incident and of a maintenance alike: updates, and lines of the past."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString

from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.documents.facts import Facts
from statuspage.documents.v2 import full_name

# An update of more characters is folded on the front page.
LONG = 1500

# What updates said before they were edited: (body, until when), newest first, by update.
Earlier = Mapping[int, Sequence[tuple[str, datetime]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an update said before it was edited, and when that changed."""

    body: SafeString
    until: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One update to customers. ``gist`` is how a long one begins; empty for others."""

    id: str = ""
    gist: str = ""
    label: str
    phase: str
    at: SafeString
    body: SafeString
    author: str
    edited: SafeString
    earlier: list[Said]
    changes: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An incident or a maintenance as a line of the history; ``room`` is where its page lies."""

    id: str
    title: str
    day: SafeString
    phase: str
    phase_words: str
    impact: str
    impact_words: str
    took: str
    words: str
    room: str = "incidents"


def affected_parts(
    facts: Facts, parts: Iterable[Component], *, is_open: bool
) -> list[tuple[str, str, str]]:
    """Return components by name, each with its status now as code and words.

    Of what is over, or to come, the status of today tells nothing: both are empty then.
    """
    return [
        (full_name(part), *(_status_now(facts, part) if is_open else ("", ""))) for part in parts
    ]


def status_words(status: str) -> str:
    """Return a component's status in words."""
    return str(ComponentStatus(status).label)


def _status_now(facts: Facts, part: Component) -> tuple[str, str]:
    status = facts.status_of(part)
    return status, status_words(status)
