"""Causes in their order, linked from both sides, removed and brought back; cases at vendors."""

from datetime import UTC, datetime

import pytest

from incidents import operations, queries
from incidents.models import Incident, RootCause, VendorCase
from incidents.values import CaseState, CauseKind, Precision, When
from tests.factories import HOUR, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR


@pytest.fixture
def incident() -> Incident:
    return IncidentFactory.create()


def _add(incident: Incident, text: str = "x", **fields: object) -> RootCause:
    return operations.record_root_cause(
        incident_id=incident.pk,
        kind=CauseKind.PRIMARY,
        text=text,
        at=NOON,
        author=None,
        **fields,  # type: ignore[arg-type]
    )


def _order(incident: Incident) -> list[str]:
    return [cause.text for cause in incident.causes.live().in_order()]


class TestOrder:
    def test_a_new_one_goes_last_and_moves_up_and_down(self, incident: Incident) -> None:
        first, _second, third = (_add(incident, text) for text in "abc")

        operations.move_root_cause(cause_id=third.pk, direction="up")
        assert _order(incident) == ["a", "c", "b"]
        operations.move_root_cause(cause_id=first.pk, direction="down")
        assert _order(incident) == ["c", "a", "b"]
        operations.move_root_cause(cause_id=third.pk, direction="up")
        assert _order(incident) == ["c", "a", "b"]

    def test_those_that_share_a_place_move_as_well(self, incident: Incident) -> None:
        rows = [
            RootCause.objects.create(incident=incident, kind="risk", text=text, created_at=NOON)
            for text in "abc"
        ]

        operations.move_root_cause(cause_id=rows[2].pk, direction="up")

        assert _order(incident) == ["a", "c", "b"]

    def test_one_that_was_removed_is_stepped_over(self, incident: Incident) -> None:
        _first, second, third = (_add(incident, text) for text in "abc")
        operations.remove_root_cause(cause_id=second.pk, at=NOON, author=None)

        operations.move_root_cause(cause_id=third.pk, direction="up")

        assert _order(incident) == ["c", "a"]
        with pytest.raises(operations.CauseRemoved):
            operations.move_root_cause(cause_id=second.pk, direction="up")


class TestLinksAndRemoval:
    def test_what_addresses_it_is_changed_from_its_side(self, incident: Incident) -> None:
        own, foreign = (
            operations.add_action_item(incident_id=pk, text="y", at=NOON, author=None)
            for pk in (incident.pk, IncidentFactory.create().pk)
        )

        cause = _add(incident, addressed_by=[own.pk, foreign.pk])
        assert list(cause.addressed_by.all()) == [own]
        operations.edit_root_cause(cause_id=cause.pk, at=NOON, author=None, addressed_by=[])

        assert not own.addresses.exists()
        assert queries.revisions(cause).get().data["addressed_by"] == [own.pk]

    def test_removed_and_brought_back_it_has_all_its_links(self, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident)
        action = operations.add_action_item(incident_id=incident.pk, text="y", at=NOON, author=None)
        cause = _add(incident, evidence=[entry.pk], addressed_by=[action.pk])

        operations.remove_root_cause(cause_id=cause.pk, at=NOON, author=None)
        assert _order(incident) == []
        with pytest.raises(operations.CauseRemoved):
            operations.edit_root_cause(cause_id=cause.pk, at=NOON, author=None, text="z")
        # Whoever edits the action meanwhile cuts no link that they cannot see.
        operations.edit_action_item(action_id=action.pk, at=NOON, author=None, addresses=[])
        operations.restore_root_cause(cause_id=cause.pk, at=NOON, author=None)

        assert _order(incident) == ["x"]
        assert (list(cause.evidence.all()), list(cause.addressed_by.all())) == ([entry], [action])

    def test_nobodys_words_are_overwritten_unread(self, incident: Incident) -> None:
        cause = _add(incident)
        operations.edit_root_cause(cause_id=cause.pk, at=NOON, author=None, text="y", version=1)

        with pytest.raises(operations.EditedMeanwhile):
            operations.edit_root_cause(cause_id=cause.pk, at=NOON, author=None, text="z", version=1)

        assert _order(incident) == ["y"]


class TestVendorCases:
    def _write(self, cause: RootCause, **fields: object) -> VendorCase:
        promised = When(at=datetime(2026, 2, 10, tzinfo=UTC), precision=Precision.DAY)
        return operations.write_vendor_case(
            cause_id=cause.pk, at=NOON, author=None,
            **{"provider": "Nimbus", "reference": "C-17", "promised": promised, **fields},  # type: ignore[arg-type]
        )  # fmt: skip

    def test_is_one_a_cause_and_each_state_is_on_the_timeline(self, incident: Incident) -> None:
        cause = _add(incident)

        case = self._write(cause, version=0)
        self._write(cause, version=1, note_text="They look at it")
        self._write(cause, version=2, state=CaseState.SOLVED)

        assert VendorCase.objects.get().pk == case.pk
        assert queries.revisions(case).count() == 2
        texts = incident.entries.filter(tags__contains=["vendor"]).order_by("pk")
        assert [entry.text for entry in texts] == [
            "Support case at Nimbus C-17: The vendor is at it",
            "Support case at Nimbus C-17: Solved",
        ]
        assert not any(entry.is_public for entry in texts)

    def test_that_it_was_opened_stands_where_that_was(self, incident: Incident) -> None:
        opened = When(at=NOON - HOUR, tz="UTC")

        self._write(_add(incident), opened=opened)

        entry = incident.entries.get(tags__contains=["vendor"])
        assert (When.of(entry), entry.recorded_at) == (opened, NOON)

    def test_a_promise_that_has_passed_is_late_while_it_is_the_vendors_turn(
        self, incident: Incident
    ) -> None:
        cause, due = _add(incident), datetime(2026, 2, 10, tzinfo=UTC)

        case = self._write(cause)
        assert not case.is_late(at=due + 23 * HOUR)
        assert case.is_late(at=due + 25 * HOUR)
        assert not self._write(cause, state=CaseState.OURS).is_late(at=due + 25 * HOUR)

    def test_nobodys_words_are_overwritten_and_a_mistake_is_taken_off(
        self, incident: Incident
    ) -> None:
        cause = _add(incident)
        self._write(cause, version=0)
        with pytest.raises(operations.EditedMeanwhile):
            self._write(cause, version=0)
        with pytest.raises(operations.EditedMeanwhile):
            operations.remove_vendor_case(cause_id=cause.pk, version=7, at=NOON, author=None)

        operations.remove_vendor_case(cause_id=cause.pk, version=1, at=NOON, author=None)

        assert not VendorCase.objects.exists()
        assert "Nimbus C-17" in queries.revisions(cause).get().reason
        with pytest.raises(operations.NoVendorCase):
            operations.remove_vendor_case(cause_id=cause.pk, version=1, at=NOON, author=None)
