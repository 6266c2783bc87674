from datetime import datetime, timedelta

import pytest

from incidents.calm import Given, allowance, calmed, outward
from tests.factories import HOUR, NOON

MINUTE = timedelta(minutes=1)
GIVEN = Given(low_at=NOON + HOUR, high_at=NOON + 2 * HOUR, given_at=NOON, phase="fetch")


def again(
    low: timedelta, high: timedelta, *, at: datetime = NOON + 5 * MINUTE, phase: str = "fetch"
) -> Given:
    return calmed(GIVEN, low_at=NOON + low, high_at=NOON + high, phase=phase, at=at)


class TestTheFirst:
    @pytest.mark.parametrize(
        ("low", "high", "given"),
        [
            # The less is left, the finer: a minute, five, fifteen, an hour.
            (timedelta(seconds=61), timedelta(seconds=122), ("12:01:00", "12:03:00")),
            (timedelta(seconds=250), timedelta(seconds=610), ("12:04:00", "12:11:00")),
            (timedelta(minutes=33), timedelta(minutes=71), ("12:30:00", "13:15:00")),
            (timedelta(minutes=95), timedelta(minutes=182), ("13:30:00", "15:15:00")),
            (timedelta(hours=4.6), timedelta(hours=12.1), ("16:00:00", "01:00:00")),
        ],
    )
    def test_is_rounded_outward(
        self, low: timedelta, high: timedelta, given: tuple[str, str]
    ) -> None:
        found = calmed(None, low_at=NOON + low, high_at=NOON + high, phase="fetch", at=NOON)

        assert (f"{found.low_at:%H:%M:%S}", f"{found.high_at:%H:%M:%S}") == given
        assert found.given_at == NOON

    def test_a_round_time_stays_as_it_is(self) -> None:
        found = calmed(None, low_at=NOON + HOUR, high_at=NOON + 2 * HOUR, phase="fetch", at=NOON)

        assert (found.low_at, found.high_at) == (NOON + HOUR, NOON + 2 * HOUR)


class TestStands:
    def test_while_the_forecast_lies_within(self) -> None:
        assert again(70 * MINUTE, 80 * MINUTE) is GIVEN

    def test_while_it_leaves_by_less_than_a_fifth_of_what_is_left(self) -> None:
        assert again(HOUR - 20 * MINUTE, 2 * HOUR + 20 * MINUTE) is GIVEN

    def test_in_another_phase_if_it_still_holds(self) -> None:
        assert again(70 * MINUTE, 110 * MINUTE, phase="replay") is GIVEN

    def test_after_half_an_hour_if_it_still_holds(self) -> None:
        assert again(70 * MINUTE, 110 * MINUTE, at=NOON + 31 * MINUTE) is GIVEN

    def test_the_part_that_has_passed_is_left_out_and_no_reason_for_more(self) -> None:
        at = NOON + 92 * MINUTE

        found = again(94 * MINUTE, 118 * MINUTE, at=at, phase="replay")

        assert (found.low_at, found.high_at) == (NOON + 94 * MINUTE, GIVEN.high_at)
        assert found.given_at == GIVEN.given_at

    @pytest.mark.parametrize("low", [0, 1, 20, 59, 61, 240, 3599])
    @pytest.mark.parametrize("high", [30, 3600, 20 * 3600])
    def test_never_begins_before_the_minute_that_runs(self, low: int, high: int) -> None:
        for second in range(0, 7200, 97):
            at = NOON + timedelta(seconds=second)
            low_at, high_at = at + timedelta(seconds=low), at + timedelta(seconds=low + high)
            for given in (None, GIVEN):
                found = calmed(given, low_at=low_at, high_at=high_at, phase="fetch", at=at)

                assert found.low_at >= at.replace(second=0)
                assert found.low_at <= found.high_at
                assert (found.low_at.second, found.high_at.second) == (0, 0)

    def test_the_minute_that_runs_is_left_out_unless_the_forecast_begins_there(self) -> None:
        at = NOON + HOUR + timedelta(seconds=27)

        near = Given(low_at=at - timedelta(seconds=27), high_at=at + 4 * MINUTE, given_at=at,
                     phase="fetch")  # fmt: skip
        high_at = at + 3 * MINUTE

        later = calmed(near, low_at=at + 2 * MINUTE, high_at=high_at, phase="fetch", at=at)
        now = calmed(near, low_at=at, high_at=high_at, phase="fetch", at=at)

        assert (later.low_at, now.low_at) == (NOON + 62 * MINUTE, NOON + HOUR)

    def test_one_that_lay_wholly_before_the_forecast_keeps_its_order(self) -> None:
        at = NOON + 115 * MINUTE

        found = again(121 * MINUTE, 124 * MINUTE, at=at)

        assert found.low_at <= found.high_at


class TestMoves:
    def test_when_it_slips_by_more_than_a_fifth(self) -> None:
        moved = again(80 * MINUTE, 2 * HOUR + 25 * MINUTE)

        assert (moved.low_at, moved.high_at) == (NOON + 75 * MINUTE, NOON + 150 * MINUTE)
        assert moved.given_at == NOON + 5 * MINUTE

    def test_when_it_is_far_earlier(self) -> None:
        assert again(30 * MINUTE, 40 * MINUTE).high_at == NOON + 40 * MINUTE

    def test_when_it_has_passed(self) -> None:
        late = again(121 * MINUTE, 123 * MINUTE, at=NOON + 2 * HOUR + MINUTE)

        assert late.high_at > NOON + 2 * HOUR

    def test_in_another_phase_when_it_leaves_it_at_all(self) -> None:
        moved = again(70 * MINUTE, 121 * MINUTE, phase="replay")

        assert moved.high_at == NOON + 125 * MINUTE
        assert moved.phase == "replay"

    def test_after_half_an_hour_when_much_more_is_known(self) -> None:
        moved = again(90 * MINUTE, 95 * MINUTE, at=NOON + 31 * MINUTE)

        assert (moved.low_at, moved.high_at) == (NOON + 90 * MINUTE, NOON + 95 * MINUTE)

    def test_seldom_under_a_forecast_that_twitches(self) -> None:
        given: Given | None = None
        seen = set()
        for minute in range(120):
            twitch = (minute % 3 - 1) * 4 * MINUTE
            at = NOON + minute * MINUTE
            given = calmed(
                given,
                low_at=NOON + 130 * MINUTE + twitch,
                high_at=NOON + 170 * MINUTE + twitch,
                phase="fetch",
                at=at,
            )
            seen.add(given)

        assert len(seen) <= 3


def test_less_is_allowed_the_less_is_left() -> None:
    least = timedelta(seconds=15)

    assert allowance(NOON + HOUR, at=NOON, least=least) == 12 * MINUTE
    assert allowance(NOON + 10 * MINUTE, at=NOON, least=least) == 2 * MINUTE
    assert allowance(NOON, at=NOON, least=least) == least


def test_what_is_shown_in_minutes_is_rounded_outward() -> None:
    low, high = outward(NOON + timedelta(seconds=580), NOON + timedelta(seconds=700))

    assert (low, high) == (NOON + 9 * MINUTE, NOON + 12 * MINUTE)
    assert outward(low, high) == (low, high)
