"""Actions that nobody owns or that have no end."""

from collections.abc import Iterator

from incidents.importer import Action, Reading
from incidents.lint.findings import Finding, Level

_OVER = ("done", "wont_do")


def action_without_owner(reading: Reading) -> Iterator[Finding]:
    """Nobody is named who will do it."""
    bare = [action for action in reading.actions if not action.owner]
    if bare:
        yield Finding(
            code="action_without_owner",
            level=Level.WARNING,
            lines=_lines(bare),
            message=f"{len(bare)} of {len(reading.actions)} actions name no owner.",
            fix="Name a person or a team for each.",
        )


def action_without_due(reading: Reading) -> Iterator[Finding]:
    """Find what is open without a word about until when."""
    bare = [a for a in reading.actions if a.due is None and a.state not in _OVER]
    if bare:
        yield Finding(
            code="action_without_due",
            level=Level.WARNING,
            lines=_lines(bare),
            message=f"{len(bare)} open actions have no due date.",
            fix="Give each a date, or at least a month.",
        )


def _lines(actions: list[Action]) -> tuple[int, ...]:
    return tuple(action.line for action in actions)


ACTION_CHECKS = (action_without_owner, action_without_due)
