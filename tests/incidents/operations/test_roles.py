"""Roles: given, taken, handed over, left; undone, corrected; nudged about."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from incidents import operations, queries
from incidents.models import DeskRules, Incident, RoleAssignment
from incidents.operations.role_mistakes import UNDO_WITHIN
from incidents.values import IncidentKind, Role, RoleReason, Severity, Visibility
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


@pytest.fixture
def sam() -> User:
    return ResponderFactory.create(username="sam", first_name="Sam", last_name="Second")


@pytest.fixture
def incident() -> Incident:
    return IncidentFactory.create(tz="Europe/Amsterdam")


def _assign(
    incident: Incident,
    holder: User,
    role: Role = Role.COMMANDER,
    after: timedelta = timedelta(),
    **more: Any,
) -> RoleAssignment:
    return operations.assign_role(
        incident_id=incident.pk, role=role, holder=holder, at=NOON + after, author=holder, **more
    )


def _said(incident: Incident) -> list[str]:
    return list(incident.entries.filter(kind="role").order_by("pk").values_list("text", flat=True))


class TestAssignRole:
    def test_ends_the_period_of_whoever_held_it(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)

        second = _assign(incident, sam, after=HOUR, reason=RoleReason.SHIFT)

        first.refresh_from_db()
        assert first.until_at == NOON + HOUR
        assert second.previous == first
        assert _said(incident)[1] == (
            "Incident commander: Sam Second (until now Robin Responder). End of a shift"
        )

    def test_what_somebody_holds_is_not_doubled(self, incident: Incident, robin: User) -> None:
        first = _assign(incident, robin)

        again = _assign(incident, robin, after=HOUR)

        assert again == first
        assert len(_said(incident)) == 1

    def test_one_person_holds_two_roles(self, incident: Incident, robin: User) -> None:
        _assign(incident, robin)
        _assign(incident, robin, Role.COMMUNICATIONS)

        assert incident.roles.filter(until_at=None).count() == 2

    def test_clocks_that_disagree_leave_no_overlap(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin, after=HOUR)

        second = _assign(incident, sam)

        first.refresh_from_db()
        assert first.until_at == second.from_at == NOON + HOUR

    def test_a_rest_that_is_over_already_is_refused(self, incident: Incident, robin: User) -> None:
        with pytest.raises(operations.RestIsOver):
            _assign(incident, robin, resting_until_at=NOON)


class TestTakeRole:
    def _take(self, incident: Incident, author: User, seen_id: int | None) -> RoleAssignment:
        return operations.take_role(
            incident_id=incident.pk,
            role=Role.SCRIBE,
            seen_id=seen_id,
            at=NOON + HOUR,
            author=author,
        )

    def test_takes_what_was_seen_empty(self, incident: Incident, robin: User) -> None:
        assert self._take(incident, robin, None).holder == robin

    def test_takes_from_whoever_was_seen(self, incident: Incident, robin: User, sam: User) -> None:
        held = _assign(incident, robin, Role.SCRIBE)

        assert self._take(incident, sam, held.pk).previous == held

    def test_the_second_of_two_who_reach_for_it_is_told(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        self._take(incident, robin, None)

        with pytest.raises(operations.RoleMoved):
            self._take(incident, sam, None)

    def test_pressing_twice_is_pressing_once(self, incident: Incident, robin: User) -> None:
        first = self._take(incident, robin, None)

        assert self._take(incident, robin, None) == first


class TestHandOver:
    def _hand_over(
        self, incident: Incident, rows: list[RoleAssignment], holder: User, **more: Any
    ) -> list[RoleAssignment]:
        return operations.hand_over(
            incident_id=incident.pk,
            assignment_ids=[row.pk for row in rows],
            holder=holder,
            at=NOON + 5 * HOUR,
            author=None,
            **more,
        )

    def test_everything_goes_at_once_with_one_entry(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        rows = [_assign(incident, robin), _assign(incident, robin, Role.SCRIBE)]

        taken = self._hand_over(
            incident,
            rows,
            sam,
            reason=RoleReason.FATIGUE,
            handover="The copy runs. Do not restart the proxy.",
            resting_until_at=NOON + 12 * HOUR,
        )

        assert {row.role for row in taken} == {Role.COMMANDER, Role.SCRIBE}
        assert {row.holder for row in taken} == {sam}
        ended = incident.roles.filter(until_at=NOON + 5 * HOUR)
        assert {row.handover for row in ended} == {"The copy runs. Do not restart the proxy."}
        assert _said(incident)[2] == (
            "Handed over to Sam Second: Incident commander, Scribe (until now Robin Responder). "
            "Rest\n"
            "Robin Responder rests until 2026-01-13 01:00 CET\n"
            "The copy runs. Do not restart the proxy."
        )

    def test_what_they_hold_already_stays(self, incident: Incident, robin: User, sam: User) -> None:
        rows = [_assign(incident, robin), _assign(incident, sam, Role.SCRIBE)]

        taken = self._hand_over(incident, rows, sam)

        assert [row.role for row in taken] == [Role.COMMANDER]

    def test_what_has_changed_hands_meanwhile_is_refused_whole(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        rows = [_assign(incident, robin), _assign(incident, robin, Role.SCRIBE)]
        _assign(incident, sam, after=HOUR)

        with pytest.raises(operations.RoleMoved):
            self._hand_over(incident, rows, sam)

        assert incident.roles.get(role=Role.SCRIBE).holder == robin

    def test_nothing_and_everything_held_already_are_refused(
        self, incident: Incident, robin: User
    ) -> None:
        held = _assign(incident, robin)

        with pytest.raises(operations.NoRoleChosen):
            self._hand_over(incident, [], robin)
        with pytest.raises(operations.HeldAlready):
            self._hand_over(incident, [held], robin)


class TestLeaveRole:
    def test_leaves_it_empty_with_the_note(self, incident: Incident, robin: User) -> None:
        held = _assign(incident, robin)

        operations.leave_role(
            assignment_id=held.pk, at=NOON + HOUR, author=robin, handover="All quiet."
        )

        assert not incident.roles.filter(until_at=None).exists()
        assert _said(incident)[1].endswith("All quiet.")

    def test_is_done_once(self, incident: Incident, robin: User) -> None:
        held = _assign(incident, robin)
        operations.leave_role(assignment_id=held.pk, at=NOON + HOUR, author=robin)

        with pytest.raises(operations.RoleMoved):
            operations.leave_role(assignment_id=held.pk, at=NOON + HOUR, author=robin)


class TestUndoRole:
    def test_gives_it_back_as_if_it_had_not_been(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)
        wrong = _assign(
            incident, sam, after=HOUR, handover="Sleep.", resting_until_at=NOON + 9 * HOUR
        )

        operations.undo_role(assignment_id=wrong.pk, at=NOON + HOUR + UNDO_WITHIN, author=sam)

        first.refresh_from_db()
        assert first.until_at is None
        assert (first.handover, first.resting_until_at) == ("", None)
        assert incident.roles.count() == 1
        assert _said(incident)[-1] == "Undone. Incident commander: Robin Responder"

    def test_what_was_empty_is_empty_again(self, incident: Incident, robin: User) -> None:
        wrong = _assign(incident, robin)

        assert operations.undo_role(assignment_id=wrong.pk, at=NOON, author=robin) is None
        assert not incident.roles.exists()

    def test_is_refused_when_it_is_history(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)
        with pytest.raises(operations.TooLateToUndo):
            operations.undo_role(assignment_id=first.pk, at=NOON + HOUR, author=robin)
        _assign(incident, sam, after=MINUTE)

        with pytest.raises(operations.RoleMoved):
            operations.undo_role(assignment_id=first.pk, at=NOON + MINUTE, author=robin)


class TestCorrectRole:
    def _correct(
        self, row: RoleAssignment, since: timedelta, until: timedelta | None
    ) -> RoleAssignment:
        return operations.correct_role(
            assignment_id=row.pk,
            from_at=NOON + since,
            until_at=None if until is None else NOON + until,
            at=NOON + 24 * HOUR,
            author=None,
            reason="the scribe slept, too",
        )

    def test_moves_the_end_of_the_one_before_along(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)
        second = _assign(incident, sam, after=2 * HOUR)

        self._correct(second, HOUR, None)

        first.refresh_from_db()
        assert first.until_at == NOON + HOUR
        assert queries.revisions(first).get().reason == "the scribe slept, too"
        assert _said(incident)[-1] == (
            "Corrected. Incident commander: Sam Second, since 2026-01-12 14:00 CET; it said "
            "since 2026-01-12 15:00 CET"
        )

    def test_moves_the_beginning_of_the_next_along(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)
        second = _assign(incident, sam, after=2 * HOUR)

        self._correct(first, -HOUR, 3 * HOUR)

        second.refresh_from_db()
        assert second.from_at == NOON + 3 * HOUR

    def test_what_cannot_have_been_is_refused(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        first = _assign(incident, robin)
        operations.leave_role(assignment_id=first.pk, at=NOON + HOUR, author=robin)
        second = _assign(incident, sam, after=2 * HOUR)

        with pytest.raises(operations.RoleOverlaps):
            self._correct(first, timedelta(), 3 * HOUR)
        with pytest.raises(operations.EndsBeforeStart):
            self._correct(first, HOUR, timedelta())
        with pytest.raises(operations.EndsByHandover):
            self._correct(second, 2 * HOUR, 3 * HOUR)
        with pytest.raises(operations.EndsByHandover):
            self._correct(first, timedelta(), None)
        with pytest.raises(operations.RoleStillToCome):
            self._correct(first, timedelta(), 48 * HOUR)

    def test_the_database_has_one_holder_at_a_time(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        _assign(incident, robin)

        with pytest.raises(IntegrityError), transaction.atomic():
            incident.roles.create(role=Role.COMMANDER, holder=sam, from_at=NOON)


class TestReopening:
    def test_nobody_was_on_duty_while_it_was_over(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Slow", severity=Severity.SEV3, at=NOON, author=robin
        )
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=robin
        )

        operations.reopen_incident(
            incident_id=incident.pk, reason="not so", at=NOON + 100 * HOUR, author=robin
        )

        ended, lasting = incident.roles.order_by("from_at")
        assert ended.until_at == NOON + HOUR
        assert (lasting.from_at, lasting.until_at) == (NOON + 100 * HOUR, None)


class TestNudges:
    def test_long_duty_is_found_over_all_roles(
        self, incident: Incident, robin: User, sam: User
    ) -> None:
        _assign(incident, robin)
        _assign(incident, robin, Role.SCRIBE, after=HOUR)
        _assign(incident, sam, after=7 * HOUR)

        assert queries.long_on_duty(NOON + 8 * HOUR) == []
        (found,) = queries.long_on_duty(NOON + 9 * HOUR)

        assert (found.incident, found.person) == (incident, robin)
        assert found.duty.stretch == 9 * HOUR

    def test_the_limit_is_staffs(self, incident: Incident, robin: User) -> None:
        DeskRules.objects.create(pk=1, duty_limit=HOUR)
        _assign(incident, robin)

        assert len(queries.long_on_duty(NOON + HOUR + MINUTE)) == 1

    def test_what_is_over_keeps_nobody_on_duty(self, robin: User) -> None:
        over = IncidentFactory.create(over=True)
        over.roles.create(role=Role.COMMANDER, holder=robin, from_at=NOON)

        assert queries.long_on_duty(NOON + 100 * HOUR) == []
        assert queries.empty_roles(NOON + 100 * HOUR) == []

    def test_a_commander_is_always_needed(self, incident: Incident, robin: User) -> None:
        Incident.objects.update(visibility=Visibility.INTERNAL)
        held = _assign(incident, robin)
        operations.leave_role(assignment_id=held.pk, at=NOON + HOUR, author=robin)

        assert queries.empty_roles(NOON + HOUR + 10 * MINUTE) == []
        (found,) = queries.empty_roles(NOON + HOUR + 11 * MINUTE)

        assert (found.role, found.since) == (Role.COMMANDER, NOON + HOUR)

    @pytest.mark.parametrize(
        ("changes", "needed"),
        [
            ({"severity": Severity.SEV1}, True),
            ({"severity": Severity.SEV2}, True),
            ({"severity": Severity.SEV3}, False),
            ({"visibility": Visibility.INTERNAL}, False),
            ({"kind": IncidentKind.DRILL}, True),
        ],
        ids=str,
    )
    def test_a_grave_public_one_needs_somebody_who_writes(
        self, robin: User, changes: dict[str, str], *, needed: bool
    ) -> None:
        _assign(IncidentFactory.create(**changes), robin)

        found = queries.empty_roles(NOON + HOUR)

        assert [each.role for each in found] == [Role.COMMUNICATIONS] * needed
