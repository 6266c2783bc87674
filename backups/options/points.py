"""Which points can be reached, from which backup, and how much of the log that takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backups.options.values import BackupFacts, Facts, Point, StandbyFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A point that can be reached, from which backup, and how much of the log that takes."""

    point: Point
    backup: BackupFacts
    until_at: datetime
    first_until_at: datetime
    share: float
    moment: datetime | None = None


def wishes(facts: Facts, *, seen_from: int) -> Iterator[Wish]:
    """Name the points that are worth a look: those that this place reaches, or comes nearest to."""
    seen = [backup.seen_from(seen_from) for backup in facts.backups]
    whole = sorted(
        (backup for backup in seen if backup.until_at is not None),
        key=lambda backup: backup.ended_at,
        reverse=True,
    )
    if not whole:
        return
    if facts.moment is not None:
        wish = _to_moment(whole, facts.moment)
        if wish is not None:
            yield wish
        return
    newest = whole[0]
    assert newest.until_at is not None
    if newest.is_logical:
        yield from (_end_of(backup) for backup in whole[:2])
        return
    # With a hole behind it there is no latest, only a last moment before the hole.
    yield Wish(
        point=Point.MOMENT if newest.missing else Point.LATEST,
        backup=newest,
        until_at=newest.until_at,
        first_until_at=newest.until_at,
        share=1.0,
        moment=newest.until_at if newest.missing else None,
    )
    only = _end_of(newest)
    yield only
    if facts.tenants and len(facts.targets) > 1 and not newest.missing:
        yield replace(only, point=Point.STAGED, until_at=newest.until_at)
    if len(whole) > 1:
        # The one before, should the newest prove to be damaged.
        yield _end_of(whole[1])


def _end_of(backup: BackupFacts) -> Wish:
    """Return the way to the end of one backup; of a logical one, to when it began."""
    until = backup.until_at if backup.is_logical and backup.until_at else backup.ended_at
    return Wish(
        point=Point.BACKUP,
        backup=backup,
        until_at=until,
        first_until_at=until,
        share=1 / max(backup.segments, 1),
    )


def _to_moment(whole: Sequence[BackupFacts], moment: datetime) -> Wish | None:
    """Return the way to a moment, or to the last one before it that can be reached."""
    backup = next((each for each in whole if each.ended_at <= moment), None)
    if backup is None:
        return None
    if backup.is_logical:
        return _end_of(backup)
    assert backup.until_at is not None
    until = min(moment, backup.until_at)
    length = (backup.until_at - backup.ended_at).total_seconds()
    share = (until - backup.ended_at).total_seconds() / length if length > 0 else 1.0
    return Wish(
        point=Point.MOMENT,
        backup=backup,
        until_at=until,
        first_until_at=until,
        share=max(share, 1 / max(backup.segments, 1)),
        moment=until,
    )


def wish_of_standby(facts: Facts, standby: StandbyFacts, *, seen_from: int) -> Wish | None:
    """Return the way to the latest, or to the moment that is asked for, from where a standby is.

    None if it is not warm, is another database's, or has replayed beyond that moment.
    """
    backup, since = standby.backup, standby.until_at
    if not standby.is_ours or backup is None or since is None:
        return None
    if facts.moment is not None and facts.moment < since:
        return None
    seen = [each.seen_from(seen_from) for each in facts.backups]
    whole = [each for each in seen if each.until_at is not None]
    newest = max(whole, key=lambda each: each.ended_at, default=None)
    reached = newest.until_at if newest is not None and newest.until_at else since
    until = max(reached, since)
    has_hole = newest is not None and bool(newest.missing)
    moment = min(facts.moment, until) if facts.moment else until if has_hole else None
    return Wish(
        point=Point.LATEST if moment is None else Point.MOMENT,
        backup=backup,
        until_at=moment or until,
        first_until_at=moment or until,
        share=1.0,
        moment=moment,
    )
