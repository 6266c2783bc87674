"""A written postmortem: pasted, looked at line by line, and taken into the record."""

from dataclasses import dataclass, field
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.account import is_account
from incidents.errors import Refused
from incidents.importer import (
    Action,
    Cause,
    Entry,
    Reading,
    UnknownZone,
    YearOutOfRange,
    YearUnclear,
    read_postmortem,
)
from incidents.lint import Finding, lint
from incidents.models import Incident
from incidents.values import Precision, Visibility
from incidents.views.postmortems import review_account

_INVALID = 422
# Findings that the choice of a year settles one way or the other.
_ABOUT_THE_YEAR = ("year_conflict", "weekday_mismatch", "year_missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An entry with its time in words."""

    entry: Entry
    time: str
    told: bool

    @property
    def is_coarse(self) -> bool:
        return self.entry.precision not in (Precision.MINUTE, Precision.UNKNOWN)


@dataclass(slots=True)
class Line:
    """One line of the document, with what was read in it."""

    number: int
    source: str
    entries: list[Read] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    is_unplaced: bool = False

    @property
    def is_read(self) -> bool:
        return bool(self.entries or self.causes or self.actions)

    @property
    def is_folded(self) -> bool:
        """Whether nobody needs to look at it: nothing was read, found, or left out."""
        return not (self.is_read or self.findings or self.is_unplaced)


@staff_required
def review_postmortem(request: HttpRequest) -> HttpResponse:
    """Ask for a postmortem, and show what is read in it. Nothing is kept yet."""
    form = forms.PastedForm(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return _ask(request, form)
    try:
        text = form.cleaned_data["text"]
        if is_account(text):
            name = form.cleaned_data["source_name"]
            return review_account(request, text=text, source_name=name)
        reading = _read(form)
    except YearUnclear as unclear:
        return _ask(request, form, unclear=unclear)
    except Refused as refusal:
        form.add_error(_field_of(refusal), str(refusal))
        return _ask(request, form)
    confirm = forms.ConfirmForm(
        initial=form.cleaned_data | {"title": reading.title[:140], "visibility": "internal"}
    )
    return _review(
        request,
        confirm,
        reading,
        text=form.cleaned_data["text"],
        guessed_encoding=form.guessed_encoding,
    )


@require_POST
@staff_required
def confirm_postmortem(request: HttpRequest) -> HttpResponse:
    """Take what was read into the record, but for the lines that were unticked."""
    pasted = forms.PastedForm(request.POST)
    if not pasted.is_valid():
        return _ask(request, pasted)
    try:
        reading = _read(pasted)
        form = forms.ConfirmForm(request.POST, lines=_lines_read(reading))
        if not form.is_valid():
            text = pasted.cleaned_data["text"]
            return _review(request, form, reading, text=text, status=_INVALID)
        incident = operations.import_reading(
            reading=reading,
            text=form.cleaned_data["text"],
            title=form.cleaned_data["title"],
            source_name=form.cleaned_data["source_name"],
            at=timezone.now(),
            author=actor(request),
            skip_lines=form.skipped,
            visibility=Visibility(form.cleaned_data["visibility"]),
        )
    except YearUnclear as unclear:
        return _ask(request, pasted, unclear=unclear)
    except Refused as refusal:
        pasted.add_error(_field_of(refusal), str(refusal))
        return _ask(request, pasted)
    _keep_choice(request, incident, reading, form)
    messages.success(request, _("%s is on record, as it was written down.") % incident.ref)
    return redirect(incident)


def _read(form: forms.PastedForm) -> Reading:
    return read_postmortem(form.cleaned_data["text"], told=form.told)


def _ask(
    request: HttpRequest, form: forms.PastedForm, *, unclear: YearUnclear | None = None
) -> HttpResponse:
    """Show the form, or the question which year is meant with what speaks for each."""
    choices = []
    if unclear is not None:
        source = form.cleaned_data["text"].splitlines()
        choices = [
            {
                "year": reading.year,
                "evidence": [
                    {"why": item.why, "lines": _quoted(item.lines, source)}
                    for item in reading.evidence
                ],
            }
            for reading in unclear.readings
        ]
        if not choices:
            form.add_error("year", str(unclear))
    return render(
        request,
        "incidents/postmortem_paste.html",
        {"form": form, "choices": choices},
        status=_INVALID if unclear is not None or form.errors else 200,
    )


def _review(
    request: HttpRequest,
    form: forms.ConfirmForm,
    reading: Reading,
    *,
    text: str,
    status: int = 200,
    guessed_encoding: str = "",
) -> HttpResponse:
    findings = lint(reading)
    lines = _lines(reading, findings, text)
    source_name = str(form["source_name"].value() or "")
    kept = set(form.data.getlist("keep")) if form.is_bound else None  # type: ignore[attr-defined]
    return render(
        request,
        "incidents/postmortem_review.html",
        {
            "form": form,
            "reading": reading,
            "lines": lines,
            "unticked": set()
            if kept is None
            else {line.number for line in lines if line.is_read and str(line.number) not in kept},
            "findings": findings,
            "unplaced": [line for line in lines if line.is_unplaced],
            "before": queries.imported_before(text=text, source_name=source_name),
            "guessed_encoding": guessed_encoding,
            "counts": [
                (_("entries"), len(reading.entries)),
                (_("updates to customers"), len(reading.updates)),
                (_("causes"), len(reading.causes)),
                (_("action items"), len(reading.actions)),
                (_("findings"), len(findings)),
            ],
        },
        status=status,
    )


def _lines(reading: Reading, findings: tuple[Finding, ...], text: str) -> list[Line]:
    """Return the lines of the document that say something, each with what was read in it."""
    told = {update.line for update in reading.updates}
    lines = [Line(number, source) for number, source in enumerate(text.splitlines(), start=1)]
    by_number = {line.number: line for line in lines}
    for entry in reading.entries:
        by_number[entry.line].entries.append(
            Read(entry=entry, time=_spoken(entry), told=entry.line in told)
        )
    for cause in reading.causes:
        by_number[cause.line].causes.append(cause)
    for action in reading.actions:
        by_number[action.line].actions.append(action)
    for finding in findings:
        for number in finding.lines[:1]:
            if number not in by_number:
                continue
            by_number[number].findings.append(finding)
    for number in reading.unplaced:
        by_number[number].is_unplaced = True
    whole = next((part for part in reading.parts if part.number == reading.part), None)
    return [
        line
        for line in lines
        if line.source.strip() and (whole is None or whole.holds(line.number))
    ]


def _lines_read(reading: Reading) -> set[int]:
    """Return the lines in which something was read."""
    return {
        *(entry.line for entry in reading.entries),
        *(cause.line for cause in reading.causes),
        *(action.line for action in reading.actions),
    }


def _spoken(entry: Entry) -> str:
    """Write the time of an entry as exact as it was read, with the zone that was understood."""
    if entry.at is None:
        return entry.said or _("time not known")
    words = _moment(entry.at, entry.precision)
    if entry.until is not None:
        clocked = entry.precision in (Precision.MINUTE, Precision.HOUR)
        same_day = clocked and entry.until.date() == entry.at.date()
        end = f"{entry.until:%H:%M}" if same_day else _moment(entry.until, entry.precision)
        words += f" – {end}"
    zone = entry.zone_label or entry.zone
    return f"{_('about ') if entry.approx else ''}{words}{' ' + zone if zone else ''}"


def _moment(at: datetime, precision: str) -> str:
    match precision:
        case Precision.YEAR:
            return f"{at:%Y}"
        case Precision.MONTH:
            return f"{at:%B %Y}"
        case Precision.DAY:
            return f"{at:%a} {at.day} {at:%b %Y}"
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"


def _quoted(numbers: tuple[int, ...], source: list[str]) -> list[tuple[int, str]]:
    return [(number, source[number - 1]) for number in numbers if number <= len(source)]


def _field_of(refusal: Refused) -> str:
    if isinstance(refusal, UnknownZone):
        return "timezone"
    return "year" if isinstance(refusal, YearOutOfRange) else "text"


def _keep_choice(
    request: HttpRequest, incident: Incident, reading: Reading, form: forms.ConfirmForm
) -> None:
    """Keep on the incident why a year was chosen, where the document leaves it open."""
    if form.cleaned_data["year"] is None:
        return
    try:
        read_postmortem(form.cleaned_data["text"], timezone=form.cleaned_data["timezone"] or None)
    except YearUnclear as unclear:
        evidence = str(unclear)
    else:
        return
    for judged in queries.lint_findings(incident.pk):
        if judged.finding.code in _ABOUT_THE_YEAR:
            operations.dismiss_finding(
                incident_id=incident.pk,
                code=judged.finding.code,
                subject=judged.finding.subject,
                reason=_("%s was chosen when the document was imported.") % reading.year,
                evidence=evidence,
                at=timezone.now(),
                author=actor(request),
            )
