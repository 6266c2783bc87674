"""Figures over incidents: medians and quartiles, and the list behind them; never a lone mean.

Counted are the kept figures that somebody may know of. Duplicates and false alarms are left out,
and drills unless they are asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import connection, transaction
from django.db.models import (
    Aggregate,
    Count,
    Exists,
    F,
    FloatField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
)
from django.db.models.functions import TruncQuarter, TruncYear

from accounts.models import User
from incidents.models import Component, Incident, IncidentFigures, Measure, RootCause
from incidents.spans import Span
from incidents.values import CauseKind, IncidentKind, Severity

_QUARTERS, _MORE_QUARTERS = 4, 8
_MONTHS = 12
_FIGURES = "incident__figures__"


class Quartiles(Aggregate):
    """The lower quartile, the median and the upper quartile, as PostgreSQL interpolates them."""

    function = "percentile_cont"
    template = "%(function)s(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = ArrayField(FloatField())
    allow_distinct = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Of which incidents: those that began in it, shown by quarter or by year. Times are UTC."""

    code: str
    label: str
    since: datetime | None = None
    until: datetime | None = None
    is_by_year: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What figures are counted over. What is empty narrows nothing, but for drills."""

    period: Period
    severity: str = ""
    component: int | None = None
    cause: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Middle:
    """How long something took in the middle of so many incidents: quartiles and median.

    ``known`` of ``count`` incidents say how long it took; ``coarse`` of those give a range, and
    then the quartiles are ranges, too: between those of the least and those of the most.
    """

    count: int
    known: int
    coarse: int
    lower: Span | None = None
    median: Span | None = None
    upper: Span | None = None

    @property
    def unknown(self) -> int:
        return self.count - self.known

    @classmethod
    def read(cls, row: Mapping[str, Any], measure: str = "") -> Self:
        """Read what was asked of PostgreSQL, under the names that `_asked` gives."""
        name = f"{measure}_" if measure else ""
        low = row.get(f"{name}quartiles_low")
        high = row.get(f"{name}quartiles_high") or low
        spans: list[Span | None] = [None, None, None]
        if low is not None and high is not None:
            spans = [
                Span(low=timedelta(seconds=round(least)), high=timedelta(seconds=round(most)))
                for least, most in zip(low, high, strict=True)
            ]
        return cls(
            count=row["count"],
            known=row[f"{name}known"],
            coarse=row[f"{name}coarse"],
            lower=spans[0],
            median=spans[1],
            upper=spans[2],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Incidents that have something in common; ``value`` is its name in an address."""

    label: str
    value: str
    middle: Middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Figures over the incidents that were chosen, of each measure and of all promises."""

    count: int
    duplicates: int
    false_alarms: int
    promises_kept: int
    promises_settled: int
    with_promises: int
    measures: Mapping[Measure, Middle] = field(default_factory=dict)


def periods(user: User, *, at: datetime) -> list[Period]:
    """Return what can be chosen: the last quarters, all years, and each year of the record."""
    rows = IncidentFigures.objects.filter(_seen(user), began_at__lte=at)
    first = rows.aggregate(first=Min("began_at"))["first"] or at
    now = at.astimezone(UTC)
    return [
        _last_quarters(now, _QUARTERS, code="", label="The last 4 quarters"),
        _last_quarters(now, _MORE_QUARTERS, code="8q", label="The last 8 quarters"),
        Period(code="all", label="All years", is_by_year=True),
        *(
            Period(
                code=str(year),
                label=str(year),
                since=datetime(year, 1, 1, tzinfo=UTC),
                until=datetime(year + 1, 1, 1, tzinfo=UTC),
            )
            for year in range(now.year, first.astimezone(UTC).year - 1, -1)
        ),
    ]


def _last_quarters(now: datetime, count: int, *, code: str, label: str) -> Period:
    """Return so many quarters up to now, the one under way among them."""
    month = (now.year * _MONTHS + now.month - 1) // 3 * 3 - 3 * (count - 1)
    year, month = divmod(month, _MONTHS)
    return Period(code=code, label=label, since=datetime(year, month + 1, 1, tzinfo=UTC))


@contextmanager
def counting() -> Iterator[None]:
    """Let PostgreSQL count on one processor, and compile nothing: that would take longer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('jit', 'off', true), "
            "set_config('max_parallel_workers_per_gather', '0', true)"
        )
        yield


def overview(user: User, chosen: Chosen) -> Overview:
    """Return the figures over what was chosen, in three queries."""
    rows = IncidentFigures.objects.filter(_conditions(user, chosen))
    parts = rows.order_by().values("is_duplicate", "is_false_alarm").annotate(count=Count("pk"))
    left_out = {(row["is_duplicate"], row["is_false_alarm"]): row["count"] for row in parts}
    asked: dict[str, Any] = {}
    for measure in Measure.values:
        asked[f"{measure}_known"] = Count(f"{measure}_low")
        asked[f"{measure}_coarse"] = _coarse(measure)
        asked[f"{measure}_quartiles_low"] = Quartiles(f"{measure}_low")
    told = counted(user, chosen).aggregate(
        count=Count("pk"),
        kept=Sum("promises_kept", default=0),
        settled=Sum("promises_settled", default=0),
        with_promises=Count("pk", filter=Q(promises_settled__gt=0)),
        **asked,
    )
    # Each of them is a sort: where every figure is exact, the most is the least.
    told |= counted(user, chosen).aggregate(
        any=Count("pk"),
        **{
            f"{measure}_quartiles_high": Quartiles(f"{measure}_high")
            for measure in Measure.values
            if told[f"{measure}_coarse"]
        },
    )
    return Overview(
        count=told["count"],
        duplicates=left_out.get((True, False), 0) + left_out.get((True, True), 0),
        false_alarms=left_out.get((False, True), 0),
        promises_kept=told["kept"],
        promises_settled=told["settled"],
        with_promises=told["with_promises"],
        measures={measure: Middle.read(told, measure.value) for measure in Measure},
    )


def by_period(user: User, chosen: Chosen, measure: Measure) -> list[Group]:
    """Return one measure by the quarter or year in which incidents began, the oldest first."""
    is_by_year = chosen.period.is_by_year
    start = (TruncYear if is_by_year else TruncQuarter)("began_at", tzinfo=UTC)
    rows = counted(user, chosen).annotate(start=start).order_by().values("start")
    found = rows.annotate(**_asked(measure)).order_by("start")
    return [
        Group(
            label=f"{row['start']:%Y}" if is_by_year else _quarter(row["start"]),
            value=f"{row['start']:%Y}",
            middle=Middle.read(row),
        )
        for row in found
    ]


def by_severity(user: User, chosen: Chosen, measure: Measure) -> list[Group]:
    """Return one measure by severity, the gravest first."""
    rows = counted(user, chosen).order_by().values("severity").annotate(**_asked(measure))
    return _in_order(rows, "severity", dict(Severity.choices), str)


def by_component(
    user: User, chosen: Chosen, measure: Measure, components: Iterable[Component]
) -> list[Group]:
    """Return one measure by component, in their order: an incident counts for each of its own."""
    links = Incident.components.through.objects.filter(_counted(user, chosen, _FIGURES))
    rows = links.values("component_id").annotate(**_asked(measure, _FIGURES))
    labels = {
        part.pk: f"{part.group.name}: {part.name}" if part.group else part.name
        for part in components
    }
    return _in_order(rows, "component_id", labels, int)


def by_cause(user: User, chosen: Chosen, measure: Measure) -> list[Group]:
    """Return one measure by the kinds of causes: an incident counts once for each of its kinds."""
    causes = RootCause.objects.live().filter(_counted(user, chosen, _FIGURES))
    before = RootCause.objects.live().filter(
        incident=OuterRef("incident"), kind=OuterRef("kind"), pk__lt=OuterRef("pk")
    )
    rows = causes.filter(~Exists(before)).values("kind").annotate(**_asked(measure, _FIGURES))
    return _in_order(rows, "kind", dict(CauseKind.choices), str)


def counted(user: User, chosen: Chosen) -> QuerySet[IncidentFigures]:
    """Return the kept figures that were chosen and that count."""
    return IncidentFigures.objects.filter(_counted(user, chosen))


def longest_first(user: User, chosen: Chosen, measure: Measure) -> QuerySet[IncidentFigures]:
    """Return the list behind the figures: what took longest first, what is not known last."""
    return counted(user, chosen).order_by(F(f"{measure.value}_high").desc(nulls_last=True), "-pk")


def kept_span(row: IncidentFigures, measure: Measure) -> Span | None:
    """Return what a kept row says of a measure."""
    low, high = (getattr(row, f"{measure.value}_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return None
    return Span(low=timedelta(seconds=low), high=timedelta(seconds=high))


def _seen(user: User, prefix: str = "") -> Q:
    hidden = Incident.objects.hidden_from(user).values("pk")
    return ~Q(**{f"{prefix}incident__in": hidden})


def _counted(user: User, chosen: Chosen, prefix: str = "") -> Q:
    counts = Q(**{f"{prefix}is_duplicate": False, f"{prefix}is_false_alarm": False})
    return counts & _conditions(user, chosen, prefix)


def _conditions(user: User, chosen: Chosen, prefix: str = "") -> Q:
    """Return what a kept row, behind ``prefix``, has to be: known to somebody, and chosen."""
    found = _seen(user, prefix)
    drills = Q(**{f"{prefix}kind": IncidentKind.DRILL})
    found &= Q(**{f"{prefix}kind": chosen.kind}) if chosen.kind else ~drills
    if chosen.period.since:
        found &= Q(**{f"{prefix}began_at__gte": chosen.period.since})
    if chosen.period.until:
        found &= Q(**{f"{prefix}began_at__lt": chosen.period.until})
    if chosen.severity:
        found &= Q(**{f"{prefix}severity": chosen.severity})
    if chosen.component is not None:
        parts = Component.objects.filter(Q(pk=chosen.component) | Q(group=chosen.component))
        links = Incident.components.through.objects.filter(component__in=parts)
        found &= Q(**{f"{prefix}incident__in": links.values("incident_id")})
    if chosen.cause:
        causes = RootCause.objects.live().filter(kind=chosen.cause)
        found &= Q(**{f"{prefix}incident__in": causes.values("incident_id")})
    return found


def _coarse(measure: str, prefix: str = "") -> Count:
    low, high = f"{prefix}{measure}_low", f"{prefix}{measure}_high"
    return Count(low, filter=Q(**{f"{high}__gt": F(low)}))


def _asked(measure: Measure, prefix: str = "") -> dict[str, Any]:
    low, high = f"{prefix}{measure.value}_low", f"{prefix}{measure.value}_high"
    return {
        "count": Count("pk"),
        "known": Count(low),
        "coarse": _coarse(measure.value, prefix),
        "quartiles_low": Quartiles(low),
        "quartiles_high": Quartiles(high),
    }


def _in_order(
    rows: Iterable[Mapping[str, Any]],
    name: str,
    labels: Mapping[Any, Any],
    key: Callable[[Any], Any],
) -> list[Group]:
    """Return the groups in the order of their labels; those that have none are left out."""
    found = {key(row[name]): row for row in rows}
    return [
        Group(label=str(label), value=str(value), middle=Middle.read(found[key(value)]))
        for value, label in labels.items()
        if key(value) in found
    ]


def _quarter(start: datetime) -> str:
    return f"{start:%Y} Q{(start.month + 2) // 3}"
