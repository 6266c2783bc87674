"""Actions that nobody owns or that have no end."""

from collections.abc import Iterator

from incidents.importer import Reading
from incidents.lint.findings import Finding, Level, finding

_DROPPED = "wont_do"
_OVER = ("done", _DROPPED)


def action_without_owner(reading: Reading) -> Iterator[Finding]:
    """Nobody is named who will do it."""
    bare = [a for a in reading.actions if not a.owner and a.state != _DROPPED]
    if bare:
        yield finding(
            "action_without_owner",
            Level.WARNING,
            bare,
            message=f"{len(bare)} of {len(reading.actions)} actions name no owner.",
            fix="Name a person or a team for each.",
        )


def action_without_due(reading: Reading) -> Iterator[Finding]:
    """Find what is open without a word about until when."""
    bare = [a for a in reading.actions if a.due is None and a.state not in _OVER]
    if bare:
        yield finding(
            "action_without_due",
            Level.WARNING,
            bare,
            message=f"{len(bare)} open actions have no due date.",
            fix="Give each a date, or at least a month.",
        )


ACTION_CHECKS = (action_without_owner, action_without_due)
