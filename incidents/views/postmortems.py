"""The postmortem of an incident: written in sections, reviewed, published, and handed out."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import account, forms, operations, queries
from incidents.differences import differences
from incidents.errors import Refused
from incidents.models import Incident, Postmortem, PostmortemSection
from incidents.views.looks import chosen_zone

_INVALID = 422
_KINDS = {
    "md": ("text/markdown; charset=utf-8", account.write_markdown),
    "html": ("text/html; charset=utf-8", account.document_html),
    "pdf": ("application/pdf", account.write_pdf),
}


@staff_required
@require_GET
def show_postmortem(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the postmortem as it reads now, with how far its review is."""
    return _page(request, _incident(request, pk))


@require_POST
@staff_required
def begin_postmortem(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin it from the record."""
    incident = _incident(request, pk)
    return _do(
        request,
        incident,
        "It is begun: what the record knows stands there already.",
        lambda: operations.begin_postmortem(
            incident_id=incident.pk, at=timezone.now(), author=actor(request)
        ),
    )


@staff_required
def edit_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a section, look at it first if wanted; what it said before stands below."""
    section = _section(request, pk)
    incident = section.postmortem.incident
    initial = {name: getattr(section, name) for name in ("title", "body", "is_public", "version")}
    form = forms.SectionForm(request.POST or None, initial=initial)
    if request.method != "POST" or not form.is_valid():
        return _section_page(request, section, form)
    given = form.cleaned_data
    if "preview" in request.POST:
        return _section_page(request, section, form, preview=given["body"])
    try:
        operations.edit_section(
            section_id=pk,
            title=given["title"],
            body=given["body"],
            is_public=given["is_public"],
            version=given["version"],
            at=timezone.now(),
            author=actor(request),
        )
    except operations.EditedMeanwhile as refusal:
        # What it says now is shown beside what was typed; saving again saves over it.
        section.refresh_from_db()
        typed = request.POST.copy()
        typed["version"] = str(section.version)
        form = forms.SectionForm(typed, initial=initial)
        form.add_error(None, str(refusal))
        return _section_page(request, section, form, is_conflict=True)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _section_page(request, section, form)
    messages.success(request, "The section is saved. What it said before is kept.")
    return redirect(f"{_address(incident)}#s{pk}")


@require_POST
@staff_required
def change_section(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Move a section, take it out, bring it back, or undo its last change."""
    section = _section(request, pk)
    now, author = timezone.now(), actor(request)
    version = request.POST.get("version", "")
    deeds: dict[str, Callable[[], object]] = {
        "up": lambda: operations.move_section(section_id=pk, is_up=True, at=now, author=author),
        "down": lambda: operations.move_section(section_id=pk, is_up=False, at=now, author=author),
        "remove": lambda: operations.remove_section(section_id=pk, at=now, author=author),
        "back": lambda: operations.bring_section_back(section_id=pk, at=now, author=author),
        "undo": lambda: operations.undo_section(
            section_id=pk,
            at=now,
            author=author,
            version=int(version) if version.isdecimal() else section.version,
        ),
    }
    if name not in deeds:
        raise Http404
    return _do(request, section.postmortem.incident, "", deeds[name])


@require_POST
@staff_required
def add_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a section of one's own."""
    incident = _incident(request, pk)
    get_object_or_404(Postmortem, incident=incident)
    form = forms.NewSectionForm(request.POST)
    if not form.is_valid():
        return _page(request, incident, section_form=form)
    section = operations.add_section(
        incident_id=pk, title=form.cleaned_data["title"], at=timezone.now(), author=actor(request)
    )
    return redirect("incidents:postmortem-section", section.pk)


@require_POST
@staff_required
def do_review(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Ask for review, approve, give back, publish, or take off the page."""
    incident = _incident(request, pk)
    get_object_or_404(Postmortem, incident=incident)
    form = forms.ReturnForm(request.POST if name == "return" else None)
    if name == "return" and not form.is_valid():
        return _page(request, incident, return_form=form)
    version = request.POST.get("version", "")
    read = int(version) if version.isdecimal() else None
    common: dict[str, Any] = {"incident_id": pk, "at": timezone.now()}
    user = actor(request)
    deeds: dict[str, tuple[str, Callable[[], object]]] = {
        "ask": (
            "People at the desk are asked to read it.",
            lambda: operations.ask_for_review(author=user, **common),
        ),
        "return": (
            "It is a draft again.",
            lambda: operations.return_postmortem(
                reason=form.cleaned_data["reason"], author=user, **common
            ),
        ),
        "approve": (
            "It is approved.",
            lambda: operations.approve_postmortem(approver=user, version=read, **common),
        ),
        "publish": (
            "Customers can read its public sections on the incident's page.",
            lambda: operations.publish_postmortem(author=user, version=read, **common),
        ),
        "withdraw": (
            "It is taken off the page.",
            lambda: operations.withdraw_postmortem(author=user, **common),
        ),
    }
    if name not in deeds:
        raise Http404
    return _do(request, incident, *deeds[name])


@staff_required
@require_GET
def preview_public(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what customers will read, with the names in it that should perhaps not be there."""
    incident = _incident(request, pk)
    get_object_or_404(Postmortem, incident=incident)
    record = account.for_customers(queries.record_of(pk))
    text = account.write_plain(record)
    unknown = [
        written
        for section in record.sections
        for written in account.unknown_references(section.body, record)
    ]
    context = {
        "incident": incident,
        "body": _safe(account.record_html(record)),
        "names": queries.names_of_staff(text),
        "unknown": unknown,
        "is_empty": not record.sections,
    }
    return render(request, "incidents/postmortem_public.html", context)


@staff_required
@require_GET
def export_postmortem(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """Hand the account out as Markdown, HTML or PDF."""
    incident = _incident(request, pk)
    if form not in _KINDS:
        raise Http404
    content_type, write = _KINDS[form]
    written = write(account.numbered(queries.record_of(pk)))
    answer = HttpResponse(written, content_type=content_type)
    name = f"{incident.ref}-{slugify(incident.title)[:60]}".strip("-")
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def review_account(request: HttpRequest, *, text: str, source_name: str) -> HttpResponse:
    """Show what an account that was exported here would bring, before anything is kept."""
    record = account.read_account(text)
    form = forms.AccountForm(
        initial={"text": text, "source_name": source_name, "visibility": record.visibility}
    )
    return _review(request, record, form)


@require_POST
@staff_required
def confirm_account(request: HttpRequest) -> HttpResponse:
    """Take an account that was exported here into the record."""
    form = forms.AccountForm(request.POST)
    form.fields["text"].max_length = None  # type: ignore[attr-defined]
    try:
        record = account.read_account(request.POST.get("text", ""))
        if not form.is_valid():
            return _review(request, record, form)
        incident = operations.import_account(
            record=record,
            text=form.cleaned_data["text"],
            source_name=form.cleaned_data["source_name"],
            visibility=form.cleaned_data["visibility"],
            again="again" in request.POST,
            at=timezone.now(),
            author=actor(request),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("incidents:postmortem-review")
    messages.success(request, f"{incident.ref} is on record, as it was exported.")
    return redirect(incident)


def _review(request: HttpRequest, record: account.Record, form: forms.AccountForm) -> HttpResponse:
    known = queries.known_account(record)
    may_see = known and Incident.objects.seen_by(actor(request)).filter(pk=known.pk).exists()
    context = {
        "record": record,
        "form": form,
        "is_known": known is not None,
        "known": known if may_see else None,
    }
    status = _INVALID if form.errors else 200
    return render(request, "incidents/postmortem_account.html", context, status=status)


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)


def _section(request: HttpRequest, pk: int) -> PostmortemSection:
    seen = Incident.objects.seen_by(actor(request)).values("pk")
    rows = PostmortemSection.objects.select_related("postmortem__incident", "written_by")
    return get_object_or_404(rows.filter(postmortem__incident__in=seen), pk=pk)


def _address(incident: Incident) -> str:
    return reverse("incidents:postmortem", args=[incident.pk])


def _do(
    request: HttpRequest, incident: Incident, done: str, deed: Callable[[], object]
) -> HttpResponse:
    try:
        deed()
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        if done:
            messages.success(request, done)
    return redirect(_address(incident))


def _page(request: HttpRequest, incident: Incident, **bound: Any) -> HttpResponse:
    postmortem = Postmortem.objects.filter(incident=incident).select_related(
        "owner", "approver", "review_asked_by"
    ).first()  # fmt: skip
    record = queries.record_of(incident.pk)
    rows = list(queries.sections(incident.pk))
    findings = queries.lint_findings(incident.pk) if rows else ()
    removed = (
        postmortem.sections.filter(deleted_at__isnull=False).order_by("-deleted_at")
        if postmortem
        else []
    )
    context = {
        "incident": incident,
        "postmortem": postmortem,
        "sections": [(row, _safe(account.body_html(row.body, record))) for row in rows],
        "removed": removed,
        "errors": [
            each for each in findings if each.finding.level == "error" and each.dismissal is None
        ],
        "wants_other": operations.wants_other(incident),
        "due_at": queries.postmortem_due(incident),
        "tz": chosen_zone(request) or incident.tz,
        "section_form": bound.get("section_form") or forms.NewSectionForm(),
        "return_form": bound.get("return_form") or forms.ReturnForm(),
    }
    status = _INVALID if bound else 200
    return render(request, "incidents/postmortem.html", context, status=status)


def _section_page(
    request: HttpRequest,
    section: PostmortemSection,
    form: forms.SectionForm,
    *,
    preview: str | None = None,
    is_conflict: bool = False,
) -> HttpResponse:
    incident = section.postmortem.incident
    revisions = list(queries.revisions(section).select_related("replaced_by")[:50])
    # Newest first: each is told from what it was replaced by.
    later = [section.body, *(revision.data["body"] for revision in revisions)]
    context = {
        "incident": incident,
        "section": section,
        "form": form,
        "preview": None
        if preview is None
        else _safe(account.body_html(preview, queries.record_of(incident.pk))),
        "versions": [
            (revision, differences(revision.data["body"], newer))
            for revision, newer in zip(revisions, later, strict=False)
        ],
        "is_conflict": is_conflict,
        "tz": chosen_zone(request) or incident.tz,
    }
    status = _INVALID if form.errors else 200
    return render(request, "incidents/postmortem_section.html", context, status=status)


def _safe(html: str) -> SafeString:
    return mark_safe(html)  # noqa: S308 - incidents.account has just cleaned it
