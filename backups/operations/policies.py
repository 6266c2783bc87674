"""Deciding how a database is backed up: what a change does is known before it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from backups import queries, runner, schedules
from backups.models import BackupPolicy, Database, MaintenanceWindow, PolicyChange
from backups.operations.restores import NoSuchIncident
from backups.options.contradictions import contradictions
from backups.options.effect import Effect, Standing, effect_of
from backups.options.terms import Terms
from backups.options.terms import changes as differences
from incidents.errors import Refused
from incidents.operations.actions import move_action_item
from incidents.queries import has_incident
from incidents.values import ActionState

MOST_WORDS = 1000
_EFFECT_LENGTH = PolicyChange._meta.get_field("effect_words").max_length
_OF_DATABASE = {"may_lose": "recovery_point_objective", "back_within": "recovery_time_objective"}
_DUE = {
    "full_schedule": "full_due_at",
    "incremental_schedule": "incremental_due_at",
    "drill_schedule": "drill_due_at",
}


class PolicyContradicts(Refused):
    code = "policy-contradicts"
    message = "This policy contradicts itself. Correct what cannot be kept."


class PolicyUnchanged(Refused):
    code = "policy-unchanged"
    message = "Nothing is changed. Change something of the policy, or leave it as it is."


class PolicyReasonMissing(Refused):
    code = "policy-reason-missing"
    message = f"Say why the policy is changed, in {MOST_WORDS} characters at most."


class PolicyMoved(Refused):
    code = "policy-moved"
    message = "Somebody changed the policy meanwhile. Look at it, and at the effect, again."


class ReviewNotAhead(Refused):
    code = "policy-review-not-ahead"
    message = "The day on which a workaround comes back has to lie ahead. Choose a later day."


class NothingToReview(Refused):
    code = "policy-nothing-to-review"
    message = "This change waits for no review. Look at the policy's history for one that does."


class ReviewWordsMissing(Refused):
    code = "policy-review-words-missing"
    message = f"Say what became of the workaround, in {MOST_WORDS} characters at most."


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do. ``version`` is the one that it starts from; 0 if there is none.

    ``changed`` holds the words before and after, by the name of the term.
    """

    version: int
    before: Terms
    after: Terms
    changed: Mapping[str, list[str]]
    effect: Effect


def preview_policy(*, database_id: int, changes: Mapping[str, Any], at: datetime) -> Preview:
    """Say what a change of a policy or of the objectives would do; nothing is changed.

    ``changes`` are new values by the names of ``Terms``; what is not named stays.

    :raises PolicyUnchanged: if it says nothing new
    :raises PolicyContradicts: if not all of it could be kept, saying why
    """
    return _preview(Database.objects.get(pk=database_id), changes, at=at)


def policy_standing(*, database_id: int, at: datetime) -> Standing | None:
    """Say what a loss at the worst moment would cost as the policy is; None if there is none."""
    return runner.policy_standing(database_id=database_id, at=at)


def change_policy(
    *,
    database_id: int,
    changes: Mapping[str, Any],
    why: str,
    by: User | None,
    at: datetime,
    based_on: int | None = None,
    review_on: date | None = None,
    incident_id: int | None = None,
) -> PolicyChange:
    """Change a database's policy or its objectives; the first change makes the policy.

    Each change is a version with its reason, and with the effect that was forecast of it. Given a
    ``review_on`` it is a workaround, which comes back on that day; with an incident an action item
    stands there from now on, due on that day. ``based_on`` is the version that whoever changes it
    has seen.

    :raises PolicyReasonMissing: without a reason
    :raises ReviewNotAhead: if the day of review is not ahead
    :raises NoSuchIncident: if the incident is not there
    :raises PolicyMoved: if it is another version by now
    :raises PolicyUnchanged: if it says nothing new
    :raises PolicyContradicts: if not all of it could be kept, saying why
    """
    why = _said(why, else_refuse=PolicyReasonMissing)
    if incident_id is not None and not has_incident(incident_id):
        raise NoSuchIncident
    with transaction.atomic():
        # The row of the database stands for its policy as well: there may be none yet.
        database = Database.objects.select_for_update().get(pk=database_id)
        preview = _preview(database, changes, at=at)
        if based_on not in (None, preview.version):
            raise PolicyMoved
        if review_on is not None and review_on <= queries.day_at(preview.after.tz, at):
            raise ReviewNotAhead
        change = PolicyChange.objects.create(
            policy=_keep(database, preview, at=at),
            version=preview.version + 1,
            at=at,
            by=by,
            why=why,
            review_on=review_on,
            **_told(preview),
        )
        if review_on is not None and incident_id is not None:
            runner.hang_review(change, incident_id=incident_id, at=at)
        if "may_lose" in preview.changed:
            # From it follows at which age a backup is too old.
            runner.tell_proof(database, at=at)
    return change


def set_objectives(
    *,
    database_id: int,
    may_lose: timedelta | None,
    back_within: timedelta | None,
    why: str,
    by: User | None,
    at: datetime,
) -> PolicyChange:
    """Say how much data may be lost at most, and within which time a database has to be back.

    Ways back are held against both; None says nothing. A change of the policy like any other.

    :raises Refused: for everything that ``change_policy`` refuses
    """
    return change_policy(
        database_id=database_id,
        changes={"may_lose": may_lose, "back_within": back_within},
        why=why,
        by=by,
        at=at,
    )


def review_workaround(*, change_id: int, words: str, by: User | None, at: datetime) -> PolicyChange:
    """Say what became of a workaround: it does not come back any more, and its item is done.

    :raises ReviewWordsMissing: without words
    :raises NothingToReview: if it is no workaround, or somebody has reviewed it
    """
    words = _said(words, else_refuse=ReviewWordsMissing)
    with transaction.atomic():
        open_ones = PolicyChange.objects.select_for_update(of=("self",))
        change = open_ones.filter(review_on__isnull=False, reviewed_at=None, pk=change_id).first()
        if change is None:
            raise NothingToReview
        change.reviewed_at, change.reviewed_by, change.review_words = at, by, words
        change.save(update_fields=["reviewed_at", "reviewed_by", "review_words"])
        if change.action_id is not None:
            move_action_item(action_id=change.action_id, state=ActionState.DONE, at=at, author=by)
    return change


def _preview(database: Database, changes: Mapping[str, Any], *, at: datetime) -> Preview:
    unknown = set(changes) - {each.name for each in fields(Terms)}
    if unknown:
        raise TypeError(f"A policy says nothing of {', '.join(sorted(unknown))}.")
    policy = queries.policy_of(database.pk)
    before = queries.terms_of(database) or queries.no_terms(database)
    after = replace(before, **changes)
    changed = differences(before, after)
    if not changed:
        raise PolicyUnchanged
    ground = queries.ground_of(database)
    refused = contradictions(after, ground, at=at)
    if refused:
        raise PolicyContradicts(" ".join(refused))
    facts = replace(
        runner.read_facts(database_id=database.pk, at=at),
        may_lose=after.may_lose,
        back_within=after.back_within,
    )
    return Preview(
        version=policy.version if policy is not None else 0,
        before=before,
        after=after,
        changed=changed,
        effect=effect_of(facts, ground, before, after),
    )


def _said(words: str, *, else_refuse: type[Refused]) -> str:
    words = words.strip()
    if not words or len(words) > MOST_WORDS:
        raise else_refuse
    return words


def _told(preview: Preview) -> dict[str, Any]:
    """Return what a change is kept with: what it says otherwise, and what was forecast of it."""
    return {
        "changes": dict(preview.changed),
        "effect": preview.effect.as_document(),
        "effect_words": preview.effect.words[:_EFFECT_LENGTH],
    }


def _keep(database: Database, preview: Preview, *, at: datetime) -> BackupPolicy:
    """Write what the policy says now, and when what it plans is due next."""
    after, changed = preview.after, preview.changed
    policy = queries.policy_of(database.pk) or BackupPolicy(database=database, created_at=at)
    values: dict[str, Any] = {"version": preview.version + 1}
    for name in ("replicate_to", "drill_target"):
        named = getattr(after, name)
        values[f"{name}_id"] = named and named.id
    values |= {name: getattr(after, name) for name in _PLAIN}
    for name, due in _DUE.items():
        if name in changed or "tz" in changed:
            expression = getattr(after, name)
            moment = schedules.next_after(expression, after.tz, at) if expression else None
            values[due] = moment
    for name, value in values.items():
        setattr(policy, name, value)
    # Of one that is there nothing else: a beat may just have written when its backups are due.
    policy.save(update_fields=None if policy.pk is None else list(values))
    if "windows" in changed:
        policy.maintenance_windows.all().delete()
        MaintenanceWindow.objects.bulk_create(
            MaintenanceWindow(
                policy=policy, schedule=each.schedule, lasts=each.lasts, reason=each.reason
            )
            for each in after.windows
        )
    objectives = {_OF_DATABASE[name]: getattr(after, name) for name in _OF_DATABASE}
    for name, value in objectives.items():
        setattr(database, name, value)
    database.save(update_fields=list(objectives))
    return policy


_PLAIN = tuple(
    each.name
    for each in fields(Terms)
    if each.name not in (*_OF_DATABASE, "replicate_to", "drill_target", "windows")
)
