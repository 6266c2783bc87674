"""What a check of recovery targets says of standbys: warm and recent, behind, or not running."""

from datetime import timedelta

from backups.models import Standby, StandbyState
from backups.options.words import duration
from backups.queries.standbys import warmth_of
from backups.runner.watching.base import Subject

# It is looked after each minute; a worker that is busy may leave some rounds out.
SEEN_WITHIN = timedelta(minutes=10)


def unready(standby: Standby, subject: Subject) -> str:
    """Say why what is kept at a target is no way back for this database; empty if it is one."""
    if standby.database_id != subject.database.pk:
        return f"keeps a standby of {standby.database}"
    if standby.state == StandbyState.TAKEN:
        return f"has its standby brought up by {standby.taken_by}"
    if standby.state == StandbyState.FOLLOWING and standby.warm_until_at is not None:
        return ""
    return "keeps a standby that is not warm yet"


def told(standby: Standby, subject: Subject) -> str:
    """Say how a standby stands, as evidence."""
    words = warmth_of(standby, at=subject.at).words
    return f"standby: {words[:1].lower()}{words[1:]}"


def amiss(subject: Subject) -> list[str]:
    """Say of each standby of a database what is amiss with it, if anything is."""
    found = []
    for standby in subject.around.standbys.values():
        if standby.database_id != subject.database.pk:
            continue
        if standby.trouble:
            found.append(f"The standby at {standby.target} does not follow: {standby.trouble}")
        elif standby.state == StandbyState.FOLLOWING and _is_unseen(standby, subject):
            since = standby.seen_at or standby.requested_at
            found.append(
                f"The standby at {standby.target} was not seen running for "
                f"{duration(subject.at - since)}."
            )
    return found


def _is_unseen(standby: Standby, subject: Subject) -> bool:
    return subject.at - (standby.seen_at or standby.requested_at) > SEEN_WITHIN
