"""What the clock tells staff of: what falls due, what stands empty, who has been up for long."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial

from accounts.models import User
from incidents import notice_words, operations, queries
from incidents.models import (
    ActionItem,
    DeskRules,
    Incident,
    Notice,
    Postmortem,
    SeverityRule,
    TimelineEntry,
    TrackerIssue,
)
from incidents.notice_words import Words
from incidents.operations.notices.telling import commander_of, holders, members_of, tell
from incidents.values import IncidentKind, NoticeKind, Role, Severity, When, zone

_AGAIN_ON_DUTY = timedelta(hours=2)
_WEEK = timedelta(days=7)
# What falls due on a day is told in its morning, where the incident is at home.
_MORNING = time(9)
_POSTMORTEM_AGAIN = timedelta(days=2)
# Who has not written it by then will not be brought to it by a mail.
_POSTMORTEM_NO_MORE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    """Something to tell, if it has not been told."""

    incident: Incident
    kind: NoticeKind
    fact: str
    words: Words
    people: Callable[[], Iterable[User]]
    in_channels: bool | None = True

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.fact}"


def tell_what_is_due(*, at: datetime) -> int:
    """Tell of promises that fall due, roles that stand empty, and people long on duty.

    Returns how many facts were told now. Safe to be called by several at once, and again.
    """
    reminded = operations.remind_of_promises(at=at)
    return reminded + _tell_new([*_empty(at), *_long(at)], at=at)


def tell_what_is_overdue(*, at: datetime) -> int:
    """Tell of action items and postmortems on the day they are due, and again while they are late.

    Of a tracker to which they do not get, too: once a day.

    Returns how many facts were told now. Safe to be called by several at once, and again.
    """
    return _tell_new([*_actions(at), *_postmortems(at), *_trackers(at)], at=at)


def _tell_new(facts: Iterable[_Fact], *, at: datetime) -> int:
    """Tell those that have not been told. One question for all of them."""
    found = {fact.key: fact for fact in facts}
    known = set(Notice.objects.filter(key__in=found).values_list("key", flat=True))
    return sum(
        tell(
            fact.incident,
            kind=fact.kind,
            fact=fact.fact,
            words=fact.words,
            people=fact.people(),
            in_channels=fact.in_channels,
            at=at,
        )
        for key, fact in found.items()
        if key not in known
    )


def _empty(at: datetime) -> Iterator[_Fact]:
    """Yield the roles that nobody holds. A part of another incident, or its double, needs none."""
    for empty in queries.empty_roles(at):
        incident = empty.incident
        if incident.parent_id or incident.duplicate_of_id or _is_past(incident):
            continue
        yield _Fact(
            incident=incident,
            kind=NoticeKind.ROLE_EMPTY,
            fact=f"{incident.pk}:{empty.role}:{empty.since:%Y%m%dT%H%M%S}",
            words=notice_words.role_empty(empty.role, empty.since, tz=incident.tz, at=at),
            people=partial(_those_there, incident),
        )


def _those_there(incident: Incident) -> list[User]:
    """Return the commander, or whoever else holds a role, or may know of a private incident."""
    held = holders(incident)
    return commander_of(held) or list(held.values()) or list(members_of(incident))


def _long(at: datetime) -> Iterator[_Fact]:
    """Yield who has held roles for longer than is good."""
    limit = DeskRules.objects.in_force().duty_limit
    for long in queries.long_on_duty(at):
        incident, person, spent = long.incident, long.person, long.duty
        if _is_past(incident):
            continue
        times = (spent.stretch - limit) // _AGAIN_ON_DUTY
        yield _Fact(
            incident=incident,
            kind=NoticeKind.DUTY_LONG,
            fact=f"{incident.pk}:{person.pk}:{spent.since:%Y%m%dT%H%M%S}:{times}",
            words=notice_words.duty_long(person.label(), spent.stretch),
            people=partial(_person_and_commander, incident, person),
        )


def _is_past(incident: Incident) -> bool:
    """Whether it is being written down, long after it was over."""
    return incident.kind == IncidentKind.BACKFILLED


def _person_and_commander(incident: Incident, person: User) -> list[User]:
    return [person, *commander_of(holders(incident))]


def _actions(at: datetime) -> Iterator[_Fact]:
    """Yield what is due: the owner hears at first, after a week the commander and the team, too."""
    begun = ActionItem.objects.unfinished().filter(due_at__lte=at + timedelta(days=1))
    for action in begun.select_related("incident", "owner").order_by("pk"):
        last = When.of(action, "due_").latest
        if last is None:
            continue
        # The day that the due time falls on; a whole day, month or quarter ends at its midnight.
        tz = action.due_tz or action.incident.tz
        day = (last - timedelta(microseconds=1)).astimezone(zone(tz)).date()
        morning = datetime.combine(day, _MORNING, zone(tz))
        if at < morning:
            continue
        weeks = (at - morning) // _WEEK
        if _is_past(action.incident) and action.created_at > morning + weeks * _WEEK:
            # It was written down late, with a past of its own: who wrote it knows.
            continue
        is_new = weeks == 0
        yield _Fact(
            incident=action.incident,
            kind=NoticeKind.ACTION_OVERDUE,
            fact=f"{action.pk}:{day}:{weeks}",
            words=notice_words.action_overdue(action, (at.astimezone(zone(tz)).date() - day).days),
            people=partial(_answerable, action, is_new=is_new),
            in_channels=None if is_new else True,
        )


def _trackers(at: datetime) -> Iterator[_Fact]:
    """Yield the trackers to which action items do not get without somebody's help."""
    stuck: dict[int, list[TrackerIssue]] = {}
    for issue in TrackerIssue.objects.stuck().order_by("pk"):
        stuck.setdefault(issue.tracker_id, []).append(issue)
    for issues in stuck.values():
        first = issues[0]
        author = first.tracker.created_by
        yield _Fact(
            incident=first.action.incident,
            kind=NoticeKind.TRACKER_STUCK,
            fact=f"{first.tracker_id}:{at:%Y-%m-%d}",
            words=notice_words.tracker_stuck(first.tracker, len(issues), first.last_words),
            people=partial(_answerable, first.action, is_new=True)
            if author is None
            else partial(list, [author]),
            in_channels=None,
        )


def _answerable(action: ActionItem, *, is_new: bool) -> list[User]:
    owner = [action.owner] if action.owner else []
    return owner if is_new else [*owner, *_commanded(action.incident)]


def _commanded(incident: Incident) -> list[User]:
    """Return who commands an incident, or did last."""
    last = incident.roles.filter(role=Role.COMMANDER).order_by("-from_at", "-pk").first()
    return [last.holder] if last else []


def _postmortems(at: datetime) -> Iterator[_Fact]:
    """Yield the incidents whose account is due."""
    for severity in Severity:
        days = SeverityRule.objects.in_force(severity).postmortem_days
        if days is not None:
            yield from _accounts_due(severity, days, at)


def _accounts_due(severity: Severity, days: int, at: datetime) -> Iterator[_Fact]:
    within = timedelta(days=days)
    ended = Incident.objects.filter(
        kind=IncidentKind.LIVE,
        severity=severity,
        duplicate_of=None,
        resolved_at__gt=at - within - _POSTMORTEM_NO_MORE,
        resolved_at__lte=at - within + timedelta(days=1),
    ).exclude(pk__in=TimelineEntry.objects.of_false_alarms().values("incident"))
    # One that is only begun is still due.
    ended = ended.exclude(pk__in=Postmortem.objects.written().values("incident"))
    for incident in ended.order_by("pk"):
        assert incident.resolved_at is not None
        there = zone(incident.tz)
        day = (incident.resolved_at + within).astimezone(there).date()
        due = datetime.combine(day, _MORNING, there)
        if at < due:
            continue
        again = at >= due + _POSTMORTEM_AGAIN
        yield _Fact(
            incident=incident,
            kind=NoticeKind.POSTMORTEM_DUE,
            fact=f"{incident.pk}:{day}:{int(again)}",
            words=notice_words.postmortem_due(days),
            people=partial(_commanded, incident),
        )
