"""One entry: changed with its history, placed, shown by evidence; nobody's words overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Revision, StatusUpdate, TimelineEntry
from incidents.values import EntryKind, Precision, When
from incidents.views import changes, desk, looks
from incidents.views.timeline import held, read_version

_INVALID = 422
_CONFLICT = 409
_EDITED = ("text", "tags", "outcome", "milestone", "is_public")
_EXACT = (Precision.MINUTE, Precision.HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What was changed from one version of an entry to the next, by whom, when and why."""

    number: int
    # The version of the entry that was changed.
    read: int
    by: User | None
    at: datetime
    reason: str
    changes: list[changes.Change]


@staff_required
def edit_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entry; show what it said before."""
    entry = held(request, pk)
    if entry.kind == EntryKind.UPDATE:
        # Customers read its text: it is changed as an update, not behind their backs.
        update = get_object_or_404(StatusUpdate, entry=entry)
        return redirect("incidents:update-correct", pk=update.pk)
    form = _form(request, entry, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _entry_page(request, entry, form=form)
    try:
        changed = operations.edit_entry(
            entry_id=pk,
            at=timezone.now(),
            author=actor(request),
            when=form.when,
            reason=form.cleaned_data["reason"],
            version=form.cleaned_data["version"],
            moves_from=desk.number(request.POST.get("moves_from", "")),
            **{name: form.cleaned_data[name] for name in _EDITED},
        )
    except operations.EditedMeanwhile:
        return _conflict(request, held(request, pk), read=form.cleaned_data["version"])
    except operations.MilestoneTaken as refusal:
        form.add_error(None, desk.refused(refusal))
        return _entry_page(request, entry, form=form, more={"holder": refusal.holder})
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _entry_page(request, entry, form=form)
    if changed.version != entry.version:
        messages.success(request, _("The entry is changed. What it said before is kept."))
    return redirect(f"{entry.incident.get_absolute_url()}#e{pk}")


@require_POST
@staff_required
def revert_entry(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Let an entry say again what it said before."""
    entry = held(request, pk)
    get_object_or_404(queries.revisions(entry), number=number)
    try:
        operations.revert_entry(
            entry_id=pk,
            number=number,
            at=timezone.now(),
            author=actor(request),
            version=read_version(request),
        )
    except Refused as refusal:
        messages.error(request, desk.refused(refusal))
        return redirect(reverse("incidents:entry-edit", args=[pk]) + "#history")
    messages.success(request, _("The entry says again what it said then."))
    return redirect(f"{entry.incident.get_absolute_url()}#e{pk}")


@require_POST
@staff_required
def place_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Put an entry whose time is not known before or after another one."""
    entry = held(request, pk)
    form = forms.PlaceForm(request.POST, entries=_others(entry))
    if not form.is_valid():
        return _entry_page(request, entry, place_form=form)
    try:
        operations.place_entry(
            entry_id=pk,
            beside_id=form.cleaned_data["beside"],
            side=form.cleaned_data["side"],
            at=timezone.now(),
            author=actor(request),
            version=read_version(request),
        )
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _entry_page(request, entry, place_form=form)
    messages.success(request, _("The entry stands there now."))
    return redirect(f"{entry.incident.get_absolute_url()}#e{pk}")


def _entry_page(
    request: HttpRequest,
    entry: TimelineEntry,
    *,
    status: int = 200,
    more: Mapping[str, Any] | None = None,
    **bound: Any,
) -> HttpResponse:
    """Answer with the page of an entry; ``bound`` are forms that stand there with their errors."""
    tz = _zone(request, entry)
    is_undated = entry.at is None and entry.deleted_at is None
    if any(form.errors for form in bound.values()):
        status = _INVALID
    context = {
        "incident": entry.incident,
        "entry": entry,
        "tz": tz,
        "form": bound.get("form") or _form(request, entry),
        "place_form": (bound.get("place_form") or forms.PlaceForm(entries=_others(entry)))
        if is_undated
        else None,
        "versions": _versions(entry),
        **(more or {}),
    }
    return render(request, "incidents/entry_edit.html", context, status=status)


def _conflict(request: HttpRequest, entry: TimelineEntry, *, read: int) -> HttpResponse:
    """Answer with what was typed, what stands there now, and what changed between.

    What was not touched in the form takes the words of now, so that saving it over them knowingly
    takes back nothing but what was typed.
    """
    kept = queries.revisions(entry).filter(data__version=read).first()
    base = changes.entry_of(entry, kept.data) if kept else entry
    touched = _form(request, base, request.POST).changed_data
    now = _form(request, entry)
    typed = request.POST.copy()
    for name in now.fields:
        if name in ("version", *touched):
            continue
        _take(typed, now, name)
    typed["version"] = str(entry.version)
    typed.pop("which", None)
    form = _form(request, entry, typed)
    more = {
        "between": changes.changes(changes.said_by(base), changes.said_by(entry)),
        "meanwhile": [version for version in _versions(entry) if version.read >= read],
    }
    form.show_unjudged()
    return _entry_page(request, entry, form=form, status=_CONFLICT, more=more)


def _take(typed: QueryDict, form: forms.EditEntryForm, name: str) -> None:
    """Let a field of what was typed say what the form says."""
    value = form[name].value()
    if isinstance(value, bool):
        typed.pop(name, None)
        if value:
            typed[name] = "on"
        return
    typed[name] = form.fields[name].widget.format_value(value) or ""


def _form(
    request: HttpRequest, entry: TimelineEntry, data: QueryDict | None = None
) -> forms.EditEntryForm:
    return forms.EditEntryForm(
        data,
        tz=_zone(request, entry),
        before=When.of(entry),
        initial=forms.EditEntryForm.says(entry),
    )


def _zone(request: HttpRequest, entry: TimelineEntry) -> str:
    """Return the zone in which its time is typed: a day is a day where it was said."""
    if entry.precision in (*_EXACT, Precision.UNKNOWN):
        return looks.look_at(request, entry.incident).tz
    return entry.tz or entry.incident.tz


def _others(entry: TimelineEntry) -> list[TimelineEntry]:
    return [other for other in queries.timeline(entry.incident_id) if other.pk != entry.pk]


def _versions(entry: TimelineEntry) -> list[Version]:
    """Return what each edit changed, the newest first."""
    after = changes.said_by(entry)
    found: list[Version] = []
    revision: Revision
    for revision in queries.revisions(entry).select_related("replaced_by"):
        found.append(
            Version(
                number=revision.number,
                read=revision.data.get("version", revision.number),
                by=revision.replaced_by,
                at=revision.replaced_at,
                reason=revision.reason,
                changes=changes.changes(revision.data, after),
            )
        )
        after = revision.data
    return found
