"""How often customers hear: the usual table, and nights that the clocks are changed in."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from incidents.cadence import LONG, morning_after, usual_minutes
from incidents.values import Phase, Severity

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def _morning(at: datetime, begins: str = "22:00", ends: str = "08:00") -> datetime | None:
    return morning_after(
        at,
        begins=time.fromisoformat(begins),
        ends=time.fromisoformat(ends),
        zone=AMSTERDAM,
    )


def _here(words: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=AMSTERDAM, fold=fold).astimezone(UTC)


class TestUsualMinutes:
    def test_is_the_published_table(self) -> None:
        assert usual_minutes(Severity.SEV1, Phase.INVESTIGATING) == 10
        assert usual_minutes(Severity.SEV2, Phase.IDENTIFIED) == 30
        assert usual_minutes(Severity.SEV4, Phase.MONITORING) == 60
        assert usual_minutes(Severity.SEV1, LONG) == 240


class TestMorningAfter:
    @pytest.mark.parametrize(
        ("at", "morning"),
        [
            ("2026-01-12T21:59", None),
            ("2026-01-12T22:00", "2026-01-13T08:00"),
            ("2026-01-13T01:05", "2026-01-13T08:00"),
            ("2026-01-13T07:59", "2026-01-13T08:00"),
            ("2026-01-13T08:00", None),
        ],
    )
    def test_goes_by_the_clocks_of_the_zone(self, at: str, morning: str | None) -> None:
        assert _morning(_here(at)) == (_here(morning) if morning else None)

    def test_a_night_may_lie_within_a_day(self) -> None:
        assert _morning(_here("2026-01-12T03:00"), "01:00", "06:00") == _here("2026-01-12T06:00")
        assert _morning(_here("2026-01-12T00:30"), "01:00", "06:00") is None

    def test_a_night_that_ends_when_it_begins_is_none(self) -> None:
        assert _morning(_here("2026-01-12T03:00"), "08:00", "08:00") is None

    def test_the_night_of_the_clocks_going_forward_is_shorter(self) -> None:
        eve = _here("2026-03-28T23:00")

        morning = _morning(eve)

        assert morning == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
        assert (morning - eve).total_seconds() == 8 * 3600

    def test_the_night_of_the_clocks_going_back_is_longer(self) -> None:
        eve = _here("2026-10-24T23:00")

        morning = _morning(eve)

        assert morning == datetime(2026, 10, 25, 7, 0, tzinfo=UTC)
        assert (morning - eve).total_seconds() == 10 * 3600

    def test_a_morning_at_a_time_that_does_not_exist_comes_after_the_gap(self) -> None:
        morning = _morning(_here("2026-03-29T01:30"), ends="02:30")

        assert morning is not None
        assert morning.astimezone(AMSTERDAM).time() == time(3, 30)

    def test_a_morning_at_a_time_that_comes_twice_is_never_in_the_past(self) -> None:
        second = _here("2026-10-25T02:10", fold=1)

        morning = _morning(second, ends="02:30")

        assert morning == _here("2026-10-25T02:30", fold=1)
        assert morning > second
