"""Hours at which a storage gives little, found in what was measured."""

from backups.options import Busy, busy_hours
from backups.options.saturation import Measured
from tests.backups.options.facts import HOUR, NOON

MIDNIGHT = NOON - 12 * HOUR


def days(count: int, *, slow: set[int], refused: float = 0.0) -> list[Measured]:
    return [
        Measured(
            at=MIDNIGHT - day * 24 * HOUR + hour * HOUR,
            rate=10e6 if hour in slow else 100e6,
            refused=refused if hour in slow else 0.0,
        )
        for day in range(count)
        for hour in range(24)
    ]


class TestBusyHours:
    def test_a_night_over_midnight_is_one_stretch(self) -> None:
        (night,) = busy_hours(days(3, slow={22, 23, 0, 1, 2}))

        assert (night.begins, night.ends, night.days) == (22, 3, 3)
        assert round(night.share, 2) == 0.1

    def test_what_was_seen_on_one_day_is_no_habit(self) -> None:
        assert busy_hours(days(1, slow={3})) == []

    def test_even_speed_has_none(self) -> None:
        assert busy_hours(days(5, slow=set())) == []
        assert busy_hours([]) == []

    def test_refusals_count_where_the_rest_comes_quickly(self) -> None:
        measured = [
            Measured(at=each.at, rate=100e6, refused=each.refused)
            for each in days(3, slow={4}, refused=0.3)
        ]

        assert [(each.begins, each.ends) for each in busy_hours(measured)] == [(4, 5)]


class TestMeets:
    def test_knows_the_night_ahead_and_the_one_it_is_in(self) -> None:
        night = Busy(begins=22, ends=4, share=0.1, days=3)

        assert night.meets(MIDNIGHT - HOUR, 60)
        assert night.meets(MIDNIGHT + 3.5 * HOUR, 60)
        assert night.meets(NOON, 11 * 3600)
        assert not night.meets(NOON, 9 * 3600)
        assert not night.meets(MIDNIGHT + 4.5 * HOUR, 60)

    def test_a_day_that_is_busy_throughout_is_always_met(self) -> None:
        assert Busy(begins=0, ends=0, share=0.1, days=2).meets(NOON, 1)
