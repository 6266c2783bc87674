"""How long each part of a way back takes, and how much disk it wants."""

from backups.estimate import Standing, Work, forecast
from backups.options.values import (
    NOTHING,
    BackupFacts,
    Facts,
    Phase,
    PlaceFacts,
    Range,
    StandbyFacts,
    Strategy,
    TargetFacts,
)

# Of a storage that was never measured, in bytes a second: it may be anything.
NEVER = (3e6, 30e6, 200e6)
NEVER_BASIS = "no fetch from this storage so far"
WARM_BASIS = "a standby that is warm: its base is restored, and nothing is left to fetch"
# What the relay costs against reading directly, and its cache on the disk at most.
RELAY_FACTOR = 1.05
RELAY_CACHE_BYTES = 20 * 1024**3
# What is fetched ahead of the place at which a stream is unpacked.
STREAM_AHEAD_BYTES = 512 * 1024**2
# A cluster that was unpacked needs a little more than it had, and some segments of its own.
CLUSTER_FACTOR = 1.05
SEGMENTS_OF_ITS_OWN = 4


class Timing:
    """Answers how long things take on one board; the same question is worked out once."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._fetches: dict[tuple[int, int], tuple[Range, str]] = {}
        self._parts: dict[tuple[int, str, float, str], Range] = {}

    def fetch(self, place: PlaceFacts, amount: int) -> tuple[Range, str]:
        """Return how long so many bytes take from there from now on, and what that rests on."""
        key = place.id, amount
        if key not in self._fetches:
            self._fetches[key] = self._fetch(place, amount)
        return self._fetches[key]

    def _fetch(self, place: PlaceFacts, amount: int) -> tuple[Range, str]:
        work = [Work(phase="FETCH", amount=max(amount, 1))]
        told = forecast(place.learned, Standing(at=self._facts.at, left=work))
        if told is None:
            slow, usual, quick = NEVER
            return Range(amount / quick, amount / usual, amount / slow), NEVER_BASIS
        return Range(told.low80, told.middle, told.high80), told.basis

    def part(self, place: PlaceFacts, phase: str, amount: float, unit: str = "bytes") -> Range:
        """Return how long a part takes that runs on the machine alone."""
        if amount <= 0:
            return NOTHING
        key = place.id, phase, amount, unit
        if key not in self._parts:
            left = [Work(phase=phase, amount=amount, unit=unit)]
            told = forecast(place.learned, Standing(at=self._facts.at, left=left))
            assert told is not None, "only of a fetch nothing is usual"
            self._parts[key] = Range(told.low80, told.middle, told.high80)
        return self._parts[key]

    def phases(
        self,
        backup: BackupFacts,
        place: PlaceFacts,
        target: TargetFacts,
        strategy: Strategy,
        *,
        share: float,
    ) -> tuple[list[Phase], str]:
        """Return the parts of a restore that replays this share of the log, and their basis."""
        amount = backup.stored_bytes + round(backup.log_bytes * share)
        fetch, basis = self.fetch(place, amount)
        if target.write_rate:
            # What arrives has to be written as well.
            at_least = amount / target.write_rate
            fetch = fetch.beside(Range(at_least, at_least, at_least))
        unpack = self.part(place, "UNPACK", backup.stored_bytes)
        replayed = max(round(backup.segments * share), 1) * backup.segment_bytes
        replay = self.part(place, "REPLAY", replayed)
        verified = backup.cluster_bytes * self._facts.readings
        verify = self.part(place, "VERIFY", verified).plus(self.part(place, "READY", 1, ""))
        if strategy == Strategy.STAGE:
            parts = [("FETCH", fetch), ("UNPACK", unpack)]
        else:
            fetch = fetch.beside(unpack)
            if strategy == Strategy.RELAY:
                fetch = fetch.times(RELAY_FACTOR)
            parts = [("FETCH", fetch)]
        parts += [("REPLAY", replay), ("VERIFY", verify)]
        return [Phase(name=name, seconds=seconds) for name, seconds in parts], basis

    def phases_of_standby(
        self, standby: StandbyFacts, backup: BackupFacts, place: PlaceFacts
    ) -> tuple[list[Phase], str]:
        """Return the parts of bringing a standby up, and their basis: its base is there already."""
        fetch, basis = NOTHING, WARM_BASIS
        if standby.fetch_bytes:
            fetch, basis = self.fetch(place, standby.fetch_bytes)
        replay = self.part(place, "REPLAY", max(standby.replay_bytes, backup.segment_bytes))
        verified = backup.cluster_bytes * self._facts.readings
        verify = self.part(place, "VERIFY", verified).plus(self.part(place, "READY", 1, ""))
        parts = [("FETCH", fetch), ("REPLAY", replay), ("VERIFY", verify)]
        return [Phase(name=name, seconds=seconds) for name, seconds in parts], basis


def total(phases: list[Phase]) -> Range:
    whole = NOTHING
    for phase in phases:
        whole = whole.plus(phase.seconds)
    return whole


def disk_of(backup: BackupFacts, strategy: Strategy, *, share: float) -> tuple[int, int]:
    """Return how many bytes the cluster wants, and how many what is fetched wants beside it."""
    segments = round(backup.segments * share) * backup.segment_bytes
    log = segments + round(backup.log_bytes * share)
    cluster = int(backup.cluster_bytes * CLUSTER_FACTOR)
    cluster += SEGMENTS_OF_ITS_OWN * backup.segment_bytes
    at_once = {
        Strategy.STREAM: STREAM_AHEAD_BYTES,
        Strategy.RELAY: RELAY_CACHE_BYTES,
    }.get(strategy, backup.stored_bytes)
    return cluster, log + min(backup.stored_bytes, at_once)
