"""Several places that hold the same objects, asked as one: the storage, a replica, a cache.

Keys are those of the first source everywhere; the others' prefixes are put in their place when they
are asked. What makes two objects the same is decided where their bytes are read, by the fetcher.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Self, TypeVar, cast

from backups.errors import CredentialsRefused, EngineFailed, ObjectMissing
from backups.storage.answers import PassingTrouble
from backups.storage.flow import Flow, Measurement
from backups.storage.s3 import Bucket, Page
from backups.storage.values import Credentials, ObjectRef, Place

T = TypeVar("T")
RENEW_SECONDS = 2.0
RENEWALS = 3
# After how long without an answer something small is asked again beside, and how often.
SMALL_PATIENCE = 0.7
SMALL_HEDGES = 2
# How often a source is asked for a listing before it counts as out of reach, and the pause between.
LIST_TRIES = 3
LIST_PAUSE_SECONDS = 0.1
# Troubles of a source that is not there at all; any other is one that lives.
GONE_REASONS = {"unreachable", "silent"}


class ListingRepeats(EngineFailed):
    """A storage answers with the first names again when it is asked for those after them."""

    code = "listing-repeats"
    advice = (
        "The object storage ignores where a listing is to go on (start-after). "
        "Use another endpoint of it, then resume the job."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place, under the name that counters and reports give it.

    ``credentials`` is asked again whenever the storage refuses what it gave.
    """

    name: str
    place: Place
    credentials: Callable[[], Credentials]


@dataclass(slots=True, eq=False)
class Channel:
    """A source in use: its bucket, and how it is doing."""

    index: int
    name: str
    bucket: Bucket
    home: Place
    flow: Flow = field(default_factory=Flow)
    # Why it refuses our keys; None while it does not.
    refusal: CredentialsRefused | None = None
    # Whether it did not answer at all when it was last asked for something small.
    is_gone: bool = False
    # How often in a row other keys were given and refused as well.
    _renewals: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_away(self, now: float) -> bool:
        """Whether it was out of reach, or refused, and is left alone for that just now."""
        return now < self.flow.cool_until and (self.is_gone or self.refusal is not None)

    def own_key(self, key: str) -> str:
        """Return the key here of an object that the first source has under ``key``."""
        return _moved(key, self.home.prefix.strip("/"), self.bucket.place.prefix.strip("/"))

    def home_key(self, key: str) -> str:
        return _moved(key, self.bucket.place.prefix.strip("/"), self.home.prefix.strip("/"))

    def answered(self) -> None:
        self.refusal, self._renewals, self.is_gone = None, 0, False

    def refused(self, refusal: CredentialsRefused, keys: Credentials, now: float) -> None:
        """Ask for other keys; while there are none, leave the source alone for some seconds."""
        with self._lock:
            if self.bucket.credentials() != keys:
                # Somebody else was refused as well, and has asked already.
                return
            self._renewals += 1
            if self.bucket.renew(keys) and self._renewals <= RENEWALS:
                return
            self.refusal = refusal
        self.flow.cool(now, RENEW_SECONDS)


class Sources:
    """Sources in the order of preference. Safe to share between threads."""

    def __init__(self, sources: Sequence[Source], *, silence_seconds: float = 10.0) -> None:
        self.channels = [
            Channel(
                index=index,
                name=source.name,
                bucket=Bucket(source.place, source.credentials, silence_seconds=silence_seconds),
                home=sources[0].place,
            )
            for index, source in enumerate(sources)
        ]

    @classmethod
    def of(cls, bucket: Bucket) -> Self:
        """Use one bucket as the only source; whoever opened it closes it."""
        only = cls([])
        only.channels = [Channel(index=0, name="primary", bucket=bucket, home=bucket.place)]
        return only

    @property
    def place(self) -> Place:
        return self.channels[0].home

    def close(self) -> None:
        for channel in self.channels:
            channel.bucket.close()

    def list(self, prefix: str) -> Iterator[ObjectRef]:
        """Name the objects whose whole keys begin so, in the order of their keys."""
        token = after = ""
        while True:
            # A token means something to one source only; a key means the same to all.
            page = self.list_page(prefix, after=after)
            yield from page.objects
            token = page.next_token
            if not token or not page.objects:
                return
            after = page.objects[-1].key

    def list_page(
        self, prefix: str, *, delimiter: str = "", after: str = "", token: str = "",
        limit: int = 1000,
    ) -> Page:  # fmt: skip
        """Return one page of what lies under a prefix.

        A copy that lags behind lacks the newest names without saying so. So another source is only
        asked once the first is out of reach or refuses, not when it is slow or busy.

        A ``token`` is good for the source that gave it; ``after`` for all.

        :raises ListingRepeats: if a source does not go on after ``after``
        """

        def ask(channel: Channel) -> Page:
            page = channel.bucket.list_page(
                channel.own_key(prefix), delimiter=delimiter, token=token, limit=limit,
                after=channel.own_key(after) if after else "",
            )  # fmt: skip
            if after and page.objects and page.objects[0].key <= channel.own_key(after):
                raise ListingRepeats(f"{channel.name}: after {after} came {page.objects[0].key}")
            return replace(
                page,
                objects=[replace(ref, key=channel.home_key(ref.key)) for ref in page.objects],
                prefixes=[channel.home_key(each) for each in page.prefixes],
            )

        return self._asked_in_turn(ask)

    def head(self, key: str) -> ObjectRef:
        """Look at one object.

        :raises ObjectMissing: if a source that answers does not have it, nor any other
        """

        def ask(channel: Channel) -> ObjectRef:
            return replace(channel.bucket.head(channel.own_key(key)), key=key)

        return self._asked(ask)

    def read(self, key: str) -> bytes:
        """Read a small object whole."""
        return self._asked(lambda channel: channel.bucket.read(channel.own_key(key)))

    def heard_at(self) -> float:
        """Return when a byte of any answer last came from any of them, of a monotonic clock."""
        return max(channel.bucket.wire.heard_at for channel in self.channels)

    def measurements(self) -> Sequence[Measurement]:
        now = time.monotonic()
        return [each.flow.measurement(each.name, now) for each in self.channels]

    def _asked(self, ask: Callable[[Channel], T]) -> T:
        """Ask the sources in turn, those that cool down last, and the next if one is silent.

        An absence holds if the first source says so. From another one it may mean that it lags
        behind, so it only counts if the first could be asked.
        """
        now = time.monotonic()
        order = sorted(self.channels, key=lambda each: now < each.flow.cool_until)
        answers: queue.SimpleQueue[_Answer[T]] = queue.SimpleQueue()
        unasked, hedges = deque(order), deque(order * SMALL_HEDGES)
        failures: dict[int, Exception] = {}
        asked, patience = 0, order[0].flow.first_byte_patience(least=SMALL_PATIENCE)
        while True:
            if unasked and len(failures) == asked:
                self._begin(unasked.popleft(), ask, answers)
                asked += 1
            try:
                answer = answers.get(timeout=patience)
            except queue.Empty:
                # Silence is everyday where storage is overloaded; a second request seldom meets it.
                patience *= 2
                if unasked:
                    self._begin(unasked.popleft(), ask, answers)
                    asked += 1
                elif hedges:
                    self._begin(hedges.popleft(), ask, answers)
                continue
            if answer.error is None:
                return cast("T", answer.value)
            failures[answer.channel.index] = answer.error
            if len(failures) == len(order):
                raise _told_of(failures)

    def _asked_in_turn(self, ask: Callable[[Channel], T]) -> T:
        """Ask the next source only once the one before is out of reach for certain."""
        now = time.monotonic()
        failures: dict[int, Exception] = {}
        for channel in sorted(self.channels, key=lambda each: each.is_away(now)):
            try:
                return self._asked_alone(channel, ask)
            except PassingTrouble as trouble:
                if trouble.reason not in GONE_REASONS and channel.index == 0:
                    # It lives: asked again later, it will tell more than a copy might.
                    raise
                failures[channel.index] = trouble
            except EngineFailed as failure:
                failures[channel.index] = failure
        raise _told_of(failures)

    def _asked_alone(self, channel: Channel, ask: Callable[[Channel], T]) -> T:
        """Ask one source, again when it is silent or in trouble.

        :raises PassingTrouble: whose reason is one of ``GONE_REASONS`` only if no try saw it alive
        """
        answers: queue.SimpleQueue[_Answer[T]] = queue.SimpleQueue()
        patience = channel.flow.first_byte_patience(least=SMALL_PATIENCE)
        asked, troubles = 0, list[PassingTrouble]()
        while True:
            if asked == len(troubles) < LIST_TRIES:
                time.sleep(LIST_PAUSE_SECONDS * asked)
                self._begin(channel, ask, answers)
                asked += 1
            try:
                answer = answers.get(timeout=patience)
            except queue.Empty:
                patience *= 2
                if asked < LIST_TRIES:
                    self._begin(channel, ask, answers)
                    asked += 1
                continue
            if answer.error is None:
                return cast("T", answer.value)
            if not isinstance(answer.error, PassingTrouble):
                raise answer.error
            troubles.append(answer.error)
            if len(troubles) == LIST_TRIES or answer.error.retry_after:
                alive = (each for each in troubles if each.reason not in GONE_REASONS)
                raise next(alive, answer.error)

    @staticmethod
    def _begin(
        channel: Channel, ask: Callable[[Channel], T], answers: "queue.SimpleQueue[_Answer[T]]"
    ) -> None:
        def run() -> None:
            now, keys = time.monotonic(), None
            try:
                keys = channel.bucket.credentials()
                answer = _Answer(channel, value=ask(channel))
                channel.answered()
            except Exception as error:  # noqa: BLE001 - raised by whoever waits for the answer
                if isinstance(error, PassingTrouble):
                    channel.is_gone = error.reason in GONE_REASONS
                    channel.flow.went_wrong(now, error)
                elif isinstance(error, CredentialsRefused) and keys is not None:
                    channel.refused(error, keys, now)
                answer = _Answer(channel, error=error)
            answers.put(answer)

        # A daemon: nobody waits for those that came too late.
        threading.Thread(target=run, name="ask", daemon=True).start()


@dataclass(slots=True)
class _Answer(Generic[T]):
    channel: Channel
    value: T | None = None
    error: Exception | None = None


def _told_of(failures: dict[int, Exception]) -> Exception:
    """Return what to raise where no source could answer, by the failure of each.

    An absence holds if the first source says so. Else whatever may pass is worth another try.
    """
    if isinstance(failures[0], ObjectMissing):
        return failures[0]
    passing = (each for each in failures.values() if isinstance(each, PassingTrouble))
    return next(passing, failures[0])


def _moved(key: str, old: str, new: str) -> str:
    """Return the key under another prefix; one outside of the old prefix stays as it is."""
    if old == new or not f"{key}/".startswith(f"{old}/" if old else ""):
        return key
    rest = key[len(old) :].lstrip("/")
    return f"{new}/{rest}" if new and rest else new or rest
