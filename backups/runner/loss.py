"""What a loss at this moment would cost, kept every few minutes: readiness as a figure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.db.models import Min
from django.db.models.functions import TruncDay, TruncHour

from backups.models import Database, Drill, LossForecast
from backups.options import Board, Facts, RecoveryOption, Severity, Strategy, make_board
from backups.options.words import POINTS, duration, told_range
from backups.runner.options import read_facts

EVERY = timedelta(minutes=5)
# Of what is older, one an hour is kept, and after three months one a day.
WHOLE_FOR = timedelta(days=2)
HOURLY_FOR = timedelta(days=90)
_WORDS_LENGTH = LossForecast._meta.get_field("plan_words").max_length
_NO_PLAN = "There is no way back that could be started."


def forecast_losses(*, at: datetime) -> int:
    """Keep what a loss of each database would cost now; return how many were written.

    Asks neither storage nor machine: what is on record counts, and a catalogue that was read long
    ago makes the loss larger. However often it is called, each stretch of ``EVERY`` has one.
    """
    slot = _slot(at)
    done = LossForecast.objects.filter(at=slot).values("database_id")
    waiting = Database.objects.exclude(pk__in=done).order_by("pk").values_list("pk", flat=True)
    rows = []
    for pk in waiting:
        try:
            rows.append(forecast_loss(database_id=pk, at=at, slot=slot))
        except Database.DoesNotExist:
            # Unregistered since.
            continue
    LossForecast.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def forecast_loss(*, database_id: int, at: datetime, slot: datetime | None = None) -> LossForecast:
    """Return what a loss of this database would cost now, by the plan that stands first."""
    facts = read_facts(database_id=database_id, at=at)
    board, plan = _best(facts)
    before = ""
    if plan is None and (freed := _without_drills(facts)) is not None:
        board, plan = _best(freed)
        before = "Once the drill there is called off. " if plan else ""
    row = LossForecast(
        database_id=database_id,
        at=slot or at,
        plan_words=f"{before}{_words(facts, board, plan)}"[:_WORDS_LENGTH],
        point_objective_seconds=_seconds(facts.may_lose),
        time_objective_seconds=_seconds(facts.back_within),
    )
    if plan is not None:
        row.loss_seconds = max((at - plan.data_until_at).total_seconds(), 0.0)
        # Until all of it is back that is not lost: of a staged plan, its first part is not that.
        row.low_seconds = plan.seconds.low
        row.middle_seconds = plan.seconds.middle
        row.high_seconds = plan.seconds.high
        row.plan_code = plan.code
        row.basis = plan.basis
    return row


def renew_forecast(*, database_id: int, at: datetime) -> None:
    """Say anew what a loss of this database would cost: more is known of it than when it was said.

    It takes the place of what was said for this stretch of ``EVERY``.
    """
    row = forecast_loss(database_id=database_id, at=at, slot=_slot(at))
    named = [field.name for field in LossForecast._meta.concrete_fields]
    LossForecast.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["database", "at"],
        update_fields=[name for name in named if name not in ("id", "database", "at")],
    )


def _best(facts: Facts) -> tuple[Board, RecoveryOption | None]:
    board = make_board(facts)
    return board, next((option for option in board.options if option.can_start), None)


def _without_drills(facts: Facts) -> Facts | None:
    """Return the facts with the targets free that drills have; None if none has one.

    A drill is called off in a minute. It is no reason to say that there is no way back.
    """
    drilled = set(Drill.objects.filter(ended_at=None).values_list("target_id", flat=True))
    if not drilled:
        return None
    targets = [
        replace(each, taken_by="", occupied_by="") if each.id in drilled else each
        for each in facts.targets
    ]
    return replace(facts, targets=targets)


def thin_forecasts(*, at: datetime) -> int:
    """Let go of forecasts that lie close together long ago; return how many went."""
    return _keep_one(before=at - WHOLE_FOR, each=TruncHour) + _keep_one(
        before=at - HOURLY_FOR, each=TruncDay
    )


def _keep_one(*, before: datetime, each: type[TruncHour | TruncDay]) -> int:
    """Keep the first forecast of each hour or day of a database, of those before a moment."""
    old = LossForecast.objects.filter(at__lt=before).order_by()
    stretches = old.annotate(stretch=each("at", tzinfo=UTC)).values("database_id", "stretch")
    kept = stretches.annotate(first=Min("pk")).values("first")
    return old.exclude(pk__in=kept).delete()[0]


def _slot(at: datetime) -> datetime:
    return at - (at - datetime.min.replace(tzinfo=UTC)) % EVERY


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


def _blocks(facts: Facts) -> Iterable[str]:
    """Say of each target what stands in the way there, that of the nearest way back first."""
    found: dict[tuple[int, str], str] = {}
    for option in make_board(facts, everything=True).options:
        for risk in option.risks:
            if risk.severity == Severity.BLOCKS:
                found.setdefault((option.target.id, risk.code), risk.words)
    return found.values()


def _words(facts: Facts, board: Board, plan: RecoveryOption | None) -> str:
    if plan is None:
        return " ".join([_NO_PLAN, *_blocks(facts), *(note.words for note in board.notes)])
    way = f"from {plan.backup.name} in {plan.place.name} to {plan.target.name}"
    if plan.strategy == Strategy.STANDBY:
        way = f"by the standby that is warm at {plan.target.name}"
    elif plan.target.occupied_by:
        held = "the cluster that runs" if plan.target.occupied_by == "running" else "what lies"
        way += f", where {held} there has to be moved aside"
    words = (
        f"{POINTS[plan.point]}, {way}: what is newer than "
        f"{duration(board.at - plan.data_until_at)} is lost."
    )
    if plan.second is None:
        return words
    return (
        f"{words} What is older than {duration(board.at - plan.first_until_at)} is there after "
        f"{told_range(plan.usable)}."
    )
