"""Sub-incidents and duplicates: one level, no circles, and undone in words."""

import pytest

from incidents import operations, queries
from incidents.models import Incident
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    Phase,
    PromiseKind,
    Severity,
    Visibility,
)
from tests.factories import HOUR, NOON, ComponentFactory, IncidentFactory, ResponderFactory
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db


def _part(incident: Incident, whole: Incident) -> Incident:
    return operations.set_parent(incident_id=incident.pk, parent_id=whole.pk, at=NOON, author=None)


def _mark(incident: Incident, original: Incident) -> Incident:
    return operations.mark_duplicate(
        incident_id=incident.pk, original_id=original.pk, at=NOON + HOUR, author=None
    )


def _unmark(incident: Incident) -> Incident:
    return operations.unmark_duplicate(incident_id=incident.pk, at=NOON + 2 * HOUR, author=None)


def _declared(title: str = "Tours do not open", body: str = "We are on it.") -> Incident:
    return operations.declare_incident(
        title=title, severity=Severity.SEV2, at=NOON, author=None, body=body
    )


class TestParts:
    def test_each_names_the_other(self) -> None:
        whole, part = IncidentFactory.create(title="All"), IncidentFactory.create(title="Some")

        _part(part, whole)

        assert part.entries.get().text == f"Part of {whole.ref} All"
        assert whole.entries.get().text == f"Has a part: {part.ref} Some"

    def test_is_declared_as_one(self) -> None:
        whole = IncidentFactory.create()

        part = operations.declare_incident(
            title="Some", severity=Severity.SEV3, at=NOON, author=None, parent_id=whole.pk
        )

        part.refresh_from_db()
        assert part.parent == whole

    def test_moves_and_stands_on_its_own_again(self) -> None:
        part, first, second = IncidentFactory.create_batch(3)
        _part(part, first)

        assert _part(part, second).parent == second
        assert operations.remove_parent(incident_id=part.pk, at=NOON, author=None).parent_id is None
        assert operations.remove_parent(incident_id=part.pk, at=NOON, author=None) == part

    def test_there_is_one_level_and_no_circle(self) -> None:
        whole, part, other = IncidentFactory.create_batch(3)
        _part(part, whole)

        with pytest.raises(operations.PartOfItself):
            _part(whole, whole)
        with pytest.raises(operations.PartOfAPart):
            _part(other, part)
        with pytest.raises(operations.PartOfAPart):
            _part(whole, part)
        with pytest.raises(operations.HasParts):
            _part(whole, other)

    def test_what_is_private_is_not_named(self) -> None:
        whole = IncidentFactory.create()
        part = IncidentFactory.create(title="A key has leaked", visibility=Visibility.PRIVATE)

        _part(part, whole)

        assert whole.entries.get().text == "Has a part: a private incident"

    def test_the_page_has_it_only_where_both_are_public(self) -> None:
        whole, part = IncidentFactory.create_batch(2)
        _part(part, whole)

        assert queries.public_incidents().get(pk=part.pk).whole == whole
        Incident.objects.filter(pk=whole.pk).update(kind=IncidentKind.DRILL)
        assert queries.public_incidents().get(pk=part.pk).whole is None


class TestDuplicates:
    def test_customers_read_where_it_goes_on(self) -> None:
        original, copy = _declared("Tours are down"), _declared("I cannot open my tour")

        ended = _mark(copy, original)

        assert ended.phase == Phase.RESOLVED
        told = copy.updates.published().newest_first()[0]
        assert told.body == (
            "This is the same as “Tours are down”. From now on we say there how it goes on."
        )
        assert "Tours are down" in told.translations["nl"]
        assert open_promise(copy.pk, PromiseKind.NEXT_UPDATE) is None

    def test_what_customers_may_not_know_of_is_not_named_to_them(self) -> None:
        original = IncidentFactory.create(title="A key", visibility=Visibility.INTERNAL)
        copy = _declared()

        _mark(copy, original)

        told = copy.updates.published().newest_first()[0]
        assert "A key" not in told.body

    def test_of_what_customers_do_not_know_they_hear_nothing(self) -> None:
        original, copy = _declared(), _declared(body="")

        ended = _mark(copy, original)

        assert ended.phase == Phase.RESOLVED
        assert ended.resolved_at == NOON + HOUR
        assert not copy.updates.exists()
        assert copy.entries.filter(milestone="resolved").exists()

    def test_nothing_works_before_it_does(self) -> None:
        tours = ComponentFactory.create()
        original = _declared()
        copy = operations.declare_incident(
            title="Again",
            severity=Severity.SEV2,
            at=NOON,
            author=None,
            body="We are on it.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        _mark(copy, original)
        tours.refresh_from_db()
        assert tours.status == ComponentStatus.MAJOR_OUTAGE

        operations.resolve_incident(
            incident_id=original.pk, body="Over.", at=NOON + 2 * HOUR, author=None
        )
        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL

    def test_there_are_no_chains_and_no_circles(self) -> None:
        original, copy, third = IncidentFactory.create_batch(3)
        _mark(copy, original)

        with pytest.raises(operations.DuplicateOfItself):
            _mark(original, original)
        with pytest.raises(operations.IsADuplicate):
            _mark(third, copy)
        with pytest.raises(operations.HasDuplicates):
            _mark(original, third)
        with pytest.raises(operations.MarkedAlready):
            _mark(copy, third)
        with pytest.raises(operations.IsADuplicate):
            _part(third, copy)

    def test_a_whole_is_no_duplicate(self) -> None:
        whole, part = IncidentFactory.create_batch(2)
        _part(part, whole)

        with pytest.raises(operations.HasOwnParts):
            _mark(whole, part)

    def test_undone_it_is_open_again_and_customers_hear_so(self) -> None:
        original, copy = _declared(), _declared()
        _mark(copy, original)

        opened = _unmark(copy)

        opened.refresh_from_db()
        assert opened.phase == Phase.INVESTIGATING
        assert opened.duplicate_of_id is None
        assert copy.updates.published().count() == 3
        with pytest.raises(operations.NotADuplicate):
            _unmark(copy)

    def test_what_was_over_before_stays_over(self) -> None:
        original, copy = _declared(), _declared()
        operations.resolve_incident(incident_id=copy.pk, body="Over.", at=NOON, author=None)
        _mark(copy, original)

        assert _unmark(copy).phase == Phase.RESOLVED
        assert copy.updates.published().count() == 2

    def test_what_is_reopened_is_no_duplicate(self) -> None:
        original, copy = _declared(), _declared()
        _mark(copy, original)

        opened = operations.reopen_incident(
            incident_id=copy.pk,
            reason="it is something else",
            at=NOON + 2 * HOUR,
            author=ResponderFactory.create(),
        )

        assert opened.duplicate_of_id is None
