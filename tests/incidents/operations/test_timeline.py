"""Entries: times as people say them, milestones, edits that keep what was said."""

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.models import TimelineEntry
from incidents.values import Milestone, Precision, Source, When
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db


def _add(incident_id: int, text: str, when: When, **fields: object) -> TimelineEntry:
    return operations.add_entry(
        incident_id=incident_id,
        text=text,
        when=when,
        at=NOON,
        author=None,
        **fields,  # type: ignore[arg-type]
    )


class TestAddEntry:
    def test_keeps_its_own_time_apart_from_that_of_writing(self) -> None:
        incident = IncidentFactory.create()

        entry = _add(incident.pk, "Attempts failed", When(at=NOON - 6 * HOUR, until=NOON - HOUR))

        assert entry.at == NOON - 6 * HOUR
        assert entry.until == NOON - HOUR
        assert entry.recorded_at == NOON

    def test_refuses_a_range_that_runs_backwards(self) -> None:
        incident = IncidentFactory.create()

        with pytest.raises(operations.EndsBeforeStart):
            _add(incident.pk, "Odd", When(at=NOON, until=NOON - HOUR))

    def test_refuses_a_milestone_that_another_entry_holds(self) -> None:
        incident = IncidentFactory.create()
        _add(incident.pk, "It began", When(at=NOON), milestone=Milestone.STARTED)

        with pytest.raises(operations.MilestoneTaken):
            _add(incident.pk, "No, here", When(at=NOON), milestone=Milestone.STARTED)

    def test_a_milestone_is_read_into_the_incident(self) -> None:
        incident = IncidentFactory.create(started_at=None)

        _add(incident.pk, "It began", When(at=NOON - HOUR), milestone=Milestone.STARTED)

        incident.refresh_from_db()
        assert incident.started_at == NOON - HOUR

    def test_the_same_external_id_is_the_same_entry(self) -> None:
        incident = IncidentFactory.create()
        added = [
            _add(incident.pk, "Alert", When(at=NOON), source=Source.API, external_id="a-1")
            for _ in range(2)
        ]

        assert added[0].pk == added[1].pk
        assert incident.entries.count() == 1


class TestTheOrder:
    def test_an_entry_without_a_time_stays_between_its_neighbours(self) -> None:
        incident = IncidentFactory.create()
        _add(incident.pk, "before", When(at=NOON))
        _add(incident.pk, "somewhen", When.unknown("some time later"))
        _add(incident.pk, "after", When(at=NOON + HOUR))
        _add(incident.pk, "earlier, written last", When(at=NOON - HOUR))

        assert [entry.text for entry in queries.timeline(incident.pk)] == [
            "earlier, written last",
            "before",
            "somewhen",
            "after",
        ]

    def test_entries_without_a_time_at_the_head_stay_there(self) -> None:
        incident = IncidentFactory.create()
        _add(incident.pk, "In the days before", When.unknown())
        _add(incident.pk, "Support case opened", When.unknown())
        _add(incident.pk, "It failed", When(at=NOON))

        assert [entry.text for entry in queries.timeline(incident.pk)] == [
            "In the days before",
            "Support case opened",
            "It failed",
        ]


class TestEditEntry:
    def test_keeps_what_it_said(self) -> None:
        entry = TimelineEntryFactory.create(text="Restarted the proxi")

        operations.edit_entry(
            entry_id=entry.pk,
            at=NOON + HOUR,
            author=None,
            text="Restarted the proxy",
            when=When(at=NOON - MINUTE),
            reason="typo",
        )

        entry.refresh_from_db()
        assert entry.text == "Restarted the proxy"
        assert entry.at == NOON - MINUTE
        kept = queries.revisions(entry).get()
        assert kept.data["text"] == "Restarted the proxi"
        assert kept.number == 1
        assert kept.reason == "typo"

    def test_moving_a_milestone_moves_the_reading(self) -> None:
        incident = IncidentFactory.create(started_at=None)
        first = _add(incident.pk, "It began", When(at=NOON), milestone=Milestone.STARTED)

        operations.edit_entry(entry_id=first.pk, at=NOON, author=None, when=When(at=NOON - HOUR))

        incident.refresh_from_db()
        assert incident.started_at == NOON - HOUR

    def test_refuses_a_field_that_an_entry_does_not_have(self) -> None:
        entry = TimelineEntryFactory.create()

        with pytest.raises(TypeError, match="colour"):
            operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, colour="red")


class TestDeleteEntry:
    def test_can_be_undone(self) -> None:
        entry = TimelineEntryFactory.create()

        operations.delete_entry(entry_id=entry.pk, at=NOON, author=None)
        assert queries.timeline(entry.incident_id) == []

        operations.restore_entry(entry_id=entry.pk, at=NOON, author=None)
        assert [shown.pk for shown in queries.timeline(entry.incident_id)] == [entry.pk]

    def test_frees_its_milestone(self) -> None:
        incident = IncidentFactory.create()
        gone = _add(incident.pk, "It began", When(at=NOON), milestone=Milestone.STARTED)
        operations.delete_entry(entry_id=gone.pk, at=NOON, author=None)

        _add(incident.pk, "No, here", When(at=NOON), milestone=Milestone.STARTED)

        with pytest.raises(operations.MilestoneTaken):
            operations.restore_entry(entry_id=gone.pk, at=NOON, author=None)


class TestConstraints:
    @pytest.mark.parametrize(
        "broken",
        [
            {"until": NOON - HOUR},
            {"precision": Precision.UNKNOWN},
            {"at": None},
            {"text": ""},
            {"milestone": "halftime"},
        ],
    )
    def test_the_database_refuses(self, broken: dict[str, object]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            TimelineEntryFactory.create(**broken)


class TestWhen:
    @pytest.mark.parametrize(
        ("when", "latest"),
        [
            (When(at=NOON), NOON),
            (When(at=NOON, until=NOON + HOUR), NOON + HOUR),
            (When(at=NOON, precision=Precision.HOUR), NOON + HOUR),
            (When.unknown("in the next hours"), None),
        ],
    )
    def test_tells_when_it_has_certainly_passed(self, when: When, latest: object) -> None:
        assert when.latest == latest

    def test_a_month_ends_in_the_zone_that_was_meant(self) -> None:
        # February 2026 in Amsterdam begins at 23:00 UTC of 31 January.
        start = NOON.replace(month=1, day=31, hour=23)

        when = When(at=start, precision=Precision.MONTH, tz="Europe/Amsterdam")

        assert when.latest == NOON.replace(month=2, day=28, hour=23)
