"""Which backup and log files bring a cluster to a moment, and whether they reach it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from backups.engines.base import BackupRecord, Kind, WalInventory
from backups.engines.postgres import Postgres
from backups.engines.wal import Segment, TimelineSwitch
from backups.engines.wal_dump import TransactionEnd, last_record, transaction_ends
from backups.errors import BackupMissing, EngineFailed, ObjectDamaged, TargetOutOfReach

T = TypeVar("T")


class SegmentDamaged(ObjectDamaged):
    """A segment is in the archive, and what is there is not what its name says."""

    code = "wal-damaged"
    advice = (
        "A log file in the archive is damaged (the attempt's log names it). "
        "Bring a good copy back and resume, or ask for an earlier point."
    )

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


class LogIncomplete(EngineFailed):
    """A segment between the backup and the target is not in the archive."""

    code = "wal-missing"
    advice = (
        "A log file between the backup and the target is missing in the archive "
        "(the attempt's log names it). Bring it back and resume, or ask for an earlier point."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far the archived log leads on from a backup.

    ``segments`` follow each other without a hole. ``missing`` is the first that is not there though
    later ones are; empty when the log simply ends. ``until_at`` is the last moment that can be
    reached; None when the log does not even cover the backup, which then cannot be used.
    """

    segments: Sequence[str]
    missing: str
    until_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Way:
    """The log from a backup on, up to its end or to the first hole."""

    segments: list[Segment]
    missing: Segment | None
    beyond: set[Segment]

    def covers(self, backup: BackupRecord) -> bool:
        return bool(self.segments) and self.segments[-1].name[8:] >= backup.end_wal[8:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where replay has to go.

    ``must_replay_lsn`` is where the last record begins that has to be replayed; ``stop_at`` is
    given when PostgreSQL is to stop by the clock, and None when it goes to that very record; where
    it ``ends_with_backup`` it stops as soon as the backup is consistent. Everything up to
    ``data_until_at`` will be there.
    """

    backup: BackupRecord
    timeline: int
    segments: Sequence[str]
    must_replay_lsn: int
    stop_at: datetime | None
    data_until_at: datetime
    ends_with_backup: bool = False


Peek = Callable[[Sequence[str]], Path]
"""Make sure that these segments lie in a folder, and return it.

May raise SegmentDamaged, which counts as a hole in the log from then on.
"""


class Archive:
    """One database's backups and log as they were listed, with the means to look into the log.

    A segment that turns out damaged where it is looked into is a hole in the log.
    """

    def __init__(
        self,
        *,
        backups: Sequence[BackupRecord],
        inventory: WalInventory,
        switches: dict[int, list[TimelineSwitch]],
        postgres: Postgres,
        peek: Peek,
    ) -> None:
        self.backups = [backup for backup in backups if backup.is_finished]
        self._inventory = inventory
        self._present: dict[int, set[Segment]] = {}
        self._ends: dict[str, tuple[int, TransactionEnd]] = {}
        self._switches = switches
        self._postgres = postgres
        self._peek = peek
        # What is listed, but cannot be replayed.
        self._damaged: set[str] = set()

    def doubt(self, names: Iterable[str]) -> None:
        """Look into these segments, as far as they are there: a damaged one is a hole."""
        for name in names:
            if name in self._inventory.segments:
                self._around_damage(partial(self._peek_unless_damaged, name))

    def reach_of(self, backup: BackupRecord) -> Reach:
        """Return how far the log leads on from a backup. A hole is told, not raised.

        Behind one that is logical no log leads on.
        """
        if backup.kind == Kind.LOGICAL:
            return Reach(segments=(), missing="", until_at=backup.began_at)
        return self._around_damage(partial(self._reach_of, backup))

    def _reach_of(self, backup: BackupRecord) -> Reach:
        way = self._way_from(backup)
        return Reach(
            segments=[segment.name for segment in way.segments],
            missing=way.missing.name if way.missing else "",
            until_at=self._until(way, backup) if way.covers(backup) else None,
        )

    def behind_the_hole(self, backup: BackupRecord) -> set[str]:
        """Name the log files that no replay from this backup can get to, and the damaged ones.

        Whoever serves the log must deny them, or PostgreSQL, reading ahead, would take the hole for
        a fault instead of for the end of the log.
        """
        return {segment.name for segment in self._way_from(backup).beyond} | self._damaged

    def plan(self, target_at: datetime | None, *, backup_id: str = "") -> Destination:
        """Choose backup and log for a moment, for the latest, or for the end of one backup.

        :raises BackupMissing: if there is no finished backup, or not this one
        :raises TargetOutOfReach: with the point that can be reached, in words
        :raises LogIncomplete: if a log file on the way is missing or damaged, naming the last
            moment before
        """
        if not self.backups:
            raise BackupMissing
        if backup_id:
            return self._around_damage(partial(self._to_end_of, backup_id))
        return self._around_damage(partial(self._to, target_at))

    def _around_damage(self, ask: Callable[[], T]) -> T:
        """Ask, and ask again without each segment that proves to be damaged."""
        while True:
            try:
                return ask()
            except SegmentDamaged as damage:
                if damage.name in self._damaged:
                    raise
                self._damaged.add(damage.name)
                self._present.clear()
                self._ends.clear()

    def _peek_unless_damaged(self, name: str) -> None:
        if name not in self._damaged:
            self._peek([name])

    def _to(self, target_at: datetime | None) -> Destination:
        usable = [b for b in self.backups if target_at is None or b.ended_at <= target_at]
        if not usable:
            raise TargetOutOfReach(
                advice="The earliest point that can be restored is "
                f"{_told(min(b.ended_at for b in self.backups))}, "
                "the end of the first backup. Ask for that or a later one."
            )
        backup = max(usable, key=lambda b: b.ended_at)
        way = self._way_from(backup)
        if not way.covers(backup):
            raise self._incomplete(way, backup)
        end, horizon = self._end_of(way.segments, backup)
        until = horizon.at if horizon else backup.ended_at
        if way.missing is not None and (target_at is None or target_at > until):
            raise self._incomplete(way, backup)
        if target_at is None or target_at == until:
            return _destination(backup, way.segments, end, stop_at=None, data_until_at=until)
        if target_at > until:
            raise TargetOutOfReach(
                advice=f"The latest point that can be restored is {_told(until)}, "
                "the last archived change. Ask for that or an earlier one, or for the latest."
            )
        return self._to_moment(backup, way.segments, target_at)

    def _to_end_of(self, backup_id: str) -> Destination:
        backup = next((b for b in self.backups if b.backup_id == backup_id), None)
        if backup is None:
            raise BackupMissing(
                f"{backup_id} is not in the archive",
                advice="The chosen backup is not in the archive any more. Ask for another one.",
            )
        way = self._way_from(backup)
        if not way.covers(backup):
            raise self._incomplete(way, backup)
        last = next(i for i, each in enumerate(way.segments) if each.name[8:] >= backup.end_wal[8:])
        # One more than needed, because PostgreSQL may look ahead. The backup's last record ends
        # where it says that it ended, so what has to be replayed begins before.
        return Destination(
            backup=backup,
            timeline=way.segments[last].timeline,
            segments=[segment.name for segment in way.segments[: last + 2]],
            must_replay_lsn=backup.end_lsn - 1,
            stop_at=None,
            data_until_at=backup.ended_at,
            ends_with_backup=True,
        )

    def _incomplete(self, way: _Way, backup: BackupRecord) -> LogIncomplete:
        assert way.missing is not None
        name, last = way.missing.name, self._last_reachable(before=backup)
        if way.covers(backup):
            last = self._until(way, backup)
        wish = (
            f"or ask for {_told(last)}, the last moment that can be reached without it, or for an "
            "earlier one."
            if last
            else "or restore from another archive: no moment can be reached without it."
        )
        if name in self._damaged:
            return LogIncomplete(
                f"{name} is damaged",
                advice=f"The log file {name} is damaged in the archive. Bring a good copy back, "
                f"{wish}",
            )
        there = f", {min(way.beyond).name} is there" if way.beyond else ", the backup needs it"
        return LogIncomplete(
            f"{name} is missing{there}",
            advice=f"The log file {name} is missing in the archive. Bring it back, {wish}",
        )

    def _last_reachable(self, *, before: BackupRecord) -> datetime | None:
        """Return the last moment that an older backup reaches; None if there is none."""
        older = [b for b in self.backups if b.ended_at < before.ended_at]
        reached = (self.reach_of(backup).until_at for backup in older)
        return max((at for at in reached if at is not None), default=None)

    def _until(self, way: _Way, backup: BackupRecord) -> datetime:
        _end, horizon = self._end_of(way.segments, backup)
        return horizon.at if horizon else backup.ended_at

    def _way_from(self, backup: BackupRecord) -> _Way:
        """List the log from a backup on, over timelines, up to the archive's end or a hole."""
        timeline, ancestors = self._newest_descendant(backup)
        size = backup.segment_bytes
        way, beyond, lacking = follow_log(
            self._segments(size),
            Segment(backup.timeline, Segment.parse(backup.begin_wal, size=size).number, size),
            timeline=timeline,
            ancestors=ancestors,
        )
        is_at_end = not beyond and lacking.name not in self._damaged
        if is_at_end and _Way(way, None, beyond).covers(backup):
            return _Way(way, None, beyond)
        return _Way(way, lacking, beyond)

    def _segments(self, size: int) -> set[Segment]:
        if size not in self._present:
            names = self._inventory.segments.keys() - self._damaged
            self._present[size] = {Segment.parse(name, size=size) for name in names}
        return self._present[size]

    def _newest_descendant(self, backup: BackupRecord) -> tuple[int, list[TimelineSwitch]]:
        return newest_descendant(
            self._switches,
            self._inventory.segments.keys() - self._damaged,
            timeline=backup.timeline,
            lsn=backup.end_lsn,
        )

    def _end_of(
        self, way: list[Segment], backup: BackupRecord
    ) -> tuple[int, TransactionEnd | None]:
        """Find the log's last whole record, and its last transaction after the backup."""
        # Most backups lead to the same end.
        known = self._ends.get(way[-1].name)
        if known is not None and known[1].lsn >= backup.end_lsn:
            return known
        end = None
        for place in range(len(way) - 1, -1, -1):
            near = [segment.name for segment in way[max(place - 1, 0) : place + 1]]
            folder = self._peek(near)
            if end is None:
                end = last_record(self._postgres, folder, way[place].name)
            ends = transaction_ends(self._postgres, folder, near[0], near[-1])
            after = [t for t in ends if t.lsn >= backup.end_lsn]
            if end is not None and after:
                found = end, max(after, key=lambda t: t.lsn)
                self._ends[way[-1].name] = found
                return found
            if end is not None and way[place].start <= backup.end_lsn:
                break
        if end is None:
            raise LogIncomplete("no record in any segment")
        return end, None

    def _to_moment(self, backup: BackupRecord, way: list[Segment], at: datetime) -> Destination:
        """Find the first transaction that ended after the moment; PostgreSQL stops before it."""
        first = next(i for i, segment in enumerate(way) if segment.end > backup.end_lsn)
        low, high = first, len(way) - 1
        while low < high:
            middle = (low + high) // 2
            if any(t.at > at for t in self._newest_ends(way, first, middle)):
                high = middle
            else:
                low = middle + 1
        start = max(low - 1, 0)
        names = [segment.name for segment in way[start : low + 1]]
        ends = transaction_ends(self._postgres, self._peek(names), names[0], names[-1])
        stop = next(t for t in ends if t.at > at and t.lsn >= backup.end_lsn)
        # One more than needed, because PostgreSQL may look ahead.
        needed = way[: low + 2]
        return _destination(backup, needed, stop.previous_lsn, stop_at=at, data_until_at=at)

    def _newest_ends(self, way: list[Segment], first: int, place: int) -> Iterator[TransactionEnd]:
        """Yield the transactions of the nearest segment, going back, that holds any."""
        for index in range(place, first - 1, -1):
            start = max(index - 1, 0)
            names = [segment.name for segment in way[start : index + 1]]
            ends = transaction_ends(self._postgres, self._peek(names), names[0], names[-1])
            if ends:
                yield from ends
                return


def newest_descendant(
    switches: Mapping[int, list[TimelineSwitch]],
    segments: Iterable[str],
    *,
    timeline: int,
    lsn: int,
) -> tuple[int, list[TimelineSwitch]]:
    """Return the newest archived timeline that a cluster at this point can follow, and its past."""
    names = list(segments)
    for newer in sorted(switches, reverse=True):
        history = switches[newer]
        on_the_way = any(each.timeline == timeline and each.lsn >= lsn for each in history)
        if on_the_way and any(name.startswith(f"{newer:08X}") for name in names):
            return newer, history
    return timeline, switches.get(timeline, [])


def follow_log(
    present: AbstractSet[Segment],
    first: Segment,
    *,
    timeline: int,
    ancestors: Sequence[TimelineSwitch],
) -> tuple[list[Segment], set[Segment], Segment]:
    """Follow the log from its first segment on, over timelines, to its end or to the first hole.

    Returns the segments of the way, those that lie behind a hole in it, and the one after its last,
    which is not there.
    """
    limits = {switch.timeline: switch.lsn for switch in ancestors}
    way: list[Segment] = []
    current, size = first, first.size
    chain = [each for each in [*limits, timeline] if each >= first.timeline]
    for step in chain:
        current = Segment(step, current.number, size)
        while current in present and current.start < limits.get(step, 1 << 64):
            if step != timeline and current.end > limits[step]:
                break  # The child's copy of this segment holds both timelines.
            way.append(current)
            current = current.next()
    number = way[-1].number if way else first.number - 1
    beyond = {
        segment
        for segment in present
        if segment.number > number
        and segment.timeline in chain
        and segment.start < limits.get(segment.timeline, 1 << 64)
    }
    lacking = (number + 1) * size
    of = next(each for each in chain if lacking + size <= limits.get(each, 1 << 64))
    return way, beyond, Segment(of, number + 1, size)


def _destination(
    backup: BackupRecord,
    way: list[Segment],
    must_replay: int,
    *,
    stop_at: datetime | None,
    data_until_at: datetime,
) -> Destination:
    return Destination(
        backup=backup,
        timeline=way[-1].timeline,
        segments=[segment.name for segment in way],
        must_replay_lsn=must_replay,
        stop_at=stop_at,
        data_until_at=data_until_at,
    )


def _told(moment: datetime) -> str:
    # To the microsecond, so that what is told can be asked for, and loses nothing.
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
