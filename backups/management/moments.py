"""Moments as they are typed on the command line."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """Read a moment; without a zone it is UTC.

    :raises ArgumentTypeError: if it is none, saying how one is written
    """
    try:
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError as fault:
        raise ArgumentTypeError(
            f"{text!r} is no moment. Write day and time in UTC, as in 2026-01-12T00:14:00."
        ) from fault
    return found if found.tzinfo else found.replace(tzinfo=UTC)
