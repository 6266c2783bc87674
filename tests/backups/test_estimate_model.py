import math
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from random import Random

import pytest

from backups.estimate import (
    Forecast,
    History,
    Past,
    Rest,
    Sample,
    Standing,
    Track,
    Work,
    forecast,
    in_one_lane,
    learn,
)
from backups.saturation import Window
from tests.factories import HOUR, NOON

MIDNIGHT = NOON - 12 * HOUR
GB = 1e9
FETCH = Work(phase="FETCH", amount=100 * GB)
AFTER = (
    Work(phase="UNPACK", amount=80 * GB),
    Work(phase="REPLAY", amount=20 * GB),
    Work(phase="VERIFY", amount=15 * GB),
    Work(phase="READY", amount=1, unit=""),
)


def drills(count: int, *, spread: float = 0.1, is_here: bool = True) -> list[Past]:
    """Drills a week apart, at noon: 100 GB in about half an hour, and what comes after."""
    dice = Random(1)
    usual = {"FETCH": (100 * GB, 2000), "UNPACK": (80 * GB, 400), "REPLAY": (20 * GB, 300)}
    return [
        Past(
            phase=phase,
            began_at=NOON - timedelta(days=7 * (number + 1)),
            seconds=seconds * dice.lognormvariate(0, spread),
            amount=amount,
            is_here=is_here,
        )
        for number in range(count)
        for phase, (amount, seconds) in usual.items()
    ]


def nights(days: int, *, share: float = 1.0, until: datetime = MIDNIGHT) -> list[Sample]:
    """Half-hourly measures of 50 MB/s; from midnight to six only a share of that."""
    dice = Random(2)
    moments = [until - timedelta(minutes=30 * (n + 1)) for n in range(days * 48)]
    return [
        Sample(at=at, rate=50e6 * (share if at.hour < 6 else 1) * dice.lognormvariate(0, 0.1))
        for at in moments
    ]


def told(
    history: History, left: Sequence[Work], *, at: datetime = NOON, track: Track | None = None,
    rests: Sequence[Rest] = (), still_seconds: float = 0.0,
) -> Forecast | None:  # fmt: skip
    return forecast(
        learn(history, at=at),
        Standing(
            at=at, left=left, rests=rests, still_seconds=still_seconds,
            windows=track.windows() if track else (), outages=track.outages() if track else (),
        ),
    )  # fmt: skip


def surely(*args: object, **kwargs: object) -> Forecast:
    found = told(*args, **kwargs)  # type: ignore[arg-type]
    assert found is not None
    return found


def width(found: Forecast) -> float:
    return math.log(found.high80 / found.low80)


def run(*speeds: float, seconds: float = 60, every: float = 5) -> Track:
    """Return a track at these speeds, each for so many seconds."""
    track, at, done = Track(), 0.0, 0.0
    track.note(at, done)
    for speed in speeds:
        for _note in range(int(seconds / every)):
            at, done = at + every, done + speed * every
            track.note(at, done)
    return track


class TestWithoutHistory:
    def test_nothing_is_said_of_a_fetch_that_nobody_has_seen(self) -> None:
        assert told(History(), [FETCH, *AFTER]) is None
        assert told(History(), [FETCH, *AFTER], track=run(50e6, seconds=10)) is None

    def test_what_the_machine_does_has_wide_usual_bounds(self) -> None:
        found = surely(History(), AFTER)

        assert found.basis == "usual:"
        assert found.high80 > 3 * found.low80

    def test_speaks_of_a_fetch_once_it_has_run_for_a_while(self) -> None:
        found = surely(History(), [FETCH], track=run(50e6))

        assert found.low80 < 2000 < found.high80
        assert found.basis == "last:60"

    def test_nothing_left_is_nothing_to_say(self) -> None:
        assert told(History(), []) is None

    def test_a_phase_of_an_unknown_unit_is_not_guessed(self) -> None:
        assert told(History(), [*AFTER, Work(phase="VERIFY", amount=3, unit="pages")]) is None


class TestRanges:
    def test_lie_within_each_other(self) -> None:
        found = surely(History(past=drills(3)), [FETCH, *AFTER])

        ends = list(astuple(found))[:5]
        assert ends == sorted(ends)
        assert found.low50 - found.low80 > 0

    def test_hold_what_the_drills_took(self) -> None:
        found = surely(History(past=drills(6)), [FETCH, *AFTER[:2]])

        assert found.low80 < 2700 < found.high80
        assert found.middle == pytest.approx(2700, rel=0.2)
        assert found.basis == "past:6"

    def test_are_narrower_the_more_is_known(self) -> None:
        widths = [
            width(surely(History(past=drills(count)), [FETCH, *AFTER[:2]])) for count in (1, 3, 12)
        ]

        assert widths == sorted(widths, reverse=True)
        assert widths[0] > 1.3 * widths[2]

    def test_are_wider_where_drills_differed(self) -> None:
        even = surely(History(past=drills(6, spread=0.05)), [FETCH])
        uneven = surely(History(past=drills(6, spread=0.6)), [FETCH])

        assert width(uneven) > 1.3 * width(even)

    def test_are_wider_for_another_machine(self) -> None:
        here = surely(History(past=drills(4)), AFTER[:2])
        there = surely(History(past=drills(4, is_here=False)), AFTER[:2])

        assert width(there) > 1.2 * width(here)

    def test_are_wider_for_another_size(self) -> None:
        alike = surely(History(past=drills(4)), [Work(phase="REPLAY", amount=20 * GB)])
        huge = surely(History(past=drills(4)), [Work(phase="REPLAY", amount=2000 * GB)])

        assert width(huge) > 1.2 * width(alike)

    def test_are_the_same_for_the_same(self) -> None:
        history = History(past=drills(3), samples=nights(5))

        assert surely(history, [FETCH, *AFTER]) == surely(history, [FETCH, *AFTER])

    def test_do_not_close_in_on_an_even_minute(self) -> None:
        found = surely(History(), [Work(phase="FETCH", amount=200 * GB)], track=run(50e6))

        assert found.low80 < 3400
        assert found.high80 > 4600

    def test_do_not_look_at_what_came_later(self) -> None:
        later = Past(phase="FETCH", began_at=NOON + HOUR, seconds=1, amount=100 * GB)

        assert surely(History(past=[*drills(2), later]), [FETCH]) == surely(
            History(past=drills(2)), [FETCH]
        )


class TestWhatShowsNoSpeed:
    """Earlier runs that were all beginning and no work."""

    REPLAY = Work(phase="REPLAY", amount=12 * GB)

    def tiny(self, amount: float, seconds: float, *, phase: str = "REPLAY") -> Past:
        return Past(phase=phase, began_at=NOON - HOUR, seconds=seconds, amount=amount)

    def test_three_hundred_bytes_of_log_are_no_rate(self) -> None:
        unknown = surely(History(), [self.REPLAY])

        found = surely(History(past=[self.tiny(303, 4)]), [self.REPLAY])

        assert found == unknown
        assert found.high80 < 15 * 60

    @pytest.mark.parametrize("phase", ["UNPACK", "VERIFY", "TENANTS"])
    def test_nor_are_a_few_bytes_of_any_phase(self, phase: str) -> None:
        work = [Work(phase=phase, amount=12 * GB)]

        found = surely(History(past=[self.tiny(4000, 5, phase=phase)]), work)

        assert found == surely(History(), work)

    def test_a_tiny_fetch_lets_nobody_speak_of_a_large_one(self) -> None:
        assert told(History(past=[self.tiny(4000, 2, phase="FETCH")]), [FETCH]) is None

    def test_but_of_one_like_it(self) -> None:
        found = surely(
            History(past=[self.tiny(4000, 2, phase="FETCH")]), [Work(phase="FETCH", amount=5000)]
        )

        assert found.low80 < 2.5 < found.high80

    def test_beside_real_ones_they_move_nothing(self) -> None:
        real = [past for past in drills(3) if past.phase == "REPLAY"]

        found = surely(History(past=[*real, self.tiny(303, 4)]), [self.REPLAY])

        assert found == surely(History(past=real), [self.REPLAY])

    def test_some_megabytes_count_in_part(self) -> None:
        found = surely(History(past=[self.tiny(40e6, 8)]), [self.REPLAY])
        unknown = surely(History(), [self.REPLAY])

        assert unknown.middle < found.middle < 12 * GB / (40e6 / 8)
        assert width(found) > width(unknown)

    def test_one_that_is_far_out_does_not_pull_the_others_along(self) -> None:
        real = [past for past in drills(5) if past.phase == "REPLAY"]

        found = surely(
            History(past=[*real, self.tiny(100e6, 400_000)]), [Work(phase="REPLAY", amount=20 * GB)]
        )

        assert found.middle < 600


class TestTheRun:
    def test_outweighs_what_was_before(self) -> None:
        # The drills had 50 MB/s; this run has had 10 for twenty minutes.
        found = surely(History(past=drills(5)), [FETCH], track=run(*[10e6] * 20))

        assert found.low80 > 1.7 * 2000
        assert found.low80 < 10_000 < found.high80
        assert found.basis == "past:5,last:1200"

    def test_counts_little_in_its_first_seconds(self) -> None:
        before = surely(History(past=drills(5)), [FETCH])
        after = surely(History(past=drills(5)), [FETCH], track=run(10e6, seconds=10))

        assert before.middle * 0.8 < after.middle < before.middle * 2.5

    def test_gives_a_wider_range_when_it_varies(self) -> None:
        even = surely(History(), [FETCH], track=run(*[50e6] * 20))
        uneven = surely(History(), [FETCH], track=run(*[*[20e6] * 5, *[80e6] * 5] * 2))

        assert width(uneven) > 1.2 * width(even)

    def test_follows_a_lasting_change(self) -> None:
        steady = surely(History(), [FETCH], track=run(*[50e6] * 20))
        slower = surely(History(), [FETCH], track=run(*[50e6] * 10, *[15e6] * 10))

        assert slower.middle > 1.5 * steady.middle


class TestHours:
    def test_a_saturation_ahead_is_reckoned_with(self) -> None:
        samples = nights(14, share=0.2, until=NOON)
        history = History(past=drills(4), samples=samples)
        late = NOON + timedelta(hours=11.5)

        by_day = surely(history, [FETCH])
        at_night = surely(
            History(past=drills(4), samples=nights(14, share=0.2, until=late)), [FETCH], at=late
        )

        assert at_night.middle > 2 * by_day.middle
        assert at_night.basis == "past:4,hours:15"

    def test_a_fetch_that_outlasts_the_night_goes_quicker_then(self) -> None:
        history = History(past=drills(4), samples=nights(14, share=0.2))
        # At 5:30 the night is nearly over; at 0:00 it lies ahead.
        early, late = MIDNIGHT, MIDNIGHT + timedelta(hours=5.5)

        assert (
            surely(history, [FETCH], at=late).middle < surely(history, [FETCH], at=early).middle / 2
        )

    def test_a_window_that_was_only_declared_is_reckoned_with(self) -> None:
        declared = Window(from_minute=0, until_minute=360, slower=5.0)
        by_day = [each for each in nights(14, until=NOON) if each.at.hour >= 6]
        known = History(past=drills(4), samples=by_day)

        plain = surely(known, [FETCH], at=MIDNIGHT + timedelta(days=1))
        ahead = surely(replace(known, windows=[declared]), [FETCH], at=MIDNIGHT + timedelta(days=1))

        assert ahead.middle > 2 * plain.middle

    def test_one_that_was_measured_as_well_counts_once(self) -> None:
        night = Window(from_minute=0, until_minute=360, slower=5.0)
        known = History(past=drills(4), samples=nights(14, share=0.2, until=NOON))
        late = MIDNIGHT + timedelta(days=1)

        measured = surely(known, [FETCH], at=late)
        told = surely(replace(known, windows=[night]), [FETCH], at=late)

        assert told.middle == pytest.approx(measured.middle, rel=0.25)

    def test_one_that_moves_with_the_clocks_is_at_its_new_hour_at_once(self) -> None:
        # Measured in winter from 23:00 to 5:00 UTC; now it is summer.
        night = Window(from_minute=0, until_minute=360, tz="Europe/Amsterdam", slower=5.0)
        change = datetime.fromisoformat("2026-03-29T01:00:00+00:00")
        samples = [
            Sample(at=at, rate=50e6 / (5 if night.covers(at) else 1))
            for at in (change - timedelta(minutes=30 * n) for n in range(1, 48 * 21))
        ]
        weather = learn(History(samples=samples, windows=[night]), at=change).weather
        evening = change.replace(day=30, hour=22, minute=30)

        assert weather.usual(evening) < math.log(1 / 3)
        assert weather.usual(evening.replace(day=31, hour=4)) > math.log(1 / 2)

    def test_one_that_is_over_slows_nothing_any_more(self) -> None:
        over = Window(
            from_minute=0, until_minute=360, slower=5.0, until_at=NOON - timedelta(days=7)
        )
        samples = [
            each
            for each in nights(21, share=0.2, until=NOON)
            if each.at.hour >= 6 or each.at < NOON - timedelta(days=7)
        ]
        weather = learn(History(samples=samples, windows=[over]), at=NOON).weather

        assert weather.usual(NOON + timedelta(hours=15)) > math.log(1 / 2)

    def test_an_even_storage_has_no_hours(self) -> None:
        learned = learn(History(samples=nights(14)), at=MIDNIGHT)

        assert max(abs(value) for value in learned.weather.hours.mean) < 0.05

    def test_a_weekend_may_differ(self) -> None:
        samples = [
            Sample(at=s.at, rate=s.rate * (3 if s.at.weekday() > 4 else 1)) for s in nights(28)
        ]
        weather = learn(History(samples=samples), at=MIDNIGHT).weather
        monday = datetime.fromisoformat("2026-01-12T12:00:00+00:00")

        assert weather.usual(monday - timedelta(days=1)) > weather.usual(monday) + 0.7

    def test_measures_alone_let_it_speak_with_care(self) -> None:
        alone = surely(History(samples=nights(14)), [FETCH], at=MIDNIGHT)
        with_drills = surely(History(past=drills(4), samples=nights(14)), [FETCH], at=MIDNIGHT)

        assert alone.basis == "hours:14"
        assert width(alone) > 1.5 * width(with_drills)


class TestOutages:
    def out(self, every: int) -> list[Sample]:
        return [
            Sample(at=s.at, rate=0.0 if number % every < 2 else s.rate)
            for number, s in enumerate(nights(14, until=NOON))
        ]

    def test_that_were_seen_are_reckoned_with(self) -> None:
        long = Work(phase="FETCH", amount=2000 * GB)
        calm = surely(History(past=drills(3), samples=nights(14, until=NOON)), [long])
        broken = surely(History(past=drills(3), samples=self.out(24)), [long])

        assert broken.middle > calm.middle * 1.05
        assert broken.high80 > calm.high80 * 1.05

    def test_one_that_lasts_is_not_guessed_if_none_was_seen_to_end(self) -> None:
        history = History(past=drills(3), samples=nights(14, until=NOON))

        assert told(history, [FETCH], still_seconds=300) is None

    def test_one_that_lasts_is_like_those_of_this_run(self) -> None:
        # Three times already nothing has come for two minutes.
        track = run(50e6, 0, 0, *[50e6, 0, 0] * 2, 50e6)
        history = History(past=drills(3))

        found = surely(history, [FETCH], track=track, still_seconds=40)

        assert found.middle > surely(history, [FETCH], track=track).middle + 30

    def test_one_that_lasts_costs_time_if_such_were_seen(self) -> None:
        history = History(past=drills(3), samples=self.out(24))

        lasting = surely(history, [FETCH], still_seconds=300)

        assert lasting.middle > surely(history, [FETCH]).middle + 300


class TestRests:
    def test_push_the_end_back_by_their_length(self) -> None:
        rest = Rest(begins_at=NOON + timedelta(minutes=5), ends_at=NOON + 5 * HOUR)
        history = History(past=drills(4))

        plain = surely(history, [FETCH, *AFTER[:2]])
        rested = surely(history, [FETCH, *AFTER[:2]], rests=[rest])

        assert rested.low80 == pytest.approx(plain.low80 + 4.917 * 3600, rel=0.02)
        # Nobody has measured what the storage is like at those later hours.
        assert rested.high80 > plain.high80 + 4.917 * 3600

    def test_after_the_end_change_nothing(self) -> None:
        rest = Rest(begins_at=NOON + 48 * HOUR, ends_at=NOON + 50 * HOUR)
        history = History(past=drills(4))

        assert surely(history, [FETCH], rests=[rest]) == surely(history, [FETCH])

    def test_one_that_has_begun_counts_what_is_left_of_it(self) -> None:
        rest = Rest(begins_at=NOON - HOUR, ends_at=NOON + HOUR)
        history = History(past=drills(4))

        assert surely(history, AFTER[:1], rests=[rest]).low80 == pytest.approx(
            surely(history, AFTER[:1]).low80 + 3600
        )


class TestTrack:
    def test_keeps_few_points_of_a_long_phase(self) -> None:
        track = run(*[10e6] * 600)

        windows = track.windows()

        assert len(windows) <= 41
        assert windows[0].begin == pytest.approx(-36_000, rel=0.02)
        assert sum(w.amount for w in windows) == pytest.approx(10e6 * 36_000, rel=0.05)

    def test_every_window_advances(self) -> None:
        track = run(10e6, 0, 0, 10e6)

        assert all(window.amount > 0 for window in track.windows())

    def test_takes_silence_out_of_the_speed(self) -> None:
        track = run(10e6, 0, 0, 10e6)

        assert track.outages() == [pytest.approx(125)]
        assert max(window.still for window in track.windows()) == pytest.approx(120, abs=10)

    def test_says_for_how_long_it_has_been_still(self) -> None:
        track = run(10e6)

        assert track.still_seconds(75) == 0
        assert track.still_seconds(120) == 60

    def test_begins_anew_when_less_is_done_than_before(self) -> None:
        track = run(10e6, 10e6)
        track.note(125, 0)

        assert track.windows() == []

    def test_goes_on_from_what_was_measured_before(self) -> None:
        track = Track()
        track.go_on([(40, -600e6), (100, 0)])
        track.note(100, 0)
        track.note(101, 10e6)

        assert [w.amount / w.seconds for w in track.windows()] == pytest.approx([10e6])
        assert track.outages() == []

    def test_without_a_note_there_is_nothing(self) -> None:
        assert Track().windows() == []
        assert Track().still_seconds(100) == 0


class TestInOneLane:
    def test_one_lane_is_the_sum(self) -> None:
        assert in_one_lane([3, 1, 2], 1) == 6

    def test_lanes_share_the_work_in_its_order(self) -> None:
        assert in_one_lane([2, 2, 2, 2], 2) == 4

    def test_a_large_one_at_the_end_leaves_the_others_idle(self) -> None:
        assert in_one_lane([1, 1, 10], 2) == 11

    def test_nothing_takes_no_time(self) -> None:
        assert in_one_lane([], 4) == 0
