"""Looking at what came back before anybody is let in, from the target on to the last page.

First the target: nothing goes on before everything up to it is replayed. Then the cluster is
promoted, for nobody but us: what was under way at the target lets go of its locks, and PostgreSQL's
own checks may put their extension there. At the end it is stopped, because only a cluster that
stands still can have every page compared. What is found is written down as it is found; a look
goes on to its end, so that whoever has to decide knows all of it.
"""

import os
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import psycopg

from backups.engines import fitness
from backups.engines.checking import (
    Finding,
    Outcome,
    check_manifest,
    check_pages,
    check_structure,
    has_checksums,
    sizes_of,
)
from backups.engines.dumps import Server
from backups.engines.dumps.server import ServerUnreachable
from backups.engines.postgres import Postgres, PostgresFailed
from backups.engines.questions import Answer, ask, reader
from backups.engines.replay import Replay
from backups.engines.wal import format_lsn
from backups.errors import VerificationFailed
from backups.models import (
    CheckDepth,
    CheckName,
    Database,
    FindingState,
    RestoreFinding,
    RestoreJob,
    Tenant,
    VerificationCheck,
)
from backups.runner.credentials import redacted
from backups.runner.lease import Clock
from backups.runner.tenants import in_order
from backups.runner.verification import Evidence, count_tenants
from backups.runner.workspace import Workspace
from backups.steps import Step

# The point behind which the target was reached, so that it may be promoted at any moment.
REACHED = "reached"
# What a cluster gets to write down what it has in memory: killed, its pages cannot be compared.
STOPPED_WITHIN_SECONDS = 600.0
# So many are named where some are meant.
_NAMED = 3


class Notes:
    """Writes down what is found of one restore, without anybody's secrets."""

    def __init__(self, job: RestoreJob, *, secrets: tuple[str, ...], now: Clock) -> None:
        self._job = job
        self._secrets = secrets
        self._now = now

    def forget(self, *names: CheckName) -> None:
        """Drop what an earlier look found in these checks."""
        self._job.findings.filter(check_name__in=names).delete()

    def add(
        self,
        name: CheckName,
        finding: Finding,
        *,
        subject: str = "",
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        self._write(name, FindingState(finding.outcome.value), finding.words, subject=subject,
                    seconds=finding.seconds,
                    figures=dict(finding.figures if figures is None else figures))  # fmt: skip

    def add_answer(self, check: VerificationCheck, tenant: Tenant | None, answer: Answer) -> None:
        self._write(CheckName.OWN, FindingState(answer.outcome.value), answer.words,
                    title=check.name, tenant=tenant, value=answer.value, seconds=answer.seconds,
                    subject=tenant.name if tenant is not None else "")  # fmt: skip

    def warn(self, name: CheckName, words: str) -> None:
        self._write(name, FindingState.WARNING, words)

    def _write(self, name: CheckName, state: FindingState, words: str, **values: Any) -> None:
        RestoreFinding.objects.create(
            job=self._job,
            check_name=name,
            state=state,
            words=redacted(words, self._secrets),
            found_at=self._now(),
            **values,
        )


class Examination:
    """One look at a restored cluster. Steps count bytes: all databases, once for each reading."""

    def __init__(
        self,
        job: RestoreJob,
        replay: Replay,
        postgres: Postgres,
        workspace: Workspace,
        notes: Notes,
        *,
        until: datetime,
    ) -> None:
        self._job = job
        self._replay = replay
        self._postgres = postgres
        self._workspace = workspace
        self._notes = notes
        self._until = until
        self._is_quick = job.database.check_depth == CheckDepth.QUICK
        self._done, self._total = 0, 0

    def steps(self) -> Iterator[Step]:
        """Look at everything; the cluster is stopped at the end, and nobody was in it.

        :raises VerificationFailed: if the target was not reached, the server does not answer, or
        a check has failed that nobody has accepted
        """
        # Only what this look finds counts: nobody is told what an earlier one found.
        evidence: Evidence = {}
        self._job.evidence = evidence
        self._notes.forget(*(set(CheckName) - {CheckName.MANIFEST, CheckName.TARGET}))
        yield from self._reach_target()
        self._replay.promote()
        server = self._replay.private_server()
        sizes = sizes_of(server)
        yield from self._count(sizes, evidence)
        yield from self._look_at_structure(server, sizes)
        yield from self._ask(server, evidence)
        yield from self._look_at_fitness(server, sizes)
        self._postgres.stop(timeout_seconds=STOPPED_WITHIN_SECONDS)
        yield from self._look_at_pages(sizes)
        require_passed(self._job)

    def _reach_target(self) -> Iterator[Step]:
        if self._workspace.has_passed(REACHED):
            # Its promotion may be under way, or over. The finding of then stands.
            for step in self._replay.steps(is_verified=True):
                yield Step(done=0, waiting=step.waiting)
            return
        self._notes.forget(CheckName.TARGET)
        position = self._replay.require_target_reached()
        figures = {}
        if position.replayed_lsn:
            figures["replayed_to"] = format_lsn(position.replayed_lsn)
        if position.replayed_at is not None:
            at = position.replayed_at.astimezone(UTC)
            figures["last_transaction"] = f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"
        self._notes.add(CheckName.TARGET, Finding(outcome=Outcome.OK), figures=figures)
        self._workspace.passed(REACHED)

    def _count(self, sizes: Mapping[str, int], evidence: Evidence) -> Iterator[Step]:
        tenants = in_order(self._job)
        read = [sizes.get(tenant.name, 0) for tenant in tenants]
        whole = sum(sizes.values())
        reads_pages = not self._is_quick and has_checksums(self._postgres)
        self._total = sum(read) + whole + (whole if reads_pages else 0)
        counting = count_tenants(
            self._replay, tenants, data_until_at=self._until, evidence=evidence
        )
        read_so_far = list(accumulate(read, initial=0))
        for step in counting:
            self._done = read_so_far[step.done]
            yield self._step()
        RestoreJob.objects.filter(pk=self._job.pk).update(evidence=evidence)
        self._note_rows(tenants, evidence)

    def _note_rows(self, tenants: list[Tenant], evidence: Evidence) -> None:
        found = {tenant.name: evidence[tenant.public_code] for tenant in tenants}
        uncounted = [f"{name}: {table}" for name, each in found.items()
                     for table in each.get("uncounted", ())]  # fmt: skip
        counts = [each.get("rows", {}) for each in found.values()]
        figures = {
            "databases": sum("rows" in each for each in found.values()),
            "tables": sum(len(rows) for rows in counts),
            "rows": sum(sum(rows.values()) for rows in counts),
            "uncounted": len(uncounted),
        }
        looked = Outcome.NOT_POSSIBLE if uncounted or not tenants else Outcome.OK
        why = f"Locked, or too large to count: {_some(uncounted)}" if uncounted else ""
        if not tenants:
            why = "No tenant is registered, so no table was counted."
        self._notes.add(CheckName.ROWS, Finding(outcome=looked, figures=figures, words=why))
        for name, each in found.items():
            if each.get("missing"):
                words = "The database did not come back."
            elif unreadable := each.get("unreadable"):
                words = "\n".join(f"{what}: {said}" for what, said in unreadable.items())
            else:
                continue
            self._notes.add(
                CheckName.ROWS, Finding(outcome=Outcome.FAILED, words=words), subject=name
            )

    def _look_at_structure(self, server: Server, sizes: Mapping[str, int]) -> Iterator[Step]:
        sound = {"databases": 0, "relations": 0, "pages": 0, "left_out": 0, "other_indexes": 0}
        seconds, not_possible = 0.0, Counter[str]()
        for name, size in sizes.items():
            found = yield from self._share(
                check_structure(server, name, is_quick=self._is_quick, jobs=os.cpu_count() or 1),
                size,
            )
            seconds += found.seconds
            if found.outcome == Outcome.FAILED:
                self._notes.add(CheckName.STRUCTURE, found, subject=name)
            if found.outcome == Outcome.NOT_POSSIBLE:
                not_possible[found.words] += 1
            if found.outcome != Outcome.OK:
                continue
            sound["databases"] += 1
            for figure, count in found.figures.items():
                sound[figure] += count
        for why, count in not_possible.items():
            found = Finding(outcome=Outcome.NOT_POSSIBLE, figures={"databases": count}, words=why)
            self._notes.add(CheckName.STRUCTURE, found)
        if sound["databases"]:
            self._notes.add(
                CheckName.STRUCTURE, Finding(outcome=Outcome.OK, seconds=seconds, figures=sound)
            )

    def _ask(self, server: Server, evidence: Evidence) -> Iterator[Step]:
        checks = list(VerificationCheck.objects.filter(database=self._job.database).order_by("pk"))
        if not checks:
            return
        tenants = in_order(self._job)
        there = [tenant for tenant in tenants if "rows" in evidence[tenant.public_code]]
        try:
            with reader(server) as way:
                for tenant in there:
                    self._ask_tenant(way, tenant, checks)
                    yield self._step()
        except psycopg.Error as error:
            for check in checks:
                self._could_not_ask(check, f"No account that only reads can be made: {error}")
            return
        asked = {tenant.pk for tenant in there}
        for check in checks:
            if (not asked) if check.tenant_id is None else check.tenant_id not in asked:
                self._could_not_ask(check, "There is no database that it could be asked of.")

    def _ask_tenant(self, way: Server, tenant: Tenant, checks: list[VerificationCheck]) -> None:
        mine = [check for check in checks if check.tenant_id in (None, tenant.pk)]
        try:
            with way.connect(tenant.name) as connection:
                for check in mine:
                    self._notes.add_answer(check, tenant, ask(connection, check.sql))
        except ServerUnreachable as failure:
            for check in mine:
                self._could_not_ask(check, failure.detail, tenant=tenant)

    def _could_not_ask(
        self, check: VerificationCheck, why: str, *, tenant: Tenant | None = None
    ) -> None:
        self._notes.add_answer(check, tenant, Answer(outcome=Outcome.NOT_POSSIBLE, words=why))

    def _look_at_fitness(self, server: Server, sizes: Mapping[str, int]) -> Iterator[Step]:
        """Name what this machine lacks; it keeps nothing from being opened."""
        lacks: list[fitness.Finding] = []
        try:
            lacks += fitness.findings_of_directory(self._postgres)
            with server.connect() as connection:
                lacks += fitness.findings_of_cluster(connection)
            for name in sizes:
                with server.connect(name) as connection:
                    lacks += fitness.findings_of_database(connection, self._postgres)
                yield self._step()
        except (psycopg.Error, PostgresFailed, ServerUnreachable) as error:
            self._notes.warn(CheckName.FITNESS, f"It could not be looked at in full: {error}")
        for words in fitness.told(lacks):
            self._notes.warn(CheckName.FITNESS, words)

    def _look_at_pages(self, sizes: Mapping[str, int]) -> Iterator[Step]:
        if self._is_quick:
            left_out = "This database is checked quickly, without reading every page."
            found = Finding(outcome=Outcome.NOT_POSSIBLE, words=left_out)
        else:
            found = yield from self._share(check_pages(self._postgres), sum(sizes.values()))
        self._notes.add(CheckName.PAGES, found)

    def _share(
        self, check: Generator[Step, None, Finding], size: int
    ) -> Generator[Step, None, Finding]:
        """Pass on a check's steps as its share of the whole."""
        begun = self._done
        with closing(check):
            while True:
                try:
                    step = next(check)
                except StopIteration as end:
                    self._done = begun + size
                    found: Finding = end.value
                    return found
                share = min(step.done / step.total, 1.0) if step.total else 0.0
                self._done = begun + int(size * share)
                yield self._step()

    def _step(self) -> Step:
        return Step(done=min(self._done, self._total), total=self._total)


def note_manifest(notes: Notes, postgres: Postgres, *, begin_lsn: int) -> Iterator[Step]:
    """Compare a directory that was just filled with the manifest in it, if there is one."""
    notes.forget(CheckName.MANIFEST)
    found = yield from check_manifest(postgres, begin_lsn=begin_lsn)
    notes.add(CheckName.MANIFEST, found)


def readings(database: Database) -> int:
    """Return how often every byte of a cluster is read before it is opened."""
    return 2 if database.check_depth == CheckDepth.QUICK else 3


def begin_anew(job: RestoreJob) -> None:
    """Forget what was found of, and accepted for, a cluster that is not there any more."""
    job.findings.all().delete()
    RestoreJob.objects.filter(pk=job.pk).update(accepted_at=None, accepted_because="")
    job.accepted_at, job.accepted_because = None, ""


def require_passed(job: RestoreJob) -> None:
    """Make sure that every check has passed, or that somebody has accepted that one has not.

    :raises VerificationFailed: naming what has failed
    """
    failed = list(job.findings.failed().order_by("id")[: _NAMED + 1])
    if not failed or job.accepted_at is not None:
        return
    names = _some([f"“{finding}”" for finding in failed])
    raise VerificationFailed(
        "\n".join(f"{finding}: {finding.words}" for finding in failed),
        advice=f"Not everything passed: {names}. The cluster was not opened. Look at what was "
        "found, then mend it and resume, restore another backup, or open it all the same.",
    )


def _some(names: list[str]) -> str:
    more = " and more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
