"""What may go wrong with a choice, in stable codes and in words."""

from collections.abc import Iterator, Sequence
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
    StandbyFacts,
    Strategy,
    TargetFacts,
)
from backups.options.words import amount, duration, to_the_second, told

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
    elif target.standby is not None:
        yield _of_what_is_kept(target.standby, name)
    elif target.occupied_by == "standby":
        yield Risk(
            "target-cleared",
            Severity.BLOCKS,
            f"A standby was kept at {name} when it was last looked at. Have it looked at again.",
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
    if target.left_by and not target.taken_by and target.occupied_by != "ours":
        yield Risk(
            "target-held",
            Severity.WARNS,
            f"{target.left_by} has stopped at {name} and can go on there: not while another "
            "restore has it. Resume it, cancel it, or choose another target.",
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


def _of_what_is_kept(standby: StandbyFacts, name: str) -> Risk:
    """Say why no backup is brought back where a standby is kept."""
    if not standby.is_ours:
        words = f"{name} keeps a standby of {standby.of} warm."
    elif standby.until_at is None:
        words = f"{name} is to keep a standby, which is not warm yet. {standby.words}".strip()
    else:
        words = (
            f"{name} keeps a standby, which has replayed up to {to_the_second(standby.until_at)}: "
            "it can be brought up to that or a later moment only."
        )
    return Risk(
        "target-keeps-standby",
        Severity.BLOCKS,
        f"{words} Stop keeping it, or choose another target.",
    )


def of_standby(target: TargetFacts, standby: StandbyFacts, *, at: datetime) -> Iterator[Risk]:
    """Say what may be amiss with a standby that could be brought up."""
    if target.taken_by:
        yield Risk(
            "target-busy",
            Severity.BLOCKS,
            f"{target.taken_by} uses {target.name}. Wait for it, cancel it, or choose another.",
        )
    if standby.words:
        yield Risk("standby-trouble", Severity.WARNS, f"The standby: {standby.words}")
    if standby.seen_at is None or at - standby.seen_at > SEEN_LONG_AGO:
        ago = f" for {duration(at - standby.seen_at)}" if standby.seen_at else ""
        yield Risk(
            "standby-unseen",
            Severity.WARNS,
            f"Nobody has looked after the standby{ago}: it may not be there any more. See that the "
            f"worker beside {target.name} runs.",
        )
    yield Risk(
        "standby-ends",
        Severity.NOTES,
        "What is brought up is no standby any more: keep a new one warm at another target than "
        f"{target.name} afterwards.",
    )


def of_leaving_the_archive(until: datetime) -> Iterator[Risk]:
    """Say what it means to bring up a standby without asking for more."""
    yield Risk(
        "archive-left-out",
        Severity.WARNS,
        f"The archive is not asked: what was archived after {to_the_second(until)} is lost, though "
        "it may be there.",
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
    place: PlaceFacts, fetch: Range, basis: str, *, places: Sequence[PlaceFacts], at: datetime
) -> Iterator[Risk]:
    """Say what may slow or stop the fetch."""
    if place.keys_are:
        # Where none can be read, whatever is started comes to a halt at once.
        is_all = all(each.keys_are for each in places)
        yield Risk(
            f"keys-{place.keys_are}",
            Severity.BLOCKS if is_all else Severity.WARNS,
            of_keys(place),
        )
    elif place.is_silent:
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
    if len(places) == 1:
        yield Risk(
            "one-source",
            Severity.NOTES,
            f"{place.name} alone has the objects: no other can help when it fails.",
        )


def of_keys(place: PlaceFacts) -> str:
    """Say what is wrong with the keys of a place, where they are, and what to do."""
    if place.keys_are == "missing":
        return (
            f"There are no keys for {place.name} at {place.keys}. Put them there, then look again."
        )
    return (
        f"{place.name} refused the keys of {place.keys} just now. Correct or renew them there, "
        "then look again."
    )


def of_backup(backup: BackupFacts, point: Point) -> Iterator[Risk]:
    """Say what is amiss with the backup and the log behind it."""
    if not backup.has_manifest:
        yield Risk(
            "no-manifest",
            Severity.WARNS,
            f"{backup.name} has no manifest: damage on the way is noticed late or not at all. "
            "Record one in time: manage.py record_manifest.",
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
