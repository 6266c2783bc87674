from backups.estimate import Pace, Remaining, own_share


def steady(seconds: int, rate: int, *, start: int = 0) -> Pace:
    pace = Pace()
    for second in range(seconds + 1):
        pace.note(start + second, second * rate)
    return pace


class TestPace:
    def test_before_the_first_note_there_is_nothing_to_say(self) -> None:
        assert Pace().rate() is None

    def test_knows_nothing_at_first(self) -> None:
        pace = steady(2, 100)

        assert pace.rate() is None

    def test_is_zero_at_a_standstill(self) -> None:
        pace = Pace()
        for second in range(70):
            pace.note(second, 500)

        assert pace.rate() == 0

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
