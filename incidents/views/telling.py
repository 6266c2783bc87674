"""What the page of an incident holds of updates: the form, and what customers have not read."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.access import actor
from incidents import forms, operations, queries
from incidents.cadence import LONG, PHASES
from incidents.models import Component, Incident, StatusUpdate
from incidents.operations.promises import quiet_until
from incidents.plans import UpdatePlan
from incidents.queries import Agreed
from incidents.values import (
    ComponentStatus,
    Phase,
    PromiseKind,
    Role,
    Severity,
    UpdateState,
    When,
)
from incidents.views import desk, looks
from incidents.wording import basis_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """An update that customers have not read, with what it brings and what may be done with it."""

    update: StatusUpdate
    plan: UpdatePlan
    components: list[tuple[str, ComponentStatus]]
    is_own: bool
    may_skip_approval: bool
    # What the page would go on saying of components behind it.
    stays: list[str]

    @property
    def waits(self) -> bool:
        return self.update.state == UpdateState.IN_REVIEW

    @property
    def next_at(self) -> When | None:
        return When(at=self.plan.next_update_at) if self.plan.next_update_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """The form of the next update, with what the rules say of it."""

    form: forms.UpdateForm
    preview: dict[str, object] | None
    cadences: list[tuple[str, int]]
    needs_approval: bool
    may_become_long: bool


def shown(
    request: HttpRequest,
    incident: Incident,
    *,
    now: datetime,
    form: forms.UpdateForm | None = None,
    preview: dict[str, object] | None = None,
) -> dict[str, Any]:
    """Return what the page shows of updates, with the form as it is or as it is offered."""
    rules = queries.agreed()
    return {
        **unsent(request, incident, rules=rules),
        "telling": Telling(
            form=form or _offered(request, incident, now=now, rules=rules),
            preview=preview,
            cadences=_cadences(incident, rules),
            needs_approval=_needs_approval(incident, rules),
            may_become_long=_goes_on_for_long(incident, rules, now=now),
        ),
    }


def unsent(
    request: HttpRequest, incident: Incident, *, rules: Agreed | None = None
) -> dict[str, Any]:
    """Return the updates that customers have not read, and one that was just put away."""
    rules = rules or queries.agreed()
    user, found = actor(request), list(queries.drafts(incident.pk))
    plans = [UpdatePlan.from_json(update.plan) for update in found]
    names = _names(plans)
    ends = any(update.phase == Phase.RESOLVED for update in found)
    held = held_words(incident) if ends else {}
    proposed = queries.proposed_states(incident) if found else {}
    commands = any(update.state == UpdateState.IN_REVIEW for update in found) and (
        incident.roles.filter(role=Role.COMMANDER, until_at=None, holder=user).exists()
    )
    return {
        "needs_approval": _needs_approval(incident, rules),
        "tz": looks.look_at(request, incident).tz,
        "unsent": [
            Unsent(
                update=update,
                plan=plan,
                components=[
                    (names[pk], status)
                    for pk, status in plan.component_statuses.items()
                    if pk in names
                ],
                stays=_stays(update, plan, held, proposed),
                is_own=update.author_id == user.pk,
                may_skip_approval=commands or update.author_id == user.pk,
            )
            for update, plan in zip(found, plans, strict=True)
        ],
        "discarded": _just_discarded(request, incident),
    }


def _stays(
    update: StatusUpdate,
    plan: UpdatePlan,
    held: Mapping[int, str],
    proposed: Mapping[int, ComponentStatus],
) -> list[str]:
    """Say what stays as it is behind an update, though its readers may think otherwise."""
    if update.phase == Phase.RESOLVED:
        return [words for pk, words in held.items() if pk not in plan.component_statuses]
    suffers = set(plan.component_statuses.values()) - {ComponentStatus.OPERATIONAL}
    if proposed and not suffers and update.phase != Phase.MONITORING:
        return [_("With it the page goes on saying that the components work. Change it if not.")]
    return []


def held_words(incident: Incident) -> dict[int, str]:
    """Say, by the id of a component that does not work, which other incidents hold it."""
    held = operations.holders(incident)
    if not held:
        return {}
    down = Component.objects.filter(pk__in=held).exclude(status=ComponentStatus.OPERATIONAL)
    return {
        component.pk: _("%(component)s stays as it is, “%(status)s”: %(incidents)s has it, too.")
        % {
            "component": forms.full_name(component),
            "status": component.get_status_display(),
            "incidents": ", ".join(other.ref for other in held[component.pk]),
        }
        for component in down.select_related("group").order_by("pk")
    }


def update_form(
    incident: Incident,
    *,
    now: datetime,
    data: Any = None,
    body: str = "",
    may_have_blanks: bool = False,
    rules: Agreed | None = None,
    typed_in: str = "",
) -> forms.UpdateForm:
    """Return the form of an update, filled with what is likely meant.

    Times are typed in the zone ``typed_in``, or in that of the incident; what was sent says itself
    in which it was typed.
    """
    rules = rules or queries.agreed()
    standing = incident.promises.open().filter(kind=PromiseKind.ETA).first()
    phase = Phase.INVESTIGATING if incident.is_resolved else Phase(incident.phase)
    severity = Severity(incident.severity)
    morning = quiet_until(incident, at=now)
    initial = {
        "phase": phase,
        "body": body,
        "next_minutes": (
            None if morning else rules.minutes[severity, LONG if incident.is_long else phase]
        ),
        "next_at": morning,
        "says_quiet": morning is not None,
        "eta_basis": basis_words(standing.basis) if standing else "",
        "key": secrets.token_urlsafe(12),
    }
    return _form(
        incident,
        data,
        initial | {"public_title": incident.title},
        now=now,
        may_have_blanks=may_have_blanks,
        quiet=morning,
        typed_in=typed_in,
        proposed=queries.proposed_states(incident),
        asks_title=incident.published_at is None and queries.begins(incident),
    )


def draft_form(
    update: StatusUpdate,
    *,
    now: datetime,
    data: Any = None,
    may_have_blanks: bool = True,
    typed_in: str = "",
) -> forms.UpdateForm:
    """Return the form of an update that is put aside or waits, with what it says and brings."""
    plan = UpdatePlan.from_json(update.plan)
    minutes = plan.next_update_in and plan.next_update_in // timedelta(minutes=1)
    initial: dict[str, Any] = {
        "phase": update.phase,
        "body": update.body,
        "next_minutes": minutes,
        "next_at": plan.next_update_at,
        "eta_from": plan.eta and plan.eta.at,
        "eta_until": plan.eta and plan.eta.until,
        "eta_basis": plan.eta_basis,
        "eta_confidence": plan.eta_confidence,
        "quiet": not update.deliver_notifications,
        "version": update.version,
    }
    initial |= {f"component_{pk}": status for pk, status in plan.component_statuses.items()}
    return _form(
        update.incident,
        data,
        initial,
        now=now,
        may_have_blanks=may_have_blanks,
        may_resolve=update.phase == Phase.RESOLVED,
        typed_in=typed_in,
    )


def _form(
    incident: Incident,
    data: Any,
    initial: dict[str, Any],
    *,
    now: datetime,
    may_have_blanks: bool,
    may_resolve: bool = False,
    quiet: datetime | None = None,
    typed_in: str = "",
    **more: Any,
) -> forms.UpdateForm:
    return forms.UpdateForm(
        data,
        initial=initial,
        now=now,
        tz=incident.tz,
        typed_in=typed_in,
        components=queries.component_tree(),
        affected=incident.components.values_list("pk", flat=True),
        may_have_blanks=may_have_blanks,
        may_resolve=may_resolve,
        quiet_until=quiet,
        **more,
    )


def _offered(
    request: HttpRequest, incident: Incident, *, now: datetime, rules: Agreed
) -> forms.UpdateForm:
    """Return the form of an update, filled with what the address names, if anything.

    That is a template, or an update that only staff could read, to be said to customers.
    """
    again = desk.number(request.GET.get("again", ""))
    said = incident.updates.published().filter(pk=again).first() if again else None
    form = update_form(
        incident,
        now=now,
        rules=rules,
        body=said.body if said else "",
        typed_in=looks.look_at(request, incident).tz,
    )
    desk.fill(request, form, {"template": request.GET.get("template", "")})
    return form


def _goes_on_for_long(incident: Incident, rules: Agreed, *, now: datetime) -> bool:
    """Whether customers could hear less often: not before they have heard at all.

    Counted from when people took it up; an alert may be older by days.
    """
    if incident.is_long or incident.first_update_at is None:
        return False
    return now - (incident.declared_at or incident.created_at) > rules.desk.long_after


def _cadences(incident: Incident, rules: Agreed) -> list[tuple[str, int]]:
    """Return how soon customers hear next in each open phase, or at all of a long incident."""
    severity = Severity(incident.severity)
    if incident.is_long:
        return [("long incident", rules.minutes[severity, LONG])]
    return [(str(phase.label), rules.minutes[severity, phase]) for phase in PHASES]


def _needs_approval(incident: Incident, rules: Agreed) -> bool:
    return rules.severities[Severity(incident.severity)].needs_approval


def _names(plans: list[UpdatePlan]) -> dict[int, str]:
    named = {pk for plan in plans for pk in plan.component_statuses}
    if not named:
        return {}
    found = Component.objects.filter(pk__in=named).select_related("group")
    return {component.pk: forms.full_name(component) for component in found}


def _just_discarded(request: HttpRequest, incident: Incident) -> StatusUpdate | None:
    """Return the update that has just been put away, if that can be undone here."""
    named = desk.number(request.GET.get("discarded", ""))
    if named is None:
        return None
    return incident.updates.filter(state=UpdateState.DISCARDED, pk=named).first()
