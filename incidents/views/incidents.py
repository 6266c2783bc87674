"""The list of incidents, the page of one, and the deeds on an incident as a whole."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value
from django.db.models import When as Whenever
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
from incidents.values import Phase, ProgressPolicy, Role, Severity, Visibility, When
from incidents.views import desk, page
from incidents.views.desk import PAGE

_INVALID = 422


@require_GET
@staff_required
def list_incidents(request: HttpRequest) -> HttpResponse:
    """Show the incidents, those that are open first."""
    form = forms.IncidentFilterForm(request.GET)
    found = Incident.objects.newest_first().annotate(
        is_over=Case(
            Whenever(phase=Phase.RESOLVED, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
    )
    if form.is_valid():
        if words := form.cleaned_data["q"]:
            found = found.filter(title__icontains=words)
        match form.cleaned_data["state"]:
            case "":
                pass
            case "open":
                found = found.open()
            case phase:
                found = found.filter(phase=phase)
    ordered = found.order_by("is_over", *found.query.order_by).prefetch_related("components")
    return render(
        request,
        "incidents/incident_list.html",
        {
            "page": Paginator(ordered, PAGE).get_page(request.GET.get("page")),
            "form": form,
            "is_narrowed": any(request.GET.get(name) for name in ("q", "state")),
            "now": timezone.now(),
        },
    )


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
        {"form": form},
        status=_INVALID if form.errors else 200,
    )


def declare(form: forms.DeclareForm, *, author: User) -> Incident:
    """Open the incident that a valid form tells of."""
    data = form.cleaned_data
    return operations.declare_incident(
        title=data["title"],
        severity=Severity(data["severity"]),
        at=form.now,
        author=author,
        started=When(at=data["started"], tz=data["tz"]) if data["started"] else None,
        body=data["body"],
        components=form.component_statuses,
        visibility=Visibility(data["visibility"]),
        tz=data["tz"],
        deliver_notifications=not data["quiet"],
    )


@require_GET
@staff_required
def show_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident with all that is on record."""
    return page.incident_page(request, get_object_or_404(Incident, pk=pk))


@require_GET
@staff_required
def show_head(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the head of the page alone."""
    incident = get_object_or_404(Incident, pk=pk)
    context = page.head(incident, now=timezone.now())
    return render(request, "incidents/_head.html", context)


@require_GET
@staff_required
def show_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the jobs' progress alone."""
    incident = get_object_or_404(Incident, pk=pk)
    context = page.progress(incident, now=timezone.now())
    return render(request, "incidents/_progress.html", context)


@staff_required
def edit_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Change title, severity and who may know."""
    incident = get_object_or_404(Incident, pk=pk)
    named = ("title", "summary", "severity", "visibility")
    form = forms.EditIncidentForm(
        request.POST or None, initial={name: getattr(incident, name) for name in named}
    )
    if request.method == "POST" and form.is_valid():
        operations.edit_incident(
            incident_id=pk,
            title=form.cleaned_data["title"],
            summary=form.cleaned_data["summary"],
            severity=Severity(form.cleaned_data["severity"]),
            visibility=Visibility(form.cleaned_data["visibility"]),
            at=timezone.now(),
            author=actor(request),
        )
        messages.success(request, _("%s is changed.") % incident.ref)
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
        },
        status=_INVALID if form.errors else 200,
    )


@staff_required
def resolve_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the last word to customers, and end the incident."""
    incident = get_object_or_404(Incident, pk=pk)
    form = forms.ResolveForm(
        None if "fill" in request.POST else request.POST or None,
        components=incident.components.in_tree(),
    )
    if not form.is_bound:
        desk.fill(request, form, request.POST or request.GET)
    if form.is_bound and form.is_valid():
        try:
            resolve(form, incident_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is resolved.") % incident.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/incident_resolve.html",
        {
            "incident": incident,
            "form": form,
            "unfinished": incident.progress_reports.filter(ended_at__isnull=True),
            **page.promises(incident, now=timezone.now()),
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
    incident = get_object_or_404(Incident, pk=pk)
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
    incident = get_object_or_404(Incident, pk=pk)
    form = forms.PolicyForm(request.POST)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID)
    policy = ProgressPolicy(form.cleaned_data["policy"])
    operations.set_progress_policy(
        incident_id=pk, policy=policy, at=timezone.now(), author=actor(request)
    )
    messages.success(request, _("Updates that jobs propose: %s.") % str(policy.label).lower())
    return redirect(incident)


@require_POST
@staff_required
def assign_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a role to somebody."""
    incident = get_object_or_404(Incident, pk=pk)
    form = forms.RoleForm(request.POST)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, role_form=form)
    assignment = operations.assign_role(
        incident_id=pk,
        role=Role(form.cleaned_data["role"]),
        holder=form.cleaned_data["holder"],
        at=timezone.now(),
        author=actor(request),
        reason=form.cleaned_data["reason"],
    )
    messages.success(request, f"{assignment.get_role_display()}: {assignment.holder.label()}.")
    return redirect(incident)
