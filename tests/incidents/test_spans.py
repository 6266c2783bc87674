"""Stretches of time between moments that are known more or less exactly."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents.spans import Bounds, Span, between, bounds_of, longest_gap
from incidents.values import Precision, When
from tests.factories import HOUR, MINUTE, NOON

DAY = timedelta(days=1)


def _bounds(when: When) -> Bounds:
    found = bounds_of(when)
    assert found is not None
    return found


class TestBoundsOf:
    def test_a_minute_is_exact(self) -> None:
        assert _bounds(When(at=NOON)) == Bounds.exactly(NOON)

    @pytest.mark.parametrize(
        ("precision", "first", "length"),
        [
            (Precision.HOUR, NOON, HOUR),
            (Precision.DAY, datetime(2026, 1, 12, tzinfo=UTC), DAY),
            (Precision.MONTH, datetime(2026, 1, 1, tzinfo=UTC), 31 * DAY),
            (Precision.QUARTER, datetime(2026, 1, 1, tzinfo=UTC), 90 * DAY),
            (Precision.YEAR, datetime(2026, 1, 1, tzinfo=UTC), 365 * DAY),
        ],
    )
    def test_what_is_coarse_lies_within_all_of_it(
        self, precision: Precision, first: datetime, length: timedelta
    ) -> None:
        found = _bounds(When(at=first, precision=precision))

        assert found == Bounds(earliest=first, latest=first + length)

    def test_a_day_ends_in_the_zone_that_was_meant(self) -> None:
        # The night in which clocks go forward: a day of 23 hours.
        first = datetime(2026, 3, 28, 23, tzinfo=UTC)

        found = _bounds(When(at=first, precision=Precision.DAY, tz="Europe/Amsterdam"))

        assert found.latest - found.earliest == 23 * HOUR

    def test_about_a_minute_is_a_quarter_of_an_hour_either_way(self) -> None:
        found = _bounds(When(at=NOON, approx=True))

        assert found == Bounds(earliest=NOON - 15 * MINUTE, latest=NOON + 15 * MINUTE)

    def test_of_a_stretch_its_beginning_is_meant(self) -> None:
        assert _bounds(When(at=NOON, until=NOON + HOUR)) == Bounds.exactly(NOON)

    def test_what_is_not_known_has_none(self) -> None:
        assert bounds_of(When.unknown("some day")) is None

    def test_the_end_of_the_calendar_has_none(self) -> None:
        last = datetime(9999, 12, 31, tzinfo=UTC)

        assert bounds_of(When(at=last, precision=Precision.YEAR)) is None
        assert bounds_of(When(at=last, precision=Precision.MINUTE, approx=True)) is not None


class TestBetween:
    def test_is_exact_between_exact_moments(self) -> None:
        found = between(Bounds.exactly(NOON), Bounds.exactly(NOON + 16 * MINUTE))

        assert found == Span.exactly(16 * MINUTE)

    def test_is_a_range_where_one_of_them_is(self) -> None:
        hour = Bounds(earliest=NOON, latest=NOON + HOUR)

        found = between(hour, Bounds.exactly(NOON + 3 * HOUR))

        assert found == Span(low=2 * HOUR, high=3 * HOUR)

    def test_is_never_less_than_nothing(self) -> None:
        day = Bounds(earliest=NOON, latest=NOON + DAY)

        assert between(day, day) == Span(low=timedelta(), high=DAY)

    def test_is_not_known_where_the_end_comes_first(self) -> None:
        assert between(Bounds.exactly(NOON), Bounds.exactly(NOON - MINUTE)) is None


class TestLongestGap:
    def test_is_the_longest_of_the_least_and_of_the_most(self) -> None:
        # 2 h exactly; then 1 h to 3 h, as the third is known to within two hours.
        moments = [
            Bounds.exactly(NOON),
            Bounds.exactly(NOON + 2 * HOUR),
            Bounds(earliest=NOON + 3 * HOUR, latest=NOON + 5 * HOUR),
        ]

        assert longest_gap(moments) == Span(low=2 * HOUR, high=3 * HOUR)

    def test_of_one_moment_is_none(self) -> None:
        assert longest_gap([Bounds.exactly(NOON)]) is None
