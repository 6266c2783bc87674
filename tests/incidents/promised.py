"""What customers were promised, as tests look at it."""

from incidents.models import Promise
from incidents.values import PromiseKind


def open_promise(incident_id: int, kind: PromiseKind) -> Promise | None:
    """Return the promise of this kind that stands now."""
    return Promise.objects.open().filter(incident_id=incident_id, kind=kind).first()
