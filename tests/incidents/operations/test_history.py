"""How components were: one open stretch each, no gap, no overlap, whatever comes in what order."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.models import Component, StatusInterval
from incidents.operations.history import move_component
from incidents.values import ComponentStatus, Phase, Severity
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OPERATIONAL = ComponentStatus.OPERATIONAL
MAINTENANCE = ComponentStatus.UNDER_MAINTENANCE
DEGRADED = ComponentStatus.DEGRADED_PERFORMANCE
PARTIAL = ComponentStatus.PARTIAL_OUTAGE
MAJOR = ComponentStatus.MAJOR_OUTAGE

Row = tuple[str, datetime, datetime | None]


def _added(**values: object) -> Component:
    return operations.add_component(name="Tours", at=NOON, **values)  # type: ignore[arg-type]


def _rows(component: Component) -> list[Row]:
    found = queries.status_intervals([component.pk], since=NOON - 3650 * DAY)
    return list(found.values_list("status", "began_at", "ended_at"))


def _move(component: Component, *moves: tuple[ComponentStatus, datetime]) -> None:
    for status, at in moves:
        move_component(component, status, at=at)


def _assert_is_whole(rows: Sequence[Row], component: Component) -> None:
    """Assert that no moment since the first is missing or told twice, and nothing is said twice."""
    assert [ended for _status, _began, ended in rows[:-1]] == [
        began for _status, began, _ended in rows[1:]
    ]
    assert rows[-1][2] is None
    assert rows[-1][0] == component.status
    assert all(one[0] != next_[0] for one, next_ in pairwise(rows))


class TestStatusInterval:
    @pytest.fixture
    def tours(self) -> Component:
        return _added()

    def test_has_one_open_one_a_component(self, tours: Component) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            tours.intervals.create(status=MAJOR, began_at=NOON + HOUR)

    def test_has_a_length(self, tours: Component) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            tours.intervals.create(status=MAJOR, began_at=NOON, ended_at=NOON)

    def test_has_a_status_of_the_vocabulary(self, tours: Component) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            tours.intervals.create(status="asleep", began_at=NOON, ended_at=NOON + HOUR)


class TestMoveComponent:
    def test_ends_one_stretch_and_begins_the_next(self) -> None:
        tours = _added()

        changed = move_component(tours, MAJOR, at=NOON + HOUR)

        assert changed
        tours.refresh_from_db()
        assert (tours.status, tours.updated_at) == (MAJOR, NOON + HOUR)
        assert _rows(tours) == [
            (OPERATIONAL, NOON, NOON + HOUR),
            (MAJOR, NOON + HOUR, None),
        ]

    def test_leaves_what_is_so_alone(self) -> None:
        tours = _added()
        version = tours.history_version

        changed = move_component(tours, OPERATIONAL, at=NOON + HOUR)

        assert not changed
        tours.refresh_from_db()
        assert (tours.history_version, tours.updated_at) == (version, NOON)

    def test_numbers_each_write(self) -> None:
        tours = _added()
        before = tours.history_version

        _move(tours, (MAJOR, NOON + HOUR), (OPERATIONAL, NOON + 2 * HOUR))

        tours.refresh_from_db()
        assert tours.history_version == before + 2

    def test_forgets_what_lasted_no_time(self) -> None:
        tours = _added()

        _move(tours, (MAJOR, NOON + HOUR), (PARTIAL, NOON + HOUR))

        assert _rows(tours) == [(OPERATIONAL, NOON, NOON + HOUR), (PARTIAL, NOON + HOUR, None)]

    def test_goes_on_with_what_was_before_a_change_that_lasted_no_time(self) -> None:
        tours = _added()

        _move(tours, (MAJOR, NOON + HOUR), (OPERATIONAL, NOON + HOUR))

        assert _rows(tours) == [(OPERATIONAL, NOON, None)]

    def test_takes_a_clock_that_went_backwards(self) -> None:
        tours = _added()

        _move(tours, (MAJOR, NOON + HOUR), (PARTIAL, NOON + MINUTE), (OPERATIONAL, NOON - DAY))

        assert _rows(tours) == [(OPERATIONAL, NOON, None)]

    def test_begins_the_history_of_a_component_that_has_none(self) -> None:
        tours = _added()
        StatusInterval.objects.all().delete()

        move_component(tours, MAJOR, at=NOON + HOUR)

        assert _rows(tours) == [(MAJOR, NOON + HOUR, None)]

    def test_any_order_of_any_changes_leaves_a_whole_history(self) -> None:
        dice = random.Random(3)
        for _round in range(20):
            component = operations.add_component(name="Any", at=NOON)
            for _change in range(15):
                move_component(
                    component,
                    dice.choice(list(ComponentStatus)),
                    at=NOON + dice.randint(-60, 300) * MINUTE,
                )

            _assert_is_whole(_rows(component), component)


class TestEveryDeedThatSetsAStatus:
    def test_an_update_of_an_incident(self) -> None:
        tours = _added()
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON + HOUR,
            author=ResponderFactory.create(),
            components={tours.pk: MAJOR},
        )
        operations.post_status_update(
            incident_id=incident.pk,
            body="Back.",
            phase=Phase.RESOLVED,
            at=NOON + 3 * HOUR,
            author=None,
        )

        assert _rows(tours) == [
            (OPERATIONAL, NOON, NOON + HOUR),
            (MAJOR, NOON + HOUR, NOON + 3 * HOUR),
            (OPERATIONAL, NOON + 3 * HOUR, None),
        ]

    def test_a_status_set_by_hand(self) -> None:
        tours = _added()

        operations.set_component_status(component_id=tours.pk, status=DEGRADED, at=NOON + HOUR)

        assert [row[0] for row in _rows(tours)] == [OPERATIONAL, DEGRADED]

    def test_a_removal_takes_the_history_along(self) -> None:
        tours = _added()

        operations.remove_component(component_id=tours.pk)

        assert not StatusInterval.objects.exists()


class TestTheStartOfAHistory:
    @pytest.mark.parametrize("start", [date(2025, 6, 1), date(2027, 6, 1)])
    def test_is_when_it_was_added_whatever_the_start_date(self, start: date) -> None:
        tours = _added(start_on=start)

        assert _rows(tours) == [(OPERATIONAL, NOON, None)]

    @pytest.mark.parametrize("start", [date(202, 1, 1), date(9999, 12, 31)])
    def test_is_in_no_year_that_cannot_be_meant(self, start: date) -> None:
        tours = _added()

        with pytest.raises(operations.OutOfTime):
            _added(start_on=start)
        with pytest.raises(operations.OutOfTime):
            self._edit(tours, start_on=start)

    def test_a_group_has_none(self) -> None:
        assert _rows(_added(is_group=True)) == []

    def _edit(self, component: Component, **values: object) -> None:
        operations.edit_component(
            component_id=component.pk,
            at=NOON + 2 * HOUR,
            name="Tours",
            **values,  # type: ignore[arg-type]
        )

    @pytest.mark.parametrize("start", [date(2025, 6, 1), date(2026, 2, 1)])
    def test_another_start_date_adds_nothing_and_takes_nothing_away(self, start: date) -> None:
        tours = _added()
        _move(tours, (MAJOR, NOON + HOUR))
        before = _rows(tours)

        self._edit(tours, start_on=start)

        assert _rows(tours) == before

    def test_a_component_that_becomes_a_group_loses_it(self) -> None:
        tours = _added()
        _move(tours, (MAJOR, NOON + HOUR))

        self._edit(tours, is_group=True)

        tours.refresh_from_db()
        assert _rows(tours) == []
        assert tours.status == OPERATIONAL

    def test_a_group_that_becomes_a_component_begins_one(self) -> None:
        group = _added(is_group=True)

        self._edit(group)

        assert _rows(group) == [(OPERATIONAL, NOON + 2 * HOUR, None)]


class TestRewriteHistory:
    @pytest.fixture
    def tours(self) -> Component:
        """Give a component that was down from the first hour to the second."""
        tours = _added()
        _move(tours, (MAJOR, NOON + HOUR), (OPERATIONAL, NOON + 2 * HOUR))
        return tours

    def _rewrite(
        self, component: Component, status: ComponentStatus, since: float, until: float
    ) -> None:
        operations.rewrite_history(
            component_id=component.pk,
            status=status,
            since=NOON + since * HOUR,
            until=NOON + until * HOUR,
            at=NOON + 10 * HOUR,
            author=ResponderFactory.create(),
        )

    def test_splits_what_it_falls_into(self, tours: Component) -> None:
        self._rewrite(tours, PARTIAL, 4, 5)

        assert _rows(tours)[2:] == [
            (OPERATIONAL, NOON + 2 * HOUR, NOON + 4 * HOUR),
            (PARTIAL, NOON + 4 * HOUR, NOON + 5 * HOUR),
            (OPERATIONAL, NOON + 5 * HOUR, None),
        ]

    def test_joins_with_its_like(self, tours: Component) -> None:
        self._rewrite(tours, OPERATIONAL, 1, 2)

        assert _rows(tours) == [(OPERATIONAL, NOON, None)]

    def test_replaces_all_that_it_covers(self, tours: Component) -> None:
        self._rewrite(tours, DEGRADED, 0, 10)

        assert _rows(tours) == [
            (DEGRADED, NOON, NOON + 10 * HOUR),
            (OPERATIONAL, NOON + 10 * HOUR, None),
        ]

    def test_keeps_what_it_said_and_who_changed_it(self, tours: Component) -> None:
        self._rewrite(tours, OPERATIONAL, 1, 2)

        revision = queries.revisions(tours).get()
        assert revision.replaced_by == ResponderFactory.create()
        assert [status for status, _began, _ended in revision.data["history"]] == [
            OPERATIONAL,
            MAJOR,
            OPERATIONAL,
        ]

    def test_leaves_how_it_is_now_alone(self, tours: Component) -> None:
        version = tours.history_version

        self._rewrite(tours, MAJOR, 9, 10)

        tours.refresh_from_db()
        assert tours.status == OPERATIONAL
        assert tours.history_version == version + 1
        assert _rows(tours)[-1] == (OPERATIONAL, NOON + 10 * HOUR, None)

    def test_refuses_the_future(self, tours: Component) -> None:
        with pytest.raises(operations.StretchInTheFuture):
            self._rewrite(tours, MAJOR, 9, 11)

    def test_refuses_what_is_before_the_record(self, tours: Component) -> None:
        with pytest.raises(operations.StretchBeforeTheStart):
            self._rewrite(tours, MAJOR, -1, 1)

    def test_refuses_what_the_start_date_hides(self, tours: Component) -> None:
        Component.objects.filter(pk=tours.pk).update(start_on=date(2026, 1, 13))

        with pytest.raises(operations.StretchBeforeTheStart):
            self._rewrite(tours, MAJOR, 1, 2)

    def test_states_what_was_before_the_record_from_the_start_date_on(self) -> None:
        tours = _added(start_on=date(2026, 1, 12))

        self._rewrite(tours, OPERATIONAL, -12, -2)

        assert _rows(tours) == [
            (OPERATIONAL, NOON - 12 * HOUR, NOON - 2 * HOUR),
            (OPERATIONAL, NOON, None),
        ]
        with pytest.raises(operations.StretchBeforeTheStart):
            self._rewrite(tours, OPERATIONAL, -13, -2)

    def test_refuses_a_year_that_cannot_be_meant(self, tours: Component) -> None:
        with pytest.raises(operations.OutOfTime):
            operations.rewrite_history(
                component_id=tours.pk,
                status=MAJOR,
                since=datetime(202, 1, 12, tzinfo=UTC),
                until=NOON + HOUR,
                at=NOON + 10 * HOUR,
                author=None,
            )

    def test_can_leave_what_is_worse(self) -> None:
        dice = random.Random(5)
        moments = [NOON + minute * MINUTE for minute in range(0, 300, 7)]
        tours = _added()
        for _round in range(30):
            before = {moment: _status_at(tours, moment) for moment in moments}
            since, until = (NOON + edge * MINUTE for edge in sorted(dice.sample(range(300), 2)))
            status = dice.choice(list(ComponentStatus))

            operations.rewrite_history(
                component_id=tours.pk,
                status=status,
                since=since,
                until=until,
                at=NOON + 10 * HOUR,
                author=None,
                keeps_worse=True,
            )

            for moment, was in before.items():
                worst = max(status, ComponentStatus(was), key=lambda status: status.rank)
                assert _status_at(tours, moment) == (worst if since <= moment < until else was)
            _assert_is_whole(_rows(tours), tours)

    @pytest.mark.parametrize("until", [1, 0.5])
    def test_refuses_no_time_at_all(self, tours: Component, until: float) -> None:
        with pytest.raises(operations.StretchIsEmpty):
            self._rewrite(tours, MAJOR, 1, until)

    def test_refuses_a_group(self) -> None:
        with pytest.raises(operations.GroupHasNoStatus):
            self._rewrite(_added(is_group=True), MAJOR, 1, 2)

    def test_says_afterwards_what_was_written_and_nothing_else(self) -> None:
        dice = random.Random(4)
        moments = [NOON + minute * MINUTE for minute in range(0, 300, 7)]
        tours = _added()
        for _round in range(30):
            before = {moment: _status_at(tours, moment) for moment in moments}
            since, until = sorted(dice.sample(range(300), 2))
            status = dice.choice(list(ComponentStatus))

            self._rewrite(tours, status, since / 60, until / 60)

            for moment in moments:
                written = NOON + since * MINUTE <= moment < NOON + until * MINUTE
                assert _status_at(tours, moment) == (status if written else before[moment])
            _assert_is_whole(_rows(tours), tours)


class TestStatusIntervals:
    def test_are_those_that_reach_behind_a_moment(self) -> None:
        tours, other = _added(), _added()
        _move(tours, (MAJOR, NOON + HOUR), (OPERATIONAL, NOON + 2 * HOUR))

        found = queries.status_intervals([tours.pk], since=NOON + HOUR)

        assert [row.status for row in found] == [MAJOR, OPERATIONAL]
        assert other.pk not in {row.component_id for row in found}


def _status_at(component: Component, moment: datetime) -> str:
    return next(
        status
        for status, began, ended in _rows(component)
        if began <= moment and (ended is None or moment < ended)
    )


def test_an_incident_over_two_components_reads_as_it_was_told() -> None:
    tours, uploads = _added(), _added()
    incident = IncidentFactory.create()

    operations.post_status_update(
        incident_id=incident.pk,
        body="Both.",
        phase=Phase.IDENTIFIED,
        at=NOON + HOUR,
        author=None,
        component_statuses={tours.pk: PARTIAL, uploads.pk: DEGRADED},
    )

    assert _rows(tours)[-1] == (PARTIAL, NOON + HOUR, None)
    assert _rows(uploads)[-1] == (DEGRADED, NOON + HOUR, None)
