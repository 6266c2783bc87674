"""The page of an incident, and the deeds on an incident as a whole."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident
from incidents.plans import LIKELY
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    ProgressPolicy,
    Severity,
    Visibility,
    When,
)
from incidents.views import desk, looks, page
from incidents.views.updates import say_what_stays

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


@gzip_page
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
    """Change title, severity, zone, and who may know."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    named = ("version", "title", "summary", "severity", "visibility", "tz")
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
                tz=form.cleaned_data["tz"],
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
        incident.tz,
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
def show_on_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask under which title customers shall see what was staff's so far, and let them see it."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    if incident.is_for_customers:
        messages.info(request, _("Customers may see this incident already."))
        return redirect(f"{incident.get_absolute_url()}#update")
    form = forms.ShowForm(
        request.POST or None, initial={"title": incident.title, "version": incident.version}
    )
    if request.method == "POST" and form.is_valid():
        try:
            operations.edit_incident(
                incident_id=pk,
                title=form.cleaned_data["title"],
                summary=incident.summary,
                severity=Severity(incident.severity),
                visibility=Visibility.PUBLIC,
                at=timezone.now(),
                author=actor(request),
                version=form.cleaned_data["version"],
            )
        except Refused as refusal:
            # Shown again beside what it says now: sent again, it counts.
            typed = request.POST.dict() | {"version": str(incident.version)}
            form = forms.ShowForm(typed)
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Customers may see it now. Tell them what is known."))
            return redirect(_with_last_words(incident))
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": incident,
            "form": form,
            "title": _("Show %s on the page") % incident.ref,
            "explanation": _what_they_see(incident),
            "label": _("Show it on the page"),
        },
        status=_INVALID if form.errors else 200,
    )


def _what_they_see(incident: Incident) -> str:
    """Say what becomes of an incident that customers shall see, and of what was said in it."""
    begins = (
        _("It is on the status page again at once, with what customers were told before.")
        if incident.published_at
        else _("It is on the status page from the next update on, which is the first to count.")
    )
    stays = _(
        "With it they see its components, the data that is missing and how far its restores are; "
        "the timeline, and what was posted while only staff saw it, stays with staff."
    )
    return f"{begins} {stays}"


def _with_last_words(incident: Incident) -> str:
    """Return the address of the update form, with what staff posted last to begin with."""
    said = incident.updates.published().filter(entry__is_public=False).newest_first().first()
    return f"{incident.get_absolute_url()}{f'?again={said.pk}' if said else ''}#update"


@staff_required
def resolve_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the last word to customers, and end the incident."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.ResolveForm(
        None if "fill" in request.POST else request.POST or None,
        components=incident.components.in_tree(),
        held=operations.holders(incident),
        is_for_customers=incident.is_for_customers,
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
                say_what_stays(request, after)
            else:
                messages.warning(
                    request, _("%s is open until the last word is approved.") % incident.ref
                )
            return redirect(incident)
    closing = forms.CloseForm(is_for_customers=incident.is_for_customers)
    return _end(request, incident, form, closing)


def _end(
    request: HttpRequest, incident: Incident, form: forms.ResolveForm, closing: forms.CloseForm
) -> HttpResponse:
    """Show the ways in which an incident may end."""
    return render(
        request,
        "incidents/incident_resolve.html",
        {
            "incident": incident,
            "form": form,
            "closing": None if incident.published_at else closing,
            "unfinished": incident.progress_reports.filter(ended_at__isnull=True),
            **page.promises(incident, now=timezone.now(), tz=looks.look_at(request, incident).tz),
        },
        status=_INVALID if form.errors or closing.errors else 200,
    )


@require_POST
@staff_required
def close_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """End an incident of which customers were never told, without a word to them."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.CloseForm(request.POST, is_for_customers=incident.is_for_customers)
    if form.is_valid():
        try:
            operations.close_untold(
                incident_id=pk,
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            words = (
                _("%s is closed. Customers read nothing.")
                if incident.is_for_customers
                else _("%s is closed as a false alarm.")
            )
            messages.success(request, words % incident.ref)
        return redirect(incident)
    last_word = forms.ResolveForm(
        components=incident.components.in_tree(),
        held=operations.holders(incident),
        is_for_customers=incident.is_for_customers,
    )
    return _end(request, incident, last_word, form)


def resolve(form: forms.ResolveForm, *, incident_id: int, author: User) -> Incident:
    """End the incident with the last word of a valid form."""
    return operations.resolve_incident(
        incident_id=incident_id,
        body=form.cleaned_data["body"],
        at=timezone.now(),
        author=author,
        component_statuses=form.component_statuses,
        # Where customers read nothing, nobody is asked.
        deliver_notifications=not form.cleaned_data.get("quiet"),
    )


def reopen(form: forms.ReopenForm, *, incident_id: int, author: User) -> Incident:
    """Open the incident again for the reason of a valid form."""
    return operations.reopen_incident(
        incident_id=incident_id,
        reason=form.cleaned_data["reason"],
        at=timezone.now(),
        author=author,
        # What stands in the form is what was read: nothing is added to it behind its back.
        component_statuses=form.component_statuses,
    )


def reopen_form(
    incident: Incident, data: QueryDict | None = None, *, may_all_work: bool = False
) -> forms.ReopenForm:
    """Return the form of a reopening, with components as they were until the incident's end."""
    is_grave = Severity(incident.severity) in LIKELY
    before = operations.before_its_end(incident) if incident.is_resolved else {}
    return forms.ReopenForm(
        data,
        components=queries.component_tree() if incident.moves_components else (),
        affected=incident.components.values_list("pk", flat=True),
        initial={f"component_{pk}": status for pk, status in before.items()},
        may_all_work=may_all_work or not (is_grave and incident.is_public),
    )


@staff_required
def reopen_incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask why it is not over, and open the incident again."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = reopen_form(incident, desk.posted(request))
    if form.is_bound and form.is_valid():
        try:
            reopen(form, incident_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, desk.refused(refusal))
        else:
            words = (
                _("%s is open again, and customers read so. Tell them more soon.")
                if incident.is_public
                else _("%s is open again.")
            )
            messages.success(request, words % incident.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/incident_reopen.html",
        {"incident": incident, "form": form},
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
