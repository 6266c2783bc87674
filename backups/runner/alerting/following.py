"""Following what the checks found: alerts opened, told, reminded of, escalated, and closed."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q

from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheck,
    BackupCheckChange,
    CheckState,
    Database,
    Silence,
)
from backups.options.words import duration
from backups.queries.dashboard import LOOK_HOLDS
from backups.runner.alerting.declaring import declare_found
from backups.runner.alerting.telling import News, tell
from backups.runner.watching.base import REVIEWS_DUE
from incidents.values import Severity

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
_WORDS = BackupAlert._meta.get_field("words").max_length or 0

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
        ~Q(state=CheckState.OK)
        | Q(looked_at__lt=at - LOOK_HOLDS)
        | Q(database__in={alert.database_id for alert in alerts}),
        database__unregistered_at=None,
    )
    return _Now(
        at=at,
        checks={
            (row.database_id, row.name): _as_of_now(row, at=at)
            for row in checks.select_related("database").order_by("pk")
        },
        silences=list(Silence.objects.filter(begins_at__lte=at, ends_at__gt=oldest)),
    )


def _as_of_now(found: BackupCheck, *, at: datetime) -> BackupCheck:
    """Return what a check says now: what was well, and nobody looks at any more, is not known."""
    if found.state == CheckState.OK and at - found.looked_at > LOOK_HOLDS:
        found.state, found.since_at = CheckState.UNKNOWN, found.looked_at
        found.words = f"Nobody has looked for {duration(at - found.looked_at)}."
        found.advice = "See that the beat and a worker run, and what the worker's log says of it."
    return found


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
    restless = _restless(rule, at=at)
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
        elif found.state in rule.states and _has_lasted(rule, found, restless, at=at):
            alert = _opened(rule, found, at=at)
        if alert is not None and not now.is_silenced(found):
            _note_news(news, alert, found, now)
    _end(news, known, now)
    declare_found(rule, news.declared, at=at)
    tell(news, at=at)


def _is_meant(rule: AlertRule, found: BackupCheck) -> bool:
    return (rule.database_id is None or rule.database_id == found.database_id) and (
        not rule.checks or found.name in rule.checks
    )


def _has_lasted(
    rule: AlertRule, found: BackupCheck, restless: Collection[Key], *, at: datetime
) -> bool:
    """Whether it is so for as long as the rule waits. A day of review that has come waits for none.

    Somebody set that day to be told on it.
    """
    return REVIEWS_DUE in found.evidence or at - _since(rule, found, restless, at=at) >= rule.lasts


def _is_worse(rule: AlertRule, alert: BackupAlert, found: BackupCheck) -> bool:
    is_grave = found.state == CheckState.CRITICAL and found.state in rule.states
    return is_grave and alert.state != CheckState.CRITICAL


def _restless(rule: AlertRule, *, at: datetime) -> set[Key]:
    """Return what changed its state more than once of late, in one question."""
    late = BackupCheckChange.objects.filter(at__gt=at - rule.lasts).order_by()
    turned = late.values("database_id", "name").annotate(times=Count("pk")).filter(times__gt=1)
    return set(turned.values_list("database_id", "name"))


def _since(
    rule: AlertRule, found: BackupCheck, restless: Collection[Key], *, at: datetime
) -> datetime:
    """Return since when it is in one of the rule's states, though it went from one to another.

    Nor does it end because it could not be looked at in between: a storage that answers every other
    time keeps nobody from hearing what is critical.
    """
    is_plain = len(rule.states) == 1 and (found.database_id, found.name) not in restless
    if is_plain or at - found.since_at >= rule.lasts:
        return found.since_at
    changes = BackupCheckChange.objects.filter(database=found.database, name=found.name).order_by()
    others = changes.exclude(state__in=[*rule.states, CheckState.UNKNOWN])
    other = others.aggregate(at=Max("at"))["at"]
    same = changes.filter(state__in=rule.states)
    if other is not None:
        same = same.filter(at__gt=other)
    return same.aggregate(at=Min("at"))["at"] or found.since_at


def _opened(rule: AlertRule, found: BackupCheck, *, at: datetime) -> BackupAlert:
    # Whoever said that he knows said it of the finding, whichever rule told him.
    same = BackupAlert.objects.filter(
        closed_at=None, acknowledged_at__isnull=False, database=found.database, about=found.name
    )
    known = same.filter(state__in=[found.state, CheckState.CRITICAL]).first()
    return BackupAlert.objects.create(
        rule=rule,
        database=found.database,
        about=found.name,
        state=found.state,
        words=found.words,
        opened_at=at,
        acknowledged_at=known.acknowledged_at if known else None,
        acknowledged_by=known.acknowledged_by if known else None,
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
        news.declared.append((alert, found))
    if alert.acknowledged_at is not None:
        return
    if alert.told_at is None:
        news.new.append((alert, found))
    else:
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


def hold_alerts() -> None:
    """Wait until nobody tells of alerts, and keep it so to the end of the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def close_alerts_of(database: Database, *, because: str, at: datetime) -> list[BackupAlert]:
    """Close what is open of a database without telling anybody; the reason is kept with each.

    Returned are those that were closed. The caller has them held.
    """
    rows = BackupAlert.objects.select_for_update(of=("self",)).filter(closed_at=None)
    alerts = list(rows.filter(database=database).order_by("pk"))
    for alert in alerts:
        alert.words = f"{alert.words[: _WORDS - len(because) - 1]} {because}"
        alert.closed_at = max(at, alert.opened_at)
        alert.save(update_fields=["words", "closed_at"])
    return alerts


def _close(alerts: Iterable[BackupAlert], *, at: datetime) -> None:
    for alert in alerts:
        alert.closed_at = at
        alert.save(update_fields=["closed_at"])
