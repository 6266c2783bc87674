"""Finds what does not hold together in a timeline. Pure functions over the importer's values."""

from incidents.importer import Reading
from incidents.lint.actions import ACTION_CHECKS
from incidents.lint.dates import DATE_CHECKS
from incidents.lint.findings import Finding, Level
from incidents.lint.story import STORY_CHECKS
from incidents.lint.times import TIME_CHECKS
from incidents.lint.updates import UPDATE_CHECKS

_RANK = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTICE: 2}


def lint(reading: Reading) -> tuple[Finding, ...]:
    """Every finding, errors first, then in the order of the lines."""
    checks = (*DATE_CHECKS, *TIME_CHECKS, *UPDATE_CHECKS, *STORY_CHECKS, *ACTION_CHECKS)
    found = [finding for check in checks for finding in check(reading)]
    return tuple(sorted(found, key=lambda f: (_RANK[f.level], f.lines[:1], f.code)))


__all__ = ["Finding", "Level", "lint"]
