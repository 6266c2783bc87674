"""The one sentence at the top: never better than what is open, never worse than what is so."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from incidents.models import Incident
from incidents.values import ComponentStatus, ImpactLevel
from statuspage.documents import v2
from statuspage.documents.facts import Facts
from statuspage.documents.rollup import Rollup

# From calm to grave; both vocabularies, that of the API and that of incidents.
_GRAVITY = ("none", "maintenance", "minor", "major", "critical")
_UNTROUBLED = (ComponentStatus.OPERATIONAL, ComponentStatus.UNDER_MAINTENANCE)
_SENTENCES = {
    "All Systems Operational": _lazy("All systems operational"),
    "Service Under Maintenance": _lazy("Service under maintenance"),
    "Partially Degraded Service": _lazy("Partially degraded service"),
    "Minor Service Outage": _lazy("Minor service outage"),
    "Partial System Outage": _lazy("Partial system outage"),
    "Major Service Outage": _lazy("Major service outage"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The sentence, its second line, and how grave it looks.

    ``indicator`` is the public API's word; ``level`` may be graver, when an incident is open
    while every component works.
    """

    sentence: str
    detail: str
    indicator: str
    level: str

    @property
    def mark(self) -> str:
        """The component status whose shape stands for this level."""
        return _MARKS[self.level]

    @property
    def tint(self) -> str:
        """The colour of the tab's icon."""
        return _TINTS[self.level]


_MARKS = {
    "none": "operational",
    "maintenance": "under_maintenance",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "major_outage",
}
_TINTS = {
    "none": "168a4f",
    "maintenance": "2f65d0",
    "minor": "c98a00",
    "major": "d9610f",
    "critical": "cf2b2b",
}


def banner(facts: Facts) -> Banner:
    """Return what the page says above all."""
    found, unresolved = v2.rollup(facts), facts.unresolved
    return Banner(
        sentence=_sentence(facts, found),
        detail=_detail(facts, unresolved),
        indicator=found.indicator,
        level=max(
            [
                found.indicator,
                # Work under way is no plain green, even where customers notice nothing.
                *("maintenance" for _row in facts.running),
                *(_level(incident) for incident in unresolved),
            ],
            key=_GRAVITY.index,
        ),
    )


def _level(incident: Incident) -> str:
    # An open incident without impact is still no plain green.
    return "minor" if incident.impact == ImpactLevel.NONE else incident.impact


def _sentence(facts: Facts, found: Rollup) -> str:
    unresolved = facts.unresolved
    if unresolved and found.indicator == "none":
        return ngettext(
            "Components operational, %d open incident",
            "Components operational, %d open incidents",
            len(unresolved),
        ) % len(unresolved)
    if unresolved and found.indicator == "maintenance":
        return ngettext(
            "Service under maintenance, %d open incident",
            "Service under maintenance, %d open incidents",
            len(unresolved),
        ) % len(unresolved)
    if facts.running and found.indicator == "none":
        return _("Components operational, maintenance in progress")
    return str(_SENTENCES[found.description])


def _detail(facts: Facts, unresolved: list[Incident]) -> str:
    parts = [part for part in facts.components if not part.is_group]
    # What is under maintenance is in no trouble: it is as it was planned.
    troubled = sum(part.status not in _UNTROUBLED for part in parts)
    if troubled:
        figures = {"troubled": troubled, "all": len(parts), "open": len(unresolved)}
        if not unresolved:
            return _("%(troubled)d of %(all)d components affected") % figures
        return (
            ngettext(
                "%(troubled)d of %(all)d components affected, %(open)d open incident",
                "%(troubled)d of %(all)d components affected, %(open)d open incidents",
                len(unresolved),
            )
            % figures
        )
    if unresolved:
        return unresolved[0].title
    if facts.running:
        return _("Maintenance in progress: {title}").format(title=facts.running[0].title)
    return _("No open incidents.") if parts else _("No components are listed yet.")
