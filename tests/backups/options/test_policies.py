"""What a policy may not say, what a change of it does, and what it lets go."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from backups.options import Facts, Point, make_board
from backups.options.contradictions import Ground, contradictions
from backups.options.effect import effect_of, growth_of, outlook_of, standing_of
from backups.options.retention import Held, verdicts
from backups.options.terms import Named, Terms, Window, changes, described
from backups.options.windows import open_window
from tests.backups.options.facts import HOUR, MINUTE, NOON, backup, facts, target

DAY = timedelta(days=1)
BARMAN = Ground(engine="Barman", takes_incrementals=False, keeps_log=True)
BOTH = replace(BARMAN, engine="pgBackRest", takes_incrementals=True)
DUMPS = Ground(engine="pg_dump", takes_incrementals=False, keeps_log=False)
DAILY = Terms(full_schedule="0 2 * * *", back_within=4 * HOUR, may_lose=15 * MINUTE)
WEEKLY = replace(DAILY, full_schedule="0 2 * * SUN")


def refused(ground: Ground = BOTH, /, **terms: Any) -> str:
    return " ".join(contradictions(replace(DAILY, **terms), ground, at=NOON))


def busy(**fields: Any) -> Facts:
    """Return facts of a database that writes 40 GB of log in a day."""
    given: dict[str, Any] = {
        "segments": 5000,
        "log_bytes": 40 * 10**9,
        "ended_at": NOON - DAY,
        "until_at": NOON,
    }
    return facts(backups=[backup(**given)], **fields)


class TestContradictions:
    def test_a_plain_policy_has_none(self) -> None:
        assert contradictions(DAILY, BARMAN, at=NOON) == []
        assert contradictions(Terms(), DUMPS, at=NOON) == [
            "pg_dump keeps no log. Turn log archiving off for this database."
        ]

    @pytest.mark.parametrize(
        ("terms", "reason"),
        [
            ({"full_schedule": "0 25 * * *"}, "0 to 23"),
            ({"tz": "Mars/Olympus"}, "no time zone"),
            ({"full_schedule": "", "incremental_schedule": "0 * * * *"}, "none is planned"),
            ({"incremental_schedule": "0 3 * * SUN"}, "every 7 days, more rarely than full ones"),
            ({"incremental_schedule": "0 2 * * *"}, "the very moment of a full one"),
            ({"full_schedule": "0 * * * *", "incremental_schedule": "0 */2 * * *"}, "more rarely"),
            (
                {"full_schedule": "0 2 * * *", "archives_log": False, "may_lose": HOUR},
                "up to 1 day. At most 1 h may be",
            ),
            (
                {"full_schedule": "0 2 * * SUN", "keep_for": 3 * DAY},
                "kept for 3 days, shorter than the 7 days between full ones",
            ),
            ({"keep_for": timedelta()}, "Kept for: more than nothing"),
            ({"keep_for": timedelta(days=999_999)}, "36600 days at most"),
            ({"keep_fulls": 0}, "1 to 10000"),
            ({"keep_fulls": 10**9}, "1 to 10000"),
            ({"windows": [Window(schedule="0 1 * * *", lasts=40 * DAY, reason="x")]}, "31 days"),
            ({"replica_lag_at_most": HOUR}, "names none"),
            ({"drill_schedule": "0 4 * * SUN"}, "needs a place to restore to"),
            (
                {"windows": [Window(schedule="0 * * * *", lasts=HOUR, reason="for ever")]},
                "without a break",
            ),
            (
                {
                    "windows": [
                        Window(schedule="0 0 * * *", lasts=12 * HOUR, reason="nights"),
                        Window(schedule="0 12 * * *", lasts=12 * HOUR, reason="days"),
                    ]
                },
                "without a break",
            ),
            (
                {"windows": [Window(schedule="0 1 * * *", lasts=timedelta(), reason="x")]},
                "lasts a while",
            ),
        ],
    )
    def test_are_refused_with_the_reason_and_what_to_do(
        self, terms: dict[str, Any], reason: str
    ) -> None:
        words = refused(**terms)

        assert reason in words
        assert words.endswith(".")

    def test_what_an_engine_cannot_do_is_named(self) -> None:
        assert "Barman takes full backups only" in refused(BARMAN, incremental_schedule="0 * * * *")

    def test_places_that_are_lost_with_the_database_are_refused(self) -> None:
        here = replace(BOTH, own_place_ids=frozenset({1}), own_target_ids=frozenset({2}))

        assert "a copy there is lost with them" in refused(
            here, replicate_to=Named(id=1, name="other name")
        )
        assert "in its way" in refused(here, drill_target=Named(id=2, name="itself"))
        assert refused(here, replicate_to=Named(id=3, name="far away")) == ""

    def test_a_place_that_keeps_a_standby_is_none_for_drills(self) -> None:
        warm = replace(BOTH, standby_target_ids=frozenset({2}))

        assert "keeps a standby warm" in refused(warm, drill_target=Named(id=2, name="spare"))
        assert refused(warm, drill_target=Named(id=3, name="other")) == ""

    def test_a_copy_cannot_be_behind_by_less_than_until_the_next_one(self) -> None:
        there = Named(id=1, name="far away")

        assert "every 10 min" in refused(replicate_to=there, replica_lag_at_most=HOUR / 30)
        assert refused(replicate_to=there, replica_lag_at_most=HOUR / 6) == ""

    def test_a_copy_over_another_archive_of_its_name_is_refused(self) -> None:
        taken = replace(BOTH, taken_place_ids=frozenset({1}))

        assert "would write over it" in refused(taken, replicate_to=Named(id=1, name="theirs"))
        assert refused(taken, replicate_to=Named(id=2, name="far away")) == ""

    def test_more_often_backups_make_up_for_a_log_that_is_not_archived(self) -> None:
        fits = {"archives_log": False, "may_lose": HOUR, "incremental_schedule": "30 * * * *"}

        assert refused(**fits) == ""

    def test_a_window_that_leaves_a_break_is_none(self) -> None:
        nights = Window(schedule="0 22 * * *", lasts=6 * HOUR, reason="nights")

        assert refused(windows=[nights]) == ""
        assert open_window([nights], "UTC", NOON) is None
        assert open_window([nights], "UTC", NOON + 12 * HOUR) == (nights, NOON + 16 * HOUR)


class TestEffect:
    def test_weekly_instead_of_daily_is_said_as_people_say_it(self) -> None:
        daily, weekly = (replace(each, back_within=2 * HOUR) for each in (DAILY, WEEKLY))

        effect = effect_of(busy(), BARMAN, daily, weekly)

        assert effect.words.startswith("daily → weekly fulls: replay grows from 1 to 7 days, back ")
        assert " instead of " in effect.words
        assert ": beyond your RTO of 2 h. Loses about 17 s of data as before" in effect.words
        assert effect.before.back is not None
        assert effect.after.back is not None
        assert effect.after.back.low > effect.before.back.high
        assert effect.breaks == ["Beyond the 2 h to be back"]
        assert effect.as_document()["after"]["replay_seconds"] == 7 * DAY.total_seconds()

    def test_the_way_back_shrinks_again(self) -> None:
        words = effect_of(busy(), BARMAN, WEEKLY, DAILY).words

        assert "weekly → daily fulls: replay shrinks from 7 to 1 day" in words

    def test_what_holds_is_said_as_long_as_it_holds(self) -> None:
        standing = standing_of(busy(), BARMAN, replace(WEEKLY, back_within=2 * HOUR))

        assert standing.words.startswith(
            "At the worst moment, just before the next backup: replay of up to 7 days of log, back "
        )
        assert ": beyond your RTO of 2 h. Loses about 17 s of data: within" in standing.words
        assert standing.breaks == ["Beyond the 2 h to be back"]

    def test_the_way_back_is_that_of_the_board(self) -> None:
        # With a day of log behind the newest backup, the worst moment of daily ones is now.
        board = make_board(busy(), everything=True)
        latest = [each.usable for each in board.options if each.point == Point.LATEST]

        outlook = outlook_of(busy(), BARMAN, DAILY)

        assert outlook.back == min(latest, key=lambda seconds: seconds.middle)

    def test_incrementals_spare_replay(self) -> None:
        hourly = replace(WEEKLY, incremental_schedule="0 * * * *")

        words = effect_of(busy(), BOTH, WEEKLY, hourly).words

        assert "no → hourly incrementals: replay shrinks from 7 days to 1 h" in words

    def test_without_log_everything_since_the_last_backup_is_lost(self) -> None:
        off = replace(DAILY, archives_log=False, may_lose=2 * DAY)

        words = effect_of(busy(), BARMAN, DAILY, off).words

        assert "log archiving on → off: nothing is replayed any more" in words
        assert "Loses up to 1 day of data instead of about 17 s: within your RPO of 2 days" in words

    def test_an_objective_alone_is_held_against_what_is(self) -> None:
        words = effect_of(busy(), BARMAN, DAILY, replace(DAILY, back_within=MINUTE)).words

        assert words.startswith("Has to be back within: 4 h → 1 min: ")
        assert "as before: beyond your RTO of 1 min" in words

    @pytest.mark.parametrize(
        ("known", "reason"),
        [
            ({"backups": []}, "how much log is written is not known yet"),
            ({"targets": []}, "no recovery target is registered"),
            ({"backups": [backup(until_at=None)]}, "how much log is written is not known yet"),
        ],
    )
    def test_what_is_not_known_is_said(self, known: dict[str, Any], reason: str) -> None:
        outlook = outlook_of(replace(busy(), **known), BARMAN, WEEKLY)

        assert outlook.back is None
        assert reason in outlook.unknown
        assert reason in effect_of(replace(busy(), **known), BARMAN, DAILY, WEEKLY).words

    def test_without_a_plan_nothing_can_be_told(self) -> None:
        words = effect_of(busy(), BARMAN, DAILY, replace(DAILY, full_schedule="")).words

        assert (
            "daily → no fulls: how long it takes is not known: no full backup is planned" in words
        )

    def test_a_row_that_was_written_past_every_check_is_still_left(self) -> None:
        broken = replace(DAILY, full_schedule="0 99 * * *")

        words = effect_of(busy(), BARMAN, broken, WEEKLY).words

        assert words.startswith("0 99 * * * → weekly fulls: replay of up to 7 days of log")

    def test_log_is_counted_where_most_of_it_leads_on(self) -> None:
        short = backup(2, ended_at=NOON - MINUTE, until_at=NOON, segments=1000, log_bytes=10**9)

        growth = growth_of(replace(busy(), backups=[short, *busy().backups]))

        assert growth is not None
        assert growth.files == pytest.approx(5000 / DAY.total_seconds())

    def test_the_quickest_target_counts(self) -> None:
        slow = target(2, write_rate=1e6)

        assert outlook_of(busy(targets=[slow, target()]), BARMAN, DAILY) == outlook_of(
            busy(), BARMAN, DAILY
        )


class TestChanges:
    def test_are_told_in_words(self) -> None:
        changed = changes(DAILY, replace(WEEKLY, keep_for=30 * DAY, wants_encryption=True))

        assert changed["full_schedule"] == ["every day at 02:00", "Sundays at 02:00"]
        assert described(changed) == [
            "Full backups: every day at 02:00 → Sundays at 02:00",
            "Kept for: not said → 30 days",
            "Encryption: no → yes",
        ]


def held(days: float, key: str = "", **fields: Any) -> Held:
    given: dict[str, Any] = {"is_full": True, "is_whole": True, "name": f"of {days:g} days ago"}
    return Held(key=key or f"{days:g}", ended_at=NOON - days * DAY, **(given | fields))


def kept(*backups: Held, at: datetime = NOON, **policy: Any) -> list[str]:
    given = {"keep_for": None, "keep_fulls": None, "keeps_log": True} | policy
    return [each.held.key for each in verdicts(backups, at=at, **given) if each.is_kept]


class TestRetention:
    def test_a_policy_that_names_nothing_keeps_everything(self) -> None:
        assert kept(held(400), held(1)) == ["1", "400"]

    def test_the_base_of_the_first_kept_moment_is_kept(self) -> None:
        backups = [held(days) for days in (1, 8, 15, 22, 29)]

        # Moments of 14 days ago are reached from the one of 15 days ago.
        assert kept(*backups, keep_for=14 * DAY) == ["1", "8", "15"]
        assert kept(*backups, keep_for=14 * DAY, keeps_log=False) == ["1", "8"]

    def test_a_base_that_is_not_whole_is_none(self) -> None:
        backups = [held(1), held(15, is_whole=False), held(22), held(29)]

        assert kept(*backups, keep_for=14 * DAY) == ["1", "22"]

    def test_both_measures_have_to_be_met(self) -> None:
        backups = [held(days) for days in (1, 8, 15, 22, 29)]

        assert kept(*backups, keep_for=2 * DAY, keep_fulls=4) == ["1", "8", "15", "22"]
        assert kept(*backups, keep_for=22 * DAY, keep_fulls=1) == ["1", "8", "15", "22"]

    def test_what_a_kept_one_is_built_on_is_kept(self) -> None:
        chain = [
            held(20, "full"),
            held(19, "first", is_full=False, parent="full"),
            held(3, "second", is_full=False, parent="first"),
            held(2, "new full"),
        ]

        found = verdicts(chain, keep_for=5 * DAY, keep_fulls=None, keeps_log=False, at=NOON)

        assert all(each.is_kept for each in found)
        assert found[-1].reason == "of 19 days ago, which is kept, is built on it."

    def test_a_chain_that_goes_in_a_circle_ends(self) -> None:
        circle = [held(2, "a", parent="b"), held(20, "b", parent="a")]

        assert kept(*circle, keep_for=5 * DAY) == ["a", "b"]

    def test_the_newest_is_kept_however_old(self) -> None:
        assert kept(held(90), held(120), keep_for=DAY, keeps_log=False) == ["90"]

    def test_what_goes_says_why(self) -> None:
        found = verdicts(
            [held(1), held(40)], keep_for=14 * DAY, keep_fulls=1, keeps_log=False, at=NOON
        )

        assert found[-1].reason == (
            "It is older than 14 days, and not the newest full one; nothing that is kept needs it."
        )
