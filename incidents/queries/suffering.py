"""How components are likely to be when customers hear first, and whether that is said."""

from incidents.models import Incident
from incidents.plans import LIKELY, likely_states
from incidents.values import ComponentStatus, Phase, Severity

_UNMENDED = (Phase.INVESTIGATING, Phase.IDENTIFIED)
_NEWEST = 2


def proposed_states(incident: Incident) -> dict[int, ComponentStatus]:
    """Return the states to propose, by the component's id, with the next word to customers.

    Before the first word of a grave incident, and again once it is reopened: for those of its
    components that show as working. Nothing for an incident that customers do not see.
    """
    if Severity(incident.severity) not in LIKELY or not begins(incident):
        return {}
    return likely_states(incident)


def begins(incident: Incident) -> bool:
    """Whether the next word is the first that people say to customers, or say again to them."""
    if incident.is_resolved or not (incident.is_for_customers and incident.moves_components):
        return False
    if incident.published_at is None:
        return True
    # That it is open again, the desk has said by itself.
    newest = incident.updates.told().newest_first().values_list("phase", flat=True)[:_NEWEST]
    return list(newest) == [Phase.INVESTIGATING, Phase.RESOLVED]


def shows_as_working(incident: Incident) -> bool:
    """Whether customers read of a grave incident while none of its components shows it."""
    return (
        incident.is_public
        and incident.phase in _UNMENDED
        and Severity(incident.severity) in LIKELY
        and not incident.components.exclude(status=ComponentStatus.OPERATIONAL).exists()
    )
