"""The history of a component: what is on record of the last days, and its correction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Component, StatusInterval
from incidents.values import ComponentStatus, zone
from incidents.views.desk import PAGE

_INVALID = 422
_SHOWN = timedelta(days=90)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a correction would replace, and by what."""

    now: Sequence[StatusInterval]
    status: ComponentStatus
    since: datetime
    until: datetime


@staff_required
def show_history(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a component was, show what a correction changes, and then correct the record."""
    component = get_object_or_404(Component.objects.filter(is_group=False), pk=pk)
    now, tz = timezone.now(), _zone(request)
    form = forms.HistoryForm(request.POST or None, initial=_initial(request, component, now, tz))
    review: Review | None = None
    if request.method == "POST" and form.is_valid():
        try:
            review = _review(component, form, now)
            if "confirm" in request.POST:
                return _correct(request, component, review, now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
            review = None
    intervals = queries.status_intervals([pk], since=now - _SHOWN).order_by("-began_at")
    corrections = queries.revisions(component).filter(data__has_key="history")
    return render(
        request,
        "incidents/component_history.html",
        {
            "component": component,
            "form": form,
            "review": review,
            "page": Paginator(intervals, PAGE).get_page(request.GET.get("page")),
            "corrections": corrections.select_related("replaced_by")[:PAGE],
            "now": now,
            "tz": tz,
        },
        status=_INVALID if form.errors else 200,
    )


def _review(component: Component, form: forms.HistoryForm, now: datetime) -> Review:
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    since = operations.refuse_stretch(component, since=since, until=until, at=now)
    return Review(
        now=queries.status_during(component.pk, since, until),
        status=ComponentStatus(form.cleaned_data["status"]),
        since=since,
        until=until,
    )


def _correct(
    request: HttpRequest, component: Component, review: Review, now: datetime
) -> HttpResponse:
    operations.rewrite_history(
        component_id=component.pk,
        status=review.status,
        since=review.since,
        until=review.until,
        at=now,
        author=actor(request),
    )
    messages.success(request, _("The history is corrected, and the page counts anew."))
    address = reverse("incidents:component-history", args=[component.pk])
    return redirect(f"{address}?tz={_zone(request)}")


def _initial(
    request: HttpRequest, component: Component, now: datetime, tz: str
) -> dict[str, object]:
    """Return the stretch whose correction was asked for, if one was."""
    chosen = request.GET.get("stretch", "")
    if not chosen.isdecimal():
        return {"tz": tz}
    interval = component.intervals.filter(pk=int(chosen)).first()
    if interval is None:
        return {"tz": tz}
    # Whole seconds around it: a stretch of less is nobody's to type.
    ended = interval.ended_at + _SECOND if interval.ended_at else now
    return {
        "tz": tz,
        "since": interval.began_at.replace(microsecond=0),
        "until": min(ended, now).replace(microsecond=0),
        "status": interval.status,
    }


def _zone(request: HttpRequest) -> str:
    """Return the zone in which the times are shown: the usual one unless another is asked for."""
    name = request.POST.get("tz") or request.GET.get("tz") or queries.usual_zone()
    try:
        zone(name)
    except ValueError:
        return "UTC"
    return name
