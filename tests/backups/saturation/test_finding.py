"""Windows found in what was measured, and none where there is none."""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from backups.saturation import Reading, Window, find_windows, was_looked_at

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


def measured(
    days: int,
    *,
    slower: Callable[[datetime], float] = lambda _at: 1.0,
    failed: Callable[[datetime], float] = lambda _at: 0.0,
    noise: float = 0.2,
    every: timedelta = HOUR,
    begins: datetime = BEGIN,
    kind: str = "",
) -> list[Reading]:
    """Return a storage by the hour: 40 MB/s with some noise, at some hours slower."""
    dice = Random(7)
    found = []
    at = begins
    while at < begins + days * DAY:
        rate = 40e6 / slower(at) * math.exp(dice.gauss(0, noise))
        bad = sum(dice.random() < failed(at) for _request in range(10))
        found.append(Reading(at=at, speed=rate, asked=10, failed=bad, kind=kind))
        at += every
    return found


def at_hours(hours: Iterable[int], factor: float) -> Callable[[datetime], float]:
    bad = set(hours)
    return lambda at: factor if at.hour in bad else 1.0


def find(readings: list[Reading], *zones: str) -> list[Window]:
    end = max(each.at for each in readings) + HOUR
    return find_windows(readings, at=end, zones=zones or ("UTC",))


class TestFound:
    def test_a_nightly_window_with_its_factor_and_errors(self) -> None:
        readings = measured(
            21, slower=at_hours(range(6), 4), failed=lambda at: 0.11 if at.hour < 6 else 0.0
        )

        (night,) = find(readings)

        assert (night.from_minute, night.until_minute) == (0, 360)
        assert night.weekdays == (1, 2, 3, 4, 5, 6, 7)
        assert night.slower == pytest.approx(4, rel=0.1)
        assert night.error_share == pytest.approx(0.11, abs=0.03)
        assert night.until_at is None

    def test_one_over_midnight_in_one_piece(self) -> None:
        (night,) = find(measured(14, slower=at_hours({22, 23, 0, 1, 2}, 5)))

        assert (night.from_minute, night.until_minute) == (22 * 60, 3 * 60)

    def test_since_when(self) -> None:
        since = BEGIN + 12 * DAY

        (night,) = find(measured(28, slower=lambda at: 4.0 if at >= since and at.hour < 6 else 1.0))

        assert night.since_at == since

    def test_until_when(self) -> None:
        until = BEGIN + 12 * DAY

        (night,) = find(measured(28, slower=lambda at: 4.0 if at < until and at.hour < 6 else 1.0))

        assert night.until_at == until - 18 * HOUR

    def test_three_nights_in_a_row_are_enough(self) -> None:
        since = BEGIN + 11 * DAY

        (night,) = find(measured(14, slower=lambda at: 4.0 if at >= since and at.hour < 6 else 1.0))

        assert night.since_at == since

    def test_by_the_clock_that_it_keeps_to(self) -> None:
        amsterdam = Window(from_minute=0, until_minute=360, tz="Europe/Amsterdam")
        readings = measured(50, slower=lambda at: 4.0 if amsterdam.covers(at) else 1.0)

        (night,) = find(readings, "UTC", "Europe/Amsterdam")
        (other,) = find(measured(50, slower=at_hours(range(6), 4)), "Europe/Amsterdam", "UTC")

        assert (night.tz, night.from_minute, night.until_minute) == ("Europe/Amsterdam", 0, 360)
        assert (other.tz, other.from_minute, other.until_minute) == ("UTC", 0, 360)

    @pytest.mark.parametrize("weekdays", [(6, 7), (1, 2, 3, 4, 5), (3,)])
    def test_on_its_weekdays_only(self, weekdays: tuple[int, ...]) -> None:
        true = Window(weekdays=weekdays, from_minute=120, until_minute=480)

        (found,) = find(measured(35, slower=lambda at: 4.0 if true.covers(at) else 1.0))

        assert (found.weekdays, found.from_minute, found.until_minute) == (weekdays, 120, 480)

    def test_errors_alone_are_one(self) -> None:
        (found,) = find(measured(21, failed=lambda at: 0.3 if 9 <= at.hour < 12 else 0.0))

        assert (found.from_minute, found.until_minute) == (540, 720)
        assert found.error_share == pytest.approx(0.3, abs=0.05)

    def test_its_edges_to_the_quarter_where_it_was_measured_so_finely(self) -> None:
        true = Window(from_minute=135, until_minute=405)

        (found,) = find(
            measured(14, slower=lambda at: 4.0 if true.covers(at) else 1.0, every=HOUR / 4)
        )

        assert (found.from_minute, found.until_minute) == (135, 405)

    def test_whatever_the_line_becomes_meanwhile(self) -> None:
        def slower(at: datetime) -> float:
            line = 0.4 if at >= BEGIN + 10 * DAY else 1.0
            return line * (4.0 if at.hour < 6 else 1.0)

        (night,) = find(measured(28, slower=slower))

        assert (night.from_minute, night.until_minute) == (0, 360)
        assert night.slower == pytest.approx(4, rel=0.1)

    def test_in_two_kinds_of_measures_of_different_scale(self) -> None:
        slow = at_hours(range(6), 4)
        probes = measured(14, slower=slow, kind="probe")
        fetches = [
            Reading(at=each.at, speed=(each.speed or 0) * 30, kind="fetch")
            for each in measured(14, slower=slow)
            if each.at.hour in (3, 4, 12)
        ]

        (night,) = find(probes + fetches)

        assert (night.from_minute, night.until_minute) == (0, 360)

    def test_hours_in_which_nothing_comes_at_all(self) -> None:
        readings = [
            Reading(at=each.at, asked=4, failed=4) if each.at.hour < 3 else each
            for each in measured(14)
        ]

        (night,) = find(readings)

        assert (night.from_minute, night.until_minute, night.error_share) == (0, 180, 1.0)


class TestNone:
    def test_in_an_even_storage(self) -> None:
        assert find(measured(42, noise=0.35)) == []

    def test_of_nothing(self) -> None:
        assert find_windows([], at=BEGIN) == []

    def test_two_bad_nights_are_weather(self) -> None:
        until = BEGIN + 9 * DAY
        bad = lambda at: 5.0 if until - 2 * DAY <= at < until and at.hour < 6 else 1.0  # noqa: E731 - a fact, not a function

        assert find(measured(21, slower=bad)) == []

    def test_a_bad_week_is_weather(self) -> None:
        bad = lambda at: 4.0 if BEGIN + 8 * DAY <= at < BEGIN + 13 * DAY else 1.0  # noqa: E731 - as above

        assert find(measured(28, slower=bad)) == []

    def test_a_slower_line_is_no_window(self) -> None:
        assert find(measured(28, slower=lambda at: 3.0 if at >= BEGIN + 14 * DAY else 1.0)) == []

    def test_a_gentle_day(self) -> None:
        def slower(at: datetime) -> float:
            return math.exp(0.18 * math.cos(at.hour / 24 * math.tau))

        assert find(measured(28, slower=slower)) == []

    def test_what_was_measured_only_at_night_has_no_other_hours_to_be_compared_with(self) -> None:
        assert find([each for each in measured(21) if each.at.hour < 4]) == []


class TestWhetherItWasLookedAt:
    def test_where_half_of_its_hours_were_measured(self) -> None:
        night = Window(from_minute=0, until_minute=360)
        readings = measured(14)
        end = BEGIN + 14 * DAY
        by_day = [each for each in readings if each.at.hour >= 6]

        assert was_looked_at(readings, night, at=end)
        assert not was_looked_at(by_day, night, at=end)
        assert not was_looked_at(readings, night, at=end + 20 * DAY)
