"""What holds for all choices, or why there is none."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from backups.options.risks import of_keys
from backups.options.values import BackupFacts, Facts, Risk, Severity
from backups.options.words import to_the_second, told


def notes_on(facts: Facts) -> Iterator[Risk]:
    """Say what keeps a way back from being offered, and what is known of the archive itself."""
    if not facts.targets:
        yield Risk(
            "no-target",
            Severity.BLOCKS,
            "No recovery target is registered. Register one: manage.py register_recovery_target.",
        )
    whole = [backup for backup in facts.backups if backup.until_at is not None]
    if not whole and not any(backup.elsewhere for backup in facts.backups):
        yield Risk(
            "no-backup",
            Severity.BLOCKS,
            "No backup is known that could be restored. Take one, or read the archive again.",
        )
    elif whole and facts.moment is not None:
        yield from _of_moment(whole, facts.moment)
    for backup in sorted(facts.backups, key=lambda each: each.ended_at):
        if backup.until_at is None and backup.missing:
            yield Risk(
                "backup-broken",
                Severity.WARNS,
                f"{backup.name} cannot be used: it needs the log file {backup.missing}, which is "
                f"missing in the archive. {_remedy(facts, backup)}",
            )
    yield from _of_holes(facts, whole)
    if facts.as_of is None:
        yield Risk("never-read", Severity.WARNS, "The archive was never read. Ask the storage.")
    yield from _of_silence(facts)


def _of_silence(facts: Facts) -> Iterator[Risk]:
    """Say which places gave no answer, and whose word stands here instead."""
    unheard = [place for place in facts.places if place.is_silent or place.keys_are]
    if not unheard:
        return
    heard = [place for place in facts.places if place not in unheard]
    silent = [place.name for place in unheard]
    mute = [place.name for place in unheard if not place.keys_are]
    said = [f"{', '.join(mute)} did not answer."] if mute else []
    said += [of_keys(place) for place in unheard if place.keys_are]
    words, read = " ".join(said), ""
    if facts.as_of is not None:
        read = f" What stands here was last read {to_the_second(facts.as_of)}"
    if heard and read:
        # The database's own place counts before its copies.
        source = next((place for place in heard if place.is_own), heard[0])
        words += f"{read} from {source.name}. What {' and '.join(silent)} holds now is not known."
    else:
        words += f"{read}." if read else " Nothing could be read so far."
    yield Risk("as-of", Severity.WARNS, words)


def _of_moment(whole: Sequence[BackupFacts], moment: datetime) -> Iterator[Risk]:
    first = min(whole, key=lambda backup: backup.ended_at)
    if moment < first.ended_at:
        yield Risk(
            "moment-out-of-reach",
            Severity.BLOCKS,
            f"The earliest point that can be restored is {told(first.ended_at)}, the end of the "
            "first backup. Ask for that or a later one.",
        )
        return
    backup = max((b for b in whole if b.ended_at <= moment), key=lambda b: b.ended_at)
    assert backup.until_at is not None
    if moment > backup.until_at:
        yield Risk(
            "moment-out-of-reach",
            Severity.WARNS,
            f"{told(moment)} cannot be reached; the last moment before it that can is "
            f"{told(backup.until_at)}.",
        )


def _of_holes(facts: Facts, whole: Sequence[BackupFacts]) -> Iterator[Risk]:
    """Say between which moments nothing can be restored."""
    seen = set()
    for backup in sorted(whole, key=lambda each: each.ended_at, reverse=True):
        if not backup.missing or backup.missing in seen:
            continue
        seen.add(backup.missing)
        later = [
            each.ended_at for each in whole if each.ended_at > (backup.until_at or each.ended_at)
        ]
        until = f"until {told(min(later))}, when the next backup ended" if later else "to the end"
        yield Risk(
            "log-gap",
            Severity.WARNS,
            f"The log file {backup.missing} is missing in the archive. From "
            f"{told(backup.until_at or backup.ended_at)} on {until}, no moment can be restored. "
            + _remedy(facts, backup),
        )


def _remedy(facts: Facts, backup: BackupFacts) -> str:
    having = [place.name for place in facts.places if place.id in backup.elsewhere]
    if not having:
        return "Bring it back."
    return f"{', '.join(having)} has it: read from there, or copy it back."
