"""Following what the checks found: alerts opened, told, reminded of, escalated, and closed."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min, Q

from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheck,
    BackupCheckChange,
    BackupCheckName,
    CheckState,
    Silence,
)
from backups.runner.alerting.telling import News, tell
from incidents.operations import AlreadyDeclared, declare_incident
from incidents.queries import open_with_key
from incidents.values import IncidentKind, Severity, Source, Visibility

logger = logging.getLogger(__name__)

# What holds while nobody has written rules: the grave at once, the rest when it stays.
_FIRST_RULES = (
    ("What is critical", [CheckState.CRITICAL], timedelta(minutes=5), Severity.SEV2, 4),
    ("What cannot be looked at", [CheckState.UNKNOWN], timedelta(hours=2), Severity.SEV3, 24),
    ("What warns for long", [CheckState.WARNING], timedelta(days=1), Severity.SEV4, 7 * 24),
)
# What is well for less may be bad again in a minute: nobody is told of each turn.
CALM = timedelta(minutes=5)
# Only one process follows at a time; the next one sees what it wrote.
_LOCK = 6_201_101

# A database, and what of it.
Key = tuple[int | None, str]
Known = dict[Key, BackupAlert]


def ensure_rules(*, at: datetime) -> None:
    """Write the first rules down where there are none."""
    if AlertRule.objects.exists():
        return
    AlertRule.objects.bulk_create(
        [
            AlertRule(
                name=name,
                states=states,
                lasts=lasts,
                severity=severity,
                remind_every=timedelta(hours=hours) if hours else None,
                created_at=at,
            )
            for name, states, lasts, severity, hours in _FIRST_RULES
        ],
        ignore_conflicts=True,
    )


def follow_findings(*, at: datetime) -> int:
    """Compare the findings with the rules, and tell staff what is new, still so, or over.

    Everything in one transaction, the messages with it; return how many alerts are open. What is
    silenced stays on the desk and is told when the silence ends, if it is still so then. What
    cannot be looked at any more is not over, nor what has been well for a few minutes only.
    """
    with transaction.atomic():
        if not _alone():
            return 0
        ensure_rules(at=at)
        rules = list(AlertRule.objects.select_for_update().filter(is_enabled=True).order_by("pk"))
        known: dict[int, Known] = defaultdict(dict)
        open_ones = BackupAlert.objects.select_for_update(of=("self",)).filter(closed_at=None)
        for alert in open_ones.select_related("database", "rule"):
            known[alert.rule_id][alert.database_id, alert.about] = alert
        now = _read_now(known, at=at)
        for rule in rules:
            try:
                with transaction.atomic():
                    _follow(rule, now, known.pop(rule.pk, {}))
            except Exception:
                # One rule that stumbles is no reason to keep silent of all the others.
                logger.exception("alert rule %s", rule.pk)
        # Of rules that were switched off nobody hears any more.
        for left in known.values():
            _close(left.values(), at=at)
        return BackupAlert.objects.filter(closed_at=None).count()


def _read_now(known: Mapping[int, Known], *, at: datetime) -> "_Now":
    alerts = [alert for each in known.values() for alert in each.values()]
    oldest = min((alert.opened_at for alert in alerts), default=at)
    checks = BackupCheck.objects.filter(
        ~Q(state=CheckState.OK) | Q(database__in={alert.database_id for alert in alerts})
    )
    return _Now(
        at=at,
        checks={
            (row.database_id, row.name): row
            for row in checks.select_related("database").order_by("pk")
        },
        silences=list(Silence.objects.filter(begins_at__lte=at, ends_at__gt=oldest)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """What is so at this moment: all that is not ok, and what alerts are open about."""

    at: datetime
    checks: Mapping[Key, BackupCheck]
    # Those that hold, and those that have ended since the oldest open alert.
    silences: Sequence[Silence]

    def is_silenced(self, found: BackupCheck) -> bool:
        return any(each.ends_at > self.at and _covers(each, found) for each in self.silences)

    def heard_since(self, alert: BackupAlert, found: BackupCheck) -> datetime:
        """Return since when somebody could have heard of an alert: its silences are over."""
        ends = [each.ends_at for each in self.silences if _covers(each, found)]
        return max([alert.opened_at, *(end for end in ends if end <= self.at)])


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def _follow(rule: AlertRule, now: _Now, known: Known) -> None:
    news, at = News(rule), now.at
    for key, found in now.checks.items():
        if found.state == CheckState.OK or not _is_meant(rule, found):
            continue
        alert = known.get(key)
        if alert is not None and _is_worse(rule, alert, found):
            # Whoever knew of the lesser one does not know of this.
            _close([known.pop(key)], at=at)
            alert = _opened(rule, found, at=at)
        elif alert is not None:
            if found.state not in (*rule.states, CheckState.UNKNOWN):
                continue
            known.pop(key)
            _note_state(rule, alert, found)
        elif found.state in rule.states and at - _since(rule, found, at=at) >= rule.lasts:
            alert = _opened(rule, found, at=at)
        if alert is not None and not now.is_silenced(found):
            _note_news(news, alert, found, now)
    _end(news, known, now)
    tell(news, at=at)


def _is_meant(rule: AlertRule, found: BackupCheck) -> bool:
    return (rule.database_id is None or rule.database_id == found.database_id) and (
        not rule.checks or found.name in rule.checks
    )


def _is_worse(rule: AlertRule, alert: BackupAlert, found: BackupCheck) -> bool:
    is_grave = found.state == CheckState.CRITICAL and found.state in rule.states
    return is_grave and alert.state != CheckState.CRITICAL


def _since(rule: AlertRule, found: BackupCheck, *, at: datetime) -> datetime:
    """Return since when it is in one of the rule's states, though it went from one to another."""
    if len(rule.states) == 1 or at - found.since_at >= rule.lasts:
        return found.since_at
    changes = BackupCheckChange.objects.filter(database=found.database, name=found.name).order_by()
    other = changes.exclude(state__in=rule.states).aggregate(at=Max("at"))["at"]
    same = changes.filter(at__gt=other) if other is not None else changes
    return same.aggregate(at=Min("at"))["at"] or found.since_at


def _opened(rule: AlertRule, found: BackupCheck, *, at: datetime) -> BackupAlert:
    return BackupAlert.objects.create(
        rule=rule,
        database=found.database,
        about=found.name,
        state=found.state,
        words=found.words,
        opened_at=at,
    )


def _note_state(rule: AlertRule, alert: BackupAlert, found: BackupCheck) -> None:
    """Keep what is so now; what cannot be looked at now stays what it was."""
    if found.state not in rule.states or found.state == CheckState.UNKNOWN != alert.state:
        return
    if (alert.state, alert.words) != (found.state, found.words):
        alert.state, alert.words = found.state, found.words
        alert.save(update_fields=["state", "words"])


def _covers(silence: Silence, found: BackupCheck) -> bool:
    return (silence.database_id is None or silence.database_id == found.database_id) and (
        not silence.checks or found.name in silence.checks
    )


def _note_news(news: News, alert: BackupAlert, found: BackupCheck, now: _Now) -> None:
    rule, at = news.rule, now.at
    if rule.declares_incident and alert.told_at is None and alert.incident_id is None:
        _declare(alert, found, at=at)
    if alert.told_at is None:
        news.new.append((alert, found))
    elif alert.acknowledged_at is None:
        is_time = rule.remind_every is not None and at - alert.told_at >= rule.remind_every
        waits, heard = rule.escalate_after, now.heard_since(alert, found)
        if waits is not None and alert.escalated_at is None and at - heard >= waits:
            news.escalated.append((alert, found))
        elif is_time:
            news.again.append((alert, found))


def _end(news: News, left: Known, now: _Now) -> None:
    """Close what is over, and tell so of what was told; what the rule no longer means, quietly."""
    over = []
    for key, alert in left.items():
        found = now.checks.get(key)
        if found is not None and found.state != alert.state and _is_meant(news.rule, found):
            if found.since_at > now.at - CALM:
                continue
            # Of what is worse now, the rule for that tells.
            if alert.told_at is not None and found.state != CheckState.CRITICAL:
                news.over.append((alert, found))
        over.append(alert)
    _close(over, at=now.at)


def _close(alerts: Iterable[BackupAlert], *, at: datetime) -> None:
    for alert in alerts:
        alert.closed_at = at
        alert.save(update_fields=["closed_at"])


def _declare(alert: BackupAlert, found: BackupCheck, *, at: datetime) -> None:
    """Declare an incident for staff; the customers' page says nothing until somebody decides."""
    key = f"backup-check:{found.database_id}:{found.name}"
    label = BackupCheckName(found.name).label
    try:
        alert.incident = declare_incident(
            title=f"Backups of {found.database}: {label}"[:140],
            summary=f"{found.words} {found.advice}",
            severity=Severity(alert.rule.severity),
            kind=IncidentKind.LIVE,
            visibility=Visibility.INTERNAL,
            source=Source.JOB,
            dedup_key=key,
            author=None,
            at=at,
        )
    except AlreadyDeclared:
        alert.incident = next(iter(open_with_key(key)), None)
    alert.save(update_fields=["incident"])
