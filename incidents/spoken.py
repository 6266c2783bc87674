"""Dates, times, amounts and shares, as the language that is active writes them.

Order, full stops and spaces of a language are messages like any other, so that a language is one
catalogue. Decimal comma and thousands come from Django's table of formats.
"""

from datetime import date, datetime, tzinfo

from django.utils.dates import MONTHS
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import pgettext_lazy

from incidents.values import local

_THOUSAND = 1000
# Beside a day some languages decline a month, and write it small.
_MONTHS = (
    pgettext_lazy("in a date", "January"),
    pgettext_lazy("in a date", "February"),
    pgettext_lazy("in a date", "March"),
    pgettext_lazy("in a date", "April"),
    pgettext_lazy("in a date", "May"),
    pgettext_lazy("in a date", "June"),
    pgettext_lazy("in a date", "July"),
    pgettext_lazy("in a date", "August"),
    pgettext_lazy("in a date", "September"),
    pgettext_lazy("in a date", "October"),
    pgettext_lazy("in a date", "November"),
    pgettext_lazy("in a date", "December"),
)
_SIZES = (
    _lazy("{} B"),
    _lazy("{} kB"),
    _lazy("{} MB"),
    _lazy("{} GB"),
    _lazy("{} TB"),
    _lazy("{} PB"),
)


def day(on: date, *, year: bool = True) -> str:
    """Return a date: "9 January 2026", or "9 January"."""
    words = {"day": on.day, "month": _MONTHS[on.month - 1], "year": on.year}
    # The first of a month has a form of its own in some languages.
    if on.day == 1:
        sentence = _("1 {month} {year}") if year else _("1 {month}")
    else:
        sentence = _("{day} {month} {year}") if year else _("{day} {month}")
    return sentence.format_map(words)


def month(on: date) -> str:
    """Return a month: "January 2026"."""
    return _("{month} {year}").format(month=MONTHS[on.month], year=on.year)


def zone_name(at: datetime, zone: tzinfo) -> str:
    """Return the name of the zone in force: "CET", or "UTC+03" where it has none."""
    name = local(at, zone).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def clock(at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return the time of day with its zone: "12:04 UTC"."""
    here = local(at, zone)
    figures = f"{here:%H:%M:%S}" if seconds else f"{here:%H:%M}"
    return f"{figures} {zone_name(at, zone)}"


def moment(at: datetime, zone: tzinfo, *, year: bool = False, seconds: bool = False) -> str:
    """Return date and time as they stand by themselves: "9 January, 12:04 UTC"."""
    return _("{day}, {time}").format(
        day=day(local(at, zone), year=year), time=clock(at, zone, seconds=seconds)
    )


def moment_within(at: datetime, zone: tzinfo) -> str:
    """Return date and time as they stand in a sentence: "9 January 12:04 UTC"."""
    return _("{day} {time}").format(day=day(local(at, zone), year=False), time=clock(at, zone))


def number(value: float, decimals: int = 0) -> str:
    """Return a number with its decimals and its thousands marked."""
    rounded = round(value, decimals) if decimals else round(value)
    return str(number_format(rounded, decimals, force_grouping=True))


def share(percent: int) -> str:
    """Return a share of a hundred: "64 %"."""
    return _("{} %").format(percent)


def amount(count: float, unit: str) -> str:
    """Return an amount in units that people read: "1.2 GB", "12"."""
    if unit != "bytes":
        return number(count) if unit == "items" else f"{number(count)} {unit}".strip()
    power = 0
    while count >= _THOUSAND and power < len(_SIZES) - 1:
        count /= _THOUSAND
        power += 1
    exact = power == 0 or count >= _THOUSAND / 10
    return str(_SIZES[power]).format(number(count, 0 if exact else 1))
