"""What a change of a policy does to what may be lost and how long it takes, before it is saved.

The way back is forecast by the same model as that of every recovery option, for the worst moment:
just before the next backup, with all of the log since the last one to be replayed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from backups.options.contradictions import Ground, longest_between
from backups.options.durations import Timing, total
from backups.options.terms import Terms, changes, described, schedule_words
from backups.options.values import BackupFacts, Facts, Range
from backups.options.words import brief_range, span, spans

_DAY = timedelta(days=1)
# Log that was archived over less time than this says little of a day.
_SEEN_AT_LEAST = timedelta(minutes=10)
_CADENCES = {
    timedelta(hours=1): "hourly",
    _DAY: "daily",
    7 * _DAY: "weekly",
    **{days * _DAY: "monthly" for days in (28, 29, 30, 31)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How much log a database writes: bytes as they are stored, and files, in a second."""

    bytes: float
    files: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a loss at the worst moment would cost under some terms. What is not known is None.

    Seconds. Of a log that is archived, ``loss_seconds`` is how long a file of it fills on average;
    without one, it is the longest time between two backups. ``unknown`` says in words why something
    is not known.
    """

    loss_seconds: float | None = None
    replay_seconds: float | None = None
    back: Range | None = None
    basis: str = ""
    unknown: str = ""

    def as_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change does, in figures and in a sentence; ``breaks`` tells what it promises amiss."""

    before: Outlook
    after: Outlook
    words: str
    breaks: Sequence[str]

    def as_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"before": self.before.as_document(), "after": self.after.as_document()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds as long as nothing is changed, in figures and in a sentence."""

    outlook: Outlook
    words: str
    breaks: Sequence[str]
    # Promises of which nobody can say whether they hold.
    doubts: Sequence[str] = ()


def standing_of(facts: Facts, ground: Ground, terms: Terms) -> Standing:
    """Say what a loss at the worst moment would cost under the terms that hold."""
    nothing, outlook = Outlook(), outlook_of(facts, ground, terms)
    clauses = [*_of_replay(nothing, outlook), *_of_time(nothing, outlook, terms)]
    words = f"At the worst moment, just before the next backup: {', '.join(clauses)}. "
    words += _of_loss(nothing, outlook, terms, terms)
    return Standing(
        outlook=outlook,
        words=words,
        breaks=list(_breaks(terms, outlook)),
        doubts=list(_doubts(terms, outlook)),
    )


def effect_of(facts: Facts, ground: Ground, before: Terms, after: Terms) -> Effect:
    """Say what becomes of loss and time back when these terms follow those.

    Both have to be readable: see ``contradictions``.
    """
    was, becomes = (outlook_of(facts, ground, terms) for terms in (before, after))
    breaks = list(_breaks(after, becomes))
    clauses = [*_of_replay(was, becomes), *_of_time(was, becomes, after)]
    words = f"{_headline(before, after, at=facts.at)}: {', '.join(clauses)}. "
    words += _of_loss(was, becomes, before, after)
    return Effect(before=was, after=becomes, words=words, breaks=breaks)


def outlook_of(facts: Facts, ground: Ground, terms: Terms) -> Outlook:
    """Say what a loss at the worst moment would cost under these terms."""
    replays = terms.archives_log and ground.keeps_log
    growth = growth_of(facts) if replays else Growth(bytes=0, files=0)
    between = longest_between(terms.full_schedule, at=facts.at, beside=terms.incremental_schedule)
    loss = between.total_seconds() if between is not None else None
    if replays:
        loss = 1 / growth.files if growth is not None and growth.files else None
    if between is None:
        return Outlook(
            loss_seconds=loss,
            unknown="no full backup is planned, and nothing says how old the last one gets",
        )
    replay = between.total_seconds() if replays else 0.0
    partly = Outlook(loss_seconds=loss, replay_seconds=replay)
    if growth is None:
        return replace(partly, unknown="how much log is written is not known yet")
    return _with_way_back(facts, terms, partly, growth)


def growth_of(facts: Facts) -> Growth | None:
    """Return how much log was archived since the backup behind which most of it leads on.

    None while that is less than a few minutes of it.
    """
    spans_seen = [
        ((backup.until_at - backup.ended_at), backup)
        for backup in facts.backups
        if backup.until_at is not None and not backup.is_logical
    ]
    seen, backup = max(spans_seen, key=lambda each: each[0], default=(timedelta(), None))
    if backup is None or seen < _SEEN_AT_LEAST:
        return None
    seconds = seen.total_seconds()
    return Growth(bytes=backup.log_bytes / seconds, files=backup.segments / seconds)


def _with_way_back(facts: Facts, terms: Terms, partly: Outlook, growth: Growth) -> Outlook:
    known = sorted(facts.backups, key=lambda each: each.ended_at, reverse=True)
    full = next((backup for backup in known if not backup.is_incremental), None)
    if full is None:
        return replace(partly, unknown="no full backup is known yet, and so not how large one is")
    if not facts.targets:
        return replace(partly, unknown="no recovery target is registered to come back to")
    backup = _at_the_worst(facts, terms, full, partly, growth)
    timing = Timing(facts)
    ways = [
        (total(phases), basis)
        for place in facts.places
        for target in facts.targets
        for strategy in facts.strategies
        for phases, basis in [timing.phases(backup, place, target, strategy, share=1.0)]
    ]
    back, basis = min(ways, key=lambda way: way[0].middle)
    return replace(partly, back=back, basis=basis)


def _at_the_worst(
    facts: Facts, terms: Terms, full: BackupFacts, partly: Outlook, growth: Growth
) -> BackupFacts:
    """Return the backup as it would have to be brought back just before the next one."""
    seconds = partly.replay_seconds or 0.0
    stored = full.stored_bytes
    if terms.incremental_schedule:
        # With its parents, as one was seen to be; before the first, no more than was written.
        apart = longest_between(terms.full_schedule, at=facts.at) or timedelta()
        written = round(growth.bytes * apart.total_seconds())
        seen = [each.stored_bytes for each in facts.backups if each.is_incremental]
        stored = max(seen, default=stored + min(written, stored))
    return replace(
        full,
        stored_bytes=stored,
        log_bytes=round(growth.bytes * seconds),
        segments=round(growth.files * seconds),
    )


def _headline(before: Terms, after: Terms, *, at: datetime) -> str:
    """Name what was changed: daily -> weekly fulls."""
    named = []
    for name, plural in (("full_schedule", "fulls"), ("incremental_schedule", "incrementals")):
        was, becomes = getattr(before, name), getattr(after, name)
        if was != becomes:
            words = _cadence(was, at=at), _cadence(becomes, at=at)
            if words[0] == words[1]:
                words = schedule_words(was), schedule_words(becomes)
            named.append(f"{words[0]} → {words[1]} {plural}")
    if before.archives_log != after.archives_log:
        named.append(f"log archiving {'off → on' if after.archives_log else 'on → off'}")
    return ", ".join(named or described(changes(before, after))[:1] or ["nothing is changed"])


def _cadence(expression: str, *, at: datetime) -> str:
    if not expression:
        return "no"
    between = longest_between(expression, at=at)
    if between is None:
        return schedule_words(expression)
    return _CADENCES.get(between) or f"every {span(between)}"


def _of_replay(was: Outlook, becomes: Outlook) -> Iterator[str]:
    before, after = was.replay_seconds, becomes.replay_seconds
    if not after:
        if before and after is not None:
            yield "nothing is replayed any more"
        return
    long = timedelta(seconds=after)
    if before is None or not before:
        yield f"replay of up to {span(long)} of log"
    elif before != after:
        grows = "grows" if after > before else "shrinks"
        yield f"replay {grows} from {spans(timedelta(seconds=before), long)}"
    else:
        yield f"replay of up to {span(long)} of log as before"


def _of_time(was: Outlook, becomes: Outlook, terms: Terms) -> Iterator[str]:
    if becomes.back is None:
        yield f"how long it takes is not known: {becomes.unknown}"
        return
    words, before = brief_range(becomes.back), was.back and brief_range(was.back)
    clause = f"back in {words}"
    if before is not None:
        clause += " as before" if before == words else f" instead of {before}"
    if terms.back_within is not None:
        clause += f": {_against(becomes.back, terms.back_within)} your RTO of "
        clause += span(terms.back_within)
    yield clause


def _against(back: Range, within: timedelta) -> str:
    seconds = within.total_seconds()
    if back.middle > seconds:
        return "beyond"
    return "perhaps beyond" if back.high > seconds else "within"


def _of_loss(was: Outlook, becomes: Outlook, before: Terms, after: Terms) -> str:
    if becomes.loss_seconds is None:
        return "How much would be lost is not known."
    loss, earlier = _lost(becomes, after), _lost(was, before)
    words = f"Loses {loss} of data"
    if earlier:
        words += " as before" if earlier == loss else f" instead of {earlier}"
    if after.may_lose is not None:
        verdict = "beyond" if becomes.loss_seconds > after.may_lose.total_seconds() else "within"
        words += f": {verdict} your RPO of {span(after.may_lose)}"
    return f"{words}."


def _lost(outlook: Outlook, terms: Terms) -> str:
    """Say how much is lost: what the log lacks on average, or all since the last backup."""
    if outlook.loss_seconds is None:
        return ""
    length = _rounded(timedelta(seconds=round(outlook.loss_seconds)))
    return f"{'about' if terms.archives_log else 'up to'} {length}"


def _rounded(length: timedelta) -> str:
    """Write what was measured, not chosen: to the minute."""
    minute = timedelta(minutes=1)
    return span(length if length < minute else round(length / minute) * minute)


def _doubts(terms: Terms, outlook: Outlook) -> Iterator[str]:
    if terms.back_within is not None and outlook.back is None:
        yield f"Whether it is back within {span(terms.back_within)} is not known"
    if terms.may_lose is not None and outlook.loss_seconds is None:
        yield f"Whether no more than {span(terms.may_lose)} is lost is not known"


def _breaks(terms: Terms, outlook: Outlook) -> Iterator[str]:
    if terms.back_within is not None and outlook.back is not None:
        verdict = _against(outlook.back, terms.back_within)
        if verdict != "within":
            yield f"{verdict.capitalize()} the {span(terms.back_within)} to be back"
    if terms.may_lose is not None and outlook.loss_seconds is not None:
        loss = timedelta(seconds=round(outlook.loss_seconds))
        if loss > terms.may_lose:
            yield f"Beyond the {span(terms.may_lose)} that may be lost"
