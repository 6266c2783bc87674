"""Checks of the way back: a place for it, in time, proven, and as decided."""

from collections.abc import Sequence
from datetime import date, timedelta
from textwrap import shorten
from typing import ClassVar

from backups.models import (
    Backup,
    BackupCheckName,
    BackupKind,
    CheckState,
    Drill,
    DrillState,
    PolicyChange,
    RecoveryTarget,
)
from backups.options import Range
from backups.options.words import duration, told_range
from backups.queries import day_at, restores_at_work
from backups.runner.standing import kept_standing
from backups.runner.watching import standbys
from backups.runner.watching.base import (
    REVIEWS_DUE,
    Evidence,
    Found,
    Subject,
    critical,
    longest_between,
    ok,
    unknown,
    warning,
)

PROBE_HOLDS = timedelta(hours=1)
FORECAST_HOLDS = timedelta(hours=1)
# The worker beside a target takes a drill's cluster away within a minute.
CLEARED_AFTER = timedelta(hours=1)
# Without a schedule, a proof is as old as customers are promised by default: five weeks.
DRILL_HOLDS = timedelta(weeks=5)
# So long is what is told of why workarounds stand, all of them together; and of one at least.
_WHY = 160
_LEAST_WHY = 24
_NAMED = 6


class TargetsReady:
    """Whether there is a place to restore to, at this very moment."""

    name: ClassVar = BackupCheckName.TARGETS

    def look(self, subject: Subject) -> Found:
        found, amiss = self._look_at_targets(subject), standbys.amiss(subject)
        if not amiss or found.state != CheckState.OK:
            return found
        return warning(
            f"{' '.join(amiss)} {found.words}",
            "See the page of that recovery target, and that the worker beside it runs.",
            **found.evidence,
        )

    def _look_at_targets(self, subject: Subject) -> Found:
        targets = subject.around.targets
        if not targets:
            return critical(
                "No recovery target is registered.",
                "Register one: manage.py register_recovery_target.",
            )
        newest = next(iter(subject.backups), None)
        taken = subject.around.taken
        reasons = {each.name: _unready(each, subject) or taken.get(each.pk, "") for each in targets}
        ready = [name for name, reason in reasons.items() if not reason]
        evidence = {name: reason or "ready" for name, reason in reasons.items()}
        evidence |= {
            each.target.name: standbys.told(each, subject)
            for each in subject.around.standbys.values()
            if each.database_id == subject.database.pk
        }
        if ready:
            return ok(f"Ready: {', '.join(ready)}.", **evidence)
        told = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
        seen = [each for each in targets if _is_seen(each, subject)]
        if not seen:
            return unknown(
                f"No recovery target was looked at of late: {told}.",
                "Start a worker beside one of them, or see why it does not answer.",
                **evidence,
            )
        if any(each.pk in taken and not _unready(each, subject) for each in targets):
            return warning(
                f"No recovery target is free now: {told}.",
                "Wait for what is under way there, or call it off; another target would stay free.",
                **evidence,
            )
        return critical(
            f"No recovery target is ready{f' for {newest}' if newest else ''}: {told}.",
            "Make room, stop what runs there, or register another target.",
            **evidence,
        )


def _is_seen(target: RecoveryTarget, subject: Subject) -> bool:
    return target.probed_at is not None and subject.at - target.probed_at <= PROBE_HOLDS


def _unready(target: RecoveryTarget, subject: Subject) -> str:
    """Return what speaks against a restore there, but for what is under way; empty if nothing."""
    standby = subject.around.standbys.get(target.pk)
    if standby is not None:
        return standbys.unready(standby, subject)
    return _unfit(target, subject)


def _unfit(target: RecoveryTarget, subject: Subject) -> str:
    newest = next(iter(subject.backups), None)
    if not _is_seen(target, subject):
        return "was not looked at of late"
    if target.occupied_by:
        return f"is not free: {target.occupied_words}"
    if newest is None:
        return ""
    if target.major is not None and not _runs(target.major, newest):
        return f"has PostgreSQL {target.major}"
    if target.free_bytes is not None and target.free_bytes < newest.cluster_bytes:
        return "has too little room"
    return ""


def _runs(major: int, backup: Backup) -> bool:
    theirs = backup.server_version // 10_000
    # Statements can be played into newer programs as well.
    return major >= theirs if backup.kind == BackupKind.LOGICAL else major == theirs


class WithinObjectives:
    """Whether a loss at this moment would stay within what was decided."""

    name: ClassVar = BackupCheckName.FORECAST

    def look(self, subject: Subject) -> Found:
        row, database = subject.forecast, subject.database
        if row is None or subject.at - row.at > FORECAST_HOLDS:
            return unknown(
                "What a loss would cost was not forecast of late.",
                "See that the beat and a worker run.",
            )
        if row.loss_seconds is None or row.middle_seconds is None:
            if restore := restores_at_work().filter(database=database).last():
                return warning(
                    f"{restore} brings it back right now; beside it no other way could be started.",
                    f"Follow it at the desk, or free a target. {row.plan_words}",
                )
            return critical(row.plan_words, "Mend what stands against every way back.")
        assert row.low_seconds is not None
        assert row.high_seconds is not None
        back = told_range(Range(row.low_seconds, row.middle_seconds, row.high_seconds))
        loss = timedelta(seconds=row.loss_seconds)
        said = f"If it were lost now: {duration(loss)} of data lost, back in {back}"
        may_lose, within = database.recovery_point_objective, database.recovery_time_objective
        if may_lose is None and within is None:
            return warning(
                f"{said}. No objective says whether that is good enough.",
                "Set what may be lost and how long it may take.",
            )
        misses = []
        if may_lose is not None and loss > may_lose:
            misses.append(f"{duration(may_lose)} may be lost")
        is_late = within is not None and row.high_seconds > within.total_seconds()
        if within is not None and is_late:
            misses.append(f"it has to be back within {duration(within)}")
        if not misses:
            return ok(f"{said}.")
        sure = within is not None and row.low_seconds > within.total_seconds()
        found = critical if sure or (may_lose is not None and loss > may_lose) else warning
        return found(
            f"{said}; {' and '.join(misses)}.", _cure(misses_time=is_late), plan=row.plan_words
        )


def _cure(*, misses_time: bool) -> str:
    if misses_time:
        return (
            "Take full backups more often, give it a quicker storage or target, or keep a standby "
            "warm; the options board says what takes how long."
        )
    return (
        "See that the server runs and archives its log: the checks of the log say what stands "
        "against it. Without archived log, take backups more often."
    )


class DrillPassed:
    """Whether a real restore has proven the newest backups of late."""

    name: ClassVar = BackupCheckName.DRILL

    def look(self, subject: Subject) -> Found:
        drill, policy = subject.last_drill, subject.policy
        if left := _left_standing(subject):
            return warning(
                f"{left} is proven, but its cluster still stands on {left.target}: its worker "
                "takes it away, and was not there for it.",
                f"Start the worker of the queue {left.target.queue} on that machine. No other "
                "drill can be held before.",
                drill=left.pk,
            )
        if drill is None:
            return warning(
                "No drill was ever held: whether these backups can be restored is a hope."
                + _held_up(subject),
                _CALL_OFF
                if _held_up(subject)
                else "Hold one now, and set a schedule for drills in the policy.",
            )
        assert drill.ended_at is not None
        age = subject.at - drill.ended_at
        if drill.state == DrillState.FAILED:
            return critical(
                f"The last drill failed {duration(age)} ago: {drill.words}",
                "Look at the drill, mend the cause, and hold it again.",
            )
        limit = DRILL_HOLDS
        if policy is not None and policy.drill_schedule:
            between = longest_between(policy.drill_schedule, policy.tz, subject.at)
            limit = (between or DRILL_HOLDS) + timedelta(days=1)
        took = duration(timedelta(seconds=drill.measured_seconds or 0))
        said = f"The last drill passed {duration(age)} ago and took {took}"
        if age > limit:
            held = _held_up(subject)
            return warning(
                f"{said}; one was due after {duration(limit)}.{held}",
                _CALL_OFF if held else "Hold one now; see why none was.",
            )
        if differs := _differs(drill.backup, next(iter(subject.backups), None)):
            return warning(
                f"{said}, but {differs}.", "Hold a drill of what would be restored today."
            )
        return ok(f"{said}.", measured_seconds=drill.measured_seconds or 0)


_CALL_OFF = (
    "Let what is there end, resume it or cancel it (manage.py cancel_restore); or name another "
    "target for drills in the policy. One that is due begins by itself once its target is free."
)


def _held_up(subject: Subject) -> str:
    """Say what holds the target at which a drill is due; empty if none is due, or nothing does."""
    policy = subject.policy
    if policy is None or policy.drill_target is None:
        return ""
    if policy.drill_due_at is None or policy.drill_due_at > subject.at:
        return ""
    target, around = policy.drill_target, subject.around
    standby = around.standbys.get(target.pk)
    keeps = f"keeps a standby of {standby.database}" if standby is not None else ""
    holds = around.taken.get(target.pk) or around.stopped.get(target.pk) or keeps
    return f" One is due, and its target {target} {holds}." if holds else ""


def _left_standing(subject: Subject) -> Drill | None:
    """Return the drill that was judged long ago, and whose cluster nobody has taken away."""
    rows = subject.database.drills.filter(
        state=DrillState.CLEARING, restore__ended_at__lt=subject.at - CLEARED_AFTER
    )
    return rows.select_related("database", "target").first()


def _differs(proven: Backup | None, newest: Backup | None) -> str:
    """Say why what was proven tells nothing of the newest backup; empty if it does."""
    if proven is None or newest is None:
        return ""
    if (proven.kind == BackupKind.LOGICAL) != (newest.kind == BackupKind.LOGICAL):
        return "backups are of another engine since"
    majors = proven.server_version // 10_000, newest.server_version // 10_000
    if majors[0] != majors[1]:
        return f"that was PostgreSQL {majors[0]}, and backups are of {majors[1]} since"
    return ""


class PolicyStands:
    """Whether the policy promises what was decided, and no workaround has outlived its day."""

    name: ClassVar = BackupCheckName.POLICY

    def look(self, subject: Subject) -> Found:
        policy = subject.policy
        if policy is None:
            return warning(
                "Nothing was decided about its backups.",
                "Set a policy: schedules, what is kept, where it is copied, drills.",
            )
        open_ones = [
            each
            for each in subject.policy_changes
            if each.review_on is not None and each.reviewed_at is None
        ]
        breaks, doubts = _breaks(subject)
        if open_ones:
            return _of_workarounds(open_ones, breaks, doubts, today=day_at(policy.tz, subject.at))
        if breaks:
            return warning(
                f"As the policy stands, it promises less than was decided. {breaks}",
                "Plan full backups more often, or decide other objectives: the policy's page says "
                "what a change does before it is saved.",
                version=policy.version,
            )
        return ok(f"The policy stands, version {policy.version}.", version=policy.version)


def _breaks(subject: Subject) -> tuple[str, str]:
    """Say which objectives the policy misses at its worst, and of which that is not known.

    Empty if none. For as long as it is so, not only when somebody decided it.
    """
    database = subject.database
    if database.recovery_point_objective is None and database.recovery_time_objective is None:
        return "", ""
    if subject.policy is None:
        return "", ""
    standing = kept_standing(
        database,
        subject.policy,
        newest=next(iter(subject.backups), None),
        targets=subject.around.targets,
        at=subject.at,
    )
    breaks = f"{'; '.join(standing.breaks)}. {standing.words}" if standing.breaks else ""
    return breaks, f"{'; '.join(standing.doubts)}." if standing.doubts else ""


def _of_workarounds(
    changes: Sequence[PolicyChange], breaks: str, doubts: str, *, today: date
) -> Found:
    """Say which workarounds stand, all of them, and which are to be looked at again."""
    in_turn = sorted(changes, key=lambda each: (_day(each), each.version))
    due = [each for each in in_turn if _day(each) <= today]
    told = due or in_turn
    said = _named(told, is_due=bool(due))
    if due and len(due) < len(in_turn):
        left = len(in_turn) - len(due)
        said += f" {'Another one stands' if left == 1 else f'{left} others stand'} until later."
    evidence: Evidence = {
        "version": told[0].version,
        "review_on": f"{_day(told[0])}",
        "workarounds": len(in_turn),
    }
    if due:
        # A day that somebody has set has come: nobody waits for it to last.
        evidence = {**evidence, REVIEWS_DUE: len(due)}
        # With a promise broken meanwhile nobody may let it lie.
        found = critical if breaks else warning
        return found(
            f"{said} {breaks}".strip(),
            "Undo it, or say at the policy's page why it stays; for each of them. "
            f"{due[0].effect_words}".strip(),
            **evidence,
        )
    if not breaks and doubts:
        return unknown(
            f"{said} {doubts}",
            "Hold a drill, and leave its log a day to be counted: then it is known what the "
            "workaround costs.",
            **evidence,
        )
    if not breaks:
        return ok(said, **evidence)
    return warning(
        f"{said} {breaks}",
        "Undo it as soon as its cause is gone; until then know what it costs.",
        **evidence,
    )


def _day(change: PolicyChange) -> date:
    assert change.review_on is not None
    return change.review_on


def _named(told: Sequence[PolicyChange], *, is_due: bool) -> str:
    # However long the reasons are, and however many, there is room for what they cost.
    room = max(_WHY // len(told), _LEAST_WHY)
    whys = [f"{_day(each)}: {shorten(each.why, room, placeholder=' …')}" for each in told[:_NAMED]]
    more = len(told) - len(whys)
    if len(told) == 1:
        stands = "was to be looked at again on" if is_due else "stands until"
        return _ended(f"A workaround {stands} {whys[0]}")
    stand = "were to be looked at again, on" if is_due else "stand, until"
    named = f"{'; '.join(whys)}{f'; and {more} more' if more else ''}"
    return _ended(f"{len(told)} workarounds {stand} {named}")


def _ended(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
