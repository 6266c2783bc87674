"""Entries that several people change: versions, ways back, places without a time, stamps."""

from collections.abc import Callable

import pytest

from incidents import operations, queries
from incidents.models import Incident, TimelineEntry
from incidents.values import Milestone, Outcome, Precision, When
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db


def _edit(entry: TimelineEntry, **changes: object) -> TimelineEntry:
    return operations.edit_entry(
        entry_id=entry.pk,
        at=NOON + HOUR,
        author=None,
        **changes,  # type: ignore[arg-type]
    )


class TestVersions:
    def test_an_edit_raises_the_version(self) -> None:
        entry = TimelineEntryFactory.create()

        assert _edit(entry, version=1, text="Restarted both proxies").version == 2

    def test_an_edit_of_what_was_changed_since_changes_nothing(self) -> None:
        entry = TimelineEntryFactory.create(text="Restarted the proxy")
        _edit(entry, version=1, text="Restarted both proxies")

        with pytest.raises(operations.EditedMeanwhile):
            _edit(entry, version=1, tags=["proxy"])

        entry.refresh_from_db()
        assert (entry.text, entry.tags, entry.version) == ("Restarted both proxies", [], 2)
        assert queries.revisions(entry).count() == 1

    def test_deleting_asks_for_the_version_too(self) -> None:
        entry = TimelineEntryFactory.create()
        _edit(entry, text="Restarted both proxies")

        with pytest.raises(operations.EditedMeanwhile):
            operations.delete_entry(entry_id=entry.pk, at=NOON, author=None, version=1)
        operations.delete_entry(entry_id=entry.pk, at=NOON, author=None, version=2)

        with pytest.raises(operations.EditedMeanwhile):
            operations.restore_entry(entry_id=entry.pk, at=NOON, author=None, version=2)
        assert operations.restore_entry(entry_id=entry.pk, at=NOON, author=None).version == 4

    def test_an_edit_that_changes_nothing_leaves_no_trace(self) -> None:
        entry = TimelineEntryFactory.create(text="Restarted the proxy", tags=["proxy"])

        _edit(entry, text="Restarted the proxy", tags=["proxy"], when=When.of(entry))

        entry.refresh_from_db()
        assert (entry.version, entry.edited_at) == (1, None)
        assert not queries.revisions(entry).exists()

    def test_deleting_what_is_deleted_leaves_no_trace(self) -> None:
        entry = TimelineEntryFactory.create(deleted_at=NOON)

        operations.delete_entry(entry_id=entry.pk, at=NOON + HOUR, author=None)

        entry.refresh_from_db()
        assert (entry.version, entry.deleted_at) == (1, NOON)


class TestRevertEntry:
    def test_says_again_what_it_said_time_included(self) -> None:
        entry = TimelineEntryFactory.create(
            text="Restarted the proxy", tags=["proxy"], outcome=Outcome.WORKED, until=NOON + HOUR
        )
        _edit(
            entry,
            text="Nothing happened",
            tags=[],
            outcome="",
            is_public=True,
            when=When(at=NOON - HOUR, precision=Precision.DAY),
        )

        back = operations.revert_entry(
            entry_id=entry.pk, number=1, at=NOON, author=ResponderFactory.create(), version=2
        )

        assert (back.text, back.tags, back.outcome) == ("Restarted the proxy", ["proxy"], "worked")
        assert (back.at, back.until, back.precision) == (NOON, NOON + HOUR, "minute")
        assert not back.is_public
        # That is an edit as well: the way back can be gone back.
        assert back.version == 3
        assert queries.revisions(entry).count() == 2

    def test_a_milestone_that_went_elsewhere_is_not_taken_back(self) -> None:
        incident = IncidentFactory.create()
        entry = TimelineEntryFactory.create(incident=incident, milestone=Milestone.DETECTED)
        _edit(entry, milestone="")
        TimelineEntryFactory.create(incident=incident, milestone=Milestone.DETECTED)

        with pytest.raises(operations.MilestoneTaken):
            operations.revert_entry(entry_id=entry.pk, number=1, at=NOON, author=None)


class TestPlaceEntry:
    def _texts(self, incident: Incident) -> list[str]:
        return [entry.text for entry in queries.timeline(incident.pk)]

    @pytest.fixture
    def incident(self) -> Incident:
        incident = IncidentFactory.create()
        # Written down in another order than it happened.
        for text, at in (("second", NOON + HOUR), ("first", NOON), ("third", NOON + 2 * HOUR)):
            TimelineEntryFactory.create(incident=incident, text=text, at=at)
        for text in ("somewhen", "some day"):
            TimelineEntryFactory.create(
                incident=incident, text=text, at=None, precision=Precision.UNKNOWN
            )
        return incident

    @pytest.mark.parametrize(
        ("side", "beside", "order"),
        [
            ("before", "first", ["somewhen", "first", "second", "third", "some day"]),
            ("after", "first", ["first", "somewhen", "second", "third", "some day"]),
            ("before", "third", ["first", "second", "somewhen", "third", "some day"]),
            ("after", "some day", ["first", "second", "third", "some day", "somewhen"]),
        ],
    )
    def test_stands_where_it_was_put(
        self, incident: Incident, side: str, beside: str, order: list[str]
    ) -> None:
        entry = incident.entries.get(text="somewhen")

        placed = operations.place_entry(
            entry_id=entry.pk,
            beside_id=incident.entries.get(text=beside).pk,
            side=side,  # type: ignore[arg-type]
            at=NOON,
            author=None,
            version=1,
        )

        assert self._texts(incident) == order
        assert placed.version == 2

    def test_entries_without_any_time_among_them_are_placed_too(self) -> None:
        incident = IncidentFactory.create()
        first, second = (
            TimelineEntryFactory.create(
                incident=incident, text=text, at=None, precision=Precision.UNKNOWN
            )
            for text in ("one", "two")
        )

        operations.place_entry(
            entry_id=second.pk, beside_id=first.pk, side="before", at=NOON, author=None
        )

        assert self._texts(incident) == ["two", "one"]

    def test_what_has_a_time_stands_there(self, incident: Incident) -> None:
        with pytest.raises(operations.PlacedByItsTime):
            operations.place_entry(
                entry_id=incident.entries.get(text="first").pk,
                beside_id=incident.entries.get(text="third").pk,
                side="after",
                at=NOON,
                author=None,
            )

    def test_nothing_stands_beside_an_entry_of_another_incident(self, incident: Incident) -> None:
        with pytest.raises(operations.NothingBeside):
            operations.place_entry(
                entry_id=incident.entries.get(text="somewhen").pk,
                beside_id=TimelineEntryFactory.create().pk,
                side="after",
                at=NOON,
                author=None,
            )


class TestTheStamp:
    def test_changes_with_all_that_is_shown_and_with_nothing_else(self) -> None:
        entry = TimelineEntryFactory.create()
        pk = entry.incident_id
        deeds: list[Callable[[], object]] = [
            lambda: TimelineEntryFactory.create(incident=entry.incident),
            lambda: _edit(entry, is_pinned=True),
            lambda: operations.delete_entry(entry_id=entry.pk, at=NOON, author=None),
            lambda: operations.restore_entry(entry_id=entry.pk, at=NOON, author=None),
            lambda: operations.add_link(
                entry_id=entry.pk, url="https://a.example", caption="", at=NOON, author=None
            ),
            lambda: operations.remove_evidence(evidence_id=entry.evidence.get().pk, at=NOON),
            lambda: operations.restore_evidence(evidence_id=entry.evidence.get().pk),
        ]

        for deed in deeds:
            before = queries.timeline_stamp(Incident.objects.all(), pk)
            assert queries.timeline_stamp(Incident.objects.all(), pk) == before
            deed()
            assert queries.timeline_stamp(Incident.objects.all(), pk) != before

    def test_never_comes_back_for_other_evidence(self) -> None:
        entry = TimelineEntryFactory.create()
        pieces = [
            entry.evidence.create(pk=pk, url="https://a.example", created_at=NOON).pk
            for pk in (100_001, 100_002, 200_003)
        ]
        first, second, sum_of_both = pieces
        operations.remove_evidence(evidence_id=first, at=NOON)
        operations.remove_evidence(evidence_id=second, at=NOON)
        seen = queries.timeline_stamp(Incident.objects.all(), entry.incident_id)

        operations.remove_evidence(evidence_id=sum_of_both, at=NOON)
        operations.restore_evidence(evidence_id=first)
        operations.restore_evidence(evidence_id=second)

        assert queries.timeline_stamp(Incident.objects.all(), entry.incident_id) != seen

    def test_never_comes_back_after_the_database_was_set_back(self) -> None:
        entry = TimelineEntryFactory.create()
        _edit(entry, text="Said before it was set back.")
        seen = queries.timeline_stamp(Incident.objects.all(), entry.incident_id)
        # The database of before that edit, in which somebody writes something else, later.
        TimelineEntry.objects.filter(pk=entry.pk).update(
            text=entry.text, version=entry.version, edited_at=None
        )

        operations.edit_entry(
            entry_id=entry.pk, at=NOON + 2 * HOUR, author=None, text="Said behind it."
        )

        assert queries.timeline_stamp(Incident.objects.all(), entry.incident_id) != seen

    def test_a_timeline_of_another_incident_says_nothing(self) -> None:
        incident = IncidentFactory.create()

        assert queries.timeline_stamp(Incident.objects.none(), incident.pk) is None
        assert queries.timeline_stamp(Incident.objects.all(), incident.pk) is not None
