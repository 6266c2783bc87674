"""What a policy comes to at its worst, as long as nobody changes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.models import Backup, BackupPolicy, Database, RecoveryTarget
from backups.options.effect import Standing, standing_of
from backups.queries import ground_of, terms_of
from backups.runner.options import read_facts

# What is kept is worked out anew so often, each policy at a minute of its own.
EVERY = timedelta(hours=1)
_APART = timedelta(seconds=97)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a loss at the worst moment would cost, in words, and which promises that breaks.

    ``doubts`` are those of which it is not known.
    """

    words: str
    breaks: list[str]
    doubts: list[str]


def policy_standing(*, database_id: int, at: datetime) -> Standing | None:
    """Return what a loss at the worst moment of the policy would cost; None without a policy.

    Asks neither storage nor machine: what is on record counts.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    terms = terms_of(database)
    if terms is None:
        return None
    return standing_of(read_facts(database_id=database_id, at=at), ground_of(database), terms)


def kept_standing(
    database: Database,
    policy: BackupPolicy,
    *,
    newest: Backup | None,
    targets: Iterable[RecoveryTarget],
    at: datetime,
) -> Kept:
    """Return the same in words, as it was worked out within the hour.

    At once anew when the policy, the objectives, the newest backup or the targets are others:
    what else it rests on (how quick storages and earlier restores were) changes slowly.
    """
    ground = (
        policy.version,
        database.recovery_point_objective,
        database.recovery_time_objective,
        newest and (newest.pk, newest.stored_bytes),
        [(each.pk, each.server_version) for each in targets],
        int((at.timestamp() + policy.pk * _APART.total_seconds()) // EVERY.total_seconds()),
    )
    kept = policy.standing
    if kept.get("of") != repr(ground):
        found = policy_standing(database_id=database.pk, at=at)
        kept = {
            "of": repr(ground),
            "words": found.words if found else "",
            "breaks": list(found.breaks) if found else [],
            "doubts": list(found.doubts) if found else [],
        }
        BackupPolicy.objects.filter(pk=policy.pk).update(standing=kept)
    return Kept(words=kept["words"], breaks=kept["breaks"], doubts=kept["doubts"])
