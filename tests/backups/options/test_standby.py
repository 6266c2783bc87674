"""A standby on the board: what it takes to bring it up, and where it does not lead."""

from typing import Any

import pytest

from backups.options import (
    Board,
    Point,
    RecoveryOption,
    Severity,
    StandbyFacts,
    Strategy,
    make_board,
)
from backups.options.durations import WARM_BASIS
from backups.options.values import FROM_BACKUP
from tests.backups.options.facts import GB, HOUR, MINUTE, NOON, backup, facts, place, target

SINCE = NOON - 3 * MINUTE


def standby(**fields: Any) -> StandbyFacts:
    given: dict[str, Any] = {
        "of": "shop",
        "is_ours": True,
        "backup": backup(ended_at=NOON - 72 * HOUR),
        "until_at": SINCE,
        "seen_at": NOON - MINUTE,
        "replay_bytes": GB,
    }
    return StandbyFacts(**(given | fields))


def by_standby(board: Board) -> list[RecoveryOption]:
    return [option for option in board.options if option.strategy == Strategy.STANDBY]


def board_of(kept: StandbyFacts, **fields: Any) -> Board:
    held = target(2, standby=kept, occupied_by="standby")
    return make_board(facts(targets=[target(1), held], **fields), everything=True)


class TestOffered:
    def test_is_recommended_and_fetches_no_base(self) -> None:
        board = board_of(standby())

        best = board.recommended
        assert best is not None
        assert (best.strategy, best.point, best.target.id) == (Strategy.STANDBY, Point.LATEST, 2)
        assert best.phases[0].seconds.high == 0
        assert best.basis == WARM_BASIS
        assert "The standby is warm" in best.reason
        others = [each for each in board.options if each.strategy in FROM_BACKUP]
        assert others
        assert all(best.usable.middle < each.usable.middle for each in others if each.can_start)
        # What the archive has counts, not what is replayed already.
        assert best.data_until_at == NOON - MINUTE

    def test_takes_longer_the_more_there_is_to_fetch_and_to_replay(self) -> None:
        def seconds(**fields: Any) -> float:
            return by_standby(board_of(standby(**fields)))[0].usable.middle

        plain = seconds()
        assert seconds(replay_bytes=50 * GB) > plain
        assert seconds(fetch_bytes=50 * GB) > plain

    def test_goes_to_a_later_moment_and_not_to_an_earlier_one(self) -> None:
        (later,) = {each.data_until_at for each in by_standby(board_of(
            standby(until_at=NOON - 30 * MINUTE), moment=NOON - 10 * MINUTE
        ))}  # fmt: skip
        assert later == NOON - 10 * MINUTE

        board = board_of(standby(), moment=NOON - 10 * MINUTE)
        assert by_standby(board) == []
        held = next(each for each in board.options if each.target.id == 2)
        (words,) = [risk.words for risk in held.risks if risk.code == "target-keeps-standby"]
        assert "later moment only" in words
        assert not held.can_start

    def test_stops_before_a_hole(self) -> None:
        broken = [backup(missing="000000010000000000000009", until_at=NOON - 2 * MINUTE)]

        (option, *_copies) = by_standby(board_of(standby(), backups=broken))

        assert (option.point, option.moment) == (Point.MOMENT, NOON - 2 * MINUTE)

    def test_outlives_the_backup_that_it_was_made_of(self) -> None:
        (option, *_copies) = by_standby(board_of(standby(), backups=[]))

        assert option.data_until_at == SINCE


class TestNotOffered:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"is_ours": False, "of": "books"}, "keeps a standby of books"),
            ({"until_at": None, "words": "Its base is being restored."}, "not warm yet"),
        ],
    )
    def test_says_why_nothing_else_goes_there(self, fields: dict[str, Any], words: str) -> None:
        board = board_of(standby(**fields))

        assert by_standby(board) == []
        at_it = [each for each in board.options if each.target.id == 2 and each.second is None]
        assert at_it
        for option in at_it:
            blocking = [risk for risk in option.risks if risk.severity == Severity.BLOCKS]
            assert any(words in risk.words for risk in blocking)
        # Nor is the rest of a staged recovery made where a standby is.
        assert all(each.second is None or each.second.id != 2 for each in board.options)

    def test_warns_of_one_that_nobody_has_looked_after(self) -> None:
        (option, *_copies) = by_standby(
            board_of(standby(seen_at=NOON - 2 * HOUR, words="The disk is low."))
        )

        codes = {risk.code: risk.severity for risk in option.risks}
        assert codes["standby-unseen"] == Severity.WARNS
        assert codes["standby-trouble"] == Severity.WARNS

    def test_comes_up_as_it_stands_where_the_archive_is_silent(self) -> None:
        silent = [place(1, is_silent=True)]

        latest, here = by_standby(board_of(standby(fetch_bytes=GB), places=silent))

        assert (latest.point, here.point) == (Point.LATEST, Point.HERE)
        assert "place-silent" in {risk.code for risk in latest.risks}
        assert "place-silent" not in {risk.code for risk in here.risks}
        assert here.data_until_at == SINCE
        assert here.phases[0].seconds.high == 0
        # While the archive answers, nobody has to think of it.
        held = target(2, standby=standby(), occupied_by="standby")
        board = make_board(facts(targets=[target(1), held], places=[place(1)]))
        assert Point.HERE not in {each.point for each in board.options}
