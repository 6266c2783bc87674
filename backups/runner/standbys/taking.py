"""Bringing a standby up: a restore takes over its directory and its log, and goes on from there."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from backups.engines.base import BackupRecord
from backups.engines.directory import TargetDirectory
from backups.engines.following import footing_of
from backups.engines.wal import Segment
from backups.errors import EngineFailed
from backups.models import CheckName, RestoreFinding, RestoreJob, Standby
from backups.runner.lease import Clock
from backups.runner.places import directory_of, workspace_of
from backups.runner.standbys.following import follower_of, timeline_of
from backups.runner.tools import postgres_at
from backups.runner.workspace import Workspace
from backups.steps import Step

logger = logging.getLogger(__name__)

# What is written down of where it stood, beside the plan.
_STOOD = "standing"
_POLL_SECONDS = 0.5
# A server that has just been started says where it is once its backup is whole again.
_ANSWERS_WITHIN_SECONDS = 300.0


class StandbySilent(EngineFailed):
    """The server of the standby does not say how far it is."""

    code = "standby-silent"
    advice = (
        "The standby does not say how far it has replayed (its log in the target's work directory "
        "says why). Resume the restore, or cancel it and choose another way back."
    )


def taken_over(job: RestoreJob, *, tell: Callable[[Step], None], now: Clock) -> BackupRecord | None:
    """Take over the standby that a restore is to bring up, and return where it stands.

    It is told like a backup, which ended where the standby is. None if there is nothing to go on
    from: the restore then begins with a backup. Done already, nothing but the telling happens.

    :raises StandbySilent: if its server does not say where it is
    """
    base = job.continues
    if base is None or base.target_id != job.target_id:
        return None
    ours, theirs = directory_of(job), directory_of(base)
    workspace, former = workspace_of(job), workspace_of(base)
    record = _record(workspace) or _record(former)
    if record is None or not (_has(ours, record) or _has(theirs, record)):
        return None
    if _has(theirs, record):
        _until_let_go(base, tell=tell, now=now)
        _stop_where_it_is(job, record, workspace, tell=tell)
        theirs.give_to(job.key)
    workspace.take_over(former)
    return _standing(job, record, workspace)


def inherit_findings(job: RestoreJob) -> None:
    """Let the restore have what was found of the standby's backup when that was unpacked."""
    if job.continues is None or job.findings.filter(check_name=CheckName.MANIFEST).exists():
        return
    for finding in job.continues.findings.filter(check_name=CheckName.MANIFEST):
        finding.pk, finding.job = None, job
        RestoreFinding.save(finding, force_insert=True)


def _record(workspace: Workspace) -> BackupRecord | None:
    plan = workspace.plan()
    return plan.destination.backup if plan is not None else None


def _has(directory: TargetDirectory, record: BackupRecord) -> bool:
    return directory.is_filled(backup_id=record.backup_id)


def _until_let_go(base: RestoreJob, *, tell: Callable[[Step], None], now: Clock) -> None:
    """Wait until whoever looks after it has stopped: seconds, or its lease has run out."""
    while Standby.objects.filter(base=base, leased_until__gt=now()).exists():
        tell(Step(done=0))
        time.sleep(_POLL_SECONDS)


def _stop_where_it_is(
    job: RestoreJob, record: BackupRecord, workspace: Workspace, *, tell: Callable[[Step], None]
) -> None:
    """Have it replay nothing more, write down how far it is, and stop it."""
    base = job.continues
    assert base is not None, "only then there is one"
    follower = follower_of(base, record)
    follower.ensure_runs(timeline=timeline_of(workspace_of(base), record))
    deadline = time.monotonic() + _ANSWERS_WITHIN_SECONDS
    while (position := follower.hold()) is None:
        if not follower.is_running() or time.monotonic() > deadline:
            raise StandbySilent
        tell(Step(done=0))
    seen = Standby.objects.filter(base=base).values_list("warm_until_at", flat=True).first()
    known = [each for each in (position.replayed_at, seen, record.ended_at) if each is not None]
    follower.stop()
    workspace.note(_STOOD, {"until": max(known).isoformat()})
    logger.info("restore %s: takes over what has replayed up to %s", job.pk, max(known))


def _standing(job: RestoreJob, record: BackupRecord, workspace: Workspace) -> BackupRecord | None:
    postgres, directory = postgres_at(job.target), directory_of(job)
    stood = workspace.noted(_STOOD)
    signals = [postgres.data_dir / f"{name}.signal" for name in ("standby", "recovery")]
    if stood is None or not any(signal.exists() for signal in signals):
        # It was promoted: it goes nowhere from here.
        return None
    until = datetime.fromisoformat(stood["until"])
    if job.target_at is not None and job.target_at < until:
        logger.warning("restore %s: the standby has replayed beyond its moment", job.pk)
        postgres.stop()
        directory.prepare()
        workspace.forget(f"{_STOOD}.json")
        return None
    footing = footing_of(postgres, segment_bytes=record.segment_bytes)
    if footing is None:
        return record
    reached = max(footing.minimum_lsn - 1, footing.redo_lsn)
    timeline, size = footing.first.timeline, record.segment_bytes
    return replace(
        record,
        timeline=timeline,
        begin_lsn=footing.redo_lsn,
        begin_wal=footing.first.name,
        # From here on its transactions count, also those that it has replayed already.
        end_lsn=footing.redo_lsn,
        end_wal=Segment.holding(reached, timeline=timeline, size=size).name,
        ended_at=until,
    )
