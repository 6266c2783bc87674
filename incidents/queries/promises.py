"""Questions about what was promised to customers, and about what they have not read yet."""

from django.db.models import QuerySet

from incidents.models import Promise, StatusUpdate
from incidents.values import PromiseOutcome, UpdateState


def drafts(incident_id: int) -> QuerySet[StatusUpdate]:
    """Return the updates that customers have not read: drafts and those in review, oldest first."""
    unsent = [UpdateState.DRAFT, UpdateState.IN_REVIEW]
    return (
        StatusUpdate.objects.filter(incident_id=incident_id, state__in=unsent)
        .select_related("author")
        .order_by("created_at", "pk")
    )


def promises_kept(incident_id: int) -> tuple[int, int]:
    """Return how many promises were kept, and of how many that came true or did not.

    Those that were replaced in time, or taken back openly, are neither.
    """
    kept = list(
        Promise.objects.filter(
            incident_id=incident_id, outcome__in=[PromiseOutcome.MET, PromiseOutcome.MISSED]
        ).values_list("outcome", flat=True)
    )
    return kept.count(PromiseOutcome.MET), len(kept)
