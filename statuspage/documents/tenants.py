"""What one tenant sees of its own data: many thousand documents, cut from a few stencils.

A template is rendered once for each thing that can be said; what is the tenant's own is filled
into it. As on every page, what time makes true turns by itself.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from incidents.values import ProgressState, TenantState
from incidents.wording import basis_words
from statuspage.documents import v2
from statuspage.documents.clauses import Clauses, Edition
from statuspage.documents.facts import Facts
from statuspage.documents.moments import between, iso, iso_or_none, when
from statuspage.documents.pages import age, frame

# Where tenants look themselves up; each one's document lies behind it, under its code.
MY = "/my"
MY_API = "/api/status/v1/my"

# So many tenants are told of their restore's silence as soon as everybody else, or nearly. More
# are given longer: each sign of life is a document to write for every one of them.
FEW = 200
_PATIENCE_WITH_FEW = timedelta(minutes=2)
_PATIENCE_WITH_MANY = timedelta(minutes=15)
# A document on which nothing moves is written anew so often, and admits its age after that.
IDLE_REST = timedelta(hours=12)
_IDLE_PATIENCE = timedelta(hours=25)
# Up to here places are told exactly.
_NEAR = 10


def patience(count: int) -> timedelta:
    """Return how long a restore may be silent before its tenants, so many, are told."""
    return _PATIENCE_WITH_FEW if count <= FEW else _PATIENCE_WITH_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The restore that a tenant's data is in, as far as its tenants see it.

    ``incident_id`` is empty when the page does not show the incident.
    """

    pk: int
    state: str
    heartbeat_at: datetime
    ended_at: datetime | None
    incident_id: str
    incident_title: str
    incident_is_over: bool
    # It rests until people decide about some tenants.
    waits_for_decision: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one tenant stands. Without a ``run`` there is nothing to tell of its data."""

    code: str
    name: str
    run: Run | None = None
    state: str = ""
    place: int | None = None
    data_until_at: datetime | None = None
    eta_low_at: datetime | None = None
    eta_high_at: datetime | None = None
    eta_basis: str = ""
    updated_at: datetime | None = None

    @property
    def kind(self) -> str:
        """What is so for this tenant, in one word: a state, or how its restore ended."""
        run = self.run
        if run is None:
            return "none"
        if self._is_open_for_good(run):
            return "back"
        if run.state in _STOPPED:
            return "none" if run.incident_is_over else _STOPPED[run.state]
        if self.state == TenantState.RESTORED and self.place is None:
            # It was looked at, and not all of it could be counted.
            return "unchecked"
        if run.state == ProgressState.SUCCEEDED and self.state != TenantState.ABSENT:
            # What was not said to be verified is not said to be back.
            return "back" if self.state == TenantState.VERIFIED else "none"
        return _UNDECIDED.get(self.state, self.state) if run.waits_for_decision else self.state

    def _is_open_for_good(self, run: Run) -> bool:
        """Whether its data is in use again, whatever becomes of the others."""
        # Where a restore is over that should have brought the rest, what is there stays.
        is_left = self.state == TenantState.REOPENED and run.ended_at is not None
        return is_left or self.state == TenantState.BACK

    @property
    def since(self) -> datetime | None:
        """Since when that is so: the last change of its own, or the end of its restore."""
        if self.run is None or self.updated_at is None or self.kind == "none":
            return None
        if self.is_alive or self.state == TenantState.BACK or self.run.waits_for_decision:
            return self.updated_at
        # One that stopped has no end, and says nothing more.
        return max(self.updated_at, self.run.ended_at or self.run.heartbeat_at)

    @property
    def is_alive(self) -> bool:
        """Whether its restore is at work, as far as is known."""
        return self.kind in _ALIVE and self.run is not None and self.run.ended_at is None

    @property
    def fingerprint(self) -> str:
        """What tells this standing from any that is to be told otherwise."""
        run = self.run and (self.run.pk, self.run.incident_id, self.run.incident_title)
        own = (self.kind, self.name, run, self.place, self.data_until_at, self.eta_basis)
        told = repr((own, self.eta_low_at, self.eta_high_at, self.since))
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


_STOPPED: dict[str, str] = {
    ProgressState.FAILED: "stopped",
    ProgressState.CANCELLED: "cancelled",
}
# Those that are not back while their restore waits for people. Nothing goes on by itself.
_UNDECIDED: dict[str, str] = {
    TenantState.WAITING: "undecided",
    TenantState.REOPENED: "reopened_undecided",
    TenantState.VERIFIED: "verified_undecided",
}
_SETTLED = {TenantState.ABSENT.value, TenantState.BACK.value}
_ALIVE = {state.value for state in TenantState} - _SETTLED | {"unchecked"}
_HEADLINES = {
    "none": _lazy("Nothing is known here of a restore of your data."),
    "waiting": _lazy("Your data waits for its turn."),
    "restoring": _lazy("Your data is being restored."),
    "restored": _lazy("Your data is restored, and has not been checked yet."),
    "unchecked": _lazy("Your data is restored, and could not be checked in full."),
    "verified": _lazy("Your data is restored and checked."),
    "reopened": _lazy("Your data is back up to an earlier moment. The rest follows."),
    "own_turn": _lazy("Your data is being brought back now."),
    "absent": _lazy("Your data is not in this backup."),
    "back": _lazy("Your data is back, and has been checked."),
    "stopped": _lazy("The restore of your data has stopped before its end."),
    "cancelled": _lazy("This restore of your data was ended early."),
    "undecided": _lazy("Your data waits for a decision of our team."),
    "reopened_undecided": _lazy(
        "Your data is back up to an earlier moment. The rest waits for a decision of our team."
    ),
    "verified_undecided": _lazy("Your data is restored and checked."),
}
_MORE = {
    "none": _lazy("What holds for everybody stands on the status page."),
    "waiting": _lazy("The work begins as soon as there is a free hand."),
    "restoring": _lazy("All data of this database comes back together, yours included."),
    "restored": _lazy("We look at what came back, one customer after the other."),
    "unchecked": _lazy("Not all of it could be counted, so we do not call it checked."),
    "verified": _lazy("It opens together with the rest, as soon as all of it is checked."),
    "reopened": _lazy(
        "You can work. What you change meanwhile is not replaced without somebody looking at it."
    ),
    "own_turn": _lazy("It is your turn. What comes back is checked before you get it."),
    "absent": _lazy("It came into being after the moment up to which this backup goes."),
    "back": _lazy("We have counted what came back."),
    "stopped": _lazy("Our engineers are on it. We say on the status page how it goes on."),
    "cancelled": _lazy("We say on the status page how it goes on."),
    "undecided": _lazy("Nothing of it is replaced before that."),
    "reopened_undecided": _lazy(
        "You can work. Nothing of what you have is replaced before that decision."
    ),
    "verified_undecided": _lazy("Other data waits for a decision of our team before it goes on."),
}
# The state whose colour and shape the document has.
_MARKS = {
    "none": "unknown", "back": "operational", "verified": "operational",
    "waiting": "under_maintenance", "restoring": "under_maintenance",
    "reopened": "under_maintenance", "own_turn": "under_maintenance",
    "restored": "under_maintenance", "unchecked": "degraded_performance",
    "absent": "degraded_performance",
    "undecided": "degraded_performance", "reopened_undecided": "under_maintenance",
    "verified_undecided": "operational",
    "stopped": "major_outage", "cancelled": "degraded_performance",
}  # fmt: skip


class TenantPages:
    """The documents of the tenants of one page, as of the moment of its facts."""

    def __init__(self, facts: Facts, *, patience: timedelta) -> None:
        self._facts = facts
        self._patience = patience
        self._clauses = Clauses(at=facts.at)
        self._stencils: dict[tuple[object, ...], str] = {}

    def documents(self, standing: Standing) -> dict[str, list[Edition]]:
        """Return a tenant's page and its twin for programs, by path, each with its editions."""
        return {
            f"{MY}/{standing.code}": self._page(standing),
            f"{MY_API}/{standing.code}.json": self._twin(standing),
        }

    def _page(self, standing: Standing) -> list[Edition]:
        own = self._own_words(standing)
        there = tuple(name for name, words in own.items() if words)
        key = (standing.kind, standing.is_alive, standing.run and standing.run.pk, there)
        stencil = self._stencils.get(key)
        if stencil is None:
            holes = {name: SafeString(_hole(name)) for name in there}
            stencil = self._stencils[key] = self._cut(standing, holes)
        for name in there:
            stencil = stencil.replace(_hole(name), own[name])
        return self._clauses.editions(stencil)

    def _own_words(self, standing: Standing) -> dict[str, str]:
        """Return what differs from tenant to tenant, as HTML, in the order of filling in."""
        return {
            "place": _place(standing),
            "eta": self._eta(standing),
            "basis": str(escape(basis_words(standing.eta_basis))) if standing.eta_high_at else "",
            "horizon": self._horizon(standing),
            "since": self._since(standing),
            "code": standing.code,
            # Last: what a tenant is called may look like a hole.
            "name": str(escape(standing.name)),
        }

    def _cut(self, standing: Standing, holes: dict[str, SafeString]) -> str:
        """Render the template of all who are in the same case."""
        run, kind = standing.run, standing.kind
        shows_incident = run is not None and run.incident_id and not run.incident_is_over
        empty = dict.fromkeys(("place", "eta", "basis", "horizon", "since"), "")
        return render_to_string(
            "statuspage/my.html",
            frame(self._facts)
            | empty
            | holes
            | {
                "kind": kind,
                "mark": _MARKS[kind],
                "headline": _HEADLINES[kind],
                "more": _MORE[kind],
                "incident_id": run.incident_id if run and shows_incident else "",
                "incident_title": run.incident_title if run else "",
                "silence": self._silence(standing),
                "age": self._age(standing),
                "live_url": f"{MY}/{holes['code']}" if standing.is_alive else "",
            },
        )

    def _silence(self, standing: Standing) -> SafeString:
        """Return the words that appear when the restore has said nothing for too long."""
        if not standing.is_alive or standing.run is None:
            return SafeString("")
        heartbeat = standing.run.heartbeat_at
        words = render_to_string(
            "statuspage/_silence.html", {"heartbeat": when(heartbeat, self._facts.zone)}
        )
        return self._clauses.turn(
            heartbeat + self._patience, before=SafeString(""), after=SafeString(words)
        )

    def _age(self, standing: Standing) -> SafeString:
        """Return the words that appear when this document should long have been renewed."""
        quiet = self._patience * 2 if standing.is_alive else _IDLE_PATIENCE
        return age(self._facts, self._clauses, quiet_after=quiet)

    def _eta(self, standing: Standing) -> SafeString:
        low, high = standing.eta_low_at, standing.eta_high_at
        if low is None or high is None or not standing.is_alive:
            return SafeString("")
        given = between(low, high, self._facts.zone)
        passed = format_html(_('<span class="late">It was {}. That has passed.</span>'), given)
        return self._clauses.turn(high, before=given, after=passed)

    def _since(self, standing: Standing) -> str:
        since = standing.since
        return when(since, self._facts.zone, year=True, seconds=True) if since else ""

    def _horizon(self, standing: Standing) -> SafeString:
        until, kind = standing.data_until_at, standing.kind
        if until is None or kind not in _HORIZONS:
            return SafeString("")
        moment = when(until, self._facts.zone, year=True, seconds=bool(until.second))
        return format_html(str(_HORIZONS[kind]), moment)

    def _twin(self, standing: Standing) -> list[Edition]:
        moments = {self._facts.at, standing.eta_high_at, self._silent_from(standing)}
        return [
            Edition(valid_from=moment, body=v2.encode(self._twin_at(standing, moment)))
            for moment in sorted(each for each in moments if each and each >= self._facts.at)
        ]

    def _twin_at(self, standing: Standing, now: datetime) -> dict[str, Any]:
        zone, run, alive = self._facts.zone, standing.run, standing.is_alive
        silent_from = self._silent_from(standing)
        high = standing.eta_high_at if alive else None
        return {
            "name": standing.name,
            "state": standing.kind,
            "place": standing.place if alive else None,
            "eta_from": iso_or_none(standing.eta_low_at if alive else None, zone),
            "eta_to": iso_or_none(high, zone),
            "eta_basis": (high and basis_words(standing.eta_basis)) or None,
            "eta_passed": high is not None and high <= now,
            "data_until": (
                iso_or_none(standing.data_until_at, zone) if standing.kind in _HORIZONS else None
            ),
            "stale": silent_from is not None and silent_from <= now,
            "heartbeat_at": iso_or_none(run.heartbeat_at if run and alive else None, zone),
            "incident": (run and run.incident_id) or None,
            "generated_at": iso(self._facts.at, zone),
        }

    def _silent_from(self, standing: Standing) -> datetime | None:
        if not standing.is_alive or standing.run is None:
            return None
        return standing.run.heartbeat_at + self._patience


def lookup_page(facts: Facts) -> bytes:
    """Return the page on which a tenant types its code."""
    return render_to_string("statuspage/my_lookup.html", frame(facts) | {"live_url": ""}).encode()


_HORIZONS = {
    "waiting": _lazy("Everything up to {} is to come back."),
    "restoring": _lazy("Everything up to {} is being brought back."),
    "restored": _lazy("Everything up to {} has been brought back."),
    "unchecked": _lazy("Everything up to {} has been brought back."),
    "verified": _lazy("Everything up to {} has been brought back."),
    "reopened": _lazy("Everything up to {} is back."),
    "own_turn": _lazy("Everything up to {} is back."),
    "reopened_undecided": _lazy("Everything up to {} is back."),
    "verified_undecided": _lazy("Everything up to {} has been brought back."),
    "absent": _lazy("This restore goes up to {}."),
    "back": _lazy("Everything up to {} is back."),
}


def _place(standing: Standing) -> str:
    """Return how many come before, never fewer than there are."""
    if standing.place is None or not standing.is_alive:
        return ""
    before = standing.place - 1
    if before == 0:
        return _("Yours is next.")
    if standing.place <= _NEAR:
        return ngettext("%d other comes before yours.", "%d others come before yours.", before) % (
            before
        )
    return ngettext(
        "At most %d other comes before yours.", "At most %d others come before yours.", before
    ) % (before)


def _hole(name: str) -> str:
    # A control character: no text of anybody's may hold it, and none is filled in before.
    return f"\x01{name}\x01"
