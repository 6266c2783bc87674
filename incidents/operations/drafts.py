"""Deeds on updates that customers have not read: drafts, and those that wait for approval."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, StatusUpdate
from incidents.operations.notices.telling import tell_returned
from incidents.operations.promises import IncidentResolved, refuse_passed
from incidents.operations.record import keep_revision, lock_incident, note, refuse_outdated
from incidents.operations.updates import (
    hand_in,
    known_update,
    locked_update,
    needs_approval,
    publish,
    retitle,
)
from incidents.plans import UpdatePlan
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind, Phase, Role, UpdateState

_UNSENT = (UpdateState.DRAFT, UpdateState.IN_REVIEW)


class DraftOutdated(Refused):
    code = "draft-outdated"
    message = _("A newer update of the same job is published. Discard this one.")


class NotADraft(Refused):
    code = "not-a-draft"
    message = _("This update is no draft any more. Look at the timeline for what became of it.")


class NotInReview(Refused):
    code = "not-in-review"
    message = _(
        "This update does not wait for approval any more. Look at the timeline for what became "
        "of it."
    )


class NotDiscarded(Refused):
    code = "not-discarded"
    message = _("This update has not been put away. There is nothing to bring back.")


class ApprovesOwn(Refused):
    code = "approves-own"
    message = _(
        "Somebody else approves what you have written. If nobody can, publish it without, and "
        "say why."
    )


class MayNotSkipApproval(Refused):
    code = "may-not-skip-approval"
    message = _(
        "Without approval, only its author or the incident commander may publish it. Ask one of "
        "them, or approve it."
    )


class ReasonMissing(Refused):
    code = "reason-missing"
    message = _("Say why: whoever reads this later wants to know.")


def draft_status_update(
    *,
    incident_id: int,
    body: str,
    phase: Phase,
    at: datetime,
    author: User | None,
    plan: UpdatePlan | None = None,
    author_label: str = "",
    idempotency_key: str = "",
    translations: Mapping[str, str] | None = None,
    deliver_notifications: bool = True,
    title: str = "",
) -> StatusUpdate:
    """Put an update aside, with all that it shall bring. The same key returns the same draft.

    With a ``title``, the incident is called that at once.

    :raises OutOfTime: if it promises a time in a year that cannot be meant
    """
    plan = plan or UpdatePlan()
    refuse_out_of_time(*plan.times())
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if known := known_update(incident, idempotency_key):
            return known
        if author is not None:
            plan = replace(plan, phase_seen=incident.phase)
        update = StatusUpdate(
            incident=incident,
            body=body,
            translations=dict(translations or {}),
            phase=phase,
            plan=plan.as_json(),
            author=author,
            author_label=author_label,
            idempotency_key=idempotency_key,
            deliver_notifications=deliver_notifications,
            created_at=at,
        )
        update.save(force_insert=True)
        retitle(incident, title, at=at, author=author)
    return update


def edit_draft(
    *,
    update_id: int,
    body: str,
    phase: Phase,
    plan: UpdatePlan,
    at: datetime,
    author: User | None,
    deliver_notifications: bool = True,
    version: int | None = None,
) -> StatusUpdate:
    """Say it otherwise before customers read it. What it said before is kept as a revision.

    Whoever changes what they would read becomes its author, so that somebody else approves those
    words, an ETA's reasons among them; to change only the times that it promises does not.
    ``version`` is the one that was read; None to overwrite whatever it says.

    :raises NotADraft: if it has been published or put away
    :raises EditedMeanwhile: if somebody else has changed it since it was read
    :raises OutOfTime: if it promises a time in a year that cannot be meant
    """
    refuse_out_of_time(*plan.times())
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state not in _UNSENT:
            raise NotADraft
        refuse_outdated(update.version, version)
        keep_revision(update, at=at, author=author)
        before = UpdatePlan.from_json(update.plan)
        told = (update.body, update.phase, *_words_of(before))
        if (body, phase, *_words_of(plan)) != told:
            update.author = author
            update.author_label, update.translations = "", {}
        plan = replace(plan, phase_seen=update.incident.phase)
        update.body, update.phase, update.plan = body, phase, plan.as_json()
        update.deliver_notifications = deliver_notifications
        update.version += 1
        update.save()
    return update


def publish_draft(
    *, update_id: int, at: datetime, approver: User | None, version: int | None = None
) -> StatusUpdate:
    """Tell customers what a draft says; whoever does so has approved another's words.

    One's own is handed in instead where the severity asks for approval. A draft never moves the
    incident back to an earlier phase, but for one that was written to do so. ``version`` is the one
    that was read; None for whatever it says.

    :raises NotADraft: if it is published, put away or handed in
    :raises EditedMeanwhile: if it was changed since it was read
    :raises DraftOutdated: if the job that proposed it has told something newer since
    :raises IncidentResolved: if the incident is over already
    :raises PromisedTimePassed: if a time that it promises has passed
    """
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state != UpdateState.DRAFT:
            raise NotADraft
        refuse_outdated(update.version, version)
        is_own = approver is not None and update.author_id == approver.pk
        if is_own and needs_approval(update.incident):
            _hand_in(update, at=at, author=approver)
        else:
            _publish(update, at=at, approver=approver)
    return update


def submit_update(*, update_id: int, at: datetime, author: User | None) -> StatusUpdate:
    """Hand a draft in, so that somebody else approves it.

    :raises NotADraft: if it is published, put away or handed in
    :raises DraftOutdated: if the job that proposed it has told something newer since
    :raises IncidentResolved: if the incident is over already
    :raises PromisedTimePassed: if a time that it promises has passed
    """
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state != UpdateState.DRAFT:
            raise NotADraft
        _hand_in(update, at=at, author=author)
    return update


def approve_update(
    *, update_id: int, at: datetime, approver: User, version: int | None = None
) -> StatusUpdate:
    """Let customers read what somebody else has written, with all that it brings.

    ``version`` is the one that was read; None for whatever it says.

    :raises NotInReview: if it does not wait for approval
    :raises ApprovesOwn: if the approver wrote it, while approval is asked for
    :raises EditedMeanwhile: if it was changed since it was read
    :raises DraftOutdated: if the job that proposed it has told something newer since
    :raises IncidentResolved: if the incident is over already
    :raises PromisedTimePassed: if a time that it promises has passed
    """
    with transaction.atomic():
        update = _in_review(update_id)
        refuse_outdated(update.version, version)
        if update.author_id == approver.pk and needs_approval(update.incident):
            raise ApprovesOwn
        _publish(update, at=at, approver=approver)
    return update


def return_update(
    *, update_id: int, reason: str, at: datetime, author: User | None
) -> StatusUpdate:
    """Give an update that waits for approval back to be written anew: a draft again.

    Its author is told, unless that is who gives it back.

    :raises NotInReview: if it does not wait for approval
    :raises ReasonMissing: without a reason
    """
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        update = _in_review(update_id)
        update.state = UpdateState.DRAFT
        update.returned_reason = reason.strip()[:200]
        update.save(update_fields=["state", "returned_reason"])
        words = gettext("An update was not approved: %s") % update.returned_reason
        _note(update.incident, words, at=at, author=author)
        tell_returned(update, at=at, author=author)
    return update


def publish_unapproved(
    *, update_id: int, reason: str, at: datetime, author: User, version: int | None = None
) -> StatusUpdate:
    """Tell customers although nobody could approve it: nobody is alone with a rule at night.

    The reason is kept with the update and stands on the timeline. ``version`` is the one that was
    read; None for whatever it says.

    :raises NotInReview: if it does not wait for approval
    :raises EditedMeanwhile: if it was changed since it was read
    :raises MayNotSkipApproval: if it is neither the author nor the incident commander who asks
    :raises ReasonMissing: without a reason
    :raises IncidentResolved: if the incident is over already
    :raises PromisedTimePassed: if a time that it promises has passed
    """
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        update = _in_review(update_id)
        refuse_outdated(update.version, version)
        commands = update.incident.roles.filter(
            role=Role.COMMANDER, until_at__isnull=True, holder=author
        )
        if update.author_id != author.pk and not commands.exists():
            raise MayNotSkipApproval
        update.unapproved_reason = reason.strip()[:200]
        _publish(update, at=at, approver=None)
        words = gettext("Published without approval: %s") % update.unapproved_reason
        _note(update.incident, words, at=at, author=author)
    return update


def discard_draft(*, update_id: int, at: datetime, author: User | None) -> StatusUpdate:
    """Put an update away that customers have not read. It can be brought back.

    :raises NotADraft: if it has been published or put away
    """
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state not in _UNSENT:
            raise NotADraft
        keep_revision(update, at=at, author=author, reason="discarded")
        update.state = UpdateState.DISCARDED
        update.save(update_fields=["state"])
    return update


def restore_draft(*, update_id: int, at: datetime, author: User | None) -> StatusUpdate:
    """Bring an update back that was put away: a draft again.

    :raises NotDiscarded: if it was not put away
    """
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state != UpdateState.DISCARDED:
            raise NotDiscarded
        keep_revision(update, at=at, author=author, reason="brought back")
        update.state = UpdateState.DRAFT
        update.save(update_fields=["state"])
    return update


def _in_review(update_id: int) -> StatusUpdate:
    update = locked_update(update_id)
    if update.state != UpdateState.IN_REVIEW:
        raise NotInReview
    return update


def _hand_in(update: StatusUpdate, *, at: datetime, author: User | None) -> None:
    plan = _still_possible(update, at=at)
    hand_in(update, update.incident, plan, at=at, author=author)


def _publish(update: StatusUpdate, *, at: datetime, approver: User | None) -> None:
    incident = update.incident
    plan = _still_possible(update, at=at)
    if plan.phase_seen != incident.phase:
        # It was written before the incident came this far.
        update.phase = max(Phase(update.phase), Phase(incident.phase), key=list(Phase).index)
    if approver is not None and update.author_id != approver.pk:
        update.approver, update.approved_at = approver, at
    publish(update, incident, plan, at=at)
    if update.approver is not None:
        _note(incident, gettext("The update was approved."), at=at, author=approver)


def _note(incident: Incident, words: str, *, at: datetime, author: User | None) -> None:
    note(incident, words, at=at, author=author, kind=EntryKind.NOTE, tags=["approval"])


def _still_possible(update: StatusUpdate, *, at: datetime) -> UpdatePlan:
    """Return what the update brings, unless it comes too late."""
    incident: Incident = update.incident
    if incident.is_resolved:
        raise IncidentResolved
    _refuse_outdated_job(update)
    plan = UpdatePlan.from_json(update.plan)
    if update.phase != Phase.RESOLVED:
        refuse_passed(plan.times(), at=at)
    return plan


def _words_of(plan: UpdatePlan) -> tuple[object, ...]:
    """Return what customers read of what an update brings, but for the times."""
    return plan.component_statuses, plan.eta_basis, plan.eta_confidence


def _refuse_outdated_job(update: StatusUpdate) -> None:
    if not update.author_label:
        return
    newer = update.incident.updates.published().filter(created_at__gt=update.created_at)
    if newer.filter(author_label=update.author_label).exists():
        raise DraftOutdated
