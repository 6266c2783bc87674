"""Tags and filters for what the record holds: times in a zone, durations, amounts, messages."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents import wording
from incidents.cadence import LONG, PHASES
from incidents.models import ActionItem, Incident, TimelineEntry, VendorCase
from incidents.spans import Span
from incidents.values import (
    ActionState,
    CaseState,
    ComponentStatus,
    Precision,
    Severity,
    When,
    zone,
)

register = template.Library()

_NOTICEABLE = timedelta(minutes=2)

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000


@register.simple_tag
def moment(at: datetime | None, tz: str = "UTC", style: str = "full") -> str:
    """Write a moment in a zone, with UTC behind it.

    ``style``: full, exact (with seconds), clock or day.
    """
    if at is None:
        return _("not known")
    return _tagged(at, _written(at.astimezone(zone(tz)), style))


@register.simple_tag
def when(row: Any, tz: str = "UTC", prefix: str = "", style: str = "full") -> str:
    """Write the time that a row keeps, as exact as it is known, in a zone."""
    stated = When.of(row, prefix)
    if stated.at is None:
        return stated.said or _("time not known")
    if stated.precision not in (Precision.MINUTE, Precision.HOUR):
        return _coarse(stated, tz)
    start = stated.at.astimezone(zone(tz))
    words = _written(start, style)
    if stated.until is not None:
        end = stated.until.astimezone(zone(tz))
        words += " – " + _written(end, "clock" if end.date() == start.date() else "full")
    return _tagged(stated.at, _about(stated) + words, until=stated.until, said=stated.said)


@register.filter
def duration(span: timedelta | Span | None) -> str:
    """Write a stretch of time in its two largest units: 8 h 00 min; of a range, both ends."""
    if span is None:
        return _("not known")
    if isinstance(span, Span):
        low, high = _lasting(span.low), _lasting(span.high)
        return low if span.is_exact else _("%(low)s to %(high)s") % {"low": low, "high": high}
    return _lasting(span)


def _lasting(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    if seconds < _MINUTE:
        return f"{sign}{seconds} s"
    if seconds < _HOUR:
        return f"{sign}{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{sign}{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{sign}{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


@register.filter
def basis_words(basis: str) -> str:
    """Say what an estimate rests on."""
    return wording.basis_words(basis)


@register.simple_tag
def span(began_at: datetime, ended_at: datetime) -> str:
    """Write how long something took."""
    return duration(ended_at - began_at)


@register.filter
def restore_number(key: str) -> int | None:
    """Return the number of the restore that goes by this key in the record; None for other jobs."""
    name, _dash, number = key.partition("-")
    return int(number) if name == "restore" and number.isdecimal() else None


@register.simple_tag
def away(at: datetime | None, now: datetime) -> str:
    """Say how far off a moment is: in 12 min, or 4 min ago."""
    if at is None:
        return ""
    if at >= now:
        return _("in %s") % duration(at - now)
    return _("%s ago") % duration(now - at)


@register.simple_tag
def zone_label(tz: str) -> str:
    """Return the name of a zone as a person reads it; a narrow column may break it at its slash."""
    return tz.replace("_", " ").replace("/", "/\u200b") or "UTC"


@register.simple_tag
def amount(done: float | None, unit: str = "") -> str:
    """Write what was counted, in its unit."""
    if done is None:
        return "?"
    if unit == "bytes":
        return _bytes(done)
    if unit == "items":
        return ngettext("%(count)s item", "%(count)s items", int(done)) % {"count": f"{done:,.0f}"}
    return f"{done:,.0f}"


@register.filter
def recorded_later(entry: TimelineEntry) -> bool:
    """Tell whether an entry was written down noticeably after what it tells of."""
    last = entry.until or entry.at
    return last is None or abs(entry.recorded_at - last) > _NOTICEABLE


@register.filter
def author_of(entry: TimelineEntry) -> str:
    """Return who speaks in an entry: a person, or what stood in for one."""
    if entry.created_by:
        return entry.created_by.label()
    return entry.actor_label or entry.get_source_display()


@register.filter
def lasted(incident: Incident) -> timedelta | None:
    """Return how long an incident lasted; None while it lasts, or if its start is not known."""
    if incident.started_at is None or incident.resolved_at is None:
        return None
    return incident.resolved_at - incident.started_at


@register.filter
def overdue(action: ActionItem, now: datetime) -> bool:
    """Tell whether all of an action item's due time has passed and it is not finished."""
    return action.is_overdue(at=now)


@register.filter
def late_at(case: VendorCase, now: datetime) -> bool:
    """Tell whether a vendor's promise has passed while the case is still theirs."""
    return case.is_late(at=now)


@register.filter
def case_state(state: str) -> str:
    """Say in words how a support case stood."""
    return str(dict(CaseState.choices).get(state, state))


@register.filter
def ticket(url: str) -> str:
    """Return what to call an address in a tracker: its end, behind which people know it."""
    return url.rstrip("/").rsplit("/", 1)[-1][:40] or url


@register.filter
def states(_action: ActionItem) -> list[tuple[str, str]]:
    """Return the states to which an action item can be moved."""
    return [(value, str(label)) for value, label in ActionState.choices]


@register.filter
def past(data: Mapping[str, Any], tz: str) -> str:
    """Write the time and state that a revision holds."""
    if state := data.get("state"):
        return str(dict(ActionState.choices).get(state, state))
    start = data.get("at")
    if not start:
        return str(data.get("said") or _("time not known"))
    words = _written(datetime.fromisoformat(start).astimezone(zone(tz)), "full")
    if until := data.get("until"):
        words += " – " + _written(datetime.fromisoformat(until).astimezone(zone(tz)), "full")
    return words


@register.filter
def intervals(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stretches that a component's revision holds."""
    return [
        {
            "status": status,
            "words": ComponentStatus(status).label,
            "began_at": datetime.fromisoformat(began_at),
            "ended_at": datetime.fromisoformat(ended_at) if ended_at else None,
        }
        for status, began_at, ended_at in data["history"]
    ]


@register.filter
def planned_window(data: Mapping[str, Any], tz: str) -> str:
    """Write the time for which a revision says that work was planned."""
    begins, ends = (
        _written(datetime.fromisoformat(data[name]).astimezone(zone(tz)), "full")
        for name in ("scheduled_for", "scheduled_until")
    )
    return f"{begins} – {ends}"


@register.filter
def past_role(data: Mapping[str, Any], tz: str) -> str:
    """Write from when until when a revision says that somebody held a role."""
    start, end = (
        data[name] and _written(datetime.fromisoformat(data[name]).astimezone(zone(tz)), "full")
        for name in ("from_at", "until_at")
    )
    return f"{start} – {end}" if end else _("since %s") % start


@register.filter
def cadence_rows(kept: Mapping[str, int]) -> list[tuple[str, list[int]]]:
    """Return the cadence that a revision holds: each severity with its minutes, as in the table."""
    return [
        (severity.upper(), [kept[f"{severity}:{phase}"] for phase in (*PHASES, LONG)])
        for severity in Severity
    ]


@register.filter
def shortened(text: str, most: int) -> str:
    """Cut a text that is too long, and show that it goes on. Django's filter reads every sign."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


@register.filter
def humane(code: str) -> str:
    """Write a code as words."""
    return code.replace("_", " ").capitalize()


def _bytes(count: float) -> str:
    """Write bytes in the decimal units of the status page, so that both say the same."""
    power = 0
    while count >= _THOUSAND and power < len(_UNITS) - 1:
        count /= _THOUSAND
        power += 1
    return f"{count:.{1 if power and count < _THOUSAND / 10 else 0}f} {_UNITS[power]}"


def _written(local: datetime, style: str) -> str:
    match style:
        case "clock":
            return f"{local:%H:%M}"
        case "day":
            return f"{local.day} {local:%B %Y}"
        case "exact":
            return f"{local.day} {local:%b %Y, %H:%M:%S}"
    return f"{local.day} {local:%b %Y, %H:%M}"


def _coarse(stated: When, tz: str) -> str:
    """Write a time that is known to the day, month, quarter or year."""
    assert stated.at is not None
    words = _rounded(stated.at.astimezone(zone(stated.tz or tz)), stated.precision)
    if stated.until is not None:
        until = _rounded(stated.until.astimezone(zone(stated.tz or tz)), stated.precision)
        words = words if until == words else f"{words} – {until}"
    return format_html('<span title="{}">{}{}</span>', stated.said, _about(stated), words)


def _rounded(local: datetime, precision: str) -> str:
    match precision:
        case Precision.YEAR:
            return f"{local:%Y}"
        case Precision.QUARTER:
            return f"Q{(local.month + 2) // 3} {local:%Y}"
        case Precision.MONTH:
            return f"{local:%B %Y}"
    return f"{local.day} {local:%b %Y}"


def _about(stated: When) -> str:
    return _("about ") if stated.approx else ""


def _tagged(
    at: datetime, words: str, *, until: datetime | None = None, said: str = ""
) -> SafeString:
    """Return a time element: the words to read, UTC and the source's words behind them."""
    universal = f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
    if until is not None:
        universal += f" – {until.astimezone(UTC):%Y-%m-%d %H:%M}"
    title = f"{universal} UTC" + (f", “{said}”" if said else "")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds"),
        title,
        words,
    )
