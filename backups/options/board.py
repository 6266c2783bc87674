"""Making the choices, and putting them side by side."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from backups.options import risks
from backups.options.durations import SEGMENTS_OF_ITS_OWN, Timing, disk_of, total
from backups.options.notes import notes_on
from backups.options.points import Wish, wish_of_standby, wishes
from backups.options.ranking import ranked, reason_for, without_beaten
from backups.options.values import (
    BackupFacts,
    Board,
    Facts,
    Phase,
    PlaceFacts,
    Point,
    Range,
    RecoveryOption,
    Severity,
    StandbyFacts,
    Strategy,
    TargetFacts,
)
from backups.options.words import duration, to_the_second

_STAMP = "%Y%m%dT%H%M%S%f"


def make_board(facts: Facts, *, everything: bool = False) -> Board:
    """Put the sensible ways back side by side, the recommended one first.

    With ``everything`` none is left out. A board without options says in its notes why.
    """
    made = list(_Maker(facts).options())
    options = ranked(facts, made if everything else without_beaten(made))
    if options and options[0].can_start:
        options[0] = replace(options[0], reason=reason_for(facts, options[0], options))
    return Board(
        at=facts.at,
        as_of=facts.as_of,
        options=options,
        left_out=len(made) - len(options),
        notes=list(notes_on(facts)),
    )


class _Maker:
    """Makes every choice that the facts allow."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._timing = Timing(facts)

    def options(self) -> Iterator[RecoveryOption]:
        facts = self._facts
        for place in facts.places:
            for wish in wishes(facts, seen_from=place.id):
                for target in facts.targets:
                    for strategy in facts.strategies:
                        second = None
                        if wish.point == Point.STAGED:
                            second = self._other(target, wish.backup, strategy)
                            if second is None:
                                continue
                        yield self._option(wish, place, (target, second), strategy)
            for target in facts.targets:
                if target.standby is not None:
                    yield from self._from_standby(target, target.standby, place)

    def _option(
        self,
        wish: Wish,
        place: PlaceFacts,
        targets: tuple[TargetFacts, TargetFacts | None],
        strategy: Strategy,
    ) -> RecoveryOption:
        facts, backup, (target, second) = self._facts, wish.backup, targets
        timing = self._timing
        phases, basis = timing.phases(backup, place, target, strategy, share=wish.share)
        fetch, usable = phases[0].seconds, total(phases)
        if second is not None:
            phases = self._with_the_rest(backup, place, second, strategy, first=usable)
        cluster, stage = disk_of(backup, strategy, share=wish.share)
        found = [
            *risks.of_target(target, backup, at=facts.at),
            *risks.of_disk(target, cluster, stage),
            *risks.of_place(place, fetch, basis, places=facts.places, at=facts.at),
            *risks.of_backup(backup, wish.point),
            *risks.of_objectives(facts, until=wish.until_at, usable=usable),
            *risks.of_strategy(strategy),
        ]
        return RecoveryOption(
            code=_code(wish, place, target, strategy),
            point=wish.point,
            moment=wish.moment,
            backup=backup,
            place=place,
            target=target,
            second=second,
            strategy=strategy,
            lanes=facts.lanes,
            data_until_at=wish.until_at,
            first_until_at=wish.first_until_at,
            loses=_loses(facts, wish),
            phases=phases,
            seconds=total(phases),
            usable=usable,
            basis=basis,
            disk_needed=cluster + stage,
            disk_free=_free(target),
            risks=sorted(found, key=lambda risk: -risk.severity.weight),
        )

    def _from_standby(
        self, target: TargetFacts, standby: StandbyFacts, place: PlaceFacts
    ) -> Iterator[RecoveryOption]:
        facts = self._facts
        wish = wish_of_standby(facts, standby, seen_from=place.id)
        if wish is None:
            return
        yield self._standby_option(wish, standby, target, place)
        if place.is_own and facts.moment is None and standby.until_at is not None:
            until, here = standby.until_at, replace(standby, fetch_bytes=0)
            wish = replace(
                wish, point=Point.HERE, moment=None, until_at=until, first_until_at=until
            )
            yield self._standby_option(wish, here, target, place)

    def _standby_option(
        self, wish: Wish, standby: StandbyFacts, target: TargetFacts, place: PlaceFacts
    ) -> RecoveryOption:
        facts, backup = self._facts, wish.backup
        phases, basis = self._timing.phases_of_standby(standby, backup, place)
        usable = total(phases)
        stage = standby.fetch_bytes + standby.replay_bytes
        found = [
            *risks.of_standby(target, standby, at=facts.at),
            *risks.of_disk(target, SEGMENTS_OF_ITS_OWN * backup.segment_bytes, stage),
            *risks.of_objectives(facts, until=wish.until_at, usable=usable),
        ]
        if wish.point == Point.HERE:
            found += risks.of_leaving_the_archive(wish.until_at)
        else:
            # Also where nothing is left to fetch it has to say so.
            fetch = phases[0].seconds
            found += risks.of_place(place, fetch, basis, places=facts.places, at=facts.at)
        return RecoveryOption(
            code=_code(wish, place, target, Strategy.STANDBY),
            point=wish.point,
            moment=wish.moment,
            backup=backup,
            place=place,
            target=target,
            second=None,
            strategy=Strategy.STANDBY,
            lanes=facts.lanes,
            data_until_at=wish.until_at,
            first_until_at=wish.first_until_at,
            loses=_loses(facts, wish),
            phases=phases,
            seconds=usable,
            usable=usable,
            basis=basis,
            disk_needed=SEGMENTS_OF_ITS_OWN * backup.segment_bytes + stage,
            disk_free=_free(target),
            risks=sorted(found, key=lambda risk: -risk.severity.weight),
        )

    def _with_the_rest(
        self,
        backup: BackupFacts,
        place: PlaceFacts,
        second: TargetFacts,
        strategy: Strategy,
        *,
        first: Range,
    ) -> list[Phase]:
        """Return the first restore as one part, and behind it the second with the tenants."""
        phases, _basis = self._timing.phases(backup, place, second, strategy, share=1.0)
        each = self._facts.tenants * self._facts.tenant_bytes
        tenants = self._timing.part(place, "TENANTS", backup.cluster_bytes + each)
        first_part = Phase(name="FIRST", seconds=first)
        return [first_part, *phases, Phase(name="TENANTS", seconds=tenants)]

    def _other(
        self, target: TargetFacts, backup: BackupFacts, strategy: Strategy
    ) -> TargetFacts | None:
        """Return a machine on which the rest can be made beside the first."""
        for other in self._facts.targets:
            found = [
                *risks.of_target(other, backup, at=self._facts.at),
                *risks.of_disk(other, *disk_of(backup, strategy, share=1.0)),
            ]
            held = any(risk.severity in (Severity.BLOCKS, Severity.ASKS) for risk in found)
            if other.id != target.id and not held:
                return other
        return None


_CODE = re.compile(
    rf"({'|'.join(Point)})-\d+t\d+-b\d+-p\d+-t\d+-({'|'.join(Strategy)})", re.IGNORECASE
)


def _code(wish: Wish, place: PlaceFacts, target: TargetFacts, strategy: Strategy) -> str:
    # The moment belongs to it: a code that was offered before a later look may not mean another.
    until = f"{wish.until_at.astimezone(UTC):{_STAMP}}"
    words = (wish.point, until, f"b{wish.backup.id}", f"p{place.id}", f"t{target.id}", strategy)
    return "-".join(words).lower()


def is_code(text: str) -> bool:
    """Whether a text is built as a code is, whatever it names."""
    return _CODE.fullmatch(text) is not None


def moment_of(code: str) -> datetime | None:
    """Return the moment that a code asks for; None if it asks for none, or is no code."""
    point, _dash, rest = code.partition("-")
    if point != Point.MOMENT.lower():
        return None
    try:
        return datetime.strptime(rest.partition("-")[0].upper(), _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _free(target: TargetFacts) -> int | None:
    if target.free_bytes is None or target.work_free_bytes is None:
        return target.free_bytes
    return target.free_bytes + target.work_free_bytes


def _loses(facts: Facts, wish: Wish) -> str:
    until, at_first = to_the_second(wish.until_at), to_the_second(wish.first_until_at)
    match wish.point:
        case Point.LATEST:
            return (
                f"Nothing that was archived. What was written after {until} had not arrived there."
            )
        case Point.STAGED:
            return (
                f"At first everything after {at_first}; in the end nothing that was archived, "
                f"which is up to {until}."
            )
        case _:
            return f"Everything after {until}, {duration(facts.at - wish.until_at)} of data."
