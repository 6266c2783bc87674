"""What is said of a recovery that ended before its target."""

from datetime import UTC, datetime

from backups.engines import replay
from backups.errors import ReplayStopped


class TestAdvice:
    def test_names_the_moment_up_to_which_it_had_come(self) -> None:
        said = replay._advice(datetime(2026, 1, 12, 0, 14, 7, 250_000, tzinfo=UTC))

        assert said.startswith(ReplayStopped.advice)
        assert "a moment up to 2026-01-12 00:14:07.250000 UTC" in said

    def test_names_none_where_nothing_was_replayed(self) -> None:
        assert replay._advice(None) == ReplayStopped.advice
