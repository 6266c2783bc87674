"""Which backup and log files bring a cluster to a moment, and whether they reach it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backups.engines.base import BackupRecord, WalInventory
from backups.engines.postgres import Postgres
from backups.engines.wal import Segment, TimelineSwitch
from backups.engines.wal_dump import TransactionEnd, last_record, transaction_ends
from backups.errors import BackupMissing, EngineFailed, TargetOutOfReach


class LogIncomplete(EngineFailed):
    """A segment between the backup and the target is not in the archive."""

    code = "wal-missing"
    advice = (
        "A log file between the backup and the target is missing in the archive "
        "(the attempt's log names it). Bring it back and resume, or ask for an earlier point."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where replay has to go.

    ``must_replay_lsn`` is where the last record begins that has to be replayed; ``stop_at`` is
    given when PostgreSQL is to stop by the clock, and None when it goes to that very record.
    Everything up to ``data_until_at`` will be there.
    """

    backup: BackupRecord
    timeline: int
    segments: Sequence[str]
    must_replay_lsn: int
    stop_at: datetime | None
    data_until_at: datetime


Peek = Callable[[Sequence[str]], Path]
"""Make sure that these segments lie in a folder, and return it."""


class Archive:
    """One database's backups and log as they were listed, with the means to look into the log."""

    def __init__(
        self,
        *,
        backups: Sequence[BackupRecord],
        inventory: WalInventory,
        switches: dict[int, list[TimelineSwitch]],
        postgres: Postgres,
        peek: Peek,
    ) -> None:
        self._backups = [backup for backup in backups if backup.is_finished]
        self._inventory = inventory
        self._switches = switches
        self._postgres = postgres
        self._peek = peek

    def earliest_at(self) -> datetime:
        """Return the first moment that can be restored.

        :raises BackupMissing: if there is no finished backup
        """
        if not self._backups:
            raise BackupMissing
        return min(backup.ended_at for backup in self._backups)

    def plan(self, target_at: datetime | None) -> Destination:
        """Choose backup and log for a moment, or for the latest that is archived.

        :raises BackupMissing: if there is no finished backup
        :raises TargetOutOfReach: with the point that can be reached, in words
        :raises LogIncomplete: if a log file on the way is missing
        """
        earliest = self.earliest_at()
        if target_at is not None and target_at < earliest:
            raise TargetOutOfReach(
                advice=f"The earliest point that can be restored is {_told(earliest)}, "
                "the end of the first backup. Ask for that or a later one."
            )
        usable = [b for b in self._backups if target_at is None or b.ended_at <= target_at]
        backup = max(usable, key=lambda b: b.ended_at)
        way = self._way_from(backup)
        end, horizon = self._end_of(way, backup)
        if target_at is None or (horizon is not None and target_at == horizon.at):
            until = horizon.at if horizon else backup.ended_at
            return _destination(backup, way, end, stop_at=None, data_until_at=until)
        if horizon is None or target_at > horizon.at:
            latest = horizon.at if horizon else backup.ended_at
            raise TargetOutOfReach(
                advice=f"The latest point that can be restored is {_told(latest)}, "
                "the last archived change. Ask for that or an earlier one, or for the latest."
            )
        return self._to_moment(backup, way, target_at)

    def horizon_at(self) -> datetime:
        """Return the last moment that can be restored: a change's, or the last backup's end."""
        self.earliest_at()
        backup = max(self._backups, key=lambda b: b.ended_at)
        _end, horizon = self._end_of(self._way_from(backup), backup)
        return horizon.at if horizon else backup.ended_at

    def _way_from(self, backup: BackupRecord) -> list[Segment]:
        """List the log from a backup to the archive's end, over timelines, without holes."""
        timeline, ancestors = self._newest_descendant(backup)
        limits = {switch.timeline: switch.lsn for switch in ancestors}
        present = {
            Segment.parse(name, size=backup.segment_bytes) for name in self._inventory.segments
        }
        size = backup.segment_bytes
        way: list[Segment] = []
        current = Segment.parse(backup.begin_wal, size=size)
        chain = [t for t in [*limits, timeline] if t >= backup.timeline]
        for step in chain:
            current = Segment(step, current.number, size)
            while current in present and current.start < limits.get(step, 1 << 64):
                if step != timeline and current.end > limits[step]:
                    break  # The child's copy of this segment holds both timelines.
                way.append(current)
                current = current.next()
        self._refuse_holes(way, present, backup)
        return way

    def _refuse_holes(
        self, way: list[Segment], present: set[Segment], backup: BackupRecord
    ) -> None:
        last = way[-1] if way else None
        if last is None or last.name[8:] < backup.end_wal[8:]:
            missing = last.next().name if last else backup.begin_wal
            raise LogIncomplete(f"{missing} is missing, the backup needs it")
        beyond = [s for s in present if s.timeline == last.timeline and s.number > last.number]
        if beyond:
            raise LogIncomplete(f"{last.next().name} is missing, {min(beyond).name} is there")

    def _newest_descendant(self, backup: BackupRecord) -> tuple[int, list[TimelineSwitch]]:
        for timeline in sorted(self._switches, reverse=True):
            history = self._switches[timeline]
            on_the_way = any(
                s.timeline == backup.timeline and s.lsn >= backup.end_lsn for s in history
            )
            archived = any(name.startswith(f"{timeline:08X}") for name in self._inventory.segments)
            if on_the_way and archived:
                return timeline, history
        return backup.timeline, self._switches.get(backup.timeline, [])

    def _end_of(
        self, way: list[Segment], backup: BackupRecord
    ) -> tuple[int, TransactionEnd | None]:
        """Find the log's last whole record, and its last transaction after the backup."""
        end = None
        for place in range(len(way) - 1, -1, -1):
            near = [segment.name for segment in way[max(place - 1, 0) : place + 1]]
            folder = self._peek(near)
            if end is None:
                end = last_record(self._postgres, folder, way[place].name)
            ends = transaction_ends(self._postgres, folder, near[0], near[-1])
            after = [t for t in ends if t.lsn >= backup.end_lsn]
            if end is not None and after:
                return end, max(after, key=lambda t: t.lsn)
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
