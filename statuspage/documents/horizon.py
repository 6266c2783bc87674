"""The data horizon of an incident: up to when everything is there, and what is lost for good."""

from collections.abc import Iterator
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import Impact, Incident
from incidents.values import ImpactKind
from statuspage.documents.facts import Facts
from statuspage.documents.moments import iso, when

_FOR_ALL = {
    ImpactKind.DATA_UNAVAILABLE: _lazy("Everything up to {moment} is back; later changes follow."),
    ImpactKind.DATA_LOST: _lazy("Changes made after {moment} are lost."),
}
_FOR_ONE = {
    ImpactKind.DATA_UNAVAILABLE: _lazy(
        "{component}: everything up to {moment} is back; later changes follow."
    ),
    ImpactKind.DATA_LOST: _lazy("{component}: changes made after {moment} are lost."),
}


def horizons(facts: Facts, incident: Incident) -> list[SafeString]:
    """Return, in sentences, from when on data is missing now."""
    return [_sentence(facts, impact) for impact in _missing(facts, incident)]


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


def _sentence(facts: Facts, impact: Impact) -> SafeString:
    assert impact.data_from_at is not None
    kind, at = ImpactKind(impact.kind), impact.data_from_at
    moment = when(at, facts.zone, year=True, seconds=bool(at.second))
    if impact.component is None:
        return format_html(str(_FOR_ALL[kind]), moment=moment)
    return format_html(str(_FOR_ONE[kind]), moment=moment, component=impact.component.name)
