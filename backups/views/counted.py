"""What was counted in a restore when it was looked at: totals, and whom something is amiss with."""

from dataclasses import dataclass
from itertools import islice

from backups.models import RestoreJob
from backups.runner.verification import Evidence, is_absent, is_whole

# More than fit on a page, of ten thousand tenants with many tables each.
_TENANTS = 50
_TABLES = 5


@dataclass(frozen=True, slots=True)
class Amiss:
    """A tenant of which not everything was counted: at most a few of its tables."""

    code: str
    is_missing: bool
    uncounted: list[str]
    unreadable: list[str]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How much was counted in a restore. ``whole`` tenants were counted to the last table."""

    whole: int
    absent: int
    tables: int
    rows: int
    amiss: list[Amiss]
    more: int


def counted_in(job: RestoreJob) -> Counted | None:
    """Return what a restore's evidence comes to; None if nothing was looked at."""
    evidence = job.evidence
    if not evidence:
        return None
    partly = sorted(
        code for code, found in evidence.items() if not (is_whole(found) or is_absent(found))
    )
    absent = sum(is_absent(found) for found in evidence.values())
    counts = [found.get("rows", {}) for found in evidence.values()]
    return Counted(
        whole=len(evidence) - absent - len(partly),
        absent=absent,
        tables=sum(len(rows) for rows in counts),
        rows=sum(sum(rows.values()) for rows in counts),
        amiss=[_amiss(code, evidence[code]) for code in partly[:_TENANTS]],
        more=max(len(partly) - _TENANTS, 0),
    )


def _amiss(code: str, found: Evidence) -> Amiss:
    uncounted, unreadable = found.get("uncounted", []), found.get("unreadable", {})
    return Amiss(
        code=code,
        is_missing=bool(found.get("missing")),
        uncounted=uncounted[:_TABLES],
        unreadable=list(islice(unreadable, _TABLES)),
        more=max(len(uncounted) - _TABLES, 0) + max(len(unreadable) - _TABLES, 0),
    )
