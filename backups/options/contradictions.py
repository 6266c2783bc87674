"""What a policy may not say, because it could never be kept, each with the reason."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice

from backups import schedules
from backups.options.terms import COPIED_EVERY, Terms, label_of
from backups.options.windows import closed_until
from backups.options.words import span

# So many moments tell whether two schedules ever part.
_COMPARED = 60
# Nobody keeps a database closed for longer without meaning for ever.
_CLOSED_FOR_EVER = timedelta(days=31)
_LONGEST = timedelta(days=366 * 100)
_MOST_FULLS = 10_000
_SCHEDULES = ("full_schedule", "incremental_schedule", "drill_schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a policy stands on: what the engine can, and where the database and its backups are.

    ``own_place_ids`` are the storage locations that are the same bucket and prefix as its own,
    ``taken_place_ids`` those in which another database's archive has its name,
    ``read_only_place_ids`` those to which nothing is written; ``own_target_ids`` are the recovery
    targets at the address of the database itself, ``standby_target_ids`` those that keep a standby.
    """

    engine: str
    takes_incrementals: bool
    keeps_log: bool
    own_place_ids: frozenset[int] = frozenset()
    own_target_ids: frozenset[int] = frozenset()
    standby_target_ids: frozenset[int] = frozenset()
    taken_place_ids: frozenset[int] = frozenset()
    read_only_place_ids: frozenset[int] = frozenset()


def contradictions(terms: Terms, ground: Ground, *, at: datetime) -> list[str]:
    """Return why these terms cannot all be kept, a sentence each; none where they can.

    What cannot even be read is said by itself, for the rest could not be judged.
    """
    return list(_unreadable(terms)) or [
        words for judge in _JUDGES for words in judge(terms, ground, at)
    ]


def longest_between(expression: str, *, at: datetime, beside: str = "") -> timedelta | None:
    """Return the longest stretch between moments of schedules, by the clock on the wall.

    The hour that a change of the clock adds once a year is nobody's plan. By one that cannot be
    read, nothing is planned. Worked out once a day, for it walks through years of moments.
    """
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return _longest_from(expression, beside, day)


@lru_cache(maxsize=2048)
def _longest_from(expression: str, beside: str, day: datetime) -> timedelta | None:
    try:
        return schedules.longest_between(expression, "UTC", day, beside=beside)
    except schedules.BadSchedule:
        return None


def _unreadable(terms: Terms) -> Iterator[str]:
    try:
        schedules.check_zone(terms.tz)
    except schedules.BadSchedule as bad:
        yield bad.advice
    windows = [window.schedule for window in terms.windows]
    for expression in (*(getattr(terms, name) for name in _SCHEDULES), *windows):
        try:
            if expression:
                schedules.check(expression)
        except schedules.BadSchedule as bad:
            yield bad.advice
    lasting = [window.lasts for window in terms.windows]
    if not all(windows) or not all(timedelta() < each <= _CLOSED_FOR_EVER for each in lasting):
        yield (
            "A maintenance window needs a schedule, and lasts a while, 31 days at most. Say when "
            "it begins and how long it is."
        )
    for name in ("may_lose", "back_within", "keep_for", "replica_lag_at_most", "read_all_within"):
        value = getattr(terms, name)
        if value is not None and not timedelta() < value <= _LONGEST:
            yield (
                f"{label_of(name)}: more than nothing, and {_LONGEST.days} days at most. Leave it "
                "empty to say nothing."
            )
    if terms.keep_fulls is not None and not 1 <= terms.keep_fulls <= _MOST_FULLS:
        yield (
            f"Of full backups, 1 to {_MOST_FULLS} can be kept at least. Say how many, or leave it "
            "empty."
        )


def _of_incrementals(terms: Terms, ground: Ground, at: datetime) -> Iterator[str]:
    if not terms.incremental_schedule:
        return
    if not ground.takes_incrementals:
        yield (
            f"{ground.engine} takes full backups only. Plan no incremental ones, or back this "
            "database up with another engine."
        )
        return
    if not terms.full_schedule:
        yield "Incremental backups build on full ones, and none is planned. Plan full ones too."
        return
    fulls = longest_between(terms.full_schedule, at=at)
    often = longest_between(terms.incremental_schedule, at=at)
    if fulls is not None and (often is None or often > fulls):
        yield (
            f"Incremental backups would come every {span(often)}, more rarely than full ones, "
            f"which come every {span(fulls)}. Plan them more often, or leave them out."
            if often
            else "Incremental backups would come more rarely than full ones. Plan them more often."
        )
    elif _always_meets(terms, at):
        yield (
            "Every incremental backup would fall on the very moment of a full one, and be left "
            "out. Plan it at another time, or leave it out."
        )


def _always_meets(terms: Terms, at: datetime) -> bool:
    found = list(
        islice(schedules.moments(terms.incremental_schedule, terms.tz, after=at), _COMPARED)
    )
    if not found:
        return False
    first, last = found[0] - timedelta(seconds=1), found[-1] + timedelta(seconds=1)
    fulls = set(schedules.moments(terms.full_schedule, terms.tz, after=first, before=last))
    return set(found) <= fulls


def _of_log(terms: Terms, ground: Ground, at: datetime) -> Iterator[str]:
    if terms.archives_log and not ground.keeps_log:
        yield f"{ground.engine} keeps no log. Turn log archiving off for this database."
    if terms.archives_log or terms.may_lose is None or not terms.full_schedule:
        return
    often = longest_between(terms.full_schedule, at=at, beside=terms.incremental_schedule)
    if often is not None and often > terms.may_lose:
        yield (
            f"Without archived log, everything since the last backup is lost: up to {span(often)}"
            f". At most {span(terms.may_lose)} may be. Archive the log, or back up more often."
        )


def _of_retention(terms: Terms, _ground: Ground, at: datetime) -> Iterator[str]:
    fulls = longest_between(terms.full_schedule, at=at)
    if terms.keep_for is not None and fulls is not None and terms.keep_for < fulls:
        yield (
            f"Backups would be kept for {span(terms.keep_for)}, shorter than the {span(fulls)} "
            "between full ones. Keep them longer, or take full ones more often."
        )


def _of_replica(terms: Terms, ground: Ground, _at: datetime) -> Iterator[str]:
    if terms.replicate_to is None:
        if terms.replica_lag_at_most is not None:
            yield "It says how far the replica may be behind, and names none. Name the location."
    elif terms.replicate_to.id in ground.own_place_ids:
        yield (
            f"{terms.replicate_to} is where the backups already lie: a copy there is lost with "
            "them. Name another location."
        )
    elif terms.replicate_to.id in ground.read_only_place_ids:
        yield (
            f"The keys of {terms.replicate_to} are only to read, so nothing can be copied there. "
            "Name another location, or give that one keys that may write and say so there."
        )
    elif terms.replicate_to.id in ground.taken_place_ids:
        yield (
            f"In {terms.replicate_to} lies another database's archive of the same name, or a copy "
            "of one: this one would write over it. Name a location with a prefix of its own."
        )
    if terms.replica_lag_at_most is not None and terms.replica_lag_at_most < COPIED_EVERY:
        yield (
            f"A copy is brought up to date every {span(COPIED_EVERY)}: it cannot always be behind "
            f"by {span(terms.replica_lag_at_most)} at most. Allow it more."
        )


def _of_drills(terms: Terms, ground: Ground, _at: datetime) -> Iterator[str]:
    if terms.drill_schedule and terms.drill_target is None:
        yield "A drill needs a place to restore to. Name a recovery target, or plan no drills."
    if terms.drill_target is not None and terms.drill_target.id in ground.own_target_ids:
        yield (
            f"{terms.drill_target} is at the address of the database itself, where a drill would "
            "be in its way. Name another recovery target."
        )
    if terms.drill_target is not None and terms.drill_target.id in ground.standby_target_ids:
        yield (
            f"{terms.drill_target} keeps a standby warm, which leaves no room for a drill. Name "
            "another recovery target."
        )


def _of_windows(terms: Terms, _ground: Ground, at: datetime) -> Iterator[str]:
    if not terms.windows:
        return
    # From the beginning of each: one that comes seldom may be far off.
    begins = [
        moment
        for window in terms.windows
        for moment in islice(schedules.moments(window.schedule, terms.tz, after=at), 1)
    ]
    if any(
        closed_until(terms.windows, terms.tz, begin, most=_CLOSED_FOR_EVER) - begin
        >= _CLOSED_FOR_EVER
        for begin in begins
    ):
        yield (
            "The maintenance windows follow each other without a break, so that no backup would "
            "ever begin. Make them shorter."
        )


_JUDGES: Sequence[Callable[[Terms, Ground, datetime], Iterator[str]]] = (
    _of_incrementals,
    _of_log,
    _of_retention,
    _of_replica,
    _of_drills,
    _of_windows,
)
