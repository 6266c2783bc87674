from backups.estimate import Pace, Remaining, own_share, whole_job


def steady(seconds: int, rate: int, *, start: int = 0) -> Pace:
    pace = Pace()
    for second in range(seconds + 1):
        pace.note(start + second, second * rate)
    return pace


class TestPace:
    def test_before_the_first_note_there_is_nothing_to_say(self) -> None:
        assert Pace().rate() is None
        assert Pace().remaining(1000) is None

    def test_knows_nothing_at_first(self) -> None:
        pace = steady(2, 100)

        assert pace.rate() is None
        assert pace.remaining(1000) is None

    def test_gives_a_range_around_the_truth_at_a_steady_pace(self) -> None:
        remaining = steady(30, 100).remaining(5000)

        assert remaining is not None
        assert remaining.low_seconds <= 50 <= remaining.high_seconds
        assert remaining.basis == "last:30"

    def test_gives_a_wider_range_when_the_pace_varies(self) -> None:
        pace = Pace()
        done = 0
        for second in range(31):
            done += 200 if second < 15 else 50
            pace.note(second, done)

        varied, even = pace.remaining(5000), steady(30, 125).remaining(5000)

        assert varied is not None
        assert even is not None
        assert varied.high_seconds - varied.low_seconds > even.high_seconds - even.low_seconds

    def test_no_range_is_narrower_than_its_margin(self) -> None:
        remaining = steady(60, 100).remaining(100_000)

        assert remaining is not None
        assert remaining.low_seconds < 850
        assert remaining.high_seconds >= 1249

    def test_forecasts_only_after_some_seconds_of_measuring(self) -> None:
        assert steady(8, 100).rate() == 100
        assert steady(8, 100).remaining(1000) is None

    def test_says_nothing_at_a_standstill(self) -> None:
        pace = Pace()
        for second in range(70):
            pace.note(second, 500)

        assert pace.remaining(1000) is None

    def test_looks_back_a_minute_at_most(self) -> None:
        pace = steady(100, 10)
        for second in range(101, 170):
            pace.note(second, 1000 + (second - 100) * 100)

        rate = pace.rate()

        assert rate is not None
        assert 99 <= rate <= 101

    def test_starts_anew_when_less_is_done_than_before(self) -> None:
        pace = steady(30, 100)
        pace.note(31, 0)

        assert pace.rate() is None


class TestWholeJob:
    def test_adds_what_comes_after(self) -> None:
        current = Remaining(low_seconds=10, high_seconds=20, basis="the last 30 s")

        whole = whole_job(current, unpack_bytes=10**9, replay_bytes=10**9)

        assert whole is not None
        assert whole.low_seconds > 10
        assert whole.high_seconds > whole.low_seconds + 10

    def test_is_unknown_while_the_current_phase_is(self) -> None:
        assert whole_job(None, unpack_bytes=1, replay_bytes=1) is None


class TestOwnShare:
    WHOLE = Remaining(low_seconds=100, high_seconds=300, basis="last:30")

    def test_the_last_ends_with_the_whole(self) -> None:
        last = own_share(self.WHOLE, place=10, of=10)

        assert last.low_seconds <= self.WHOLE.low_seconds
        assert last.high_seconds == self.WHOLE.high_seconds
        assert last.basis == self.WHOLE.basis

    def test_the_next_may_be_over_at_once(self) -> None:
        assert own_share(self.WHOLE, place=1, of=10).low_seconds == 0

    def test_is_never_narrower_than_what_is_known_of_the_whole(self) -> None:
        known = self.WHOLE.high_seconds / self.WHOLE.low_seconds
        for place in range(1, 11):
            own = own_share(self.WHOLE, place=place, of=10)
            assert own.high_seconds >= own.low_seconds * known
            assert own.low_seconds <= self.WHOLE.low_seconds * place / 10
            assert own.high_seconds >= self.WHOLE.high_seconds * place / 10

    def test_grows_with_the_place_and_never_beyond_the_whole(self) -> None:
        ranges = [own_share(self.WHOLE, place=place, of=10) for place in range(1, 11)]

        assert [own.low_seconds for own in ranges] == sorted(own.low_seconds for own in ranges)
        assert [own.high_seconds for own in ranges] == sorted(own.high_seconds for own in ranges)
        assert max(own.high_seconds for own in ranges) == self.WHOLE.high_seconds

    def test_alone_it_is_the_whole(self) -> None:
        own = own_share(self.WHOLE, place=1, of=1)

        assert (own.low_seconds, own.high_seconds) == (0, self.WHOLE.high_seconds)
