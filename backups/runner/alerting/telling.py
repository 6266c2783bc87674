"""What staff are told of alerts, and where: one message for each room, however many alerts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from backups.models import AlertRule, BackupAlert, BackupCheck, CheckState
from backups.options.words import duration
from incidents.models import NoticeChannel
from notifications import outbox
from notifications.models import Channel

# So many are told one by one in a message; of the rest their number.
MOST_LINES = 12

_GRAVITY = (CheckState.CRITICAL, CheckState.UNKNOWN, CheckState.WARNING, CheckState.OK)

Finding = tuple[BackupAlert, BackupCheck]


@dataclass(slots=True)
class News:
    """What one rule has to tell at one moment."""

    rule: AlertRule
    new: list[Finding] = field(default_factory=list)
    again: list[Finding] = field(default_factory=list)
    escalated: list[Finding] = field(default_factory=list)
    over: list[Finding] = field(default_factory=list)
    # Those that an incident is to be declared of.
    declared: list[Finding] = field(default_factory=list)


def tell(news: News, *, at: datetime) -> None:
    """Queue the messages, in the caller's transaction, and write down that they were.

    Where no room hears of it, nobody was told: the first one that does is.
    """
    rule = news.rule
    rooms = rooms_of(rule)
    for kind, findings in (("new", news.new), ("again", news.again)):
        if findings and rooms:
            _queue(rule, rooms, kind, findings, at=at)
            _note_told(findings, at=at)
    higher = list(rule.escalate_to.filter(is_enabled=True).order_by("pk")) or rooms
    if news.escalated and higher:
        _queue(rule, higher, "escalated", news.escalated, at=at)
        for alert, _found in news.escalated:
            alert.escalated_at = at
            alert.save(update_fields=["escalated_at"])
        _note_told(news.escalated, at=at)
    if news.over:
        _send_over(news.over, rooms, key=f"over-{rule.pk}-{at:%Y%m%dT%H%M%S.%f}", at=at)


def _send_over(
    over: Sequence[Finding], rooms: Sequence[NoticeChannel], *, key: str, at: datetime
) -> None:
    alerts = [alert for alert, _found in over]
    is_well = all(found.state == CheckState.OK for _alert, found in over)
    subject = _counted(len(over), "{0.database}: {0.title}", alerts)
    lines = [
        f"{found.database}: {alert.title}: {str(found.get_state_display()).lower()} now"
        for alert, found in over[:MOST_LINES]
    ]
    _send(
        rooms,
        subject=f"{'Over' if is_well else 'Less grave'}: {subject}",
        body="\n".join([*lines, *_rest(len(over)), "", _link()]),
        key=key,
        about=f"backup-alert-{alerts[0].pk}",
        at=at,
    )


def rooms_of(rule: AlertRule) -> list[NoticeChannel]:
    """Return who hears of a rule's alerts: those it names, or all that hear of its severity."""
    named = list(rule.channels.filter(is_enabled=True).order_by("pk"))
    if named or rule.channels.exists():
        return named
    heard = NoticeChannel.objects.filter(is_enabled=True, least_severity__gte=rule.severity)
    return list(heard.order_by("pk"))


def _queue(
    rule: AlertRule,
    rooms: Sequence[NoticeChannel],
    kind: str,
    findings: Sequence[Finding],
    *,
    at: datetime,
) -> None:
    # Of a storm not all are told one by one: the gravest are.
    findings = sorted(findings, key=lambda each: _GRAVITY.index(CheckState(each[1].state)))
    opening = {"new": "", "again": "Still so: ", "escalated": "Nobody has taken it: "}[kind]
    alerts = [alert for alert, _found in findings]
    subject = _counted(len(findings), "{0.database}: {0.title}", alerts)
    subject += _of_them_critical([found for _alert, found in findings])
    _send(
        rooms,
        subject=f"{opening}[{rule.severity.upper()}] {subject}",
        body="\n".join([*_lines(findings, at=at), *_rest(len(findings)), _link()]),
        key=f"{kind}-{rule.pk}-{at:%Y%m%dT%H%M%S.%f}",
        about=f"backup-alert-{alerts[0].pk}",
        at=at,
    )


def _counted(count: int, one: str, alerts: Sequence[BackupAlert]) -> str:
    """Say one by its name, and a storm by its number."""
    if count == 1:
        return one.format(alerts[0])
    databases = {str(alert.database) for alert in alerts}
    many = f"{len(databases)} database{'' if len(databases) == 1 else 's'}"
    return f"{count} findings in {many}"


def _of_them_critical(findings: Sequence[BackupCheck]) -> str:
    """Say how many are critical where others are among them."""
    grave = sum(found.state == CheckState.CRITICAL for found in findings)
    return f", {grave} of them critical" if 0 < grave < len(findings) else ""


def _lines(findings: Sequence[Finding], *, at: datetime) -> Iterator[str]:
    for alert, found in findings[:MOST_LINES]:
        yield f"{found.database}: {alert.title}: {found.get_state_display()}"
        yield f"{found.words} It has been so for {duration(at - found.since_at)}."
        yield found.advice
        yield ""


def _rest(count: int) -> Iterator[str]:
    if count > MOST_LINES:
        yield f"And {count - MOST_LINES} more."
        yield ""


def _link() -> str:
    return f"{settings.DESK_URL}{reverse('backups:alert-list')}"


def _note_told(findings: Sequence[Finding], *, at: datetime) -> None:
    for alert, _found in findings:
        alert.told_at, alert.times_told = at, alert.times_told + 1
        alert.save(update_fields=["told_at", "times_told"])


def _send(
    rooms: Sequence[NoticeChannel], *, subject: str, body: str, key: str, about: str, at: datetime
) -> None:
    for room in rooms:
        outbox.enqueue(
            channel=Channel(room.channel),
            recipient=room.address,
            signing_key_id=room.signing_key_id,
            headers={"type": "backup.alert"},
            subject=subject,
            body=body,
            idempotency_key=f"backups-{key}-to-channel-{room.pk}",
            about=about,
            at=at,
        )
