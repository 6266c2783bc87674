"""Questions about what customers went without, and about who they are."""

from django.db.models import Q, QuerySet

from incidents.models import Impact, Tenant

# As many as a person reads through.
_MOST_TENANTS = 10


def impacts(incident_id: int) -> QuerySet[Impact]:
    """Return what is on record of an incident, the oldest first."""
    return (
        Impact.objects.live()
        .filter(incident_id=incident_id)
        .select_related("component__group", "tenant")
        .order_by("at", "pk")
    )


def tenants_like(words: str) -> list[Tenant]:
    """Return tenants by a part of their name, or by their key: a few, in order of their names."""
    if not words.strip():
        return []
    found = Tenant.objects.filter(Q(name__icontains=words.strip()) | Q(key=words.strip()))
    return list(found.order_by("name", "pk")[:_MOST_TENANTS])
