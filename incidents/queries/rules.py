"""Questions about what staff have agreed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from incidents.cadence import LONG, PHASES, usual_minutes
from incidents.models import Cadence, DeskRules, SeverityRule
from incidents.values import Phase, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What holds now: staff's own where they have said so, and what is usual elsewhere.

    ``minutes`` by severity and phase, "" for long incidents.
    """

    desk: DeskRules
    severities: Mapping[Severity, SeverityRule]
    minutes: Mapping[tuple[Severity, Phase | Literal[""]], int]


def agreed() -> Agreed:
    """Return all rules that hold now, in three queries."""
    own = {(row.severity, row.phase): row.minutes for row in Cadence.objects.all()}
    rules = {rule.severity: rule for rule in SeverityRule.objects.all()}
    return Agreed(
        desk=DeskRules.objects.in_force(),
        severities={
            severity: rules.get(severity) or SeverityRule.objects.usual(severity)
            for severity in Severity
        },
        minutes={
            (severity, phase): own.get((severity, phase), usual_minutes(severity, phase))
            for severity in Severity
            for phase in (*PHASES, LONG)
        },
    )
