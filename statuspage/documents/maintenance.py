"""Planned work as pages show it: when, on what, how far, and what time alone makes of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from incidents.models import Maintenance, MaintenanceChange, MaintenanceUpdate
from incidents.spoken import moment_within
from incidents.values import MaintenanceState, local
from statuspage.documents.bodies import as_html, first_words, words_of
from statuspage.documents.clauses import Clauses
from statuspage.documents.facts import Facts, parts_of, said
from statuspage.documents.messages import (
    LONG,
    Earlier,
    Message,
    Past,
    Said,
    affected_parts,
    status_words,
)
from statuspage.documents.moments import clock, day, lasted, tagged, when, zone_name
from statuspage.documents.v2 import full_name

# A copy of the page that is older has said so long since; every publish looks a day further.
_AHEAD = timedelta(days=1)
# What goes by itself may take the clock a moment: only then is it news that it has not.
_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A maintenance with everything that customers may know of it."""

    id: str
    title: str
    state: str
    pill: SafeString
    window: SafeString
    timing: SafeString
    is_over: bool
    took_place: SafeString
    afterwards: bool
    affected: list[tuple[str, str, str]]
    messages: list[Message]


def planned(facts: Facts, maintenance: Maintenance, clauses: Clauses, earlier: Earlier) -> Planned:
    """Return all of a maintenance. Its words turn by themselves when it should begin and end."""
    return Planned(
        id=maintenance.public_id,
        title=maintenance.title,
        state=maintenance.state,
        pill=_pill_of(facts, maintenance, clauses),
        window=window(maintenance.scheduled_for, maintenance.scheduled_until, facts.zone),
        timing=timing(facts, maintenance, clauses),
        is_over=maintenance.is_over,
        took_place=_took_place(facts, maintenance),
        afterwards=maintenance.was_written_afterwards,
        affected=affected_parts(facts, parts_of(maintenance), is_open=maintenance.is_running),
        messages=_messages(facts, maintenance, earlier),
    )


def late_at(maintenance: Maintenance) -> datetime | None:
    """Return when it is news that it has not begun, or has not ended; None once it is over."""
    if maintenance.is_scheduled:
        grace = _GRACE if maintenance.starts_by_itself else timedelta(0)
        return maintenance.scheduled_for + grace
    if maintenance.is_running:
        grace = _GRACE if maintenance.ends_by_itself else timedelta(0)
        return maintenance.scheduled_until + grace
    return None


def timing(facts: Facts, maintenance: Maintenance, clauses: Clauses) -> SafeString:
    """Return what is next: it begins, it ends; or that it should have, and has not."""
    if maintenance.is_scheduled:
        return _begins(facts, maintenance, clauses)
    if maintenance.is_running:
        return _ends(facts, maintenance, clauses)
    if maintenance.ended_at is None:
        return SafeString("")
    at = _within(maintenance.ended_at, facts.zone)
    if maintenance.state == MaintenanceState.CANCELLED:
        return format_html(_("It was called off on {moment}."), moment=at)
    if maintenance.was_missed:
        return format_html(_("It was noted as over on {moment}."), moment=at)
    return format_html(_("It was finished on {moment}."), moment=at)


def window(low: datetime, high: datetime, zone: tzinfo) -> SafeString:
    """Return a stretch of time, as elements: "14 January 2026, 02:00 – 04:00 CET"."""
    one_day = local(low, zone).date() == local(high, zone).date()
    if one_day and zone_name(low, zone) == zone_name(high, zone):
        return format_html(
            _("{day}, {start} – {end}"),
            day=day(low, zone),
            start=tagged(low, f"{local(low, zone):%H:%M}"),
            end=tagged(high, clock(high, zone)),
        )
    return format_html(
        _("{start} – {end}"), start=when(low, zone, year=True), end=when(high, zone, year=True)
    )


def past_line(facts: Facts, maintenance: Maintenance) -> Past:
    """Return a maintenance that is over as a line of the history."""
    updates, at = said(maintenance), maintenance.dated_at
    return Past(
        id=maintenance.public_id,
        title=maintenance.title,
        day=tagged(at, day(at, facts.zone)),
        phase=maintenance.state,
        phase_words=str(MaintenanceState(maintenance.state).label),
        impact="maintenance",
        impact_words=_("Maintenance"),
        took=_took(maintenance),
        words=first_words(words_of(updates[0])) if updates else "",
        room="maintenances",
    )


def _begins(facts: Facts, maintenance: Maintenance, clauses: Clauses) -> SafeString:
    begins = _within(maintenance.scheduled_for, facts.zone)
    ends = _within(maintenance.scheduled_until, facts.zone)
    late = _late(format_html(_("It should have begun on {moment} and has not yet."), moment=begins))
    missed = _late(format_html(_("It was planned until {moment}, and has not begun."), moment=ends))
    return clauses.turn(
        _soon(facts, late_at(maintenance)),
        before=format_html(_("It begins on {moment}."), moment=begins),
        after=clauses.turn(_soon(facts, maintenance.scheduled_until), before=late, after=missed),
    )


def _ends(facts: Facts, maintenance: Maintenance, clauses: Clauses) -> SafeString:
    ends = _within(maintenance.scheduled_until, facts.zone)
    overrun = _("It was planned to end on {moment}, and is not finished: it takes longer.")
    return clauses.turn(
        _soon(facts, late_at(maintenance)),
        before=format_html(_("It is planned until {moment}."), moment=ends),
        after=_late(format_html(overrun, moment=ends)),
    )


def _pill_of(facts: Facts, maintenance: Maintenance, clauses: Clauses) -> SafeString:
    state = MaintenanceState(maintenance.state)
    words = _pill(state, str(state.label))
    if state.is_over:
        return words
    late = _("Overdue") if state == MaintenanceState.SCHEDULED else _("Takes longer")
    return clauses.turn(
        _soon(facts, late_at(maintenance)), before=words, after=_pill("missed", late)
    )


def _pill(state: str, words: str) -> SafeString:
    return format_html('<span class="pill is-{}">{}</span>', state, words)


def _soon(facts: Facts, at: datetime | None) -> datetime | None:
    return at if at is not None and at < facts.at + _AHEAD else None


def _late(words: SafeString) -> SafeString:
    return format_html('<span class="late">{}</span>', words)


def _within(at: datetime, zone: tzinfo) -> SafeString:
    return tagged(at, moment_within(at, zone))


def _took_place(facts: Facts, maintenance: Maintenance) -> SafeString:
    """Return the real times of work that is over, with how long it took."""
    if not _took(maintenance) or maintenance.began_at is None or maintenance.ended_at is None:
        return SafeString("")
    return format_html(
        _("{stretch} ({length})"),
        stretch=window(maintenance.began_at, maintenance.ended_at, facts.zone),
        length=_took(maintenance),
    )


def _took(maintenance: Maintenance) -> str:
    began_at, ended_at = maintenance.began_at, maintenance.ended_at
    # Where both are one, the clock noted it afterwards, and nobody knows how long it took.
    return lasted(ended_at - began_at) if began_at and ended_at and ended_at > began_at else ""


def _messages(facts: Facts, maintenance: Maintenance, earlier: Earlier) -> list[Message]:
    updates = said(maintenance)
    before = [*(update.state for update in updates[1:]), ""]
    return [
        _message(facts, update, earlier, repeated=update.state == state)
        for update, state in zip(updates, before, strict=False)
    ]


def _message(
    facts: Facts, update: MaintenanceUpdate, earlier: Earlier, *, repeated: bool
) -> Message:
    changes: Sequence[MaintenanceChange] = update.changes  # type: ignore[attr-defined]
    return Message(
        id=update.public_id,
        gist=first_words(words_of(update)) if len(words_of(update)) > LONG else "",
        label=_("Update") if repeated else str(MaintenanceState(update.state).label),
        phase=update.state,
        at=when(update.published_at, facts.zone),
        body=as_html(words_of(update)),
        author="",
        edited=when(update.edited_at, facts.zone) if update.edited_at else SafeString(""),
        earlier=[
            Said(body=as_html(body), until=when(until, facts.zone))
            for body, until in earlier.get(update.pk, ())
        ],
        changes=[
            (full_name(change.component), change.new_status, status_words(change.new_status))
            for change in changes
            if change.old_status != change.new_status
        ],
    )
