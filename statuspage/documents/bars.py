"""History as bars, a day each, and figures in words. The page of uptime says the same as text."""

import functools
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from incidents import spoken
from incidents.values import ComponentStatus
from statuspage.documents.uptime import DRAWN, FIRST_DRAWN, TODAY, History, hundredths

# How many rows and drawings a process keeps, of all pages and languages together: some 25 MB.
KEPT = 10_000

_TROUBLE = frozenset(
    {
        ComponentStatus.DEGRADED_PERFORMANCE,
        ComponentStatus.PARTIAL_OUTAGE,
        ComponentStatus.MAJOR_OUTAGE,
    }
)


def bars(history: History) -> SafeString:
    """Return the last days as a drawing: one line of bars a status, as high as it is grave.

    A line is dashed into days by the style sheet, so a quiet history is one short line.
    """
    # Most histories are alike, and so are most publishes: what was drawn once is kept.
    return _drawn(
        sentence(history),
        max(history.first, FIRST_DRAWN),
        tuple((index, status) for index, status in history.worst.items() if index >= FIRST_DRAWN),
    )


def sentence(history: History) -> str:
    """Return the drawing in words: "Uptime over 90 days: 99.95 %. 2 days with trouble."."""
    if history.is_empty:
        return _("There is no history yet.")
    return _sentence(
        percent(history.uptime[DRAWN]),
        history.calendar.day(history.first) if history.first > FIRST_DRAWN else None,
        sum(status in _TROUBLE for index, status in history.worst.items() if index >= FIRST_DRAWN),
        get_language(),
    )


def percent(figure: Fraction | None) -> str:
    """Return a figure as a percentage with two decimals, never more than it is: "99.95 %"."""
    return _("no data") if figure is None else _percent(hundredths(figure), get_language())


@functools.lru_cache(maxsize=2048)
def _percent(figure: int, _language: str | None) -> str:
    return _("{} %").format(number_format(Decimal(figure).scaleb(-2), decimal_pos=2))


@functools.lru_cache(maxsize=KEPT)
def _sentence(figure: str, since: date | None, troubled: int, _language: str | None) -> str:
    if since is None:
        words = _("Uptime over {days} days: {figure}.").format(days=DRAWN, figure=figure)
    else:
        words = _("Uptime since {day}: {figure}.").format(day=spoken.day(since), figure=figure)
    trouble = (
        ngettext("{count} day with trouble.", "{count} days with trouble.", troubled)
        if troubled
        else _("No day with trouble.")
    )
    return f"{words} {trouble.format(count=troubled)}"


@functools.lru_cache(maxsize=KEPT)
def _drawn(
    words: str, first: int, worst: tuple[tuple[int, ComponentStatus | None], ...]
) -> SafeString:
    lines = format_html_join("", '<path class="is-{}" d="{}"/>', _lines(first, dict(worst)))
    return format_html(
        '<svg class="bars" viewBox="0 0 {} 24" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>',
        DRAWN,
        words,
        lines,
    )


def _lines(first: int, worst: Mapping[int, ComponentStatus | None]) -> Iterator[tuple[str, str]]:
    """Return a path for each status that occurs: where it runs, in days from the left edge."""
    days = [
        worst.get(index, ComponentStatus.OPERATIONAL) if index >= first else None
        for index in range(FIRST_DRAWN, TODAY + 1)
    ]
    found: dict[str, str] = {}
    ends: dict[str, int] = {}
    place = 0
    for status, run in groupby(days):
        length, kind = len(list(run)), status or "unknown"
        pen = f"m{place - ends[kind]} 0" if kind in found else f"M{place} 24"
        found[kind] = f"{found.get(kind, '')}{pen}h{length}"
        place += length
        ends[kind] = place
    yield from found.items()
