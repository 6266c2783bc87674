"""Questions about what customers went without, and about who they are."""

import re
from collections import Counter
from collections.abc import Sequence

from django.db.models import Case, Q, QuerySet, When

from incidents.models import Impact, Tenant

# As many as a person reads through.
_MOST_TENANTS = 10
_CALLED = re.compile(r"(?P<name>.+) \((?P<key>[^()]+)\)")


def impacts(incident_id: int) -> QuerySet[Impact]:
    """Return what is on record of an incident, the oldest first."""
    return (
        Impact.objects.live()
        .filter(incident_id=incident_id)
        .select_related("component__group", "tenant")
        .order_by("at", "pk")
    )


def tenants_like(words: str) -> list[Tenant]:
    """Return tenants by a part of their name, or by their key: a few, in order of their names.

    Whoever is called just so comes first. The key may stand in brackets behind the name.
    """
    words = words.strip()
    if not words:
        return []
    if called := _CALLED.fullmatch(words):
        named = list(Tenant.objects.filter(key=called["key"], name=called["name"]))
        if named:
            return named
    found = Tenant.objects.filter(Q(name__icontains=words) | Q(key=words))
    by_name = found.order_by(Case(When(name=words, then=0), default=1), "name", "pk")
    return list(by_name[:_MOST_TENANTS])


def called(tenants: Sequence[Tenant]) -> list[str]:
    """Return what each of these is called so that it is found again: its key only if need be."""
    names = Counter(
        Tenant.objects.filter(name__in=[tenant.name for tenant in tenants])
        .order_by()
        .values_list("name", flat=True)
    )
    return [
        tenant.name if names[tenant.name] == 1 else f"{tenant.name} ({tenant.key})"
        for tenant in tenants
    ]
