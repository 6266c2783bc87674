"""What monitoring tells: taken in once, in whatever order and however often it arrives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction

from incidents.inbound import Told, severity_of
from incidents.models import Alert, AlertHook, Incident
from incidents.operations.hooks import HookDisabled
from incidents.operations.intake import (
    Intake,
    begin_intake,
    end_alert,
    follow,
    hear,
    incident_for,
    keep_alert,
    let_end,
    note_recovery,
    open_incident,
    words_of,
    write,
)
from incidents.values import AlertState, Milestone, Severity

# Monitors that watch the same thing disagree by this much on when it began.
_SKEW = timedelta(minutes=5)
# An Alertmanager gives a message up after this long: what fires later than that fires anew.
_SETTLED = timedelta(minutes=5)
# Alerts clear later than people see that it is over. Until then one that goes on is no news.
_LAG = timedelta(minutes=15)


Did = Literal["declared", "added", "ended", "noted", "repeated", "outdated", "kept", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one alert.

    declared: an incident was opened; added: it joined an open one; ended, noted: so is the
    timeline's entry; repeated: known already; outdated: older than what is known; kept: it was
    over before it was heard of; unknown: the end, or a remark, of what was never heard of.
    """

    told: Told
    did: Did
    incident: Incident | None = None


def take_in(*, hook_id: int, alerts: Sequence[Told], at: datetime, tz: str = "UTC") -> list[Taken]:
    """Take in what one message tells: all of it, or nothing. ``at`` is when it was received.

    The first alert that fires under a dedup key declares an incident; there is one open incident
    a key and hook. Each new alert, each return and each end is an entry of its own time. What is
    known already, and what is older than that, changes nothing. When every alert of an incident
    has ended, the timeline says so; ending the incident is left to people. ``tz`` is the zone of
    incidents that are declared.

    :raises HookDisabled: if the hook is switched off
    """
    with transaction.atomic():
        # The lock puts the messages of a hook in a row: none of the questions below has two askers.
        hook = AlertHook.objects.select_for_update().get(pk=hook_id)
        if not hook.is_enabled:
            raise HookDisabled
        hook.last_received_at = at
        hook.save(update_fields=["last_received_at"])
        intake = begin_intake(hook, alerts, at=at, tz=tz)
        taken = [_take(intake, told) for told in sorted(alerts, key=_gravest_first(hook))]
        for incident_id in sorted(intake.eased):
            note_recovery(intake, incident_id)
    return taken


def _gravest_first(hook: AlertHook) -> Callable[[Told], tuple[bool, str, bool]]:
    """Return the order in which a message is taken in: its gravest alert declares."""

    def order(told: Told) -> tuple[bool, str, bool]:
        severity = severity_of(told.severity) or Severity(hook.severity)
        return (told.state == AlertState.RESOLVED, severity.value, told.starts_at is None)

    return order


def _take(intake: Intake, told: Told) -> Taken:
    row = _row_of(intake, told)
    if row is not None:
        follow(row)
    if intake.external_id(told) in intake.heard:
        return Taken(told=told, did="repeated", incident=row.incident if row else None)
    if told.state == AlertState.FIRING:
        return _fires(intake, told, row)
    if told.state == AlertState.RESOLVED:
        return _ends(intake, told, row)
    return _remarks(intake, told, row)


def _row_of(intake: Intake, told: Told) -> Alert | None:
    """Return what is known of this very alert."""
    rows = intake.rows[told.fingerprint]
    if told.starts_at is None:
        return rows[0] if rows else None
    for row in rows:
        if row.starts_at == told.starts_at:
            return row
    firing = (row for row in rows if row.state == AlertState.FIRING)
    return next((row for row in firing if abs(row.starts_at - told.starts_at) <= _SKEW), None)


def _fires(intake: Intake, told: Told, row: Alert | None) -> Taken:
    if row is None:
        return _begins(intake, told)
    did: Did = "outdated"
    if row.state == AlertState.RESOLVED:
        if _is_back(row, told, at=intake.at):
            again = told.starts_at is not None
            return _goes_on(intake, told, row, "Alert again") if again else _begins(intake, told)
    elif told.told_at is None or told.told_at >= row.told_at:
        if _was_given_up(row, told, at=intake.at):
            return _goes_on(intake, told, row, "Alert still there")
        hear(row, told, at=intake.at)
        did = "repeated"
    return _remarks(intake, told, row, otherwise=did)


def _is_back(row: Alert, told: Told, *, at: datetime) -> bool:
    """Whether an alert that has ended is told of because it fires anew, and not belatedly."""
    if told.remark:
        return False
    if told.told_at is not None:
        return told.told_at > row.told_at
    # One without a start of its own is a new one. With the same start it is late news at first;
    # Alertmanager says it again, too, once it hears again from what it had lost sight of.
    return told.starts_at is None or at - row.told_at > _SETTLED


def _was_given_up(row: Alert, told: Told, *, at: datetime) -> bool:
    """Whether people ended the incident, and the alert goes on for longer than it may lag."""
    if row.incident is None:
        return True
    if told.remark or row.incident.resolved_at is None:
        return False
    return told.starts_at is None or at - row.incident.resolved_at > _LAG


def _begins(intake: Intake, told: Told) -> Taken:
    """Take in an alert that was not known."""
    rows = intake.rows[told.fingerprint]
    starts_at = told.starts_at or told.told_at or intake.at
    newer = [row for row in rows if row.starts_at > starts_at]
    if newer:
        return _keep(intake, told, starts_at, newer[-1].starts_at, newer[-1].incident)
    let_end(intake, rows, at=starts_at)
    incident, is_new = incident_for(intake, told, starts_at=starts_at)
    entry = write(
        intake,
        incident,
        words_of("Alert again" if rows else "Alert", told),
        when=starts_at,
        # Where there is a remark, too, the message is known by that entry.
        told=None if told.remark else told,
        milestone=Milestone.DETECTED if is_new else "",
    )
    row = keep_alert(
        intake, told, starts_at=starts_at, ends_at=None, incident=incident, entry=entry
    )
    if told.remark:
        _remarks(intake, told, row)
    return Taken(told=told, did="declared" if is_new else "added", incident=incident)


def _goes_on(intake: Intake, told: Told, row: Alert, words: str) -> Taken:
    """Take up an alert again that had ended, or whose incident had."""
    incident, is_new = incident_for(intake, told, starts_at=told.told_at or intake.at)
    row.state, row.ends_at, row.incident = AlertState.FIRING, None, incident
    row.told_at = told.told_at or intake.at
    row.entry = write(
        intake,
        incident,
        words_of(words, told),
        when=row.told_at,
        told=told,
        milestone=Milestone.DETECTED if is_new else "",
    )
    row.save(update_fields=["state", "ends_at", "incident", "told_at", "entry"])
    return Taken(told=told, did="declared" if is_new else "added", incident=incident)


def _ends(intake: Intake, told: Told, row: Alert | None) -> Taken:
    ends_at = told.ends_at or told.told_at or intake.at
    if row is None:
        if told.starts_at is None:
            return Taken(told=told, did="unknown")
        # Over before it was heard of. Its beginning, should it still arrive, is then no news.
        rows = intake.rows[told.fingerprint]
        let_end(intake, rows, at=told.starts_at)
        return _keep(intake, told, told.starts_at, ends_at, open_incident(intake, told))
    if told.told_at is not None and told.told_at < row.told_at:
        return _remarks(intake, told, row, otherwise="outdated")
    if row.state == AlertState.RESOLVED:
        hear(row, told, at=intake.at)
        return _remarks(intake, told, row, otherwise="repeated")
    ended_at = end_alert(intake, row, at=ends_at)
    hear(row, told, at=intake.at)
    if row.incident is not None:
        # By the name under which it stands there: its end may come without one, or with figures.
        words = words_of("Alert ended", replace(told, title=row.title))
        write(intake, row.incident, words, when=ended_at, told=told)
    return Taken(told=told, did="ended", incident=row.incident)


def _remarks(intake: Intake, told: Told, row: Alert | None, *, otherwise: Did = "unknown") -> Taken:
    """Write down what people did with an alert elsewhere, if it says so."""
    incident = row.incident if row else None
    if not told.remark or incident is None:
        return Taken(told=told, did=otherwise, incident=incident)
    write(intake, incident, told.remark, when=told.told_at or intake.at, told=told)
    return Taken(told=told, did="noted", incident=incident)


def _keep(
    intake: Intake, told: Told, starts_at: datetime, ends_at: datetime, incident: Incident | None
) -> Taken:
    """Keep an alert that is over. If its incident is known, it stands there with its times."""
    ends_at = max(min(ends_at, intake.at), starts_at)
    entry = None
    if incident is not None:
        words = words_of("Alert, over when it was heard of", told)
        entry = write(intake, incident, words, when=starts_at, until=ends_at, told=told)
    keep_alert(intake, told, starts_at=starts_at, ends_at=ends_at, incident=incident, entry=entry)
    return Taken(told=told, did="kept", incident=incident)
