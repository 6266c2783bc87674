"""Ways back side by side: which are offered, what they promise, what speaks against them."""

from dataclasses import replace
from datetime import datetime
from itertools import product

import pytest

from backups.estimate import History, learn
from backups.options import (
    Board,
    Facts,
    Point,
    RecoveryOption,
    Severity,
    Strategy,
    make_board,
    moment_of,
)
from backups.saturation import Window
from tests.backups.options.facts import (
    GB,
    HOUR,
    MINUTE,
    NOON,
    SEGMENT,
    backup,
    facts,
    learned,
    place,
    target,
)

HOLE = "00000001000000000000002A"


def first(board: Board) -> RecoveryOption:
    assert board.recommended is not None
    return board.recommended


def codes(option: RecoveryOption) -> set[str]:
    return {risk.code for risk in option.risks}


def said(board: Board, code: str) -> str:
    (note,) = [note for note in board.notes if note.code == code]
    return note.words


def by_point(board: Board, point: Point) -> list[RecoveryOption]:
    return [option for option in board.options if option.point == point]


class TestPoints:
    def test_the_latest_comes_first_and_loses_nothing_that_was_archived(self) -> None:
        best = first(make_board(facts()))

        assert best.point == Point.LATEST
        assert best.data_until_at == NOON - MINUTE
        assert best.loses.startswith("Nothing that was archived.")
        assert best.reason.startswith("It loses the least.")

    def test_the_last_backup_alone_is_offered_where_it_is_much_quicker(self) -> None:
        far = backup(ended_at=NOON - 72 * HOUR, segments=100_000, log_bytes=500 * GB)

        (early,) = {
            option.data_until_at
            for option in by_point(make_board(facts(backups=[far])), Point.BACKUP)
        }

        assert early == far.ended_at

    def test_and_not_where_it_saves_next_to_nothing(self) -> None:
        near = backup(ended_at=NOON - HOUR, segments=3, log_bytes=SEGMENT)

        assert by_point(make_board(facts(backups=[near])), Point.BACKUP) == []

    def test_a_moment_is_reached_from_the_last_backup_before_it(self) -> None:
        backups = [
            backup(1, ended_at=NOON - 30 * HOUR, segments=3000),
            backup(2, ended_at=NOON - 4 * HOUR),
        ]
        moment = NOON - 10 * HOUR

        board = make_board(facts(backups=backups, moment=moment))

        assert {option.point for option in board.options} == {Point.MOMENT}
        assert {option.backup.id for option in board.options} == {1}
        assert first(board).data_until_at == first(board).moment == moment

    def test_a_moment_needs_its_share_of_the_log_alone(self) -> None:
        early = first(make_board(facts(moment=NOON - 9 * HOUR)))
        late = first(make_board(facts(moment=NOON - HOUR)))

        assert early.disk_needed < late.disk_needed
        assert early.seconds.middle < late.seconds.middle

    @pytest.mark.parametrize(
        ("moment", "severity", "named"),
        [
            (NOON - 11 * HOUR, Severity.BLOCKS, "2026-01-12 02:00:00"),
            (NOON + HOUR, Severity.WARNS, "2026-01-12 11:59:00"),
        ],
    )
    def test_a_moment_out_of_reach_is_answered_with_the_nearest(
        self, moment: datetime, severity: Severity, named: str
    ) -> None:
        board = make_board(facts(moment=moment))

        (note,) = [note for note in board.notes if note.code == "moment-out-of-reach"]
        assert note.severity == severity
        assert named in note.words


class TestStaged:
    def test_comes_first_where_everything_takes_long(self) -> None:
        far = backup(ended_at=NOON - 72 * HOUR, segments=500_000, log_bytes=5000 * GB)
        roomy = [target(1, free_bytes=90_000 * GB), target(2, free_bytes=90_000 * GB)]

        best = first(make_board(facts(backups=[far], targets=roomy)))

        assert best.point == Point.STAGED
        assert best.second is not None
        assert best.second.id != best.target.id
        assert best.usable.middle < best.seconds.middle / 2
        assert best.phases[-1].name == "TENANTS"
        assert "At first everything after 2026-01-09 12:00:00" in best.loses

    def test_is_not_offered_without_a_second_machine_that_is_ready(self) -> None:
        far = backup(ended_at=NOON - 72 * HOUR, segments=500_000, log_bytes=5000 * GB)

        alone = make_board(facts(backups=[far]))
        held = make_board(facts(backups=[far], targets=[target(1), target(2, taken_by="R 1")]))

        assert by_point(alone, Point.STAGED) == []
        assert all(o.target.id == 2 for o in by_point(held, Point.STAGED))

    def test_the_objective_decides_what_is_long(self) -> None:
        backups = [backup(ended_at=NOON - 72 * HOUR, segments=9000, log_bytes=100 * GB)]
        targets = [target(1, free_bytes=9000 * GB), target(2, free_bytes=9000 * GB)]

        short = first(make_board(facts(backups=backups, targets=targets, back_within=9 * MINUTE)))
        long = first(make_board(facts(backups=backups, targets=targets, back_within=50 * HOUR)))

        assert (short.point, long.point) == (Point.STAGED, Point.LATEST)


class TestHoles:
    def test_behind_the_newest_backup_leaves_the_last_moment_before_it(self) -> None:
        broken = backup(missing=HOLE, until_at=NOON - 5 * HOUR)

        board = make_board(facts(backups=[broken]))

        best = first(board)
        assert best.point == Point.MOMENT
        assert best.moment == best.data_until_at == NOON - 5 * HOUR
        assert "log-gap" in codes(best)
        (note,) = [note for note in board.notes if note.code == "log-gap"]
        assert HOLE in note.words
        assert "2026-01-12 07:00:00" in note.words
        assert "to the end" in note.words

    def test_behind_an_older_backup_is_told_with_the_moment_at_which_it_ends(self) -> None:
        older = backup(1, ended_at=NOON - 30 * HOUR, missing=HOLE, until_at=NOON - 20 * HOUR)

        board = make_board(facts(backups=[older, backup(2)]))

        assert first(board).point == Point.LATEST
        (note,) = [note for note in board.notes if note.code == "log-gap"]
        assert "until 2026-01-12 02:00:00" in note.words

    def test_inside_a_backup_make_it_useless_and_the_one_before_serves(self) -> None:
        older = backup(1, ended_at=NOON - 30 * HOUR, missing=HOLE, until_at=NOON - 11 * HOUR)
        broken = backup(2, missing=HOLE, until_at=None)

        board = make_board(facts(backups=[older, broken]))

        assert {option.backup.id for option in board.options} == {1}
        assert first(board).data_until_at == NOON - 11 * HOUR
        assert "backup-broken" in {note.code for note in board.notes}


class TestPlaces:
    def test_the_quicker_one_is_taken(self) -> None:
        slow, quick = place(1, learned=learned(rate=10e6)), place(2, learned=learned(rate=100e6))

        assert first(make_board(facts(places=[slow, quick]))).place.id == 2

    def test_one_that_was_never_measured_is_a_guess_and_says_so(self) -> None:
        unknown = place(1, learned=learn(History(), at=NOON))

        best = first(make_board(facts(places=[unknown, place(2)])))
        alone = first(make_board(facts(places=[unknown])))

        assert best.place.id == 2
        assert "never-measured" in codes(alone)
        assert alone.seconds.high > 5 * alone.seconds.low

    def test_busy_hours_ahead_speak_against_a_place(self) -> None:
        nightly = Window(from_minute=0, until_minute=360, slower=10.0)
        evening = NOON + 11.9 * HOUR
        busy = place(1, windows=[nightly])

        board = make_board(
            facts(at=evening, as_of=evening, targets=[target(seen_at=evening)], places=[busy])
        )

        (risk,) = [r for r in first(board).risks if r.code == "saturation-ahead"]
        assert "every day 00:00–06:00 UTC, 10 × slower" in risk.words
        assert "saturation-ahead" not in codes(first(make_board(facts(places=[busy]))))

    def test_one_that_does_not_answer_is_named_with_whose_word_stands_instead(self) -> None:
        board = make_board(facts(places=[place(1, is_silent=True), place(2)]))

        assert first(board).place.id == 2
        assert said(board, "as-of") == (
            "storage 1 did not answer. What stands here was last read 2026-01-12 11:59:00 "
            "UTC from storage 2. What storage 1 holds now is not known."
        )

    def test_where_none_answers_it_is_said_how_old_the_facts_are(self) -> None:
        places = [place(1, is_silent=True), place(2, is_silent=True)]

        assert said(make_board(facts(places=places)), "as-of") == (
            "storage 1, storage 2 did not answer. What stands here was last read "
            "2026-01-12 11:59:00 UTC."
        )
        assert said(make_board(facts(places=places, as_of=None)), "as-of") == (
            "storage 1, storage 2 did not answer. Nothing could be read so far."
        )

    @pytest.mark.parametrize(
        ("are", "words"),
        [
            ("refused", "storage 1 refused the keys of file:/etc/keys.json just now."),
            ("missing", "There are no keys for storage 1 at file:/etc/keys.json."),
        ],
    )
    def test_one_that_refuses_the_keys_is_not_called_silent_and_starts_nothing(
        self, are: str, words: str
    ) -> None:
        bad = place(1, is_silent=True, keys="file:/etc/keys.json", keys_are=are)

        alone = make_board(facts(places=[bad]))
        beside = make_board(facts(places=[bad, place(2)]), everything=True)

        assert alone.recommended is None
        assert not any(option.can_start for option in alone.options)
        (risk,) = [each for each in alone.options[0].risks if each.code == f"keys-{are}"]
        assert risk.words.startswith(words)
        assert "place-silent" not in codes(alone.options[0])
        assert said(alone, "as-of").startswith(words)
        assert "did not answer" not in said(alone, "as-of")
        # Another place helps: it comes first, and the first is not out of the question.
        assert first(beside).place.id == 2
        assert f"keys-{are}" not in codes(first(beside))
        assert all(option.can_start for option in beside.options)

    def test_a_single_one_is_noted(self) -> None:
        assert "one-source" in codes(first(make_board(facts(places=[place()]))))


class TestTargets:
    def test_one_that_a_stopped_restore_holds_is_said_and_comes_last(self) -> None:
        held = target(1, left_by="Restore 7", write_rate=4e9)
        free = target(2, seen_at=None, write_rate=1e7)

        best = first(make_board(facts(targets=[held, free])))
        (alone, *_rest) = make_board(facts(targets=[held])).options

        assert best.target.id == 2
        (risk,) = [each for each in alone.risks if each.code == "target-held"]
        assert risk.words.startswith("Restore 7 has stopped at")
        assert alone.can_start

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"taken_by": "Restore 7"}, "target-busy"),
            ({"occupied_by": "port"}, "target-port"),
            ({"occupied_by": "programs"}, "target-programs"),
            ({"occupied_by": "disk"}, "target-disk"),
            ({"major": 16}, "version-unfit"),
            ({"free_bytes": GB}, "disk-short"),
            ({"work_free_bytes": GB}, "disk-short"),
        ],
    )
    def test_one_that_cannot_take_it_blocks_and_another_is_taken(
        self, fields: dict[str, object], code: str
    ) -> None:
        alone = make_board(facts(targets=[target(1, **fields)], strategies=[Strategy.STAGE]))
        both = make_board(facts(targets=[target(1, **fields), target(2)]))

        assert alone.recommended is None
        assert all(code in codes(option) for option in alone.options)
        assert first(both).target.id == 2

    @pytest.mark.parametrize("held", ["running", "foreign"])
    def test_one_that_holds_something_asks_for_its_name(self, held: str) -> None:
        alone = make_board(facts(targets=[target(1, occupied_by=held)]))
        both = make_board(facts(targets=[target(1, occupied_by=held), target(2)]))

        assert first(alone).can_start
        assert first(alone).asks_for_name
        assert first(both).target.id == 2

    def test_one_that_nobody_looked_at_serves_with_a_warning(self) -> None:
        unseen = target(1, seen_at=None, free_bytes=None, major=None, write_rate=None)

        best = first(make_board(facts(targets=[unseen])))

        assert "target-unseen" in codes(best)
        assert best.disk_free is None

    def test_a_slow_disk_bounds_the_fetch(self) -> None:
        slow = first(make_board(facts(targets=[target(write_rate=1e6)])))

        assert slow.seconds.low >= slow.backup.stored_bytes / 1e6

    def test_stage_and_cluster_on_two_disks_are_looked_at_apart(self) -> None:
        tight = target(free_bytes=70 * GB, work_free_bytes=70 * GB)
        one_disk = target(free_bytes=70 * GB)

        apart = make_board(facts(targets=[tight], strategies=[Strategy.STAGE]))
        together = make_board(facts(targets=[one_disk], strategies=[Strategy.STAGE]))

        assert first(apart).disk_free == 140 * GB
        assert together.recommended is None


class TestStrategies:
    def test_streaming_wants_less_disk_and_time_and_says_what_it_risks(self) -> None:
        board = make_board(facts(), everything=True)
        latest = by_point(board, Point.LATEST)
        stage, stream = (
            next(option for option in latest if option.strategy == strategy)
            for strategy in (Strategy.STAGE, Strategy.STREAM)
        )

        assert stream.disk_needed < stage.disk_needed
        assert stream.seconds.middle < stage.seconds.middle
        assert "begins-anew" in codes(stream)
        assert "begins-anew" not in codes(stage)

    def test_it_is_what_fits_on_a_small_disk(self) -> None:
        board = make_board(facts(targets=[target(free_bytes=110 * GB)]))

        assert first(board).strategy != Strategy.STAGE


class TestObjectives:
    def test_losing_more_than_may_be_lost_speaks_against_it(self) -> None:
        stale = backup(until_at=NOON - 5 * HOUR)

        best = first(make_board(facts(backups=[stale], may_lose=HOUR)))

        (risk,) = [risk for risk in best.risks if risk.code == "over-rpo"]
        assert "5 h 00 min" in risk.words

    def test_taking_longer_than_it_may_is_told(self) -> None:
        assert "over-rto" in codes(first(make_board(facts(back_within=MINUTE))))
        assert not {"over-rto", "near-rto"} & codes(first(make_board(facts(back_within=90 * HOUR))))


class TestPruning:
    def test_what_another_beats_is_left_out_and_counted(self) -> None:
        many = facts(places=[place(n) for n in (1, 2, 3)], targets=[target(n) for n in (1, 2, 3)])

        board, whole = make_board(many), make_board(many, everything=True)

        assert len(board.options) + board.left_out == len(whole.options)
        assert len(board.options) <= 8
        assert whole.left_out == 0

    def test_nothing_that_is_left_out_is_better_in_any_way(self) -> None:
        rates = [5e6, 50e6, 200e6]
        for one, other in product(rates, rates):
            asked = facts(
                places=[place(1, learned=learned(rate=one)), place(2, learned=learned(rate=other))],
                targets=[target(1), target(2, free_bytes=95 * GB, write_rate=3e9)],
            )
            kept = make_board(asked).options
            for option in make_board(asked, everything=True).options:
                assert any(
                    each.data_until_at >= option.data_until_at
                    and each.usable.middle <= option.usable.middle * 1.4
                    and each.weight <= option.weight
                    for each in kept
                ), option.code

    def test_the_backup_before_is_offered_when_the_newest_has_no_manifest(self) -> None:
        backups = [backup(1, ended_at=NOON - 34 * HOUR), backup(2, has_manifest=False)]

        offered = by_point(make_board(facts(backups=backups)), Point.BACKUP)
        sound = by_point(make_board(facts(backups=[backups[0], backup(2)])), Point.BACKUP)

        assert 1 in {option.backup.id for option in offered}
        assert 1 not in {option.backup.id for option in sound}


class TestNothingToOffer:
    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            (facts(targets=[]), "no-target"),
            (facts(backups=[]), "no-backup"),
            (facts(backups=[backup(until_at=None, missing=HOLE)]), "no-backup"),
            (facts(as_of=None), "never-read"),
        ],
    )
    def test_says_what_to_do(self, asked: Facts, code: str) -> None:
        board = make_board(asked)

        (note,) = [note for note in board.notes if note.code == code]
        assert note.words.endswith(".")
        assert (board.recommended is None) == (note.severity == Severity.BLOCKS)


def test_codes_name_options_and_hold_as_long_as_the_facts() -> None:
    listed = [option.code for option in make_board(facts(), everything=True).options]
    later = facts(backups=[backup(until_at=NOON)])

    assert len(set(listed)) == len(listed)
    assert set(listed) == {o.code for o in make_board(facts(), everything=True).options}
    assert not {o.code for o in make_board(later).options if o.point == Point.LATEST} & set(listed)


class TestLogicalBackups:
    def test_lead_to_their_own_moments_and_to_no_other(self) -> None:
        dumps = [
            backup(n, is_logical=True, segments=0, log_bytes=0, until_at=NOON - n * 10 * HOUR)
            for n in (1, 2)
        ]

        board = make_board(facts(backups=dumps, strategies=[Strategy.STAGE]), everything=True)

        assert {option.point for option in board.options} == {Point.BACKUP}
        assert first(board).data_until_at == NOON - 10 * HOUR

    def test_newer_programs_can_bring_them_back(self) -> None:
        dump = backup(is_logical=True, segments=0, until_at=NOON - HOUR)

        newer = make_board(facts(backups=[dump], targets=[target(major=18)]))
        older = make_board(facts(backups=[dump], targets=[target(major=16)]))

        assert newer.recommended is not None
        assert older.recommended is None


class TestMomentOfACode:
    def test_is_the_one_that_was_asked_for(self) -> None:
        moment = NOON - 3 * HOUR
        option = first(make_board(facts(moment=moment)))

        assert moment_of(option.code) == moment

    def test_of_a_hole_leads_to_the_same_option(self) -> None:
        broken = facts(backups=[backup(missing=HOLE, until_at=NOON - 5 * HOUR)])
        option = first(make_board(broken))
        again = make_board(replace(broken, moment=moment_of(option.code)), everything=True)

        assert option.code in {each.code for each in again.options}

    @pytest.mark.parametrize("code", ["", "latest-20260112", "moment-", "moment-tomorrow-b1"])
    def test_of_anything_else_there_is_none(self, code: str) -> None:
        assert moment_of(code) is None


def test_the_rest_of_a_staged_recovery_wants_room_as_well() -> None:
    far = backup(ended_at=NOON - 72 * HOUR, segments=50_000, log_bytes=500 * GB)
    small, large = target(1, free_bytes=200 * GB), target(2, free_bytes=9000 * GB)

    whole = make_board(facts(backups=[far], targets=[small, large]), everything=True)

    staged = [o for o in by_point(whole, Point.STAGED) if o.strategy == Strategy.STAGE]
    assert {(option.target.id, option.second and option.second.id) for option in staged} == {(1, 2)}


class TestACopyWithMore:
    def test_leads_over_a_hole_and_says_who_has_the_file(self) -> None:
        broken = backup(missing=HOLE, until_at=NOON - 5 * HOUR, elsewhere={2: NOON - MINUTE})

        board = make_board(facts(backups=[broken]))

        best = first(board)
        assert (best.point, best.place.id) == (Point.LATEST, 2)
        assert best.data_until_at == NOON - MINUTE
        assert "log-gap" not in codes(best)
        (note,) = [note for note in board.notes if note.code == "log-gap"]
        assert "storage 2 has it" in note.words

    def test_makes_a_backup_usable_again(self) -> None:
        broken = backup(missing=HOLE, until_at=None, elsewhere={2: NOON - MINUTE})

        board = make_board(facts(backups=[broken]))

        assert {option.place.id for option in board.options} == {2}
        assert "no-backup" not in {note.code for note in board.notes}
