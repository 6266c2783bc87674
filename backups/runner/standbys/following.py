"""One look after a standby: what was archived since, fetched, handed over and replayed."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from backups.engines.base import BackupRecord, Follows, WalFile
from backups.engines.following import Follower, Footing
from backups.engines.planning import follow_log, newest_descendant
from backups.engines.recovering import Position
from backups.engines.wal import SEGMENT_NAME, Segment, TimelineSwitch, parse_history
from backups.engines.wal_stage import WalStage
from backups.errors import EngineFailed, StorageUnavailable
from backups.models import RestoreJob, Standby, StorageLocation
from backups.options.words import amount
from backups.runner.disks import free_on
from backups.runner.intake import Intake
from backups.runner.lease import Clock, Lease
from backups.runner.places import workspace_of
from backups.runner.standbys.placing import (
    BeginAgain,
    directory_of_standby,
    newest_backup,
    workspace_of_standby,
)
from backups.runner.tools import opened_archive, opened_sources, postgres_at
from backups.runner.weather import Weather
from backups.runner.workspace import Workspace
from backups.storage.fetch import Fetcher, FetchItem, Manner
from backups.storage.s3 import PassingTrouble

# So much of the log is held ready before it is replayed: the disk is not the archive's size.
AHEAD_SEGMENTS = 64
# What has to stay free on its disk.
SPARE_BYTES = 256 * 1024 * 1024
# What lies behind a hole for so long is no matter of two archivers at once, or of a stale listing.
HOLE_AFTER = timedelta(minutes=5)
_POLL_SECONDS = 0.3


class HoleInLog(EngineFailed):
    """A file of the log that the standby needs next is not in the archive."""

    code = "standby-log-missing"
    advice = "A file of the log is missing in the archive."


class DiskLow(EngineFailed):
    """What comes next does not fit on the disk of the standby."""

    code = "standby-disk-low"
    advice = "There is too little free disk at the recovery target."


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the archive holds from a segment on, as one place told it."""

    place: StorageLocation
    files: Mapping[str, WalFile]
    switches: Mapping[int, list[TimelineSwitch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a standby in one look; its figures only where the archive was heard."""

    position: Position | None = None
    has_heard: bool = False
    behind_since_at: datetime | None = None
    behind_bytes: int = 0
    unfetched_bytes: int = 0
    again_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """The log from where it would begin again, to its end or to a hole."""

    segments: Sequence[Segment] = ()
    timeline: int = 0
    files: Mapping[str, WalFile] = field(default_factory=dict)
    place: StorageLocation | None = None

    @property
    def history(self) -> str:
        return f"{self.timeline:08X}.history"


class Following:
    """One worker's look, which ends when the slice of time is over.

    :raises BeginAgain: if what it had is not there any more
    """

    def __init__(self, standby: Standby, lease: Lease, now: Clock, *, seconds: float) -> None:
        plan = workspace_of_standby(standby).plan()
        if plan is None or not directory_of_standby(standby).is_filled(
            backup_id=plan.destination.backup.backup_id
        ):
            raise BeginAgain("What it had at the recovery target is not there any more.")
        self._standby = standby
        self._lease = lease
        self._now = now
        self._deadline = time.monotonic() + seconds
        self.record: BackupRecord = plan.destination.backup
        self._folder = workspace_of_standby(standby).folder
        self._stage = WalStage(self._folder / "wal", system_id=self.record.system_id)
        self.follower = follower_of(standby.base, self.record)
        # What is in the way of following; and a hole ahead, which is no matter before it is met.
        self.trouble: EngineFailed | None = None
        self._hole: HoleInLog | None = None

    def go(self) -> Seen:
        """Fetch, hand over and watch, until it has everything or the time is over.

        Its server runs afterwards if it can, whatever is in the way: see ``trouble``.

        :raises BeginAgain: if it cannot go on from where it is
        """
        try:
            way = self._way()
        except EngineFailed as failure:
            self.trouble = failure
            self._keep_running(self._timeline_before())
            return Seen(position=self.follower.position())
        self._note_timeline(way.timeline)
        while True:
            self._lease.check()
            try:
                self._bring(way)
            except EngineFailed as failure:
                # What is there already is replayed all the same.
                self.trouble = failure
            self._offer(way)
            self._keep_running(way.timeline)
            is_done = self._watch(way)
            if is_done or self.trouble is not None or time.monotonic() > self._deadline:
                break
        self.trouble = self.trouble or self._hole
        self._prune(way)
        return self._seen(way)

    def _way(self) -> _Way:
        footing = self.follower.footing()
        first = self._first(footing)
        log = self._listed(first)
        size = self.record.segment_bytes
        names = [name for name in log.files if SEGMENT_NAME.match(name)]
        timeline, ancestors = self._timeline(log, names, footing)
        present = {Segment.parse(name, size=size) for name in names}
        # What is here need not be in the archive any more.
        held = {
            Segment.parse(name, size=size) for name in self._staged() if SEGMENT_NAME.match(name)
        }
        segments, beyond, lacking = follow_log(
            present | held, first, timeline=timeline, ancestors=ancestors
        )
        way = _Way(segments=segments, timeline=timeline, files=log.files, place=log.place)
        if beyond:
            self._look_at_hole(log, beyond, lacking)
        return way

    def _first(self, footing: Footing | None) -> Segment:
        """Return the segment from which on the log is needed, should it be started again."""
        if footing is not None:
            return footing.first
        begins = Segment.parse(self.record.begin_wal, size=self.record.segment_bytes)
        return Segment(self.record.timeline, begins.number, begins.size)

    def _listed(self, first: Segment) -> Log:
        """Ask the places in turn what they hold from a segment on.

        :raises StorageUnavailable: if none answers
        """
        database = self._standby.database
        failure: Exception | None = None
        for place in (database.storage, *database.copies.order_by("name")):
            self._lease.check()
            try:
                with opened_archive(database, location=place) as archive:
                    engine = archive.engine
                    assert isinstance(engine, Follows), "only of such a standby is kept"
                    files = {file.name: file for file in engine.wal_from(first.name)}
                    switches = {
                        int(name[:8], 16): parse_history(engine.read_history(file))
                        for name, file in files.items()
                        if name.endswith(".history")
                    }
            except (PassingTrouble, EngineFailed) as fault:
                failure = failure or fault
                continue
            return Log(place=place, files=files, switches=switches)
        if isinstance(failure, EngineFailed):
            raise failure
        raise StorageUnavailable(str(failure))

    def _timeline(
        self, log: Log, names: Sequence[str], footing: Footing | None
    ) -> tuple[int, list[TimelineSwitch]]:
        """Choose the timeline to follow.

        :raises BeginAgain: if the archive went another way before the point that is replayed
        """
        position = self.follower.position()
        reached = max(
            position.replayed_lsn if position else 0,
            footing.minimum_lsn if footing else 0,
            self.record.end_lsn,
        )
        timeline, ancestors = newest_descendant(
            log.switches, names, timeline=self._timeline_before(), lsn=reached
        )
        wanted, _its = newest_descendant(
            log.switches, names, timeline=self.record.timeline, lsn=self.record.end_lsn
        )
        if wanted > timeline:
            raise BeginAgain(
                f"The archive went over to timeline {wanted} before the point that it had replayed."
            )
        return timeline, ancestors

    def _look_at_hole(self, log: Log, beyond: set[Segment], lacking: Segment) -> None:
        """Take a hole for what it is once it has stood for a while.

        :raises BeginAgain: if there is a backup behind it
        """
        refs = [log.files[each.name].ref for each in beyond if each.name in log.files]
        stored = [ref.modified_at for ref in refs if ref.modified_at is not None]
        if not stored or self._now() - min(stored) < HOLE_AFTER:
            return
        words = f"The log file {lacking.name} is missing in the archive."
        newest = newest_backup(self._standby.database)
        if newest is not None and newest.begin_wal[8:] > lacking.name[8:]:
            raise BeginAgain(words)
        self._hole = HoleInLog(
            lacking.name, advice=f"{words} It begins again with the next full backup."
        )

    def _bring(self, way: _Way) -> None:
        """Fetch what comes next, as much as is held ready at once and as there is time for."""
        files = self._wanted(way)
        if not files or way.place is None:
            return
        self._require_room(files)
        by_name = {file.ref.name: file for file in files}

        database, incoming = self._standby.database, self._folder / "incoming"
        left = max(self._deadline - time.monotonic(), 1.0)
        manner = Manner(outage_seconds=left, waiting_after_seconds=left)
        items = [FetchItem(ref=file.ref, to=f"packed/{file.ref.name}") for file in files]
        with (
            opened_sources(database, first=way.place) as sources,
            Fetcher(sources, incoming, manner=manner) as fetcher,
            Weather(database, self._now).kept_of(fetcher),
        ):
            take_in = Intake(stage=self._stage, files=by_name, sources=sources)
            for _step in fetcher.steps(items, finish=take_in):
                self._lease.check()
                if time.monotonic() > self._deadline:
                    # What came stays, and the next round goes on from it.
                    return
        # All of it is in the stage.
        shutil.rmtree(incoming, ignore_errors=True)

    def _wanted(self, way: _Way) -> list[WalFile]:
        for name in self._stage.wanted():
            # The guard has found it to be not what was staged.
            self._stage.discard(name)
        staged = self._staged()
        position = self.follower.position()
        begun = way.segments[0].number if way.segments else 0
        limit = max(self._place(position.replayed_lsn) if position else 0, begun) + AHEAD_SEGMENTS
        names = [each.name for each in way.segments if each.number <= limit]
        if way.timeline != 1:
            names.insert(0, way.history)
        return [way.files[name] for name in names if name not in staged and name in way.files]

    def _require_room(self, files: Sequence[WalFile]) -> None:
        needed = sum(file.ref.size for file in files) + SPARE_BYTES
        needed += len(files) * self.record.segment_bytes
        free = min(free_on(self._folder), free_on(Path(self._standby.target.data_dir)))
        if free < needed:
            raise DiskLow(
                f"{free} of {needed}",
                advice=f"{amount(needed)} are needed on its disk for what comes next, "
                f"{amount(free)} are free.",
            )

    def _offer(self, way: _Way) -> None:
        """Say to PostgreSQL what there is: only what lies here, and up to the first that does not.

        What it is not told of, it waits for; what it is told of and cannot have, stops it.
        """
        staged = self._staged()
        names = [way.history] if way.history in staged else []
        for segment in way.segments:
            if segment.name not in staged:
                break
            names.append(segment.name)
        if names and set(names) != self._stage.listed():
            self._stage.set_listing(names, budget_seconds=settings.STORAGE_OUTAGE_SECONDS)

    def _staged(self) -> set[str]:
        files = (self._stage.folder / "files").iterdir()
        return {path.name for path in files if path.suffix != ".part"}

    def _keep_running(self, timeline: int) -> None:
        # Whoever has it by now may have its directory as well.
        self._lease.check()
        # Without a segment to begin with, its server would only stop again.
        if any(SEGMENT_NAME.match(name) for name in self._stage.listed()):
            self.follower.ensure_runs(timeline=timeline)

    def _watch(self, way: _Way) -> bool:
        """Follow the replay of what is there; say whether there is nothing left to do."""
        staged = self._staged()
        ready = [each for each in way.segments if each.name in staged]
        last = -1
        while ready and time.monotonic() < self._deadline:
            self._lease.check()
            position = self.follower.position()
            lsn = position.replayed_lsn if position else -1
            if lsn > 0 and len(ready) == len(way.segments):
                # A record may still be under way where it has just moved.
                if lsn == last and self._place(lsn) >= ready[-1].number:
                    return True
            elif lsn > 0 and self._place(lsn) > ready[-1].number - AHEAD_SEGMENTS // 2:
                return False
            last = lsn
            time.sleep(_POLL_SECONDS)
        return not ready

    def _place(self, lsn: int) -> int:
        """Return the number of the last segment of which something is replayed."""
        return (lsn - 1) // self.record.segment_bytes

    def _seen(self, way: _Way) -> Seen:
        position, footing = self.follower.position(), self.follower.footing()
        staged = self._staged()
        lsn = position.replayed_lsn if position else 0
        behind = [each for each in way.segments if each.number > self._place(lsn)]
        refs = {each.name: way.files[each.name].ref for each in behind if each.name in way.files}
        stored = [ref.modified_at for ref in refs.values() if ref.modified_at is not None]
        return Seen(
            position=position,
            has_heard=True,
            behind_since_at=min(stored, default=None),
            behind_bytes=len(behind) * self.record.segment_bytes,
            unfetched_bytes=sum(ref.size for name, ref in refs.items() if name not in staged),
            again_bytes=max(lsn - footing.redo_lsn, 0) if lsn and footing else 0,
        )

    def _prune(self, way: _Way) -> None:
        """Give back what lies before the point from which it would begin again."""
        footing = self.follower.footing()
        if footing is None:
            return
        needed = [each for each in way.segments if each.number >= footing.first.number]
        kept = {each.name for each in needed} | {way.history}
        if self._staged() - kept:
            # First it is said, and then it is so.
            self._offer(replace(way, segments=needed))
            self._stage.keep_only(kept)

    def _timeline_before(self) -> int:
        return timeline_of(workspace_of_standby(self._standby), self.record)

    def _note_timeline(self, timeline: int) -> None:
        if timeline != self._timeline_before():
            workspace_of_standby(self._standby).note("timeline", {"follows": timeline})


def timeline_of(workspace: Workspace, record: BackupRecord) -> int:
    """Return the timeline that a standby follows."""
    noted = workspace.noted("timeline")
    return int(noted["follows"]) if noted is not None else record.timeline


def follower_of(base: RestoreJob, record: BackupRecord) -> Follower:
    """Return the server of a standby whose base this restore made of this backup."""
    folder = workspace_of(base).folder
    return Follower(
        postgres=postgres_at(base.target),
        stage=WalStage(folder / "wal", system_id=record.system_id),
        superuser=base.database.superuser,
        log=folder / "standby.log",
        segment_bytes=record.segment_bytes,
    )
