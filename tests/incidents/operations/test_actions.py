"""Action items: moved with proof, moved back, due by policy, changed by one person at a time."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from incidents import operations, queries
from incidents.models import NEVER, ActionItem, ActionView, Incident, SeverityRule
from incidents.values import (
    ActionState,
    CauseKind,
    IncidentKind,
    Phase,
    Precision,
    Severity,
    When,
)
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR


def _add(incident: Incident | None = None, **fields: object) -> ActionItem:
    return operations.add_action_item(
        incident_id=(incident or IncidentFactory.create()).pk,
        text="Restore every week",
        at=NOON,
        author=None,
        **fields,  # type: ignore[arg-type]
    )


class TestMoving:
    def test_done_keeps_its_proof_and_going_back_forgets_it(self) -> None:
        action = _add()
        done = When(at=NOON, until=NOON + 2 * DAY, precision=Precision.DAY)

        operations.move_action_item(
            action_id=action.pk, state=ActionState.DONE, at=NOON, author=None, done=done,
            proof="https://ci.example.org/runs/7",
        )  # fmt: skip
        action.refresh_from_db()
        assert (action.proof, action.done_until) == (
            "https://ci.example.org/runs/7", NOON + 2 * DAY,
        )  # fmt: skip

        operations.move_action_item(
            action_id=action.pk, state=ActionState.DELAYED, at=NOON, author=None,
            reason="Waits for the vendor",
        )  # fmt: skip
        action.refresh_from_db()
        assert (action.proof, action.done_at) == ("", None)
        assert action.state_reason == "Waits for the vendor"

    def test_undone_it_is_as_it_was_with_day_proof_and_reason(self) -> None:
        action = _add()
        operations.move_action_item(
            action_id=action.pk, state=ActionState.DONE, at=NOON, author=None, proof="seen"
        )
        moved = operations.move_action_item(
            action_id=action.pk, state=ActionState.WONT_DO, at=NOON, author=None, reason="slip"
        )

        operations.undo_move(action_id=action.pk, at=NOON, author=None, version=moved.version)

        action.refresh_from_db()
        assert (action.state, action.proof, action.state_reason) == ("done", "seen", "")
        assert action.done_at == NOON
        assert queries.revisions(action).count() == 3

    def test_what_was_changed_since_is_not_undone(self) -> None:
        action = _add()
        moved = operations.move_action_item(
            action_id=action.pk, state=ActionState.PLANNED, at=NOON, author=None
        )
        operations.edit_action_item(action_id=action.pk, at=NOON, author=None, text="Other")

        with pytest.raises(operations.EditedMeanwhile):
            operations.undo_move(action_id=action.pk, at=NOON, author=None, version=moved.version)

        assert ActionItem.objects.get().state == ActionState.PLANNED

    def test_a_state_that_somebody_else_changed_is_not_overwritten(self) -> None:
        action = _add()
        operations.move_action_item(
            action_id=action.pk, state=ActionState.PLANNED, at=NOON, author=None, version=1
        )

        with pytest.raises(operations.EditedMeanwhile):
            operations.move_action_item(
                action_id=action.pk, state=ActionState.DELAYED, at=NOON, author=None, version=1
            )

    def test_a_year_that_cannot_be_meant_is_refused(self) -> None:
        done = When(at=datetime(1026, 1, 1, tzinfo=UTC), precision=Precision.DAY)

        with pytest.raises(operations.OutOfTime):
            operations.move_action_item(
                action_id=_add().pk, state=ActionState.DONE, at=NOON, author=None, done=done
            )


class TestLinks:
    def test_what_it_addresses_is_changed_from_its_side(self) -> None:
        incident, other = IncidentFactory.create(), IncidentFactory.create()
        action = _add(incident)
        causes = [
            operations.record_root_cause(
                incident_id=home.pk, kind=CauseKind.RISK, text="x", at=NOON, author=None
            )
            for home in (incident, incident, other)
        ]

        def say(*addressed: int) -> set[int]:
            operations.edit_action_item(
                action_id=action.pk, at=NOON, author=None, addresses=addressed
            )
            return set(action.addresses.values_list("pk", flat=True))

        own, second, foreign = (cause.pk for cause in causes)
        assert say(own, foreign) == {own}
        assert say(second) == {second}
        operations.edit_action_item(action_id=action.pk, at=NOON, author=None, text="Other")
        assert list(action.addresses.all()) == [causes[1]]
        last = queries.revisions(action).first()
        assert last is not None
        assert last.data["addresses"] == [second]


class TestDue:
    def test_rows_know_when_they_fall_due_as_coarse_as_it_was_said(self) -> None:
        month = When(at=datetime(2026, 2, 1, tzinfo=UTC), precision=Precision.MONTH)
        action = _add(due=month)

        assert action.due_ends_at == datetime(2026, 3, 1, tzinfo=UTC)
        assert not action.is_overdue(at=datetime(2026, 2, 28, 23, tzinfo=UTC))
        assert action.is_overdue(at=datetime(2026, 3, 1, 1, tzinfo=UTC))

        operations.edit_action_item(action_id=action.pk, at=NOON, author=None, due=When.unknown())
        action.refresh_from_db()
        assert action.due_ends_at == NEVER

    def test_what_is_agreed_on_is_the_due_day_where_none_is_typed(self) -> None:
        SeverityRule.objects.create(severity=Severity.SEV1, action_days=30)
        grave = IncidentFactory.create(severity=Severity.SEV1, tz="Europe/Amsterdam")
        typed = When(at=NOON, precision=Precision.DAY)

        by_policy, own = _add(grave), _add(grave, due=typed)
        mild = _add(IncidentFactory.create(severity=Severity.SEV3))
        over = _add(grave, state=ActionState.DONE, done=typed)

        there = by_policy.due_ends_at.astimezone(NOON.tzinfo)
        assert by_policy.due_said == (NOON + 30 * DAY).date().isoformat()
        assert there == datetime.fromisoformat(f"{by_policy.due_said}T23:00:00+00:00")
        assert own.due_at == NOON
        assert (mild.due_at, over.due_at) == (None, None)


class TestClosingTimes:
    def test_are_quartiles_by_severity_with_what_is_beyond_the_policy(self, reader: User) -> None:
        SeverityRule.objects.create(severity=Severity.SEV2, action_days=10)
        incident = IncidentFactory.create(severity=Severity.SEV2)
        for days in (2, 4, 6, 8, 20):
            done = When(at=NOON + days * DAY, precision=Precision.DAY)
            _add(incident, state=ActionState.DONE, done=done)
        _add(incident)
        _add(incident, state=ActionState.WONT_DO, state_reason="too dear")

        sev2 = queries.closing_times(reader, at=NOON + 11 * DAY)[1]

        assert (sev2.severity, sev2.days) == (Severity.SEV2, 10)
        assert (sev2.low, sev2.median, sev2.high) == (4 * DAY, 6 * DAY, 8 * DAY)
        assert (sev2.done, sev2.within, sev2.left, sev2.beyond) == (5, 4, 1, 1)
        assert queries.closing_times(reader, at=NOON + 9 * DAY)[1].beyond == 0

    def test_of_an_old_incident_count_from_its_end(self, reader: User) -> None:
        SeverityRule.objects.create(severity=Severity.SEV1, action_days=10)
        ended = NOON - 400 * DAY
        old = IncidentFactory.create(
            severity=Severity.SEV1, kind=IncidentKind.BACKFILLED, phase=Phase.RESOLVED,
            resolved_at=ended,
        )  # fmt: skip
        done = When(at=ended + 3 * DAY, precision=Precision.DAY)
        action = _add(old, state=ActionState.DONE, done=done)

        sev1 = queries.closing_times(reader, at=NOON)[0]

        assert (sev1.median, sev1.within) == (3 * DAY, 1)
        days = queries.action_days()
        assert not queries.is_beyond(action, days, at=NOON)
        assert queries.is_beyond(_add(old), days, at=NOON)

    @pytest.fixture
    def reader(self) -> User:
        return ResponderFactory.create()


class TestSavedViews:
    def test_a_name_is_somebodys_once(self) -> None:
        ada, bob = (ResponderFactory.create(username=name) for name in ("ada", "bob"))

        def save(owner: User) -> ActionView:
            return operations.save_action_view(
                owner=owner, name="Late", query="overdue=on", is_shared=False, at=NOON
            )

        view = save(ada)
        save(bob)
        with pytest.raises(operations.ViewNameTaken):
            save(ada)
        operations.edit_action_view(view_id=view.pk, name="Late", is_shared=True)

        assert [row.owner for row in queries.action_views(bob)] == [bob, ada]
        assert list(queries.action_views(ada)) == [view]
