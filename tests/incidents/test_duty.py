"""Hours on duty: periods merged, so that no hour counts twice."""

from datetime import timedelta

import pytest

from incidents.duty import Duty, Period, duty, merged
from tests.factories import HOUR, MINUTE, NOON

NONE = timedelta()


def _period(since: float, until: float | None) -> Period:
    return Period(since=NOON + since * HOUR, until=None if until is None else NOON + until * HOUR)


@pytest.mark.parametrize(
    ("periods", "stretches"),
    [
        ([], []),
        ([(0, 1)], [(0, 1)]),
        ([(0, 2), (1, 3)], [(0, 3)]),
        ([(0, 3), (1, 2)], [(0, 3)]),
        ([(1, 2), (0, 1)], [(0, 2)]),
        ([(0, 1), (2, 3)], [(0, 1), (2, 3)]),
        ([(0, None), (1, 2)], [(0, 8)]),
        ([(0, 1), (3, None)], [(0, 1), (3, 8)]),
        ([(9, None)], []),
        ([(7, 9)], [(7, 8)]),
        ([(2, 2)], [(2, 2)]),
    ],
    ids=str,
)
def test_periods_are_merged_up_to_eight_o_clock(
    periods: list[tuple[float, float | None]], stretches: list[tuple[float, float]]
) -> None:
    found = merged([_period(*period) for period in periods], at=NOON + 8 * HOUR)

    assert found == [(NOON + since * HOUR, NOON + until * HOUR) for since, until in stretches]


class TestDuty:
    def test_two_roles_at_once_are_one_duty(self) -> None:
        spent = duty([_period(0, None), _period(1, 3)], at=NOON + 4 * HOUR)

        assert spent == Duty(total=4 * HOUR, stretch=4 * HOUR, since=NOON)

    def test_a_rest_begins_the_stretch_anew_and_the_total_goes_on(self) -> None:
        spent = duty([_period(0, 3), _period(5, None)], at=NOON + 6 * HOUR)

        assert spent == Duty(total=4 * HOUR, stretch=HOUR, since=NOON + 5 * HOUR)

    def test_a_pause_of_minutes_is_no_rest(self) -> None:
        spent = duty([_period(0, 3), _period(3.5, None)], at=NOON + 6 * HOUR)

        assert spent.since == NOON
        assert spent.stretch == 6 * HOUR
        assert spent.total == 5 * HOUR + 30 * MINUTE

    def test_who_gave_up_everything_has_no_stretch(self) -> None:
        spent = duty([_period(0, 3)], at=NOON + 6 * HOUR)

        assert spent == Duty(total=3 * HOUR, stretch=NONE, since=None)
