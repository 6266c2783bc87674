"""What may go wrong with a choice, in stable codes and in words."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from backups.options.durations import NEVER_BASIS
from backups.options.values import (
    BackupFacts,
    Facts,
    PlaceFacts,
    Point,
    Range,
    Risk,
    Severity,
    Strategy,
    TargetFacts,
)
from backups.options.words import amount, duration, told

# A look at a recovery target that is older says little.
SEEN_LONG_AGO = timedelta(minutes=30)

_HELD = {
    "ours": "A restore that has stopped left its work at {name}. Resume it there, or cancel it.",
    "port": "Another program listens on the port of {name}. Stop it, or register another port.",
    "programs": "The PostgreSQL programs of {name} are not where it was registered. Install them, "
    "or register it anew.",
    "disk": "Nothing can be written to the disk of {name}. Mend that first.",
}


def of_target(target: TargetFacts, backup: BackupFacts, *, at: datetime) -> Iterator[Risk]:
    """Say why a machine may not be ready."""
    name = target.name
    if target.taken_by:
        yield Risk(
            "target-busy",
            Severity.BLOCKS,
            f"{target.taken_by} uses {name}. Wait for it, cancel it, or choose another target.",
        )
    elif target.occupied_by in _HELD:
        words = _HELD[target.occupied_by].format(name=name)
        yield Risk(f"target-{target.occupied_by}", Severity.BLOCKS, words)
    elif target.occupied_by:
        holds = "a running cluster" if target.occupied_by == "running" else "files of others"
        yield Risk(
            f"target-{target.occupied_by}",
            Severity.ASKS,
            f"The directory of {name} holds {holds}. It is moved aside only if you name it.",
        )
    if target.major is not None and not _runs(target.major, backup):
        yield Risk(
            "version-unfit",
            Severity.BLOCKS,
            f"{name} runs PostgreSQL {target.major}, and the backup is of {backup.major}. Register "
            "a target with the programs of that version.",
        )
    if target.seen_at is None:
        yield Risk(
            "target-unseen",
            Severity.WARNS,
            f"No worker has looked at {name} yet: its disk, port and version are not known.",
        )
    elif at - target.seen_at > SEEN_LONG_AGO:
        yield Risk(
            "target-seen-long-ago",
            Severity.WARNS,
            f"{name} was last looked at {duration(at - target.seen_at)} ago. Look again: its "
            "worker may be gone.",
        )


def _runs(major: int, backup: BackupFacts) -> bool:
    return major >= backup.major if backup.is_logical else major == backup.major


def of_disk(target: TargetFacts, cluster: int, stage: int) -> Iterator[Risk]:
    """Say what does not fit."""
    wants = [(cluster + stage, target.free_bytes)]
    if target.work_free_bytes is not None:
        wants = [(cluster, target.free_bytes), (stage, target.work_free_bytes)]
    for needed, free in wants:
        if free is not None and free < needed:
            yield Risk(
                "disk-short",
                Severity.BLOCKS,
                f"{amount(needed)} are needed on the disk of {target.name}, {amount(free)} are "
                "free. Make room, or choose another.",
            )


def of_place(
    place: PlaceFacts, fetch: Range, basis: str, *, places: int, at: datetime
) -> Iterator[Risk]:
    """Say what may slow or stop the fetch."""
    if place.is_silent:
        yield Risk(
            "place-silent",
            Severity.WARNS,
            f"{place.name} did not answer when it was asked just now.",
        )
    for window in place.windows:
        if window.meets(at, fetch.high):
            yield Risk(
                "saturation-ahead",
                Severity.WARNS,
                f"Saturation window ahead: {place.name} is busy {window.words}. The fetch may run "
                "into it; the times reckon with that.",
            )
    if basis == NEVER_BASIS:
        yield Risk(
            "never-measured",
            Severity.WARNS,
            f"Nothing was ever fetched from {place.name}: how long it takes is a guess.",
        )
    if places == 1:
        yield Risk(
            "one-source",
            Severity.NOTES,
            f"{place.name} alone has the objects: no other can help when it fails.",
        )


def of_backup(backup: BackupFacts, point: Point) -> Iterator[Risk]:
    """Say what is amiss with the backup and the log behind it."""
    if not backup.has_manifest:
        yield Risk(
            "no-manifest",
            Severity.WARNS,
            f"{backup.name} has no manifest: damage on the way is noticed late or not at all.",
        )
    if backup.missing and point != Point.BACKUP and backup.until_at is not None:
        yield Risk(
            "log-gap",
            Severity.WARNS,
            f"The log file {backup.missing} is missing in the archive: nothing after "
            f"{told(backup.until_at)} can be reached from {backup.name}.",
        )


def of_strategy(strategy: Strategy) -> Iterator[Risk]:
    if strategy != Strategy.STAGE:
        yield Risk(
            "begins-anew",
            Severity.NOTES,
            "What is unpacked while it arrives begins anew if its worker is lost in between.",
        )


def of_objectives(facts: Facts, *, until: datetime, usable: Range) -> Iterator[Risk]:
    """Say which promise the choice would break."""
    lost = facts.at - until
    if facts.may_lose is not None and lost > facts.may_lose:
        yield Risk(
            "over-rpo",
            Severity.WARNS,
            f"{duration(lost)} of data are missing; at most {duration(facts.may_lose)} may be.",
        )
    if facts.back_within is not None:
        within = facts.back_within.total_seconds()
        if usable.middle > within:
            yield Risk(
                "over-rto",
                Severity.WARNS,
                f"It will likely take longer than the {duration(facts.back_within)} in which it "
                "has to be back.",
            )
        elif usable.high > within:
            yield Risk(
                "near-rto",
                Severity.NOTES,
                f"It may take longer than the {duration(facts.back_within)} in which it has to be "
                "back.",
            )
