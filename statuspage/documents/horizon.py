"""The data horizon of an incident: up to when everything is there, and what is lost for good."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import Impact, Incident
from incidents.values import ImpactKind, ProgressState
from statuspage.documents.facts import Facts
from statuspage.documents.moments import iso, when
from statuspage.documents.progress import reports_of

_BACK = _lazy("Everything up to {moment} is back; later changes follow.")
_FOR_ALL = {
    ImpactKind.DATA_UNAVAILABLE: _lazy("Changes made since {moment} are not available."),
    ImpactKind.DATA_LOST: _lazy("Changes made after {moment} are lost."),
}
_FOR_ONE = {
    ImpactKind.DATA_UNAVAILABLE: _lazy(
        "{component}: changes made since {moment} are not available."
    ),
    ImpactKind.DATA_LOST: _lazy("{component}: changes made after {moment} are lost."),
}


def horizons(facts: Facts, incident: Incident) -> list[SafeString]:
    """Return, in sentences, from when on data is missing now."""
    back_until = _back_until(incident)
    return [_sentence(facts, impact, back_until) for impact in _missing(facts, incident)]


def horizon_objects(facts: Facts, incident: Incident) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "kind": impact.kind,
            "data_until": iso(impact.data_from_at, facts.zone),
            "component_id": impact.component.public_id if impact.component else None,
        }
        for impact in _missing(facts, incident)
        if impact.data_from_at
    ]


def _missing(facts: Facts, incident: Incident) -> Iterator[Impact]:
    shown = {component.pk for component in facts.components}
    found: list[Impact] = incident.missing  # type: ignore[attr-defined]
    for impact in found:
        if impact.component_id is None or impact.component_id in shown:
            yield impact


def _back_until(incident: Incident) -> datetime | None:
    """Return up to when restores have brought everything back; None if they have not.

    That some data is missing says nothing of the rest: that it is there, only a restore can say.
    """
    reports = [row for row in reports_of(incident) if row.state != ProgressState.CANCELLED]
    moments = [row.data_until_at for row in reports if row.state == ProgressState.SUCCEEDED]
    known = [at for at in moments if at is not None]
    return min(known) if known and len(known) == len(reports) else None


def _sentence(facts: Facts, impact: Impact, back_until: datetime | None) -> SafeString:
    assert impact.data_from_at is not None
    kind, at = ImpactKind(impact.kind), impact.data_from_at
    moment = when(at, facts.zone, year=True, seconds=bool(at.second))
    if impact.component is None:
        if kind == ImpactKind.DATA_UNAVAILABLE and back_until is not None and at <= back_until:
            return format_html(str(_BACK), moment=moment)
        return format_html(str(_FOR_ALL[kind]), moment=moment)
    return format_html(str(_FOR_ONE[kind]), moment=moment, component=impact.component.name)
