"""Times and amounts in words and figures, in the page's zone, the zone named."""

from datetime import UTC, datetime, timedelta, tzinfo

from django.utils.dates import MONTHS
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents.models import Promise
from incidents.values import Precision

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_COARSE = {
    Precision.DAY: "{day}",
    Precision.MONTH: "{month} {year}",
    Precision.YEAR: "{year}",
}


def iso(at: datetime, zone: tzinfo) -> str:
    """Return a time as the public API writes it: milliseconds, in the page's zone."""
    text = at.astimezone(zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def iso_or_none(at: datetime | None, zone: tzinfo) -> str | None:
    return None if at is None else iso(at, zone)


def zone_name(at: datetime, zone: tzinfo) -> str:
    """Return the name of the zone in force: "CET", or "UTC+03" where it has none."""
    name = at.astimezone(zone).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def clock(at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return the time of day with its zone: "12:04 UTC"."""
    local = at.astimezone(zone)
    figures = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return f"{figures} {zone_name(at, zone)}"


def day(at: datetime, zone: tzinfo, *, year: bool = True) -> str:
    """Return the date: "9 January 2026"."""
    local = at.astimezone(zone)
    words = f"{local.day} {MONTHS[local.month]}"
    return f"{words} {local.year}" if year else words


def moment(at: datetime, zone: tzinfo, *, year: bool = False, seconds: bool = False) -> str:
    """Return date and time in words: "9 January, 12:04 UTC"."""
    return f"{day(at, zone, year=year)}, {clock(at, zone, seconds=seconds)}"


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
    same_day = low.astimezone(zone).date() == high.astimezone(zone).date()
    if clock(low, zone) == clock(high, zone) and same_day:
        return format_html(_("about {}"), when(high, zone))
    first = tagged(low, f"{low.astimezone(zone):%H:%M}" if same_day else moment(low, zone))
    last = tagged(high, clock(high, zone) if same_day else moment(high, zone))
    if same_day:
        return format_html(_("between {} and {} on {}"), first, last, day(high, zone, year=False))
    return format_html(_("between {} and {}"), first, last)


def due(promise: Promise, zone: tzinfo) -> SafeString:
    """Return the time that was given, as exactly as it was given and no more."""
    if promise.due_at is None:
        return format_html("{}", promise.due_said or _("a time that was not said"))
    if promise.due_until is not None and promise.due_precision == Precision.MINUTE:
        return between(promise.due_at, promise.due_until, zone)
    about = _("about ") if promise.due_approx else ""
    if promise.due_precision in _COARSE:
        local = promise.due_at.astimezone(zone)
        words = _COARSE[Precision(promise.due_precision)].format(
            day=day(promise.due_at, zone), month=MONTHS[local.month], year=local.year
        )
        return format_html(_("{}the end of {}"), about, words)
    if promise.due_precision == Precision.QUARTER and promise.expires_at is not None:
        last = promise.expires_at - timedelta(days=1)
        return format_html(_("{}the end of {}"), about, day(last, zone))
    return format_html("{}{}", about, when(promise.due_at, zone))


def lasted(length: timedelta) -> str:
    """Return a duration spelled out, to the two largest units."""
    minutes = max(int(length.total_seconds()) // 60, 0)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [
        ngettext("%d day", "%d days", days) % days if days else "",
        ngettext("%d hour", "%d hours", hours) % hours if hours else "",
        ngettext("%d minute", "%d minutes", minutes) % minutes if minutes and not days else "",
    ]
    return " ".join(part for part in parts if part) or _("less than a minute")


def amount(count: float, unit: str) -> str:
    """Return an amount in units that people read: "1.2 GB", "12 items"."""
    if unit != "bytes":
        return f"{count:,.0f}" if not unit or unit == "items" else f"{count:,.0f} {unit}"
    power = 0
    while count >= _THOUSAND and power < len(_UNITS) - 1:
        count /= _THOUSAND
        power += 1
    figures = f"{count:.0f}" if power == 0 or count >= _THOUSAND / 10 else f"{count:.1f}"
    return f"{figures} {_UNITS[power]}"
