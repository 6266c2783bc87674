"""Checks in SQL that staff write, how much of a cluster is read, and what was found accepted."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import User
from backups import queries, runner
from backups.engines.questions import Answer, NoQuestion, is_question
from backups.errors import VerificationFailed
from backups.models import (
    CheckDepth,
    CheckName,
    Database,
    JobState,
    RestoreJob,
    Tenant,
    VerificationCheck,
)
from backups.operations.restores import resume_restore
from incidents.errors import Refused
from incidents.operations import add_entry
from incidents.values import EntryKind, When

# A check of every tenant is tried with the first of them: somebody waits for the answer.
TRIED = 3
_NAMED = 5


class CheckNotKept(Refused):
    code = "check-not-kept"
    message = "This check cannot be kept. Give it a name of its own and a question in SQL."


_NO_QUESTION = "A check is one SELECT or WITH that only reads, and gives one value."


class NothingToAsk(Refused):
    code = "nothing-to-ask"
    message = "There is no tenant whose database could be asked. Register one first."


class NotReachable(Refused):
    code = "running-database-not-asked"
    message = "The running database could not be asked. The check can be kept all the same."


class NotAcceptable(Refused):
    code = "findings-not-acceptable"
    message = (
        "Only a restore that has stopped because of what its checks found can be opened all the "
        "same. Look at its state, and resume it if it has stopped for another reason."
    )


class TargetNotReached(Refused):
    code = "target-not-reached"
    message = (
        "This restore has not reached its target, and cannot be opened. Resume it, or change its "
        "plan to an earlier moment."
    )


class ReasonMissing(Refused):
    code = "acceptance-needs-a-reason"
    message = "Say why it is opened although checks have failed; it goes on the record."


def add_check(
    *, database_id: int, name: str, sql: str, tenant_id: int | None = None, at: datetime
) -> VerificationCheck:
    """Have a question asked of what comes back: of one tenant's database, or of every one.

    It is one SELECT with one value. True is well, false is not; any other value is shown; null is
    not well. The server sees to it that it changes nothing, when it is asked.

    :raises CheckNotKept: saying what is wrong with it
    """
    return _kept(
        VerificationCheck(
            database_id=database_id,
            tenant_id=tenant_id,
            name=name.strip(),
            sql=sql.strip(),
            registered_at=at,
        )
    )


def read_check(*, database_id: int, sql: str, tenant_id: int | None = None) -> str:
    """Have the running database read a question, without running it.

    Returns what whoever keeps it all the same should know: why it could not be read, or not asked
    as things are now. Empty if nothing is wrong with it.

    :raises CheckNotKept: if it could never be asked, with the reason
    """
    if not is_question(sql):
        raise CheckNotKept(_NO_QUESTION)
    database = Database.objects.select_related("storage").get(pk=database_id)
    tenants = queries.tenants_of(database_id)
    asked = (tenants.filter(pk=tenant_id) if tenant_id is not None else tenants).first()
    if asked is None:
        return "It was not read: there is no tenant whose database could be asked."
    try:
        words = runner.read_question(database, asked, sql)
    except NoQuestion as error:
        raise CheckNotKept(f"{_NO_QUESTION} {asked}: {error}") from error
    except runner.NotAsked as failure:
        detail = failure.detail.strip()[:500]
        return f"It was not read: the running database could not be asked ({detail})."
    return f"As {asked} is now, it would fail: {words}" if words else ""


def edit_check(
    *, check_id: int, name: str, sql: str, tenant_id: int | None = None
) -> VerificationCheck:
    """Change a check. What it found before stays as it was found.

    :raises CheckNotKept: saying what is wrong with it
    """
    with transaction.atomic():
        check = VerificationCheck.objects.select_for_update(of=("self",)).get(pk=check_id)
        check.name, check.sql, check.tenant_id = name.strip(), sql.strip(), tenant_id
        return _kept(check)


def remove_check(*, check_id: int) -> None:
    """Ask this no longer."""
    VerificationCheck.objects.filter(pk=check_id).delete()


def try_check(
    *, database_id: int, sql: str, tenant_id: int | None = None
) -> list[tuple[Tenant, Answer]]:
    """Ask a question of the cluster that runs: of its tenant, or of the first three.

    :raises NothingToAsk: if there is no tenant
    :raises NotReachable: if the cluster cannot be asked, with the reason
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    tenants = queries.tenants_of(database_id)
    asked = list(tenants.filter(pk=tenant_id) if tenant_id is not None else tenants[:TRIED])
    if not asked:
        raise NothingToAsk
    try:
        return runner.try_question(database, asked, sql)
    except runner.NotAsked as failure:
        raise NotReachable(
            f"The running database could not be asked: {failure.detail.strip()[:500]}. "
            "The check can be kept all the same."
        ) from failure


def set_check_depth(*, database_id: int, depth: CheckDepth) -> Database:
    """Say how much of a cluster is read before it is opened, from the next look on."""
    database = Database.objects.get(pk=database_id)
    database.check_depth = depth
    database.save(update_fields=["check_depth"])
    return database


def accept_findings(
    *, restore_id: int, because: str, at: datetime, by: User | None = None, by_worker: bool = True
) -> RestoreJob:
    """Let a restore be opened although checks have failed. What has failed goes on the timeline.

    It goes on without another look. Customers are told that not everything could be checked.

    :raises ReasonMissing: if nobody says why
    :raises TargetNotReached: if it does not hold what was asked for at all
    :raises NotAcceptable: if it has not stopped for its findings
    """
    if not because.strip():
        raise ReasonMissing
    with transaction.atomic():
        rows = RestoreJob.objects.select_for_update(of=("self",))
        job: RestoreJob | None = rows.filter(pk=restore_id).first()
        if job is None:
            raise queries.NotRegistered(f"There is no restore number {restore_id}.")
        _require_acceptable(job)
        job.accepted_at, job.accepted_because = at, because.strip()[:1000]
        job.save(update_fields=["accepted_at", "accepted_because"])
        _note(job, by=by, at=at)
        return resume_restore(restore_id=restore_id, by_worker=by_worker, at=at)


def _require_acceptable(job: RestoreJob) -> None:
    if job.state != JobState.FAILED or job.failure_code != VerificationFailed.code:
        raise NotAcceptable
    if not job.findings.filter(check_name=CheckName.TARGET).exists():
        raise TargetNotReached
    if not job.findings.failed().exists():
        raise NotAcceptable


def _note(job: RestoreJob, *, by: User | None, at: datetime) -> None:
    if job.incident_id is None:
        return
    failed = _some([str(finding) for finding in job.findings.failed().order_by("id")])
    add_entry(
        incident_id=job.incident_id,
        text=f"The restored data is opened although this has failed: {failed}. "
        f"Reasons: {job.accepted_because}",
        when=When(at=at),
        at=at,
        author=by,
        kind=EntryKind.EVENT,
        tags=["decision", "restore"],
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _kept(check: VerificationCheck) -> VerificationCheck:
    if check.sql and not is_question(check.sql):
        raise CheckNotKept(_NO_QUESTION)
    try:
        check.full_clean()
    except ValidationError as error:
        raise CheckNotKept(f"{' '.join(error.messages)} {CheckNotKept.message}") from error
    tenant = check.tenant
    if tenant is not None and tenant.database_id != check.database_id:
        raise CheckNotKept("This tenant is in another database. Choose one of this database.")
    check.save()
    return check
