"""The runbook of a database, as its configuration, its drills and its forecast make it now."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from backups.models import (
    AlertRule,
    Backup,
    BackupKind,
    Database,
    Drill,
    DrillState,
    EngineName,
    LossForecast,
    RecoveryTarget,
    RunbookSection,
    RunbookTick,
    Standby,
    StorageLocation,
)
from backups.options import Range
from backups.options.words import duration
from backups.queries.drills import drills
from backups.queries.records import recovery_targets
from backups.runbook import (
    Contact,
    Drilled,
    Facts,
    Loss,
    Newest,
    Place,
    Runbook,
    Section,
    Target,
    make_runbook,
)
from incidents.models import Incident, NoticeChannel
from incidents.wording import basis_words
from notifications.models import Channel
from notifications.places import masked

# What was seen of a target longer ago says little.
_SEEN_LONG_AGO = timedelta(minutes=30)
_MOST_DRILLS = 50
_MAJOR = 10_000


def runbook_of(database: Database, *, at: datetime, incident: Incident | None = None) -> Runbook:
    """Return the runbook as it is true at this moment, for an incident if there is one."""
    return make_runbook(_facts(database, at=at, incident=incident))


def runbook_sections(database_id: int) -> "Sequence[RunbookSection]":
    """Return what staff wrote for a database, in its order."""
    rows = RunbookSection.objects.filter(database_id=database_id).select_related("edited_by")
    return list(rows.order_by("position", "pk"))


def runbook_ticks(database_id: int, incident_id: int) -> "dict[str, RunbookTick]":
    """Return the steps that were done in an incident, by their codes."""
    rows = RunbookTick.objects.filter(database_id=database_id, incident_id=incident_id)
    return {row.step: row for row in rows.select_related("by", "entry")}


def _facts(database: Database, *, at: datetime, incident: Incident | None) -> Facts:
    newest = Backup.objects.filter(database=database).usable().newest_first().first()
    standbys = {row.target_id: row for row in Standby.objects.select_related("database")}
    loss = LossForecast.objects.filter(database=database).order_by("-at").first()
    page = incident.get_absolute_url() if incident else reverse("incidents:incident-declare")
    return Facts(
        at=at,
        name=database.name,
        engine=database.engine,
        engine_words=str(database.get_engine_display()),
        host=database.host,
        port=database.port,
        superuser=database.superuser,
        archive=database.archive_name,
        password_reference=database.password_reference,
        places=[_place(row) for row in (database.storage, *database.copies.order_by("name"))],
        targets=[
            _target(row, str(job) if job else "", newest, database, standbys.get(row.pk), at=at)
            for row, job in recovery_targets()
        ],
        newest=_newest(newest) if newest is not None else None,
        drills=_drills(database),
        loss=_loss(loss) if loss is not None else None,
        may_lose=database.recovery_point_objective,
        back_within=database.recovery_time_objective,
        restorable_until=database.latest_restorable_at,
        tenants=database.tenants.count(),
        contacts=list(_contacts(database)),
        sections=[Section(title=row.title, body=row.body) for row in runbook_sections(database.pk)],
        incident=incident.pk if incident else None,
        incident_url=f"{settings.DESK_URL}{page}",
    )


def _place(row: StorageLocation) -> Place:
    return Place(
        name=row.name,
        endpoint=row.endpoint,
        bucket=row.bucket,
        prefix=row.prefix,
        region=row.region,
        reference=row.credentials_reference,
        provider=row.provider,
        is_path_style=row.uses_path_style,
        expires_at=row.credentials_expire_at,
    )


def _target(
    row: RecoveryTarget,
    job: str,
    newest: Backup | None,
    database: Database,
    standby: Standby | None,
    *,
    at: datetime,
) -> Target:
    held = _held_for(standby, database) or ("" if standby else _trouble(row, newest, at=at))
    return Target(
        id=row.pk,
        name=row.name,
        host=row.host,
        port=row.port,
        data_dir=row.data_dir,
        work_dir=row.work_dir,
        bin_dir=row.bin_dir,
        queue=row.queue,
        major=row.major,
        trouble=f"{job} has it" if job else held,
        warm_words=_warm(standby, database),
        is_kept=standby is not None,
        is_warm=standby is not None and not held,
    )


def _trouble(row: RecoveryTarget, newest: Backup | None, *, at: datetime) -> str:
    """Say why no restore could begin there; empty if one could, as far as was seen."""
    if row.probed_at is None:
        return "no worker has looked at it"
    if at - row.probed_at > _SEEN_LONG_AGO:
        return f"not looked at for {duration(at - row.probed_at)}"
    if row.occupied_by:
        return row.occupied_words
    return _unfit(row, newest) if newest is not None else ""


def _unfit(row: RecoveryTarget, newest: Backup) -> str:
    if row.major is not None and row.major != newest.server_version // _MAJOR:
        return f"it has PostgreSQL {row.major}, the backup {newest.server_version // _MAJOR}"
    if row.free_bytes is not None and row.free_bytes < newest.cluster_bytes:
        return "it has too little room"
    return ""


def _warm(standby: Standby | None, database: Database) -> str:
    if standby is None or standby.database_id != database.pk:
        return ""
    if standby.trouble:
        return f"its standby does not follow: {standby.trouble}"
    if standby.warm_until_at is None:
        return "is to keep a standby warm"
    return f"keeps a standby warm, up to {standby.warm_until_at:%Y-%m-%d %H:%M} UTC"


def _held_for(standby: Standby | None, database: Database) -> str:
    """Say why what a target keeps warm is no way back for this database; empty if it is one."""
    if standby is None:
        return ""
    if standby.database_id != database.pk:
        return f"it keeps a standby of {standby.database} warm"
    if standby.warm_until_at is None:
        return "the base of its standby is being restored"
    return ""


def _newest(row: Backup) -> Newest:
    return Newest(
        engine_id=row.engine_id,
        name=row.label or row.engine_id,
        ended_at=row.ended_at,
        major=row.server_version // _MAJOR,
        begin_wal=row.begin_wal,
        has_manifest=row.has_manifest,
    )


def _loss(row: LossForecast) -> Loss:
    known = row.low_seconds, row.middle_seconds, row.high_seconds
    back = None
    if known[0] is not None and known[1] is not None and known[2] is not None:
        back = Range(known[0], known[1], known[2])
    return Loss(
        at=row.at,
        words=row.plan_words,
        lost=timedelta(seconds=row.loss_seconds) if row.loss_seconds is not None else None,
        back=back,
        plan_code=row.plan_code,
        basis=basis_words(row.basis),
    )


def _drills(database: Database) -> list[Drilled]:
    over = drills(database_id=database.pk).filter(
        state__in=[DrillState.PASSED, DrillState.FAILED], ended_at__isnull=False
    )
    rows = over.order_by("-ended_at", "-pk").prefetch_related("restore__steps")[:_MOST_DRILLS]
    return [_drilled(row, database) for row in rows]


def _drilled(row: Drill, database: Database) -> Drilled:
    assert row.ended_at is not None
    logical = row.backup is not None and row.backup.kind == BackupKind.LOGICAL
    steps = row.restore.steps.all() if row.restore is not None else ()
    return Drilled(
        number=row.pk,
        has_passed=row.state == DrillState.PASSED,
        ended_at=row.ended_at,
        target_id=row.target_id,
        target=row.target.name,
        strategy=row.restore.strategy if row.restore is not None else "",
        # Its engine may have been changed since; what was restored tells the two kinds apart.
        engine_fits=logical == (database.engine == EngineName.PG_DUMP),
        measured=row.measured,
        forecast_words=row.forecast_words,
        words=row.words,
        phases={
            step.phase: (step.ended_at - step.began_at).total_seconds()
            for step in sorted(steps, key=lambda step: step.began_at)
            if step.ended_at is not None
        },
    )


def _contacts(database: Database) -> Iterator[Contact]:
    """Name the rooms and mailboxes that are told: first those whom a rule names."""
    rules = AlertRule.objects.filter(is_enabled=True).filter(
        Q(database=database) | Q(database__isnull=True)
    )
    named: dict[int, list[str]] = {}
    for rule in rules.prefetch_related("channels", "escalate_to").order_by("name"):
        for channel in rule.channels.all():
            named.setdefault(channel.pk, []).append(rule.name)
        for channel in rule.escalate_to.all():
            named.setdefault(channel.pk, []).append(f"{rule.name} (if nobody answers)")
    channels = NoticeChannel.objects.filter(is_enabled=True).order_by("name")
    for channel in sorted(channels, key=lambda row: row.pk not in named):
        told = named.get(channel.pk)
        is_mailbox = channel.channel == Channel.EMAIL
        yield Contact(
            name=channel.name,
            kind=str(channel.get_channel_display()),
            # All but a mailbox is a secret: whoever has it can speak there.
            address=channel.address if is_mailbox else masked(channel.address),
            why=f"Told by {', '.join(told)}."
            if told
            else f"Hears of {channel.get_least_severity_display()} and worse.",
        )
