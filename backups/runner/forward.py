"""The second half of a staged recovery: what was written after the first part follows.

The first part is open, and people work in it. This restore recovers the rest beside it, opens it to
nobody, and brings each tenant's database over. It is promoted first, privately: what was under way
at its target holds locks until then, and a dump would wait for them.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from backups.engines.directory import TargetDirectory
from backups.engines.dumps import Server
from backups.engines.postgres import HOST, Postgres
from backups.engines.replay import Replay
from backups.engines.writes import let_in, state_of
from backups.errors import EngineFailed
from backups.models import (
    JobState,
    RestoreJob,
    RestorePoint,
    TenantRestore,
    TenantRestoreState,
)
from backups.models.tenants import DONE
from backups.runner.credentials import password
from backups.runner.lanes import TenantsUnfinished, bring_back
from backups.runner.lease import Clock
from backups.runner.recovered import NOT_BROUGHT, RecoveredCluster, not_brought
from backups.runner.tenant_way import drop_restored
from backups.runner.tenants import in_order
from backups.runner.tools import postgres_at
from backups.steps import Step

logger = logging.getLogger(__name__)

# The point behind which a restore that brings tenants forward has only to clear away.
BROUGHT = "brought"
LOOKED_EVERY_SECONDS = 2.0
# A first part that nobody works at is not waited for longer: it may need this very worker.
PATIENCE_SECONDS = 60.0


class EndsTooEarly(EngineFailed):
    """The rest of a recovery ends before its first part: older rows would replace newer ones."""

    code = "rest-ends-before-first"
    advice = (
        "This restore ends at an earlier moment than the one that is open. Change its plan to a "
        "later moment, or to the latest; or cancel it."
    )


class FirstPartMissing(EngineFailed):
    """The cluster into which tenants are to be brought is not open, and nobody works at it."""

    code = "first-part-missing"
    advice = (
        "The first part of this recovery is not open. Resume that restore, then this one; "
        "or cancel this one."
    )


def note_states(job: RestoreJob, replay: Replay) -> Iterator[Step]:
    """Take down how each tenant's database is before anybody is let in, into the job's evidence.

    A restore that goes to the latest needs none, unless another is to follow it.
    """
    if job.point == RestorePoint.LATEST and not job.later_parts.exists():
        return
    evidence = job.evidence
    there = [t for t in in_order(job) if "rows" in evidence.get(t.public_code, {})]
    # It runs already, unless its worker and its machine died behind the promotion.
    yield from replay.steps(is_verified=True)
    # Before that, transactions that were prepared do not show.
    replay.promote()
    for tenant in there:
        found = evidence[tenant.public_code]
        with replay.connect(tenant.name) as inside:
            state = state_of(inside, found["rows"])
        found["reopened_as"] = state.as_json() if state is not None else {}
        yield Step(done=0)
    RestoreJob.objects.filter(pk=job.pk).update(evidence=evidence)


def bring_forward(
    job: RestoreJob,
    replay: Replay,
    postgres: Postgres,
    *,
    folder: Path,
    until: datetime,
    now: Clock,
) -> Iterator[Step]:
    """Bring each tenant of a verified cluster over into the first part's, several at once.

    Waits until that is open. ``folder`` is for dumps on their way. Databases of nobody who is
    registered are not brought: the job's evidence names them.

    :raises FirstPartMissing: if nobody works at the first part
    :raises EndsTooEarly: if it was recovered to an earlier moment than the first part
    :raises TenantsUnfinished: if some wait for a person; the others are brought
    """
    yield from until_open(job)
    first = _first_part(job)
    require_order(first, job, until=until)
    for step in replay.steps(is_verified=True):
        yield Step(done=0, waiting=step.waiting)
    replay.promote()
    source = RecoveredCluster(replay.private_server(), folder, until=until)
    data_dir = Path(first.target.data_dir)
    try:
        yield from bring_back(
            job,
            source,
            open_server(first),
            folder=folder,
            data_dir=data_dir if data_dir.is_dir() else None,
            now=now,
        )
    except TenantsUnfinished:
        # People may take days to decide; it is started again when this goes on.
        postgres.stop()
        raise
    _keep_evidence(job, left=source.others([tenant.name for tenant in in_order(job)]))
    shutil.rmtree(folder, ignore_errors=True)


def clear_source(job: RestoreJob, postgres: Postgres, directory: TargetDirectory) -> None:
    """Stop the recovered cluster, and give back its disk, since all of it was brought over.

    Where somebody's newer work was kept instead, or a database is of nobody who is registered, its
    directory stays: what was recovered of those is nowhere else at hand.
    """
    postgres.stop()
    if not_brought(job.evidence) or job.tenant_restores.kept_newer().exists():
        directory.hand_over()
    else:
        directory.remove()


def leave_open_cluster(job: RestoreJob) -> None:
    """Take back what a restore that is given up left half done in the cluster that is open.

    People are let in again where death came while they were shut out. A server that is away has
    nothing to be left.
    """
    if job.brings_forward_id is None:
        return
    begun = job.tenant_restores.filter(attempts__gt=0).exclude(state__in=DONE)
    names = list(begun.values_list("tenant__name", flat=True))
    if not names:
        return
    try:
        server = open_server(_first_part(job))
        for name in names:
            let_in(server, name)
            drop_restored(server, name)
    except EngineFailed:
        logger.warning("restore %s: its traces could not be cleared away", job.pk, exc_info=True)


def open_server(job: RestoreJob) -> Server:
    """Return the cluster that a restore has opened, entered as its own rules have it.

    :raises CredentialsMissing: if the password is not where the database says
    """
    return Server(
        host=job.target.host or HOST,
        port=job.target.port,
        user=job.database.superuser,
        password=password(job.database.password_reference),
        bin_dir=postgres_at(job.target).bin_dir,
    )


def _first_part(job: RestoreJob) -> RestoreJob:
    rows = RestoreJob.objects.select_related("target", "database")
    found: RestoreJob = rows.get(pk=job.brings_forward_id)
    return found


def until_open(job: RestoreJob) -> Iterator[Step]:
    """Wait until the first part of a recovery is open.

    :raises FirstPartMissing: if it is not, and nobody works at it
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (first := _first_part(job)).state != JobState.SUCCEEDED:
        if first.state == JobState.RUNNING:
            deadline = time.monotonic() + PATIENCE_SECONDS
        elif first.state != JobState.QUEUED or time.monotonic() > deadline:
            raise FirstPartMissing(f"{first} is {first.get_state_display()}")
        yield Step(done=0, waiting="first part")
        time.sleep(LOOKED_EVERY_SECONDS)


def require_order(first: RestoreJob, job: RestoreJob, *, until: datetime) -> None:
    """Make sure that what is brought over is no older than what it takes the place of.

    Where little was written, the last change on record may lie before the backup's own end.

    :raises EndsTooEarly: if it is
    """
    backup = RestoreJob.objects.filter(pk=job.pk).values_list("backup__ended_at", flat=True).first()
    ends = max(until, backup or until)
    if first.data_until_at is not None and ends < first.data_until_at:
        raise EndsTooEarly(f"{job} goes up to {ends}, {first} up to {first.data_until_at}")


def _keep_evidence(job: RestoreJob, *, left: list[str]) -> None:
    """Let the job's evidence say what was counted where tenants work now, not beside it.

    The databases that are ``left`` are in it as such, so that nobody takes it for all.
    """
    place = job.target.data_dir
    job.evidence |= {
        f"{name}, not registered, lies in {place}": {NOT_BROUGHT: name} for name in left
    }
    brought = TenantRestore.objects.filter(job=job, state=TenantRestoreState.VERIFIED)
    rows = brought.values_list("tenant__public_code", "evidence")
    job.evidence |= dict(rows.iterator())
    RestoreJob.objects.filter(pk=job.pk).update(evidence=job.evidence)
