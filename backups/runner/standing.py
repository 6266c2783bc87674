"""What a policy comes to at its worst, as long as nobody changes it."""

from datetime import datetime

from backups.models import Database
from backups.options.effect import Standing, standing_of
from backups.queries import ground_of, terms_of
from backups.runner.options import read_facts


def policy_standing(*, database_id: int, at: datetime) -> Standing | None:
    """Return what a loss at the worst moment of the policy would cost; None without a policy.

    Asks neither storage nor machine: what is on record counts.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    terms = terms_of(database)
    if terms is None:
        return None
    return standing_of(read_facts(database_id=database_id, at=at), ground_of(database), terms)
