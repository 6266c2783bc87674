"""The page of an incident, and the deeds on an incident as a whole."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    ProgressPolicy,
    Severity,
    Visibility,
    When,
)
from incidents.views import desk, looks, page

_INVALID = 422
# Longer ones name no row, and PostgreSQL takes none of them.
_MOST_DIGITS = 10


@staff_required
def declare_incident(request: HttpRequest) -> HttpResponse:
    """Ask for what is known, and open an incident."""
    now = timezone.now()
    fills = "fill" in request.POST
    form = forms.DeclareForm(
        None if fills else request.POST or None,
        now=now,
        components=queries.component_tree(),
        initial={"tz": queries.usual_zone()},
    )
    if not form.is_bound:
        desk.fill(request, form, request.POST if fills else request.GET)
    if form.is_bound and form.is_valid():
        try:
            incident = declare(form, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is declared. You are its commander.") % incident.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/incident_declare.html",
        {"form": form, "whole": _whole(form, actor(request))},
        status=_INVALID if form.errors else 200,
    )


def _whole(form: forms.DeclareForm, author: User) -> Incident | None:
    """Return the incident of which the one that is declared shall be a part, if one is named."""
    named = str(form["parent"].value() or "")
    if not (named.isdecimal() and len(named) < _MOST_DIGITS):
        return None
    return Incident.objects.seen_by(author).filter(pk=int(named)).first()


def declare(form: forms.DeclareForm, *, author: User) -> Incident:
    """Open the incident that a valid form tells of."""
    data = form.cleaned_data
    whole = _whole(form, author)
    if data["parent"] and whole is None:
        raise operations.NoSuchWhole
    return operations.declare_incident(
        title=data["title"],
        severity=Severity(data["severity"]),
        at=form.now,
        author=author,
        started=When(at=data["started"], tz=data["tz"]) if data["started"] else None,
        body=data["body"],
        components=form.component_statuses,
        kind=IncidentKind(data["kind"]),
        visibility=Visibility(data["visibility"]),
        tz=data["tz"],
        deliver_notifications=not data["quiet"],
        parent_id=whole.pk if whole else None,
    )


@require_GET
@staff_required
def show_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident with all that is on record."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    return looks.remember_zone(request, page.incident_page(request, incident))


@require_GET
@staff_required
def show_head(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the head of the page alone."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    context = page.head(incident, now=timezone.now(), tz=looks.look_at(request, incident).tz)
    return render(request, "incidents/_head.html", context)


@require_GET
@staff_required
def show_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the jobs' progress alone."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    context = page.progress(incident, now=timezone.now(), tz=looks.look_at(request, incident).tz)
    return render(request, "incidents/_progress.html", context)


@staff_required
def edit_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Change title, severity and who may know."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    named = ("version", "title", "summary", "severity", "visibility")
    form = forms.EditIncidentForm(
        request.POST or None, initial={name: getattr(incident, name) for name in named}
    )
    says_now = ""
    if request.method == "POST" and form.is_valid():
        try:
            changed = operations.edit_incident(
                incident_id=pk,
                title=form.cleaned_data["title"],
                summary=form.cleaned_data["summary"],
                severity=Severity(form.cleaned_data["severity"]),
                visibility=Visibility(form.cleaned_data["visibility"]),
                at=timezone.now(),
                author=actor(request),
                version=form.cleaned_data["version"],
            )
        except operations.EditedMeanwhile as refusal:
            incident.refresh_from_db()
            form = forms.EditIncidentForm(request.POST.dict() | {"version": str(incident.version)})
            form.add_error(None, str(refusal))
            says_now = _says_now(incident)
        except Refused as refusal:
            form.add_error("visibility", str(refusal))
        else:
            messages.success(request, _("%s is changed.") % incident.ref)
            if changed.is_private and not incident.is_private:
                _say_what_stays(request, changed)
            return redirect(incident)
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": incident,
            "form": form,
            "title": _("Edit %s") % incident.ref,
            "explanation": "",
            "label": _("Save"),
            "says_now": says_now,
        },
        status=_INVALID if form.errors else 200,
    )


def _says_now(incident: Incident) -> str:
    """Return what a form of the incident would overwrite, a line a field."""
    lines = (
        incident.title,
        incident.summary,
        incident.get_severity_display(),
        incident.get_visibility_display(),
    )
    return "\n".join(line for line in lines if line)


def _say_what_stays(request: HttpRequest, incident: Incident) -> None:
    """Name the components that the page goes on showing as they are, once it is private."""
    down = incident.components.exclude(status=ComponentStatus.OPERATIONAL).in_tree()
    if names := ", ".join(component.name for component in down):
        messages.warning(
            request,
            _("The page still shows that something is wrong with %s. Set that under Setup.")
            % names,
        )


@staff_required
def resolve_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the last word to customers, and end the incident."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.ResolveForm(
        None if "fill" in request.POST else request.POST or None,
        components=incident.components.in_tree(),
    )
    if not form.is_bound:
        desk.fill(request, form, request.POST or request.GET)
    if form.is_bound and form.is_valid():
        try:
            after = resolve(form, incident_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            if after.is_resolved:
                messages.success(request, _("%s is resolved.") % incident.ref)
            else:
                messages.warning(
                    request, _("%s is open until the last word is approved.") % incident.ref
                )
            return redirect(incident)
    return render(
        request,
        "incidents/incident_resolve.html",
        {
            "incident": incident,
            "form": form,
            "unfinished": incident.progress_reports.filter(ended_at__isnull=True),
            **page.promises(incident, now=timezone.now(), tz=incident.tz),
        },
        status=_INVALID if form.errors else 200,
    )


def resolve(form: forms.ResolveForm, *, incident_id: int, author: User) -> Incident:
    """End the incident with the last word of a valid form."""
    return operations.resolve_incident(
        incident_id=incident_id,
        body=form.cleaned_data["body"],
        at=timezone.now(),
        author=author,
        component_statuses=form.component_statuses,
        deliver_notifications=not form.cleaned_data["quiet"],
    )


@staff_required
def reopen_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why it is not over, and open the incident again."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.ReopenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.reopen_incident(
                incident_id=pk,
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is open again. Tell customers.") % incident.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": incident,
            "form": form,
            "title": _("Reopen %s") % incident.ref,
            "explanation": _("The incident goes back to “Investigating” at once, for all to see."),
            "label": _("Reopen"),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def set_policy(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what becomes of the updates that jobs propose."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.PolicyForm(request.POST)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID)
    policy = ProgressPolicy(form.cleaned_data["policy"])
    operations.set_progress_policy(
        incident_id=pk, policy=policy, at=timezone.now(), author=actor(request)
    )
    messages.success(request, _("Updates that jobs propose: %s.") % str(policy.label).lower())
    return redirect(incident)
