"""Pages of the desk: what a storage gives hour by hour, and when it is busy."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import staff_required
from backups import forms, operations, queries
from backups.models import SaturationWindow, StorageLocation
from backups.options.words import amount
from backups.queries import weather
from backups.saturation import Cell, Figures, Heat
from incidents.errors import Refused

_INVALID = 422
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEVELS = ("good", "a little slower", "slow", "very slow", "hardly usable")
# A square of the map, and the room for its letters, in units of its own.
_SIDE, _LEFT, _TOP = 16, 36, 14
# Without an answer for so long nobody knows what the storage gives now.
PROBES_HOLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Square:
    """One hour of the map: where it is drawn, and what it says."""

    x: int
    y: int
    level: int | None
    words: str
    hour: int


@dataclass(frozen=True, slots=True)
class Map:
    """Hours by weekdays, drawn and as rows of the same words."""

    rows: list[tuple[str, int, list[Square]]]
    hours: list[tuple[int, int]]
    width: int
    height: int
    tz: str
    is_empty: bool

    @property
    def by_hour(self) -> list[tuple[int, list[str]]]:
        """The words of each hour, from Monday to Sunday."""
        return [
            (hour, [squares[hour].words for _day, _y, squares in self.rows]) for hour in range(24)
        ]


@staff_required
def show_weather(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a storage gives; have hours declared in which it gives less."""
    location = get_object_or_404(StorageLocation, pk=pk)
    initial = {"tz": location.tz}
    form = forms.WindowForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            operations.declare_window(location_id=pk, at=timezone.now(), **form.window)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Restores and schedules reckon with it from now on."))
            return redirect("backups:location-weather", pk=pk)
    return _page(request, location, form=form)


@require_POST
@staff_required
def set_zone(request: HttpRequest, pk: int) -> HttpResponse:
    """Say in which zone a storage's nights are counted."""
    location = get_object_or_404(StorageLocation, pk=pk)
    form = forms.ZoneForm(request.POST)
    if form.is_valid():
        try:
            operations.set_storage_zone(location_id=pk, tz=form.cleaned_data["tz"].strip())
        except Refused as refusal:
            form.add_error("tz", str(refusal))
        else:
            messages.success(request, _("Its hours are counted in this zone now."))
            return redirect("backups:location-weather", pk=pk)
    return _page(request, location, zone_form=form)


@require_POST
@staff_required
def probe(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a storage probed by a worker."""
    location = get_object_or_404(StorageLocation, pk=pk)
    operations.ask_to_probe(location_id=location.pk)
    messages.success(request, _("A worker is asked. Look again in a minute."))
    return redirect("backups:location-weather", pk=pk)


@require_POST
@staff_required
def end_window(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that hours are not busy any more."""
    window = get_object_or_404(SaturationWindow, pk=pk)
    try:
        operations.end_window(window_id=pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Nothing reckons with it any more."))
    return redirect("backups:location-weather", pk=window.location_id)


def _page(
    request: HttpRequest,
    location: StorageLocation,
    *,
    form: forms.WindowForm | None = None,
    zone_form: forms.ZoneForm | None = None,
) -> HttpResponse:
    now = timezone.now()
    initial = {"tz": location.tz}
    form = form or forms.WindowForm(initial=initial)
    zone_form = zone_form or forms.ZoneForm(initial=initial)
    heat = weather.heat_of(location, at=now, tz=location.tz)
    return render(
        request,
        "backups/location_weather.html",
        {
            "location": location,
            "now": now,
            "map": map_of(heat),
            "figures": words_of(heat.overall),
            "levels": list(enumerate(LEVELS)),
            "windows": queries.window_rows(location.pk),
            "probes": queries.last_probes(location.pk),
            "is_unknown": location.probed_at is None or now - location.probed_at > PROBES_HOLD,
            "form": form,
            "zone_form": zone_form,
        },
        status=_INVALID if form.errors or zone_form.errors else 200,
    )


def map_of(heat: Heat) -> Map:
    """Lay the hours out as squares with words."""
    rows = []
    for day, cells in enumerate(heat.days):
        y = _TOP + day * _SIDE
        squares = [
            Square(_LEFT + cell.hour * _SIDE, y, cell.level, _said(cell), cell.hour)
            for cell in cells
        ]
        rows.append((_DAYS[day], y + _SIDE - 4, squares))
    return Map(
        rows=rows,
        hours=[(hour, _LEFT + hour * _SIDE) for hour in range(0, 24, 3)],
        width=_LEFT + 24 * _SIDE,
        height=_TOP + 7 * _SIDE,
        tz=heat.tz,
        is_empty=not heat.overall.probes,
    )


def words_of(figures: Figures) -> dict[str, str]:
    """Return figures as people read them; empty of what was not measured."""
    return {
        "rate": f"{amount(figures.rate)}/s" if figures.rate else "",
        "p50": _wait(figures.first_byte_p50),
        "p95": _wait(figures.first_byte_p95),
        "failed": f"{figures.failed_share * 100:.1f} %" if figures.probes else "",
        "probes": f"{figures.probes:,}",
    }


def _said(cell: Cell) -> str:
    if cell.level is None:
        return "not measured"
    words = words_of(cell.figures)
    parts = [LEVELS[cell.level]]
    if words["rate"]:
        parts.append(words["rate"])
    if words["p50"]:
        parts.append(f"first byte after {words['p50']}")
    if cell.figures.failed:
        parts.append(f"{words['failed']} failed")
    return ", ".join(parts)


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
