"""Deeds on alerts: who is told of what, who knows, and what nobody is to be told of for a while."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.models import User
from backups import runner
from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheckName,
    CheckState,
    Heartbeat,
    Silence,
)
from incidents.errors import Refused
from incidents.values import Severity
from notifications import guarded
from notifications.errors import Undelivered

LONGEST_SILENCE = timedelta(days=90)
LEAST_EVERY = timedelta(seconds=30)


class RuleNameTaken(Refused):
    code = "alert-rule-name-taken"
    message = "Another rule has this name. Take a different one."


class LastRule(Refused):
    code = "last-alert-rule"
    message = "This is the last rule. Switch it off instead, so that nobody wonders where it went."


class AlertIsOver(Refused):
    code = "backup-alert-over"
    message = "This alert is over already. There is nothing to take."


class SilenceTooLong(Refused):
    code = "silence-too-long"
    message = "A silence ends after it begins, and lasts 90 days at most. Choose an earlier end."


class ReasonWanted(Refused):
    code = "silence-without-reason"
    message = "Say why nobody is to be told, so that the next one on call understands."


class UnfitHeartbeat(Refused):
    code = "unfit-heartbeat"
    message = "Nothing can be sent to this address. Copy it from whoever watches Highwater."


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a rule says. Without ``checks`` it means every check, without a database all of them."""

    name: str
    states: Collection[CheckState]
    checks: Collection[BackupCheckName] = ()
    database_id: int | None = None
    lasts: timedelta = timedelta()
    severity: Severity = Severity.SEV3
    channel_ids: Collection[int] = ()
    remind_every: timedelta | None = None
    escalate_after: timedelta | None = None
    escalate_to_ids: Collection[int] = ()
    declares_incident: bool = False
    is_enabled: bool = True


def write_alert_rule(terms: Terms, *, at: datetime, rule_id: int | None = None) -> AlertRule:
    """Write a new rule, or say anew what one says. It holds from the next minute on.

    :raises RuleNameTaken: if another goes by this name
    """
    try:
        with transaction.atomic():
            runner.ensure_rules(at=at)
            row = (
                AlertRule(created_at=at)
                if rule_id is None
                else AlertRule.objects.select_for_update().get(pk=rule_id)
            )
            row.name, row.database_id = terms.name, terms.database_id
            row.states, row.checks = list(terms.states), list(terms.checks)
            row.lasts, row.severity = terms.lasts, terms.severity
            row.remind_every, row.escalate_after = terms.remind_every, terms.escalate_after
            row.declares_incident, row.is_enabled = terms.declares_incident, terms.is_enabled
            row.save()
            row.channels.set(terms.channel_ids)
            row.escalate_to.set(terms.escalate_to_ids)
    except IntegrityError as error:
        raise RuleNameTaken from error
    return row


def remove_alert_rule(*, rule_id: int) -> None:
    """Take a rule away, with what is known of its alerts.

    :raises LastRule: if there is no other
    """
    with transaction.atomic():
        rows = list(AlertRule.objects.select_for_update().values_list("pk", flat=True))
        if rows == [rule_id]:
            raise LastRule
        AlertRule.objects.filter(pk=rule_id).delete()


def acknowledge_alert(*, alert_id: int, by: User, at: datetime) -> BackupAlert:
    """Say that somebody knows: nobody is reminded, and it goes no higher. It stays open.

    It holds for every rule that tells of the same finding, unless one tells of something graver.
    Said again, the first one stays.

    :raises AlertIsOver: if it is over
    """
    with transaction.atomic():
        row = BackupAlert.objects.select_for_update().get(pk=alert_id)
        if row.closed_at is not None:
            raise AlertIsOver
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by = at, by
            row.save(update_fields=["acknowledged_at", "acknowledged_by"])
        same = BackupAlert.objects.filter(
            database=row.database_id, about=row.about, closed_at=None, acknowledged_at=None
        )
        if row.state != CheckState.CRITICAL:
            same = same.filter(state=row.state)
        same.update(acknowledged_at=row.acknowledged_at, acknowledged_by=row.acknowledged_by)
    return row


def acknowledge_alerts(*, alert_ids: Collection[int], by: User, at: datetime) -> int:
    """Say that somebody knows of all of these that are open; return of how many that is news."""
    rows = BackupAlert.objects.filter(pk__in=alert_ids, closed_at=None, acknowledged_at=None)
    return rows.update(acknowledged_at=at, acknowledged_by=by)


def silence_findings(
    *,
    until: datetime,
    reason: str,
    by: User | None,
    at: datetime,
    database_id: int | None = None,
    checks: Collection[BackupCheckName] = (),
) -> Silence:
    """Tell nobody of these findings until then. What is still so afterwards is told.

    :raises ReasonWanted: without a reason
    :raises SilenceTooLong: if it ends before it begins, or lasts more than 90 days
    """
    if not reason.strip():
        raise ReasonWanted
    if not at < until <= at + LONGEST_SILENCE:
        raise SilenceTooLong
    return Silence.objects.create(
        database_id=database_id,
        checks=list(checks),
        begins_at=at,
        ends_at=until,
        reason=reason.strip()[:500],
        created_by=by,
    )


def end_silence(*, silence_id: int, at: datetime) -> None:
    """Let a silence end now. One that is over stays as it was."""
    with transaction.atomic():
        row = Silence.objects.select_for_update().get(pk=silence_id)
        if row.ends_at <= at:
            return
        if row.begins_at >= at:
            row.delete()
        else:
            row.ends_at = at
            row.save(update_fields=["ends_at"])


def set_heartbeat(*, url: str, every: timedelta) -> Heartbeat:
    """Send "all is well" to this address every so often; empty: nowhere.

    :raises UnfitHeartbeat: if it can never be posted to
    """
    if url:
        try:
            guarded.refuse_unfit(url)
        except Undelivered as fault:
            raise UnfitHeartbeat(str(fault)) from fault
    row, _new = Heartbeat.objects.update_or_create(
        pk=1,
        defaults={
            "url": url,
            "every": max(every, LEAST_EVERY),
            "sent_at": None,
            "failed_at": None,
            "last_error": "",
        },
    )
    return row
