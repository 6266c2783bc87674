"""A running job, as customers see it: how far, how fast, until when, and how fresh the news is."""

from dataclasses import dataclass
from datetime import datetime

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import AT_WORK, Incident, ProgressReport
from incidents.values import ProgressPhase, ProgressState
from incidents.wording import basis_words, counted_words
from statuspage.documents.clauses import Clauses
from statuspage.documents.facts import Facts
from statuspage.documents.moments import amount, between, lasted, share, when

_STATES = {
    ProgressState.RUNNING: _lazy("Running"),
    ProgressState.WAITING: _lazy("Waiting for the storage"),
    ProgressState.HELD: _lazy("Held up"),
    ProgressState.PAUSED: _lazy("Paused"),
    ProgressState.FAILED: _lazy("Stopped"),
    ProgressState.SUCCEEDED: _lazy("Finished"),
    ProgressState.CANCELLED: _lazy("Ended early"),
}
# What jobs call themselves. Another title is shown as it is.
_TITLES = {"Database restore": _lazy("Database restore")}
# Units a second. A slower one would be shown as none at all.
_LEAST_RATE = 1.0
_ALIVE = {ProgressState.RUNNING, ProgressState.WAITING, ProgressState.HELD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One part of the job, and whether it is done, under way or ahead."""

    name: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A job that others stand before: one line, and its panel for whoever unfolds it.

    ``number`` counts the incident's jobs from the oldest, so that it stays.
    """

    number: int
    title: str
    state: str
    state_words: str
    at: SafeString
    # What of the data it has brought back; empty where it has not.
    horizon: SafeString
    panel: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of the stage under way is done. ``percent`` is None while nobody can tell."""

    percent: int | None
    words: str

    @property
    def share(self) -> str:
        """The share in words, "64 %"; empty while nobody can tell."""
        return "" if self.percent is None else share(self.percent)


def title(report: ProgressReport) -> str:
    """Return what the job is called."""
    return str(_TITLES.get(report.title, report.title))


def reports_of(incident: Incident) -> list[ProgressReport]:
    """Return the progress reports that came with the incident, newest first."""
    reports: list[ProgressReport] = incident.reports  # type: ignore[attr-defined]
    return reports


def panels(
    facts: Facts, incident: Incident, clauses: Clauses
) -> tuple[list[SafeString], list[Folded]]:
    """Return the panels of the jobs that matter now, newest first, and the others folded."""
    reports = reports_of(incident)
    whole = _that_matter(reports)
    return (
        [panel(facts, report, clauses) for report in whole],
        [
            _folded(facts, report, clauses, number=len(reports) - place)
            for place, report in enumerate(reports)
            if report not in whole
        ],
    )


def _that_matter(reports: list[ProgressReport]) -> list[ProgressReport]:
    """Return those at work, or stopped with nothing in their place; if none is, the newest."""
    found = [
        report
        for place, report in enumerate(reports)
        if ProgressState(report.state) in AT_WORK
        or (report.state == ProgressState.FAILED and not _is_replaced(report, reports[:place]))
    ]
    return found or reports[:1]


def _is_replaced(report: ProgressReport, later: list[ProgressReport]) -> bool:
    """Whether a later job brings the same back, or has."""
    same = [
        other for other in later if (other.subject, other.title) == (report.subject, report.title)
    ]
    return any(other.state != ProgressState.CANCELLED for other in same)


def _folded(facts: Facts, report: ProgressReport, clauses: Clauses, *, number: int) -> Folded:
    # One that has stopped and was replaced has no end; when it was last heard of is when it ended.
    ended_at = report.ended_at or report.heartbeat_at
    return Folded(
        number=number,
        title=title(report),
        state=report.state,
        state_words=_state_words(report),
        at=when(ended_at, facts.zone),
        horizon=(
            horizon(facts, report, is_alive=False)
            if report.state == ProgressState.SUCCEEDED
            else SafeString("")
        ),
        panel=panel(facts, report, clauses),
    )


def _state_words(report: ProgressReport) -> str:
    if report.waits_for_decision:
        return _("Waiting for a decision")
    return str(_STATES[ProgressState(report.state)])


def moves(report: ProgressReport) -> bool:
    """Whether a speed is known that does not read as none."""
    return report.rate is not None and report.rate >= _LEAST_RATE


def _rest(facts: Facts, report: ProgressReport) -> SafeString:
    """Return since when the job rests, and why, as far as that is known."""
    since = report.rests_since
    if since is None:
        return SafeString("")
    moment = when(since, facts.zone, year=True)
    if not report.waits_for_decision:
        return format_html(_("Paused since {}. What has arrived is kept."), moment)
    back = counted_words(report.done, report.total, report.unit)
    words = _(
        "{} are back. The rest has newer work in it, and waits for a decision of our team since {}."
    )
    return format_html(words, back, moment)


def stale_at(facts: Facts, report: ProgressReport) -> datetime | None:
    """Return when silence becomes news; None for a job that has nothing more to say."""
    alive = ProgressState(report.state) in _ALIVE
    return report.heartbeat_at + facts.limits.stale_after if alive else None


def panel(facts: Facts, report: ProgressReport, clauses: Clauses) -> SafeString:
    """Return the job's panel; from the moment its news is stale, the panel that says so."""
    fresh = _render(facts, report, eta=_eta(facts, report, clauses), stale=False)
    if stale_at(facts, report) is None:
        return fresh
    silent = _render(facts, report, eta=SafeString(""), stale=True)
    return clauses.turn(stale_at(facts, report), before=fresh, after=silent)


def bar(report: ProgressReport) -> Bar:
    """Return how far the stage under way is, in figures and words."""
    if report.state == ProgressState.SUCCEEDED:
        return Bar(percent=100, words=_("Complete"))
    if not report.unit or (not report.total and not report.done) or _stopped_behind_all(report):
        return Bar(percent=None, words="")
    done = amount(report.done, report.unit)
    if not report.total:
        return Bar(percent=None, words=_("%s so far") % done)
    figures = {"done": done, "total": amount(report.total, report.unit)}
    return Bar(percent=report.percent, words=_("%(done)s of %(total)s") % figures)


def _stopped_behind_all(report: ProgressReport) -> bool:
    """Whether all was counted and it stopped all the same: "12 of 12" would contradict that."""
    return report.state == ProgressState.FAILED and report.percent == 100  # noqa: PLR2004


def stages(report: ProgressReport) -> list[Stage]:
    """Return the parts of the job in their order."""
    order = list(ProgressPhase)
    now = order.index(ProgressPhase(report.phase))
    over = report.state == ProgressState.SUCCEEDED
    return [
        Stage(name=str(phase.label), place=_place(number, now=now, over=over))
        for number, phase in enumerate(order)
        if phase != ProgressPhase.READY and (phase != ProgressPhase.TENANTS or report.is_one_by_one)
    ]


def _place(number: int, *, now: int, over: bool) -> str:
    if over or number < now:
        return "done"
    return "now" if number == now else "ahead"


def _render(facts: Facts, report: ProgressReport, *, eta: SafeString, stale: bool) -> SafeString:
    is_alive = ProgressState(report.state) in _ALIVE and not stale
    running = report.state == ProgressState.RUNNING and not stale
    rate = amount(report.rate, report.unit) if running and report.rate and moves(report) else ""
    return render_to_string(
        "statuspage/_progress.html",
        {
            "title": title(report),
            "state": "stale" if stale else report.state,
            "state_words": _("No news") if stale else _state_words(report),
            "rest": _rest(facts, report),
            "stages": stages(report),
            "phase": ProgressPhase(report.phase).label,
            "bar": bar(report),
            "rate": _("%s per second") % rate if rate else "",
            "eta": eta,
            "basis": basis_words(report.eta_basis) if eta else "",
            "horizon": horizon(facts, report, is_alive=is_alive),
            "is_alive": is_alive,
            "heartbeat": when(report.heartbeat_at, facts.zone, seconds=True),
            "stale": stale,
            "took": lasted(report.ended_at - report.started_at) if report.ended_at else "",
        },
    )


def _eta(facts: Facts, report: ProgressReport, clauses: Clauses) -> SafeString:
    """Return the range in which the job ends, which turns when even its end has passed."""
    low, high = report.eta_low_at, report.eta_high_at
    if report.state != ProgressState.RUNNING or low is None or high is None:
        return SafeString("")
    given = between(low, high, facts.zone)
    passed = format_html(_('<span class="late">It was {}. That has passed.</span>'), given)
    return clauses.turn(high, before=given, after=passed)


def horizon(facts: Facts, report: ProgressReport, *, is_alive: bool) -> SafeString:
    """Return up to which moment data is back, is coming back, or is to come back."""
    if report.data_until_at is None:
        return SafeString("")
    has_seconds = bool(report.data_until_at.second)
    moment = when(report.data_until_at, facts.zone, year=True, seconds=has_seconds)
    if report.state == ProgressState.SUCCEEDED:
        return format_html(_("Everything up to {} is back."), moment)
    if report.state == ProgressState.CANCELLED:
        return SafeString("")
    if report.waits_for_decision:
        # Most of it is back, and of the rest nobody knows yet.
        return SafeString("")
    if is_alive:
        return format_html(_("Everything up to {} is being brought back."), moment)
    return format_html(_("Everything up to {} is to come back."), moment)
