"""One tenant's way back: dumped, restored beside, compared, and put in its place.

Its row says how far it is, in conditional updates that name the attempt: a lane that has lost its
tenant to another worker finds out before it touches what customers use. What is half done shows in
the cluster, under names that are known beforehand.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar, cast

import psycopg
from django.db import InterfaceError, OperationalError, connection
from psycopg import sql

from backups.engines.dumps import (
    Server,
    restore_database,
    restoring_name,
    swap_in,
)
from backups.engines.dumps.restoring import beside
from backups.engines.dumps.server import ServerUnreachable
from backups.engines.dumps.swapping import NameTaken
from backups.engines.writes import activity_of, let_in, read_state, shut_out, writes_since
from backups.errors import ToolFailed
from backups.models import TenantRestore, TenantRestoreState
from backups.runner.lease import Clock
from backups.runner.recovered import RecoveredCluster
from backups.steps import Step

T = TypeVar("T")

NOTED_EVERY_SECONDS = 2.0
# Of a tenant's way, so much is dumping; the rest is restoring and looking at it.
_DUMPING = 0.35
# From here on a database is worth two connections that copy.
_LARGE_BYTES = 256 << 20


class Stopped(Exception):
    """The lane is to touch nothing more: the worker stops, or has lost the tenant."""


class Conflict(Exception):
    """The tenant's database took writes after it was reopened; the message says what."""


@dataclass(slots=True, kw_only=True)
class Way:
    """What every tenant of a restore is carried by: from where, to where, and when to stop."""

    source: RecoveredCluster
    # What the source holds, as it was asked once.
    sizes: Mapping[str, int]
    into: Server
    stop: Event
    now: Clock

    def carry(self, row: TenantRestore) -> None:
        """Bring one tenant back; its row says what came of it.

        :raises Stopped: if it must not go on
        :raises EngineFailed: if it cannot
        """
        try:
            self._carry(row)
        except psycopg.OperationalError as error:
            raise ServerUnreachable(f"{row.tenant.name}: {error}") from error
        except psycopg.Error as error:
            raise ToolFailed(f"{row.tenant.name}: {error}") from error

    def _carry(self, row: TenantRestore) -> None:
        name = row.tenant.name
        there = self._databases()
        if name not in self.sizes:
            self._note(row, state=TenantRestoreState.KEPT, ended_at=self.now(),
                       evidence={"absent": True})  # fmt: skip
            return
        try:
            quiet = self._look(row) if name in there else ""
            self._bring(row)
            self._swap(row, has_old=name in there, quiet_since=quiet)
        except Conflict as conflict:
            self._note(row, state=TenantRestoreState.CONFLICT, ended_at=self.now(), kept_as="",
                       done=0, detail=str(conflict))  # fmt: skip
            return
        self._finish(row)

    def mend(self, row: TenantRestore) -> None:
        """See to a tenant whose lane died while its databases changed places.

        If they had, it is back; if not, people are let in again, and its turn comes once more.
        """
        there, name = self._databases(), row.tenant.name
        has_kept = row.kept_as in there or not row.evidence.get("had_old")
        if name in there and has_kept and restoring_name(name) not in there:
            self._finish(row)
        else:
            let_in(self.into, name)
            self._note(row, kept_as="")

    def _look(self, row: TenantRestore) -> str:
        """See whether the database was written to, before anything is done for it.

        Returns what tells that it still was not, at the second look.
        """
        if row.may_replace:
            return ""
        with self.into.connect(row.tenant.name) as inside:
            before = activity_of(inside)
            _require_unwritten(row, inside)
        return before

    def _bring(self, row: TenantRestore) -> None:
        name = row.tenant.name
        size = self.sizes[name]
        jobs = 2 if size >= _LARGE_BYTES else 1
        self._note(row, size_bytes=size, total=size)
        dumping = self.source.dump(name, jobs=jobs)
        self._follow(row, dumping, begins=0.0, ends=_DUMPING)
        restoring = restore_database(self.into, self.source.dump_of(name), name, jobs=jobs)
        rows = self._follow(row, restoring, begins=_DUMPING, ends=1.0)
        row.evidence = {
            "rows": {table: count for table, count in rows.items() if count is not None},
            "uncounted": sorted(table for table, count in rows.items() if count is None),
        }

    def _swap(self, row: TenantRestore, *, has_old: bool, quiet_since: str) -> None:
        """Put it in its place, unless the old one was written to since: then nothing changes.

        Where the old one will lie is written down first, so that whoever comes after a death knows
        what to look for.
        """
        name = row.tenant.name
        kept = beside(name, f"__before_{row.job_id}")
        evidence = row.evidence | {"had_old": has_old}
        self._note(row, kept_as=kept, evidence=evidence, done=row.total)
        if has_old:
            with shut_out(self.into, name) as inside:
                if not row.may_replace:
                    _require_unwritten(row, inside, quiet_since=quiet_since)
        # Shut from here on: nobody can come in before they have changed places.
        try:
            self._require_going_on()
            swap_in(self.into, name, keep_as=kept, may_replace=has_old)
        except NameTaken as taken:
            # Nobody has looked into it, so nobody may take it away.
            drop_restored(self.into, name)
            raise Conflict("a database that was made meanwhile") from taken
        except BaseException:
            let_in(self.into, name)
            raise

    def _finish(self, row: TenantRestore) -> None:
        """Say that it is back, and only then drop what nobody needs any more."""
        name = row.tenant.name
        self._note(
            row,
            state=TenantRestoreState.VERIFIED,
            ended_at=self.now(),
            data_until_at=self.source.until,
            evidence={key: row.evidence[key] for key in ("rows", "uncounted")},
            done=row.total or 0,
        )
        if not row.may_replace:
            self.drop_former(row)
        self.source.drop_dump(name)

    def drop_former(self, row: TenantRestore) -> None:
        """Drop a former database that took no writes: all that is in it is in the new one."""
        with self.into.connect() as control:
            control.execute(
                sql.SQL("drop database if exists {} with (force)").format(
                    sql.Identifier(row.kept_as)
                )
            )
        done = TenantRestore.objects.filter(pk=row.pk, state=TenantRestoreState.VERIFIED)
        persistently(lambda: done.update(kept_as=""), self.stop)

    def _follow(
        self, row: TenantRestore, steps: Generator[Step, None, T], *, begins: float, ends: float
    ) -> T:
        """Go through the steps, telling how far they are, and return what they came to."""
        noted = time.monotonic()
        with closing(steps):
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    return cast("T", end.value)
                self._require_going_on()
                if time.monotonic() - noted >= NOTED_EVERY_SECONDS:
                    noted = time.monotonic()
                    share = min(step.done / step.total, 1.0) if step.total else 0.0
                    done = (begins + (ends - begins) * share) * (row.total or 0)
                    self._note(row, done=int(done))

    def _require_going_on(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _note(self, row: TenantRestore, **values: Any) -> None:
        rows = TenantRestore.objects.all()
        if not persistently(lambda: rows.note(row, **values), self.stop):
            raise Stopped

    def _databases(self) -> set[str]:
        with self.into.connect() as control:
            return {name for (name,) in control.execute("select datname from pg_database")}


def drop_restored(server: Server, name: str) -> None:
    """Drop what was restored of a tenant and not put in its place."""
    with server.connect() as control:
        control.execute(
            sql.SQL("drop database if exists {} with (force)").format(
                sql.Identifier(restoring_name(name))
            )
        )


def persistently(ask: Callable[[], T], stop: Event) -> T:
    """Ask our own database until it answers: what was done has to be written down.

    :raises Stopped: if the worker stops first
    """
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError):
            connection.close_if_unusable_or_obsolete()
            if stop.wait(1.0):
                raise Stopped from None


def _require_unwritten(
    row: TenantRestore, inside: "psycopg.Connection[Any]", *, quiet_since: str = ""
) -> None:
    state = read_state(row.reopened_as)
    found = "unknown" if state is None else writes_since(inside, state, quiet_since=quiet_since)
    if found:
        raise Conflict(found)
