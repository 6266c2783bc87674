"""What the lint hands out: a finding, with everything a person needs to judge it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Errors hold up the approval of a postmortem; warnings and notices do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a timeline that contradicts itself, is missing, or came late.

    ``lines`` are source lines, ``entries`` the numbers of timeline entries concerned. ``code``
    is stable, so that a dismissal can name it.
    """

    code: str
    level: Level
    lines: tuple[int, ...]
    message: str
    entries: tuple[int, ...] = ()
    evidence: str = ""
    fix: str = ""
