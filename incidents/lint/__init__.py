"""Finds what does not hold together in a timeline. Pure functions over the importer's values."""

from incidents.importer import Reading
from incidents.lint.actions import ACTION_CHECKS
from incidents.lint.dates import DATE_CHECKS
from incidents.lint.facts import FACT_CHECKS
from incidents.lint.findings import Finding, Level, Thing, name_of
from incidents.lint.story import STORY_CHECKS
from incidents.lint.times import TIME_CHECKS
from incidents.lint.updates import UPDATE_CHECKS

# Each check bears the name of the code that it finds.
CHECKS = (
    *DATE_CHECKS,
    *TIME_CHECKS,
    *UPDATE_CHECKS,
    *STORY_CHECKS,
    *FACT_CHECKS,
    *ACTION_CHECKS,
)
_RANK = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTICE: 2}


def lint(reading: Reading) -> tuple[Finding, ...]:
    """Every finding, errors first, then in the order of the lines or of the timeline."""
    places = _places(reading)
    found = [finding for check in CHECKS for finding in check(reading)]
    return tuple(
        sorted(found, key=lambda f: (_RANK[f.level], places.get(f.objects[:1], 0), f.code))
    )


def _places(reading: Reading) -> dict[tuple[str, ...], int]:
    """Return where each thing stands, to put findings into the order in which one reads."""
    things: tuple[Thing, ...] = (
        *reading.mentions,
        *reading.causes,
        *reading.actions,
        *reading.entries,
    )
    return {(name_of(thing),): thing.line for thing in things}


__all__ = ["CHECKS", "Finding", "Level", "lint"]
