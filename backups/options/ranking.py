"""Leaving out the choices that another beats, ordering the rest, and saying why the first is it."""

from collections.abc import Sequence

from backups.options.values import Facts, Point, RecoveryOption, Severity, Strategy

# An earlier point is worth looking at only if it is back in so much less time.
WORTH_LESS_DATA = 0.8
# Less of a difference in time than this is no reason to choose what is riskier.
ALIKE = 1.1
# Without an objective, so long may everything take before half of it early is the better advice.
LONG_SECONDS = 3600.0
EARLY_SHARE = 0.5


def without_beaten(options: Sequence[RecoveryOption]) -> list[RecoveryOption]:
    """Leave out whatever another option beats or equals in everything that matters."""
    kept: list[RecoveryOption] = []
    for option in sorted(options, key=lambda each: (each.weight, each.usable.middle)):
        if any(_beats(other, option) for other in kept):
            continue
        kept = [other for other in kept if not _beats(option, other)]
        kept.append(option)
    return kept


def _beats(one: RecoveryOption, other: RecoveryOption) -> bool:
    """Say whether nothing speaks for the other: neither its data, nor its time, nor its risks."""
    if one.weight > other.weight or (one.is_in_the_way and not other.is_in_the_way):
        return False
    if one.point == other.point and one.backup.id == other.backup.id:
        is_as_quick = one.usable.middle <= other.usable.middle * ALIKE
        return is_as_quick and one.seconds.middle <= other.seconds.middle * ALIKE
    if one.point == other.point == Point.BACKUP:
        # An older backup is there for the case that something is amiss with the newest.
        return (
            one.can_start
            and one.backup.ended_at > other.backup.ended_at
            and {risk.code for risk in one.risks} <= {risk.code for risk in other.risks}
        )
    if one.data_until_at < other.data_until_at:
        return False
    if one.point == Point.STAGED:
        # It takes a second machine and more care: whoever can do without may.
        return False
    # Less data, or a part of it early, has to be worth it.
    return one.usable.middle * WORTH_LESS_DATA <= other.usable.middle


def ranked(facts: Facts, options: Sequence[RecoveryOption]) -> list[RecoveryOption]:
    """Return the options in the order in which they are to be read."""
    whole = [each for each in options if each.point in (Point.LATEST, Point.MOMENT)]
    long = min((each.seconds.middle for each in whole if each.can_start), default=0.0)
    limit = facts.back_within.total_seconds() if facts.back_within else LONG_SECONDS
    return sorted(options, key=lambda option: _rank(option, long if long > limit else 0.0))


def _rank(option: RecoveryOption, too_long: float) -> tuple[object, ...]:
    # Where everything takes too long, much of it early comes first; less data is the last resort.
    order = {Point.LATEST: 1, Point.MOMENT: 1}.get(option.point, 2)
    if option.point == Point.STAGED and option.usable.middle <= too_long * EARLY_SHARE:
        order = 0
    return (
        not option.can_start,
        option.asks_for_name,
        option.is_in_the_way,
        order,
        -option.data_until_at.timestamp(),
        option.weight // Severity.WARNS.weight,
        option.usable.middle,
        option.weight,
        option.code,
    )


def reason_for(facts: Facts, best: RecoveryOption, options: Sequence[RecoveryOption]) -> str:
    """Say in words why this option stands first."""
    match best.point:
        case Point.STAGED:
            words = "Everything takes long; this brings most of it back early and loses nothing."
        case Point.BACKUP | Point.HERE:
            words = "Nothing that brings back more can be started now."
        case Point.MOMENT if facts.moment is None:
            words = "It loses the least: the log is broken after this moment."
        case Point.MOMENT:
            words = "It reaches the moment that was asked for."
        case _:
            words = "It loses the least."
    if best.strategy == Strategy.STANDBY:
        words += " The standby is warm: no backup has to be fetched."
    same = [each for each in options if each.point == best.point and each is not best]
    if same and all(best.usable.middle <= each.usable.middle for each in same):
        words += " No other way to it is quicker."
    elif same and all(best.weight <= each.weight for each in same):
        words += " Less speaks against it than against the quicker ways."
    return words
