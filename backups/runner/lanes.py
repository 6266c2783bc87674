"""Tenants that come back several at once: so many lanes, and the table says who is next.

A lane that is free asks the table for the next one, so that a change of order, a retry or a
decision acts at once. How many lanes there are is looked at again and again: what was asked for, or
the processors, and no more than disk and connections bear. A tenant that fails does not stop the
others; a server or a database of ours that is away stops all of them, and nobody is blamed for it.
"""

import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection
from django.db.models import Count

from backups.engines.dumps import Server
from backups.engines.dumps.server import ServerUnreachable
from backups.errors import DiskTooSmall, EngineFailed, ToolMissing
from backups.models import RestoreJob, Tenant, TenantRestore, TenantRestoreState
from backups.models.tenants import DONE, PLACES_APART, TenantRestoreQuerySet
from backups.runner.lease import Clock
from backups.runner.recovered import RecoveredCluster, free_connections
from backups.runner.tenant_way import Stopped, Way, persistently
from backups.steps import Step

TICK_SECONDS = 0.2
LOOKED_EVERY_SECONDS = 2.0
COUNTED_EVERY_SECONDS = 15.0
# One tenant's dump, restore and looks take at most so many connections of a server at once.
CONNECTIONS_A_LANE = 5
# A dump, the restored database and what is written on the way, against the database's size.
ROOM = 2.2
_EVERYTHING = 1 << 62
# So many tenants are named where some are meant.
_NAMED = 3
# Tried once more without being asked; what fails twice in the same way is for a person.
_RETRIED = {"tool-failed", "tool-silent", "database-busy", "server-unreachable"}
_TRIES = 2
# Not the tenant's fault: nothing would come of trying the next one.
_EVERYBODYS = (ServerUnreachable, ToolMissing)
# A server that is away for a moment, as when it is started again, is waited for so long.
_PATIENCE_SECONDS = 60.0


class TenantsUnfinished(EngineFailed):
    """Some tenants failed, or wait for a decision; the others are back."""

    code = "tenants-unfinished"
    advice = "Look at the list of tenants: let each be tried again, or decide. The rest is back."


@dataclass(slots=True)
class Tally:
    """How many tenants there are, and how many of them are dealt with."""

    total: int = 0
    done: int = 0


def bring_back(
    job: RestoreJob,
    source: RecoveredCluster,
    into: Server,
    *,
    folder: Path,
    data_dir: Path | None,
    now: Clock,
) -> Iterator[Step]:
    """Bring a job's tenants back, in lanes. Closing the iterator stops them, in their tracks.

    Steps count tenants; ``waiting`` is "disk" while there is no room for any. ``folder`` is where
    dumps lie, ``data_dir`` that of the server, if it is on this machine. Tenants that have no row
    yet get one; those that an earlier attempt left half done begin again.

    :raises TenantsUnfinished: once all others are back, if some failed or wait for a decision
    :raises EngineFailed: if none can go on
    """
    lanes = Lanes(job, source, into, disks=[path for path in (folder, data_dir) if path], now=now)
    return lanes.steps()


def make_rows(job: RestoreJob, sizes: dict[str, int]) -> None:
    """Give each tenant a row with its place: by priority, and the small ones first.

    Rows that are there already keep their place; people may have moved them.
    """
    known = set(job.tenant_restores.values_list("tenant_id", flat=True))
    tenants = Tenant.objects.filter(database_id=job.database_id).exclude(pk__in=known)
    # Read anew: who holds the job may have read its first part before that was open.
    first = RestoreJob.objects.filter(later_parts=job).first()
    states = first.evidence if first is not None else {}
    coming = sorted(tenants, key=lambda t: (t.priority, sizes.get(t.name, 0), t.pk))
    last = job.tenant_restores.count()
    TenantRestore.objects.bulk_create(
        [
            TenantRestore(
                job=job,
                tenant=tenant,
                place=(last + number) * PLACES_APART,
                size_bytes=sizes.get(tenant.name),
                reopened_as=states.get(tenant.public_code, {}).get("reopened_as", {}),
            )
            for number, tenant in enumerate(coming, start=1)
        ],
        batch_size=1000,
    )


@dataclass(slots=True)
class _Shared:
    """What the lanes have in common, under one lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    allowed: int = 1
    reserved: dict[int, int] = field(default_factory=dict)
    is_short_of_disk: bool = False
    failure: EngineFailed | None = None
    fault: BaseException | None = None


class Lanes:
    """The lanes of one attempt at a job."""

    def __init__(
        self,
        job: RestoreJob,
        source: RecoveredCluster,
        into: Server,
        *,
        disks: list[Path],
        now: Clock,
    ) -> None:
        self._job = job
        self._source = source
        self._into = into
        self._disks = disks
        self._now = now
        self._stop = threading.Event()
        self._ended: queue.SimpleQueue[TenantRestore] = queue.SimpleQueue()
        self._shared = _Shared()
        self._threads: dict[int, threading.Thread] = {}
        self.tally = Tally()

    def steps(self) -> Iterator[Step]:
        """Carry all of them; see ``bring_back``."""
        sizes = dict(self._source.sizes())
        make_rows(self._job, sizes)
        self._way = Way(
            source=self._source, sizes=sizes, into=self._into, stop=self._stop, now=self._now
        )
        self._mend()
        try:
            yield from self._run()
            # One that somebody let be tried again at the last moment is carried as well.
            while self._goes_on() and self._has_left():
                yield from self._run()
        finally:
            self._stop.set()
            for thread in self._threads.values():
                thread.join()
        if self._shared.fault is not None:
            raise self._shared.fault
        if self._shared.failure is not None:
            raise self._shared.failure

    def _goes_on(self) -> bool:
        return self._shared.failure is None and self._shared.fault is None

    def _has_left(self) -> bool:
        """Say, by one look at the table, whether some have their turn to come.

        :raises TenantsUnfinished: if the others failed or wait for a decision
        """
        self._drop_formers()
        states = self._rows().exclude(state__in=DONE).order_by().values_list("state", flat=True)
        left = set(persistently(lambda: list(states.distinct()), self._stop))
        if left & {TenantRestoreState.WAITING, TenantRestoreState.RESTORING}:
            # Where another worker has taken one, the next step finds out that the lease is lost.
            self._stop.wait(TICK_SECONDS)
            return True
        if left:
            raise self._unfinished()
        return False

    def _run(self) -> Iterator[Step]:
        looked = counted = float("-inf")
        while self._goes_on():
            now = time.monotonic()
            if now - looked >= LOOKED_EVERY_SECONDS:
                looked = now
                with suppress(ServerUnreachable):  # The lanes find out, and wait for it.
                    self._shared.allowed = self._allowed()
            if now - counted >= COUNTED_EVERY_SECONDS:
                self._count()
                counted = now
            self._start_lanes()
            yield self._step()
            if not any(thread.is_alive() for thread in self._threads.values()):
                self._take_news(wait=False)
                if not self._has_more():
                    self._count()
                    yield self._step()
                    return
            self._take_news(wait=True)

    def _step(self) -> Step:
        waits = self._shared.is_short_of_disk and not self._shared.reserved
        return Step(done=self.tally.done, total=self.tally.total, waiting="disk" if waits else "")

    def _start_lanes(self) -> None:
        for number in range(self._shared.allowed):
            thread = self._threads.get(number)
            if thread is not None and thread.is_alive():
                continue
            if thread is not None and not self._has_more():
                return
            name = f"tenants-{self._job.pk}-{number}"
            thread = threading.Thread(target=self._lane, args=(number,), name=name, daemon=True)
            self._threads[number] = thread
            thread.start()

    def _lane(self, number: int) -> None:
        """Carry one tenant after the other, until none is left or the lane is one too many."""
        try:
            while not self._stop.is_set() and number < self._shared.allowed:
                row = self._claim()
                if row is None:
                    if self._shared.is_short_of_disk:
                        self._stop.wait(LOOKED_EVERY_SECONDS)
                    return
                try:
                    self._carry(row)
                    # First told, then let go of: ``_count`` goes by that.
                    self._ended.put(row)
                finally:
                    with self._shared.lock:
                        self._shared.reserved.pop(row.pk, None)
        except Stopped:
            pass
        except BaseException as fault:  # noqa: BLE001 - told by the thread that waits for us
            self._shared.fault = fault
        finally:
            connection.close()

    def _claim(self) -> TenantRestore | None:
        """Take the next tenant for which there is room, one lane after the other."""
        with self._shared.lock:
            most = self._most_bytes()
            rows = self._rows()
            row = persistently(lambda: rows.claim_next(at=self._now(), most_bytes=most), self._stop)
            if row is None:
                has_more = most < _EVERYTHING and rows.waiting().exists()
                self._shared.is_short_of_disk = has_more
                return None
            self._shared.is_short_of_disk = False
            self._shared.reserved[row.pk] = row.size_bytes or 0
        return row

    def _carry(self, row: TenantRestore) -> None:
        try:
            self._way.carry(row)
        except DiskTooSmall as failure:
            self._put_back(row, failure)
            self._shared.is_short_of_disk = True
            self._stop.wait(LOOKED_EVERY_SECONDS)
        except EngineFailed as failure:
            self._fail(row, failure)

    def _fail(self, row: TenantRestore, failure: EngineFailed) -> None:
        is_everybodys = isinstance(failure, _EVERYBODYS)
        if is_everybodys and not self._comes_back():
            self._put_back(row, failure)
            self._shared.failure = failure
            return
        if failure.code in _RETRIED and row.attempts < _TRIES:
            self._put_back(row, failure)
            return
        self._note(
            row,
            state=TenantRestoreState.FAILED,
            ended_at=self._now(),
            failure_code=failure.code,
            detail=self._told(failure),
        )

    def _put_back(self, row: TenantRestore, failure: EngineFailed) -> None:
        self._note(row, state=TenantRestoreState.WAITING, done=0, detail=self._told(failure))

    def _note(self, row: TenantRestore, **values: object) -> None:
        rows = TenantRestore.objects.all()
        if not persistently(lambda: rows.note(row, **values), self._stop):
            raise Stopped

    def _told(self, failure: EngineFailed) -> str:
        said = failure.detail or str(failure)
        if self._into.password:
            said = said.replace(self._into.password, "[redacted]")
        return f"{failure.advice}\n{said}"[-4000:]

    def _comes_back(self) -> bool:
        """Whether the server answers within a while: it may only have been started again."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                free_connections(self._into)
                self._source.free_connections()
            except ServerUnreachable:
                if self._stop.wait(1.0) or self._shared.failure is not None:
                    return False
            else:
                return True
        return False

    def _allowed(self) -> int:
        """Say how many lanes there may be now."""
        asked = RestoreJob.objects.filter(pk=self._job.pk).values_list("lanes", flat=True)
        wanted = persistently(asked.first, self._stop)
        free = min(free_connections(self._into), self._source.free_connections())
        return max(1, min(wanted or os.cpu_count() or 1, free // CONNECTIONS_A_LANE))

    def _most_bytes(self) -> int:
        """Say how large a tenant may be to fit on every disk, with those under way."""
        if not self._disks:
            return _EVERYTHING
        free = min(_free(path) for path in self._disks)
        return int(free / ROOM - sum(self._shared.reserved.values()))

    def _rows(self) -> TenantRestoreQuerySet:
        return TenantRestore.objects.filter(job=self._job)

    def _has_more(self) -> bool:
        rows = self._rows().waiting()
        return persistently(rows.exists, self._stop)

    def _mend(self) -> None:
        """See to what an attempt left half done that died; it is safe to come to it again."""
        dead = self._rows().filter(state=TenantRestoreState.RESTORING).exclude(kept_as="")
        for row in dead.select_related("tenant"):
            self._way.mend(row)
        self._rows().begin_again()

    def _drop_formers(self) -> None:
        """Drop what a death left of databases that were replaced and took no writes."""
        left = self._rows().filter(state=TenantRestoreState.VERIFIED, may_replace=False)
        for row in left.exclude(kept_as=""):
            self._way.drop_former(row)

    def _take_news(self, *, wait: bool) -> set[int]:
        """Count those that ended since the last look, without asking the table; return them."""
        ended = set()
        with suppress(queue.Empty):
            row = self._ended.get(timeout=TICK_SECONDS) if wait else self._ended.get_nowait()
            while True:
                # One that was put back may be under way again.
                if row.state != TenantRestoreState.WAITING:
                    ended.add(row.pk)
                    self.tally.done += row.state in DONE
                row = self._ended.get_nowait()
        return ended

    def _count(self) -> None:
        """Count anew, from the table, all but those that a lane carries just now.

        Such a one may be back by its row and not told yet: counted here, and again when it is
        told, it would stand for two. No lane takes another one meanwhile.
        """
        with self._shared.lock:
            carried = set(self._shared.reserved)
            carried -= self._take_news(wait=False)
            rows = self._rows().exclude(pk__in=carried).order_by().values_list("state")
            counted = dict(persistently(lambda: list(rows.annotate(count=Count("pk"))), self._stop))
        self.tally.total = sum(counted.values()) + len(carried)
        self.tally.done = sum(counted.get(state, 0) for state in DONE)

    def _unfinished(self) -> TenantsUnfinished:
        left = self._rows().undecided().select_related("tenant").in_order()
        failed = left.filter(state=TenantRestoreState.FAILED)
        conflicts = left.filter(state=TenantRestoreState.CONFLICT)
        said = [
            f"{rows.count()} {words} ({_some(rows)})"
            for rows, words in ((failed, "failed"), (conflicts, "took writes since they were open"))
            if rows.exists()
        ]
        return TenantsUnfinished(
            "; ".join(said),
            advice=f"The other tenants are back; {' and '.join(said)}. "
            "In the list of tenants let each be tried again, or decide; then it goes on.",
        )


def _some(rows: TenantRestoreQuerySet) -> str:
    names = list(rows.values_list("tenant__public_code", flat=True)[: _NAMED + 1])
    return ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")


def _free(path: Path) -> int:
    while not path.exists():
        path = path.parent
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize
