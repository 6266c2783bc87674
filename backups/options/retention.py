"""Which backups a policy lets go. Never one that another needs, nor the base of what is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.options.words import span


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A backup of the catalogue. ``parent`` is the key of the one that it is built on, if any.

    One that ``is_whole`` is finished, and all of the log that it needs itself is there.
    """

    key: str
    name: str
    ended_at: datetime
    is_full: bool
    is_whole: bool
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a backup is kept, and why, or why not."""

    held: Held
    is_kept: bool
    reason: str


def verdicts(
    backups: Sequence[Held],
    *,
    keep_for: timedelta | None,
    keep_fulls: int | None,
    keeps_log: bool,
    at: datetime,
) -> list[Verdict]:
    """Say of each backup whether the policy keeps it, the newest first.

    Kept are those of the time that the policy names, so many full ones as it names, and whatever
    these need. Where log is archived that is also the last whole one before that time begins: with
    it every moment of the time can be reached. A policy that names neither keeps everything.
    """
    newest_first = sorted(backups, key=lambda each: (each.ended_at, each.key), reverse=True)
    reasons = dict(
        reversed(list(_reasons(newest_first, keep_for, keep_fulls, keeps_log=keeps_log, at=at)))
    )
    _keep_chains(newest_first, reasons)
    return [
        Verdict(
            held=held,
            is_kept=held.key in reasons,
            reason=reasons.get(held.key) or _let_go(keep_for, keep_fulls),
        )
        for held in newest_first
    ]


def _reasons(
    newest_first: Sequence[Held],
    keep_for: timedelta | None,
    keep_fulls: int | None,
    *,
    keeps_log: bool,
    at: datetime,
) -> Iterator[tuple[str, str]]:
    """Yield why backups are kept by themselves, the plainest reason of each first."""
    if keep_for is None and keep_fulls is None:
        yield from ((held.key, "The policy keeps everything.") for held in newest_first)
        return
    whole = [held for held in newest_first if held.is_whole]
    if whole:
        yield whole[0].key, "It is the newest."
    if keep_for is not None:
        for held in newest_first:
            if held.ended_at > at - keep_for:
                yield held.key, f"It is younger than {span(keep_for)}."
        older = [held for held in whole if held.ended_at <= at - keep_for]
        if older and keeps_log:
            yield older[0].key, f"The first moments of the last {span(keep_for)} need it."
    fulls = [held for held in whole if held.is_full]
    for held in fulls[:keep_fulls] if keep_fulls is not None else ():
        yield held.key, f"It is {_newest(keep_fulls, one_of='one of ')}."


def _keep_chains(newest_first: Sequence[Held], reasons: dict[str, str]) -> None:
    """Add what kept backups are built on, and what these are built on."""
    by_key = {held.key: held for held in newest_first}
    for key in list(reasons):
        held = by_key[key]
        while held.parent in by_key and held.parent not in reasons:
            reasons[held.parent] = f"{held.name}, which is kept, is built on it."
            held = by_key[held.parent]


def _let_go(keep_for: timedelta | None, keep_fulls: int | None) -> str:
    asked = []
    if keep_for is not None:
        asked.append(f"older than {span(keep_for)}")
    if keep_fulls is not None:
        asked.append(f"not {_newest(keep_fulls, one_of='among ')}")
    return f"It is {', and '.join(asked)}; nothing that is kept needs it."


def _newest(count: int | None, *, one_of: str) -> str:
    return "the newest full one" if count == 1 else f"{one_of}the newest {count} full ones"
