"""What programs say of planned work, as deeds: scheduled, begun, checked, ended, taken away."""

from datetime import datetime, timedelta

from django.db import transaction

from incidents import operations
from incidents.models import Component, Maintenance
from incidents.operations import Plan
from incidents.values import ComponentStatus, MaintenanceState, Visibility
from statuspage.api.base import ManagementView
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.api.saying import Said, components_in, keep_attached

# By the words that clients know: they have none for what is called off.
STATES = (
    MaintenanceState.SCHEDULED,
    MaintenanceState.IN_PROGRESS,
    MaintenanceState.VERIFYING,
    MaintenanceState.COMPLETED,
)
_REMIND_BEFORE = timedelta(hours=1)
_DEEDS = {
    MaintenanceState.IN_PROGRESS: operations.start_maintenance,
    MaintenanceState.VERIFYING: operations.verify_maintenance,
    MaintenanceState.COMPLETED: operations.finish_maintenance,
}


def schedule(view: ManagementView, body: Body) -> Maintenance:
    """Plan work, and bring it as far as is said.

    :raises Unfit: if what was sent is not fit for it
    """
    title = body.line("name")
    if not title:
        raise Unfit("name can't be blank.")
    begins, ends = body.moment("scheduled_for"), body.moment("scheduled_until")
    if begins is None or ends is None:
        raise Unfit("scheduled_for and scheduled_until say from when until when it is planned.")
    said = components_in(view, body)
    if view.touching is not None and not said.named:
        raise Unfit("This page shows some components only. Name at least one of them.")
    state = MaintenanceState(body.choice("status", STATES) or MaintenanceState.SCHEDULED)
    maintenance = operations.schedule_maintenance(
        plan=_plan(body, None, title=title, parts=list(said.named), tz=view.page.time_zone),
        scheduled_for=begins,
        scheduled_until=ends,
        at=view.at,
        author=view.user,
        body=body.text("body").strip(),
    )
    if not maintenance.is_over:
        _go_on(view, maintenance, state, "")
    keep_attached(body, maintenance=maintenance)
    return maintenance


def change(view: ManagementView, maintenance: Maintenance, body: Body) -> None:
    """Carry out what a program sends of planned work that is there.

    :raises Unfit: if what was sent is not fit for it
    """
    state = MaintenanceState(body.choice("status", STATES) or maintenance.state)
    said = components_in(view, body)
    _plan_anew(view, maintenance, body, said)
    words = body.text("body").strip()
    words = "" if _move(view, maintenance, body, words) else words
    is_moved = state != maintenance.state and not maintenance.is_over
    if is_moved:
        _go_on(view, maintenance, state, words)
    elif state not in (maintenance.state, MaintenanceState.COMPLETED):
        raise operations.MaintenanceOver
    elif words and not _is_said(maintenance, words):
        operations.post_maintenance_update(
            maintenance_id=maintenance.pk,
            body=words,
            at=view.at,
            author=view.user,
            deliver_notifications=body.flag("deliver_notifications", default=True),
        )
    _set_statuses(view, state, said)
    keep_attached(body, maintenance=maintenance)


def take_away(view: ManagementView, maintenance: Maintenance) -> None:
    """Take planned work off the page; what is not over is called off, and nobody is told."""
    affected: list[Component] = maintenance.affected  # type: ignore[attr-defined]
    with transaction.atomic():
        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(
                title=maintenance.title,
                components=[part.pk for part in affected],
                component_status=ComponentStatus(maintenance.component_status),
                visibility=Visibility.INTERNAL,
                tz=maintenance.tz,
                starts_by_itself=maintenance.starts_by_itself,
                ends_by_itself=maintenance.ends_by_itself,
                remind_before=maintenance.remind_before,
                deliver_notifications=False,
            ),
            at=view.at,
            author=view.user,
        )
        if not maintenance.is_over:
            operations.cancel_maintenance(
                maintenance_id=maintenance.pk, at=view.at, author=view.user
            )


def _plan(body: Body, before: Maintenance | None, *, title: str, parts: list[int], tz: str) -> Plan:
    """Return the plan that a body says; what it leaves out is as before, or as clients know it."""
    old = before or Maintenance(starts_by_itself=False, ends_by_itself=False)
    moves = body.flag(
        "auto_transition_to_maintenance_state",
        default=old.component_status == ComponentStatus.UNDER_MAINTENANCE,
    )
    starts = body.flag("scheduled_auto_transition", default=old.starts_by_itself)
    reminds = body.flag("scheduled_remind_prior", default=old.remind_before is not None)
    return Plan(
        title=title,
        components=parts,
        component_status=(
            ComponentStatus.UNDER_MAINTENANCE if moves else ComponentStatus.OPERATIONAL
        ),
        tz=tz,
        starts_by_itself=body.flag("scheduled_auto_in_progress", default=starts),
        ends_by_itself=body.flag("scheduled_auto_completed", default=old.ends_by_itself),
        remind_before=(old.remind_before or _REMIND_BEFORE) if reminds else None,
        deliver_notifications=(
            old.deliver_notifications
            if before
            else body.flag("deliver_notifications", default=True)
        ),
    )


def _plan_anew(view: ManagementView, maintenance: Maintenance, body: Body, said: Said) -> None:
    affected: list[Component] = maintenance.affected  # type: ignore[attr-defined]
    before = [part.pk for part in affected]
    # A map says how some are; a list says which they are.
    parts = list(said.named) if body.has("component_ids") else [*before, *said.named]
    plan = _plan(
        body,
        maintenance,
        title=body.line("name") or maintenance.title,
        parts=list(dict.fromkeys(parts)),
        tz=maintenance.tz,
    )
    columns = (
        "title", "component_status", "starts_by_itself", "ends_by_itself", "remind_before",
    )  # fmt: skip
    if set(plan.components) != set(before) or any(
        getattr(plan, name) != getattr(maintenance, name) for name in columns
    ):
        operations.edit_maintenance(
            maintenance_id=maintenance.pk, plan=plan, at=view.at, author=view.user
        )


def _move(view: ManagementView, maintenance: Maintenance, body: Body, words: str) -> bool:
    """Give it another time, if one is sent. Whether the words are said by that."""
    begins = body.moment("scheduled_for") or maintenance.scheduled_for
    ends = body.moment("scheduled_until") or maintenance.scheduled_until
    if (_whole(begins), _whole(ends)) == (
        _whole(maintenance.scheduled_for), _whole(maintenance.scheduled_until),
    ):  # fmt: skip
        return False
    if maintenance.is_running and _whole(begins) == _whole(maintenance.scheduled_for):
        operations.extend_maintenance(
            maintenance_id=maintenance.pk, until=ends, at=view.at, author=view.user, body=words
        )
    else:
        operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=begins,
            scheduled_until=ends,
            at=view.at,
            author=view.user,
            body=words,
        )
    return True


def _go_on(
    view: ManagementView, maintenance: Maintenance, state: MaintenanceState, words: str
) -> None:
    """Bring it from where it is to a later state; the words are those of the last step.

    :raises Unfit: if that is back
    """
    here = STATES.index(MaintenanceState(maintenance.state))
    there = STATES.index(state)
    if there < here:
        raise Unfit(f"It is {maintenance.state} by now, and does not go back to {state}.")
    # What was begun may be done without a check between.
    steps = [step for step in STATES[here + 1 : there + 1] if step in (state, _BEGUN)]
    for step in steps:
        _DEEDS[step](
            maintenance_id=maintenance.pk,
            at=view.at,
            author=view.user,
            body=words if step == state else "",
        )


_BEGUN = MaintenanceState.IN_PROGRESS


def _set_statuses(view: ManagementView, state: MaintenanceState, said: Said) -> None:
    """Set what is said of components, once the work has begun: before, it is what is planned."""
    if state == MaintenanceState.SCHEDULED:
        return
    now = {part.pk: part.status for part in Component.objects.filter(pk__in=said.statuses)}
    for pk, status in said.statuses.items():
        if now[pk] != status:
            operations.set_component_status(component_id=pk, status=status, at=view.at)


def _is_said(maintenance: Maintenance, words: str) -> bool:
    last = next(iter(maintenance.told), None)  # type: ignore[attr-defined]
    return maintenance.is_over and last is not None and last.body.strip() == words


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
