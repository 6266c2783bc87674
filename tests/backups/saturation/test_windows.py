"""Hours that come back: whether a moment lies in them, in words, across changes of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from backups.saturation import Window, is_alike, meeting, merged, share_that_meets

HOUR = timedelta(hours=1)
NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
NIGHT = Window(from_minute=0, until_minute=360, slower=4.0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


class TestWords:
    def test_says_all_that_is_known(self) -> None:
        window = Window(
            from_minute=0, until_minute=360, slower=4.0, error_share=0.11,
            since_at=at("2026-01-03T00:00"),
        )  # fmt: skip

        assert window.words == (
            "every day 00:00–06:00 UTC, 4 × slower, 11 % errors, since 3 January 2026"
        )

    @pytest.mark.parametrize(
        ("weekdays", "words"),
        [
            ((1, 2, 3, 4, 5), "Monday to Friday"),
            ((7, 6), "Saturday and Sunday"),
            ((3,), "every Wednesday"),
            ((1, 3, 5), "Monday, Wednesday and Friday"),
        ],
    )
    def test_names_its_days(self, weekdays: tuple[int, ...], words: str) -> None:
        window = Window(weekdays=weekdays, from_minute=1320, until_minute=1440)

        assert window.words == f"{words} 22:00–24:00 UTC"

    def test_says_since_when_by_its_own_clock(self) -> None:
        window = Window(
            from_minute=0, until_minute=60, tz="Asia/Kolkata", since_at=at("2026-01-02T18:30")
        )

        assert window.words.endswith("since 3 January 2026")


class TestCovers:
    @pytest.mark.parametrize(
        ("moment", "covered"),
        [("2026-01-12T00:00", True), ("2026-01-12T05:59", True), ("2026-01-12T06:00", False)],
    )
    def test_from_its_first_minute_to_before_its_last(self, moment: str, *, covered: bool) -> None:
        assert NIGHT.covers(at(moment)) is covered

    def test_one_over_midnight_belongs_to_the_day_on_which_it_begins(self) -> None:
        monday = Window(weekdays=(1,), from_minute=1320, until_minute=120)

        assert monday.covers(at("2026-01-12T23:00"))
        assert monday.covers(at("2026-01-13T01:59"))
        assert not monday.covers(at("2026-01-12T01:00"))
        assert not monday.covers(at("2026-01-13T23:00"))

    def test_all_day_is_all_day(self) -> None:
        sunday = Window(weekdays=(7,), from_minute=0, until_minute=1440)

        assert sunday.covers(at("2026-01-11T00:00"))
        assert sunday.covers(at("2026-01-11T23:59"))
        assert not sunday.covers(at("2026-01-12T00:00"))

    def test_moves_with_the_clocks_of_its_zone(self) -> None:
        window = Window(from_minute=60, until_minute=300, tz="Europe/Amsterdam")

        assert window.covers(at("2026-03-28T00:30"))
        assert not window.covers(at("2026-03-27T23:30"))
        assert window.covers(at("2026-03-29T23:30"))
        assert not window.covers(at("2026-03-30T03:30"))

    def test_neither_before_it_was_so_nor_after(self) -> None:
        window = Window(
            from_minute=0, until_minute=360,
            since_at=at("2026-01-12T00:00"), until_at=at("2026-01-14T00:00"),
        )  # fmt: skip

        covered = [window.covers(at(f"2026-01-{day}T03:00")) for day in (11, 12, 13, 14)]

        assert covered == [False, True, True, False]


class TestMeets:
    def test_a_stretch_that_runs_into_it(self) -> None:
        assert NIGHT.meets(NOON, 13 * 3600)
        assert not NIGHT.meets(NOON, 11 * 3600)
        assert NIGHT.meets(at("2026-01-12T05:00"), 1)

    def test_never_one_that_is_over(self) -> None:
        over = Window(from_minute=0, until_minute=360, until_at=NOON)

        assert not over.meets(NOON, 100 * 3600)

    def test_however_long_it_takes(self) -> None:
        assert not Window(from_minute=0, until_minute=60, until_at=NOON).meets(NOON, 1e12)


class TestStretches:
    def test_last_an_hour_less_in_the_night_the_clocks_go_forward(self) -> None:
        window = Window(from_minute=0, until_minute=360, tz="Europe/Amsterdam")

        stretches = window.stretches(at("2026-03-28T12:00"), at("2026-03-30T12:00"))

        assert [(ends - begins) / HOUR for begins, ends in stretches] == [5, 6]


class TestMerging:
    def test_what_has_a_figure_goes_before_what_was_only_declared(self) -> None:
        declared = Window(from_minute=0, until_minute=420)

        assert merged([declared, NIGHT], at=NOON) == [NIGHT]

    def test_other_hours_stay(self) -> None:
        noon = Window(from_minute=720, until_minute=840)

        assert len(merged([NIGHT, noon], at=NOON)) == 2

    def test_the_same_hours_by_another_clock_are_the_same(self) -> None:
        kolkata = Window(from_minute=330, until_minute=690, tz="Asia/Kolkata")

        assert is_alike(NIGHT, kolkata, at=NOON)
        assert not is_alike(
            NIGHT, Window(from_minute=0, until_minute=360, tz="Asia/Tokyo"), at=NOON
        )


class TestAdvice:
    def test_names_the_moments_whose_work_runs_into_a_window(self) -> None:
        evening, morning = at("2026-01-12T22:30"), at("2026-01-12T08:00")

        found = meeting([NIGHT], [evening, morning], seconds=2 * 3600)

        assert [each.at for each in found] == [evening]

    def test_says_how_often_a_restore_begun_at_any_hour_meets_one(self) -> None:
        assert share_that_meets([NIGHT], seconds=1, after=NOON) == pytest.approx(0.25)
        assert share_that_meets([NIGHT], seconds=18 * 3600, after=NOON) == pytest.approx(
            1, abs=0.05
        )
