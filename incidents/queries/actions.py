"""Questions about action items, across incidents: the list, the board, and how long they take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import (
    Aggregate,
    Case,
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models import When as If
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest

from accounts.models import User
from incidents.models import (
    FINISHED,
    NEVER,
    UNFINISHED,
    ActionItem,
    ActionView,
    Incident,
    SeverityRule,
)
from incidents.models.fields import words_of
from incidents.queries.listing import named_incident
from incidents.queries.words import read_words
from incidents.values import ActionState, IncidentKind, Severity

# What narrows to any state, to one's own, and to what nobody owns.
ANY, MINE, NOBODY = "any", "me", "none"

# From when on the days of the policy count: what was written down years after its incident counts
# from the end of that.
_BASE = Case(
    If(
        incident__kind=IncidentKind.BACKFILLED,
        incident__resolved_at__isnull=False,
        then=F("incident__resolved_at"),
    ),
    default=F("created_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionNarrowing:
    """What action items are narrowed to. What is empty narrows nothing.

    ``state``: one of them or "any"; empty for those that are not finished. ``owner``: the id of a
    person, "me" or "none". ``due_before``: a day in UTC, not included. ``beyond``: past the days
    that staff have agreed on for the severity.
    """

    words: str = ""
    state: str = ""
    owner: str = ""
    priority: str = ""
    kind: str = ""
    severity: str = ""
    overdue: bool = False
    beyond: bool = False
    due_before: date | None = None
    public: bool = False
    incident: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One state of the board: how many items are in it, and the first of them."""

    state: ActionState
    count: int
    actions: Sequence[ActionItem]

    @property
    def more(self) -> int:
        return max(self.count - len(self.actions), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How long the action items of one severity took until they were done.

    ``days``: what staff have agreed on, or None. Of ``done`` items, ``within`` took no longer. The
    middle half took from ``low`` to ``high``; None where none is done. Of ``left`` that are not
    finished, ``beyond`` are past the days.
    """

    severity: Severity
    days: int | None
    done: int
    within: int
    low: timedelta | None
    median: timedelta | None
    high: timedelta | None
    left: int
    beyond: int


class _Quantile(Aggregate):
    """The value below which a share of the rows lies, between two of them where it falls there."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, took: Combinable, *, share: float) -> None:
        super().__init__(took, share=share, output_field=DurationField())


def open_actions() -> QuerySet[ActionItem]:
    """Return action items that are not finished, across incidents, the soonest due first."""
    return ActionItem.objects.unfinished().soonest_first().select_related("incident", "owner")


def actions_by_state(states: Sequence[ActionState]) -> QuerySet[ActionItem]:
    """Return action items in these states, across incidents, the soonest due first."""
    return (
        ActionItem.objects.filter(state__in=states)
        .soonest_first()
        .select_related("incident", "owner")
    )


def actions(user: User, to: ActionNarrowing, *, at: datetime) -> QuerySet[ActionItem]:
    """Return what somebody may see of action items, with incident and owner, in no order.

    :raises NothingToFind: if the words that narrow it hold none
    """
    rows = _narrowed(_seen_by(user), user, to, at=at)
    related = rows.select_related("incident", "owner", "tracker_issue")
    return related.defer("incident__summary")


def place_of_actions(to: ActionNarrowing) -> Combinable:
    """Return by which time a list of action items stands: the soonest due first.

    Where words are looked for it is the same time, of which no index is of any use: left with it,
    PostgreSQL reads the words of every row, the soonest first, for a word that is rare.
    """
    if to.words and named_incident(to.words) is None:
        return ExpressionWrapper(F("due_ends_at") + timedelta(), output_field=DateTimeField())
    return F("due_ends_at")


def board(user: User, to: ActionNarrowing, *, at: datetime, size: int) -> Iterator[Column]:
    """Yield the columns of the board, whatever state it is narrowed to: eight queries at most.

    What is to be done stands with the soonest due first; what is done, with the newest first.

    :raises NothingToFind: if the words that narrow it hold none
    """
    seen = _narrowed(_seen_by(user), user, to, at=at, states=list(ActionState))
    counts = dict(seen.order_by().values_list("state").annotate(Count("pk")))
    rows = seen.select_related("incident", "owner").defer("incident__summary")
    for state in ActionState:
        count = counts.get(state, 0)
        found = rows.filter(state=state).order_by(*_order_of(state, to))[:size] if count else []
        yield Column(state=state, count=count, actions=list(found))


def _order_of(state: ActionState, to: ActionNarrowing) -> tuple[Any, ...]:
    if state == ActionState.DONE:
        return ("-done_at", "-pk")
    return ("-pk",) if state in FINISHED else (place_of_actions(to), "pk")


def action_owners() -> QuerySet[User]:
    """Return whoever owns an action item, by name."""
    owned = ActionItem.objects.filter(owner=OuterRef("pk"))
    return User.objects.filter(Exists(owned)).order_by("username")


def action_views(user: User) -> QuerySet[ActionView]:
    """Return the saved views that somebody may use: their own, then what others share."""
    return (
        ActionView.objects.filter(Q(owner=user) | Q(is_shared=True))
        .select_related("owner")
        .order_by(Case(If(owner=user, then=Value(0)), default=Value(1)), "name", "pk")
    )


def action_days() -> dict[Severity, int]:
    """Return within how many days action items are done, of each severity that has a policy."""
    rules = SeverityRule.objects.filter(action_days__isnull=False)
    return {
        Severity(name): days or 0 for name, days in rules.values_list("severity", "action_days")
    }


def is_beyond(action: ActionItem, days: Mapping[Severity, int], *, at: datetime) -> bool:
    """Whether an action item, with its incident, took or takes longer than is agreed on."""
    allowed = days.get(Severity(action.incident.severity))
    if allowed is None or action.state == ActionState.WONT_DO:
        return False
    began_at = action.created_at
    if action.incident.kind == IncidentKind.BACKFILLED and action.incident.resolved_at:
        began_at = action.incident.resolved_at
    ended_at = action.done_at if action.state == ActionState.DONE else at
    return ended_at is not None and ended_at > began_at + timedelta(days=allowed)


def closing_times(user: User, *, at: datetime) -> list[Closing]:
    """Return how long action items took, by severity, of all that somebody may see. Two queries.

    From when they were written down, or, of an incident that was written down after it was over,
    from its end; until they were done.
    """
    days = action_days()
    beyond = _beyond(days, at)
    took = Greatest(
        ExpressionWrapper(
            Coalesce("done_until", "done_at") - F("base_at"), output_field=DurationField()
        ),
        Value(timedelta(), output_field=DurationField()),
    )
    is_done = Q(state=ActionState.DONE)
    rows = (
        _seen_by(user)
        .annotate(base_at=_BASE, took=Case(If(is_done, then=took), default=None))
        .order_by()
        .values("incident__severity")
        .annotate(
            done=Count("pk", filter=is_done),
            within=Count("pk", filter=is_done & ~beyond),
            low=_Quantile(F("took"), share=0.25),
            median=_Quantile(F("took"), share=0.5),
            high=_Quantile(F("took"), share=0.75),
            left=Count("pk", filter=Q(state__in=UNFINISHED)),
            beyond=Count("pk", filter=Q(state__in=UNFINISHED) & beyond),
        )
    )
    found: dict[str, dict[str, Any]] = {
        row["incident__severity"]: {
            name: value for name, value in row.items() if name != "incident__severity"
        }
        for row in rows
    }
    none = {"low": None, "median": None, "high": None}
    zero = {"done": 0, "within": 0, "left": 0, "beyond": 0}
    return [
        Closing(severity=severity, days=days.get(severity), **found.get(severity, none | zero))
        for severity in Severity
    ]


def _seen_by(user: User) -> QuerySet[ActionItem]:
    """Return the rows of all incidents but the private ones of others, which are a few."""
    hidden = Incident.objects.hidden_from(user).values("pk")
    return ActionItem.objects.exclude(incident__in=hidden)


def _narrowed(
    rows: QuerySet[ActionItem],
    user: User,
    to: ActionNarrowing,
    *,
    at: datetime,
    states: Sequence[ActionState] = (),
) -> QuerySet[ActionItem]:
    exact = {
        "priority": to.priority,
        "kind": to.kind,
        "incident__severity": to.severity,
        "incident": to.incident,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted := states or _states(to.state):
        rows = rows.filter(state__in=wanted)
    rows = _owned(rows, user, to.owner)
    if to.public:
        rows = rows.filter(is_public=True)
    if to.overdue:
        rows = rows.filter(due_ends_at__lt=at, state__in=UNFINISHED)
    if to.due_before:
        day = to.due_before
        before = min(datetime(day.year, day.month, day.day, tzinfo=UTC), NEVER)
        rows = rows.filter(due_ends_at__lt=before)
    if to.beyond:
        rows = rows.alias(base_at=_BASE).filter(_beyond(action_days(), at))
    if (number := named_incident(to.words)) is not None:
        rows = rows.filter(incident=number)
    elif to.words:
        rows = rows.alias(words=words_of("text")).filter(words=read_words(to.words))
    return rows


def _states(named: str) -> Sequence[ActionState]:
    """Return the states that are meant; none for all of them."""
    if named == ANY:
        return ()
    return [ActionState(named)] if named else UNFINISHED


def _owned(rows: QuerySet[ActionItem], user: User, owner: str) -> QuerySet[ActionItem]:
    match owner:
        case "":
            return rows
        case "me":
            return rows.filter(owner=user)
        case "none":
            return rows.filter(owner__isnull=True, owner_label="")
    return rows.filter(owner=int(owner))


def _beyond(days: Mapping[Severity, int], at: datetime) -> Q:
    """Return what is past its days, of rows that have a ``base_at``."""
    found = Q(pk__in=[])
    for severity, allowed in days.items():
        limit = timedelta(days=allowed)
        left = Q(("base_at__lt", at - limit), state__in=UNFINISHED)
        done = Q(("done_at__gt", F("base_at") + limit), state=ActionState.DONE)
        found |= Q(incident__severity=severity) & (left | done)
    return found
