"""Seeing every way back side by side, and choosing one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.models import User
from backups import options, runner
from backups.models import RestoreJob, RestoreStrategy
from backups.operations.decisions import Decision
from backups.operations.restores import request_restore
from backups.operations.staged import request_staged_recovery
from backups.options import Board, Point, RecoveryOption, Strategy
from backups.options.words import POINTS, told, told_range
from incidents.errors import Refused

# Whoever stands before the board waits no longer than this for the storage.
LOOK_SECONDS = 20.0


class OptionGone(Refused):
    code = "option-gone"
    message = "This way back is not what it was when it was shown. Look at the options again."


class OptionUnknown(OptionGone):
    code = "option-unknown"
    message = "There is no such option. Look at the options again."


class OptionBlocked(Refused):
    code = "option-blocked"
    message = "This way back cannot be started. Mend what stands against it, or choose another."


def recovery_options(
    *,
    database_id: int,
    at: datetime,
    moment: datetime | None = None,
    everything: bool = False,
    unheard: Mapping[int, str] | None = None,
) -> Board:
    """Return every sensible way back, side by side, as of what is on record. Asks nobody.

    ``unheard`` are the places that could not be read just now (see ``unheard_places``). With
    ``everything`` also what another option beats is shown.
    """
    facts = runner.read_facts(database_id=database_id, at=at, moment=moment, unheard=unheard)
    return options.make_board(facts, everything=everything)


def unheard_places(*, database_id: int, at: datetime) -> dict[int, str]:
    """Ask the storage and its copies what they hold, and return those that could not be read.

    Each comes with the code of its failure. What is heard is on record then. Takes
    ``LOOK_SECONDS`` at most.
    """
    look = runner.look_at_archive(
        database_id=database_id, at=at, budget_seconds=LOOK_SECONDS, waits_for_copies=True
    )
    return {pk: look.faults[pk].code for pk in sorted(look.faults)}


def option_named(*, database_id: int, code: str, at: datetime) -> RecoveryOption:
    """Return the option of this code, as it stands now.

    :raises OptionGone: if there is none any more
    """
    moment = options.moment_of(code)
    board = recovery_options(database_id=database_id, at=at, moment=moment, everything=True)
    found = next((option for option in board.options if option.code == code), None)
    if found is None:
        if not options.is_code(code):
            raise OptionUnknown(
                f"There is no option {code!r}. Take the code of one that recovery_options shows."
            )
        raise OptionGone
    return found


def choose_option(
    *,
    database_id: int,
    code: str,
    reasons: str,
    by: User | None,
    at: datetime,
    incident_id: int | None = None,
    replaces: str = "",
    by_worker: bool = True,
) -> RestoreJob:
    """Start a way back. The choice and its reasons go on the timeline, in the name of the chooser.

    Of a staged one the first part is returned; the rest is queued behind it.

    What was expected of it is kept, to be held against what comes true.

    :raises OptionGone: if it is not what it was any more
    :raises OptionBlocked: if something stands against it, saying what
    :raises Refused: for everything that ``request_restore`` refuses
    """
    chosen = option_named(database_id=database_id, code=code, at=at)
    if not chosen.can_start:
        raise OptionBlocked(chosen.risks[0].words)
    shared: dict[str, Any] = {
        "database_id": database_id,
        "strategy": _strategy(chosen),
        "source_id": None if chosen.place.is_own else chosen.place.id,
        "lanes": chosen.lanes,
        "reasons": reasons,
        "replaces": replaces,
        "incident_id": incident_id,
        "decision": _decision(chosen, by=by),
        # The board stands on what is on record, and so does the choice: with the storage silent,
        # nobody waits for it here. The plan finds out what has changed since.
        "is_looked_at": True,
        "at": at,
        "by_worker": by_worker,
    }
    if chosen.second is not None:
        return request_staged_recovery(
            first_target_id=chosen.target.id,
            target_id=chosen.second.id,
            backup_id=chosen.backup.id,
            **shared,
        ).first
    stops_at_backup = chosen.point == Point.BACKUP
    return request_restore(
        recovery_target_id=chosen.target.id,
        target_at=chosen.moment,
        ends_with_backup=stops_at_backup,
        backup_id=chosen.backup.id if stops_at_backup else None,
        from_standby=chosen.strategy == Strategy.STANDBY,
        as_it_stands=chosen.point == Point.HERE,
        **shared,
    )


def _strategy(chosen: RecoveryOption) -> RestoreStrategy:
    """Return how a backup is brought back: behind a standby, should that have gone too far."""
    if chosen.strategy == Strategy.STANDBY:
        return RestoreStrategy.STAGE
    return RestoreStrategy(chosen.strategy)


def _decision(chosen: RecoveryOption, *, by: User | None) -> Decision:
    seconds = chosen.usable
    return Decision(
        by=by,
        words=f"Decided to restore. {POINTS[chosen.point]}: from {chosen.backup.name} in "
        f"{chosen.place.name} to {chosen.target.name} ({chosen.strategy.lower()}). "
        f"Data up to {told(chosen.first_until_at)}, expected in {told_range(seconds)}.",
        low=seconds.low,
        middle=seconds.middle,
        high=seconds.high,
        basis=chosen.basis,
    )
