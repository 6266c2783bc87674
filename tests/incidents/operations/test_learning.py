"""Causes and action items."""

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.models import ActionItem, RootCause
from incidents.values import ActionState, CauseKind, ImpactKind, Precision, When
from tests.factories import HOUR, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db


def _action(**fields: object) -> ActionItem:
    incident = IncidentFactory.create()
    return operations.add_action_item(
        incident_id=incident.pk,
        text="Restore every week",
        at=NOON,
        author=None,
        **fields,  # type: ignore[arg-type]
    )


class TestImpacts:
    def test_end_when_the_incident_does(self) -> None:
        incident = IncidentFactory.create()
        impact = operations.record_impact(
            incident_id=incident.pk,
            kind=ImpactKind.DATA_UNAVAILABLE,
            began_at=NOON,
            data_from_at=NOON - HOUR,
            at=NOON,
            author=None,
        )

        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=None
        )

        impact.refresh_from_db()
        assert impact.until == NOON + HOUR
        assert impact.data_from_at == NOON - HOUR

    def test_can_end_before(self) -> None:
        incident = IncidentFactory.create()
        impact = operations.record_impact(
            incident_id=incident.pk,
            kind=ImpactKind.OUTAGE,
            began_at=NOON,
            at=NOON,
            author=None,
        )

        assert operations.end_impact(impact_id=impact.pk, at=NOON + HOUR).until == NOON + HOUR


class TestRootCauses:
    @pytest.mark.parametrize("kind", list(CauseKind))
    def test_of_every_kind_can_be_recorded(self, kind: CauseKind) -> None:
        entry = TimelineEntryFactory.create()

        cause = operations.record_root_cause(
            incident_id=entry.incident_id,
            kind=kind,
            text="The storage was slow at night.",
            at=NOON,
            author=None,
            evidence=[entry.pk],
        )

        assert list(cause.evidence.all()) == [entry]

    def test_evidence_of_another_incident_is_not_taken(self) -> None:
        other = TimelineEntryFactory.create()
        incident = IncidentFactory.create()

        cause = operations.record_root_cause(
            incident_id=incident.pk,
            kind=CauseKind.PRIMARY,
            text="?",
            at=NOON,
            author=None,
            evidence=[other.pk],
        )

        assert not cause.evidence.exists()

    def test_an_edit_keeps_what_it_said(self) -> None:
        incident = IncidentFactory.create()
        cause = operations.record_root_cause(
            incident_id=incident.pk, kind=CauseKind.RISK, text="Before", at=NOON, author=None
        )

        operations.edit_root_cause(cause_id=cause.pk, at=NOON + HOUR, author=None, text="After")

        assert RootCause.objects.get().text == "After"
        assert queries.revisions(cause).get().data["text"] == "Before"


class TestActionItems:
    def test_a_fuzzy_due_date_is_kept_as_it_was_said(self) -> None:
        action = _action(
            due=When(
                at=NOON.replace(month=2, day=1, hour=0),
                precision=Precision.MONTH,
                said="February 2026",
            )
        )

        assert action.due_precision == Precision.MONTH
        assert action.due_said == "February 2026"

    def test_done_is_done_on_a_day(self) -> None:
        action = _action()

        moved = operations.move_action_item(
            action_id=action.pk, state=ActionState.DONE, at=NOON, author=None
        )

        assert moved.done_at == NOON
        assert moved.done_precision == Precision.DAY

    def test_going_back_forgets_the_day(self) -> None:
        action = _action(state=ActionState.DONE, done=When(at=NOON, precision=Precision.DAY))

        moved = operations.move_action_item(
            action_id=action.pk, state=ActionState.IN_PROGRESS, at=NOON, author=None
        )

        assert moved.done_at is None

    def test_refusing_it_needs_a_reason(self) -> None:
        action = _action()

        with pytest.raises(operations.WontDoNeedsAReason):
            operations.move_action_item(
                action_id=action.pk, state=ActionState.WONT_DO, at=NOON, author=None
            )

    def test_adding_it_as_done_needs_a_day(self) -> None:
        with pytest.raises(operations.DoneNeedsADay):
            _action(state=ActionState.DONE)

    def test_unfinished_ones_are_listed_across_incidents_soonest_first(self) -> None:
        later = _action(due=When(at=NOON + HOUR))
        never = _action()
        sooner = _action(due=When(at=NOON))
        _action(state=ActionState.DONE, done=When(at=NOON, precision=Precision.DAY))

        assert list(queries.open_actions()) == [sooner, later, never]

    def test_an_edit_keeps_what_it_said(self) -> None:
        action = _action()

        operations.edit_action_item(
            action_id=action.pk, at=NOON, author=None, owner_label="storage team"
        )

        assert ActionItem.objects.get().owner_name == "storage team"
        assert queries.revisions(action).get().data["owner_label"] == ""

    @pytest.mark.parametrize("broken", [{"state": "done"}, {"state": "wont_do"}, {"text": ""}])
    def test_the_database_refuses(self, broken: dict[str, object]) -> None:
        action = _action()
        with pytest.raises(IntegrityError), transaction.atomic():
            ActionItem.objects.filter(pk=action.pk).update(**broken)
