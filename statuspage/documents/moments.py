"""Times and amounts in words and figures, in the page's zone and language, the zone named.

What these functions return stands by itself, in a list or behind a colon: no language can put it
into the middle of any sentence. Their figures are those of `incidents.spoken`.
"""

from datetime import UTC, datetime, timedelta, tzinfo

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents import spoken
from incidents.models import Promise
from incidents.spoken import amount as amount
from incidents.spoken import clock as clock
from incidents.spoken import moment as moment
from incidents.spoken import month as month
from incidents.spoken import number as number
from incidents.spoken import share as share
from incidents.spoken import zone_name as zone_name
from incidents.values import Precision, local


def iso(at: datetime, zone: tzinfo) -> str:
    """Return a time as the public API writes it: milliseconds, in the page's zone."""
    text = local(at, zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def iso_or_none(at: datetime | None, zone: tzinfo) -> str | None:
    return None if at is None else iso(at, zone)


def day(at: datetime, zone: tzinfo, *, year: bool = True) -> str:
    """Return the date: "9 January 2026"."""
    return spoken.day(local(at, zone), year=year)


def tagged(at: datetime, words: str) -> SafeString:
    """Return words in a ``time`` element, for scripts that know the visitor's zone."""
    return format_html(
        '<time datetime="{}">{}</time>', f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", words
    )


def when(at: datetime, zone: tzinfo, *, year: bool = False, seconds: bool = False) -> SafeString:
    """Return a moment in words, as an element."""
    return tagged(at, moment(at, zone, year=year, seconds=seconds))


def between(low: datetime, high: datetime, zone: tzinfo) -> SafeString:
    """Return a range of times in words, as elements; the day once where it is the same."""
    same_day = local(low, zone).date() == local(high, zone).date()
    if clock(low, zone) == clock(high, zone) and same_day:
        return format_html(_("about {moment}"), moment=when(high, zone))
    if same_day:
        return format_html(
            _("between {start} and {end} on {day}"),
            start=tagged(low, f"{local(low, zone):%H:%M}"),
            end=tagged(high, clock(high, zone)),
            day=day(high, zone, year=False),
        )
    return format_html(_("between {start} and {end}"), start=when(low, zone), end=when(high, zone))


def due(promise: Promise, zone: tzinfo) -> SafeString:
    """Return the time that was given, as exactly as it was given and no more."""
    if promise.due_at is None:
        return format_html("{}", promise.due_said or _("a time that was not said"))
    if promise.due_until is not None and promise.due_precision == Precision.MINUTE:
        return between(promise.due_at, promise.due_until, zone)
    coarse = _coarse(promise, promise.due_at, zone)
    if coarse:
        words = _("about {period}").format(period=coarse) if promise.due_approx else coarse
        return format_html("{}", words)
    exact = when(promise.due_at, zone)
    return format_html(_("about {moment}"), moment=exact) if promise.due_approx else exact


def due_by(promise: Promise, zone: tzinfo) -> SafeString:
    """Return by when something was promised: "by 9 January, 12:04 UTC"."""
    words = due(promise, zone)
    exact = promise.due_at is not None and words == when(promise.due_at, zone)
    return format_html(_("by {moment}"), moment=words) if exact else words


def _coarse(promise: Promise, at: datetime, zone: tzinfo) -> str:
    """Return the end of the day, month, quarter or year; nothing for a time that is exact."""
    here = local(at, zone)
    match promise.due_precision:
        case Precision.DAY:
            return _("the end of {day}").format(day=day(at, zone))
        case Precision.MONTH:
            return _("the end of {month}").format(month=month(here))
        case Precision.YEAR:
            return _("the end of {year}").format(year=here.year)
        case Precision.QUARTER if promise.expires_at is not None:
            last = promise.expires_at - timedelta(days=1)
            return _("the end of {day}").format(day=day(last, zone))
    return ""


def lasted(length: timedelta) -> str:
    """Return a duration spelled out, to the two largest units."""
    days, hours, minutes = _units(length)
    if days:
        first, second = ngettext("%d day", "%d days", days) % days, _hours(hours)
    elif hours:
        first, second = _hours(hours), _minutes(minutes)
    else:
        return _minutes(minutes) or _("less than a minute")
    # Two units of one duration: "3 hours 2 minutes".
    return _("{longer} {shorter}").format(longer=first, shorter=second) if second else first


def _units(length: timedelta) -> tuple[int, int, int]:
    hours, minutes = divmod(max(int(length.total_seconds()) // 60, 0), 60)
    return *divmod(hours, 24), minutes


def _hours(count: int) -> str:
    return ngettext("%d hour", "%d hours", count) % count if count else ""


def _minutes(count: int) -> str:
    return ngettext("%d minute", "%d minutes", count) % count if count else ""
