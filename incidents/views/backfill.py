"""Writing an incident down once it is over."""

from django.contrib import messages
from django.forms import BaseFormSet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.forms.backfill import PastUpdateForm
from incidents.forms.fields import full_name
from incidents.models import Incident
from incidents.operations import PastUpdate
from incidents.values import Phase, Severity, Visibility, zone
from incidents.views import desk

_INVALID = 422
_USUAL_PHASES = (Phase.INVESTIGATING, Phase.MONITORING, Phase.RESOLVED)


@staff_required
def backfill_incident(request: HttpRequest) -> HttpResponse:
    """Ask for what happened and when, and put it on record at its own dates."""
    adds = "more" in request.POST
    form, told = _forms(request.POST, adds=adds)
    if form.is_bound and not adds and all([form.is_valid(), told.is_valid()]):
        try:
            incident = _backfill(request, form, told)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is on record. Nobody was notified.") % incident.ref)
            _say_what_is_beyond(request, form)
            return redirect(incident)
    invalid = form.is_bound and not adds
    return render(
        request,
        "incidents/incident_backfill.html",
        {"form": form, "told": told, "can_grow": len(told.forms) < forms.MOST_UPDATES},
        status=_INVALID if invalid else 200,
    )


def _forms(
    posted: QueryDict, *, adds: bool
) -> tuple[forms.BackfillForm, BaseFormSet[PastUpdateForm]]:
    """Return the form and its updates: empty, as they were sent, or with one update more."""
    components = queries.component_tree()
    if not posted:
        form = forms.BackfillForm(components=components, initial={"tz": queries.usual_zone()})
        usual = [{"phase": phase} for phase in _USUAL_PHASES]
        return form, forms.PastUpdates(
            initial=usual, form_kwargs={"tz": form.typed_tz}, prefix="told"
        )
    data = posted.copy()
    if adds:
        count = desk.number(data.get("told-TOTAL_FORMS", "")) or 0
        data["told-TOTAL_FORMS"] = str(count + 1)
    form = forms.BackfillForm(data, components=components)
    told = forms.PastUpdates(data, form_kwargs={"tz": form.typed_tz}, prefix="told")
    if adds:
        # Nothing is asked of what is still being written.
        form.show_unjudged()
        for part in told.forms:
            part.show_unjudged()
    return form, told


def _backfill(
    request: HttpRequest, form: forms.BackfillForm, told: BaseFormSet[PastUpdateForm]
) -> Incident:
    data = form.cleaned_data
    return operations.backfill_incident(
        title=data["title"],
        severity=Severity(data["severity"]),
        began_at=data["began"],
        ended_at=data["ended"],
        updates=[
            PastUpdate(
                at=part.told_at,
                phase=Phase(part.cleaned_data["phase"]),
                body=part.cleaned_data["body"],
            )
            for part in told.forms
            if part.is_told
        ],
        components=form.component_statuses,
        corrects_history=data["corrects_history"],
        visibility=Visibility(data["visibility"]),
        tz=data["tz"],
        at=timezone.now(),
        author=actor(request),
    )


def _say_what_is_beyond(request: HttpRequest, form: forms.BackfillForm) -> None:
    """Name each component of whose history nothing, or only a part, could be corrected, and why."""
    data = form.cleaned_data
    if not data["corrects_history"] or data["began"] == data["ended"]:
        return
    for beyond in operations.beyond_history(
        form.component_statuses, began_at=data["began"], ended_at=data["ended"]
    ):
        name, start = full_name(beyond.component), beyond.corrected_from
        if start is None:
            words = _(
                "The history of {component} begins only after this, so nothing was corrected in "
                "it. To correct it, give the component an earlier “In service since” first."
            ).format(component=name)
        else:
            words = _(
                "The history of {component} begins only on {start} ({zone}), so it was corrected "
                "from there on. For the rest, give it an earlier “In service since” first."
            ).format(
                component=name,
                start=f"{start.astimezone(zone(data['tz'])):%Y-%m-%d, %H:%M}",
                zone=data["tz"],
            )
        messages.warning(request, words)
