"""What staff are told, in words: a subject for a list of mails, and a few lines behind it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.text import Truncator

from incidents.models import ActionItem, Incident, Promise, Tracker
from incidents.values import NoticeKind, PromiseKind, Role, zone

_LONGEST_SUBJECT = 200
_HOUR, _MINUTE = 3600, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The news in one line without a full stop, and what to know or do about it.

    ``place``: where on the incident's page that is, as the end of an address.
    """

    news: str
    advice: str
    place: str = ""


def subject(incident: Incident, kind: NoticeKind, words: Words) -> str:
    """Return the line that a list of mails shows. A private incident is its number, no more."""
    drill = "Drill: " if incident.is_drill else ""
    if incident.is_private:
        return f"{drill}[{incident.ref}] {kind.label}"
    said = f"{drill}[{incident.ref} {incident.severity.upper()}] {words.news}: {incident.title}"
    return Truncator(said).chars(_LONGEST_SUBJECT)


def body(incident: Incident, words: Words, *, desk_url: str) -> str:
    """Return the message, with the way to the incident."""
    drill = "This is a drill.\n\n" if incident.is_drill else ""
    link = f"{desk_url}{incident.get_absolute_url()}{words.place}"
    return f"{drill}{words.news}. {words.advice}\n\n{link}\n"


def declared(name: str) -> Words:
    """``name``: who declared it; empty for an alert."""
    by = f"{name} commands it" if name else "An alert declared it, and nobody commands it yet"
    return Words(news="Incident declared", advice=f"{by}.")


def approval_wanted(name: str) -> Words:
    """``name``: whose update it is; empty for a job's."""
    return Words(
        news="An update waits for approval",
        advice=f"{name or 'A job'} asks somebody else to read it before customers do.",
    )


def update_returned(name: str, reason: str) -> Words:
    """``name``: who gave it back; empty where nobody is named."""
    return Words(
        news="Your update is given back",
        advice=f"{name or 'Somebody'} did not approve it: “{reason}” It is a draft again, and "
        "customers have not read it.",
    )


def promise_due(promise: Promise, *, tz: str, at: datetime) -> Words:
    """Say that a promise is about to fall due."""
    due = clock(promise.expires_at or at, tz=tz, at=at)
    if promise.kind == PromiseKind.NEXT_UPDATE:
        return Words(
            news=f"Customers expect an update by {due}",
            advice="Nothing new is news, too: say what is being tried, and when they hear next.",
        )
    return Words(
        news=f"The ETA runs out at {due}",
        advice="Tell customers that it holds, or give them another one before it passes.",
    )


def promise_missed(promise: Promise, *, tz: str, at: datetime) -> Words:
    """Say that a promise was not kept."""
    due = promise.due_said or clock(promise.expires_at or at, tz=tz, at=at)
    if promise.kind == PromiseKind.NEXT_UPDATE:
        return Words(
            news="The promised update is late",
            advice=f"Customers were told to expect one by {due}, and the page says so.",
        )
    return Words(
        news="An ETA was missed",
        advice=f"Customers were told {due}. Tell them what to expect now.",
    )


def role_empty(role: Role, since: datetime, *, tz: str, at: datetime) -> Words:
    """Say that nobody holds a role."""
    return Words(
        news=f"No {str(role.label).lower()}",
        advice=f"Nobody has held the role since {clock(since, tz=tz, at=at)}. "
        "Take it, or give it to somebody.",
    )


def duty_long(name: str, lasted: timedelta) -> Words:
    """Say that somebody ought to rest."""
    return Words(
        news=f"{name} has been on duty for {span(lasted)}",
        advice="Hand over while there is somebody fresh to hand over to.",
    )


def action_overdue(action: ActionItem, days: int) -> Words:
    """``days``: how many have gone by since the one on which it was due."""
    news = f"An action item is {days} days overdue" if days > 0 else "An action item is due today"
    owner = action.owner_name or "nobody"
    said = f"“{action.text[:300]}” Its owner: {owner}. It was due {due_words(action)}."
    return Words(news=news, advice=said, place=f"#a{action.pk}")


def due_words(action: ActionItem) -> str:
    """Return when an action item is due, as it was said, or else its last day."""
    tz = action.due_tz or action.incident.tz
    return action.due_said or (
        f"{action.due_at.astimezone(zone(tz)):%Y-%m-%d}" if action.due_at else ""
    )


def tracker_stuck(tracker: Tracker, count: int, said: str) -> Words:
    """``count``: how many of its action items do not get there; ``said``: why, of the first."""
    many = f"{count} action items do not" if count > 1 else "An action item does not"
    return Words(
        news=f"{many} reach {tracker.name}",
        advice=f"“{said}” Nothing is lost: it is tried again, or waits for you at its tracker's "
        "page, Action items, Trackers.",
        place="#actions",
    )


def postmortem_due(days: int) -> Words:
    """``days``: how long after the end it was due."""
    return Words(
        news="The postmortem is due",
        advice=f"It is asked for within {days} days of the end, while people still remember.",
    )


def review_wanted(name: str) -> Words:
    """``name``: who asks for the review of a postmortem."""
    return Words(
        news="A postmortem waits for approval",
        advice=f"{name} asks somebody to read it, and to approve it or give it back.",
    )


def review_returned(name: str, reason: str) -> Words:
    """``name``: who gave the postmortem back; empty where nobody is named."""
    return Words(
        news="Your postmortem is given back",
        advice=f"{name or 'Somebody'} did not approve it: “{reason}” It is a draft again.",
    )


def clock(moment: datetime, *, tz: str, at: datetime) -> str:
    """Return a moment in the incident's zone, the day named unless it is today's."""
    there = moment.astimezone(zone(tz))
    is_today = there.date() == at.astimezone(zone(tz)).date()
    return f"{there:%H:%M %Z}" if is_today else f"{there:%Y-%m-%d %H:%M %Z}"


def span(lasted: timedelta) -> str:
    """Return a stretch of time in hours and minutes."""
    hours, rest = divmod(int(lasted.total_seconds()), _HOUR)
    return f"{hours} h {rest // _MINUTE:02} min"
