"""A first draft of the next update, from what has happened since the last one.

It says what customers may know already, in plain words, and leaves a blank in [brackets] wherever
a person has to decide what is said: of what is internal no word reaches the text. Nothing here is
sent; a person reads it, fills it in and posts it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from incidents import spoken
from incidents.values import ComponentStatus, ImpactKind, Milestone, Outcome, Phase, local

# More of a kind are summed up: an update is read on a phone.
_MOST_ALIKE = 3
_MOST_SAID = 5

_OPENINGS = {
    Phase.INVESTIGATING: _lazy("We are still looking into this."),
    Phase.IDENTIFIED: _lazy("We know what is wrong and are working on it."),
    Phase.MONITORING: _lazy("A fix is in place, and we are watching the service."),
}
_MISSING = {
    ImpactKind.DATA_UNAVAILABLE: _lazy("Changes made since {moment} are not available."),
    ImpactKind.DATA_LOST: _lazy("Changes made after {moment} are lost."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something on the timeline. ``text`` is what customers may read: none of what is internal."""

    entry_id: int
    at: datetime | None
    until: datetime | None = None
    text: str = ""
    tags: Sequence[str] = ()
    outcome: str = ""
    milestone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How far a job is, in customers' words; ``silent_since`` if it has not been heard of."""

    title: str
    sentence: str
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A time that customers were given for the end: its last moment, and whether it has passed."""

    latest: datetime | None
    is_missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Data that is missing from a moment on, of one component or of all."""

    kind: ImpactKind
    since: datetime
    component: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What is known, and what has happened since customers heard last.

    ``told_at`` is None before the first update; ``is_late`` says that they were promised to hear
    earlier, ``quiet_until`` that they hear next when the night is over.
    """

    at: datetime
    zone: tzinfo
    phase: Phase
    told_at: datetime | None
    happened: Sequence[Happened] = ()
    jobs: Sequence[Job] = ()
    given: Sequence[Given] = ()
    components: Sequence[tuple[str, ComponentStatus]] = ()
    missing: Sequence[Missing] = ()
    is_late: bool = False
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a part of the text was made from; ``entry_id`` where that is an entry."""

    words: str
    entry_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A body with its blanks, and what it was made from."""

    body: str
    sources: tuple[Source, ...]


def propose(since: Since) -> Proposal:
    """Return what the next update may say."""
    told = [one for one in since.happened if one.text]
    hidden = [one for one in since.happened if not one.text]
    paragraphs = [
        [_opening(since), *_owned_up(since)],
        [*_said(told), *_hinted(since, hidden)],
        [*_worked_on(since), *_still_missing(since)],
        [*_states(since), *_expected(since)],
        [quiet_night(since.quiet_until, since.zone)] if since.quiet_until else [],
    ]
    if not any(paragraphs[1:3]):
        paragraphs[1] = [_("Since then, [what has been done, and what it showed].")]
    body = "\n\n".join(" ".join(sentences) for sentences in paragraphs if sentences)
    return Proposal(body=body, sources=tuple(_sources(since, told, hidden)))


def quiet_night(until: datetime, zone: tzinfo) -> str:
    """Return the sentence by which customers do not wait for word at night."""
    return _(
        "Work goes on through the night, and we will not post updates before morning. You hear "
        "from us next by {moment}."
    ).format(moment=spoken.moment_within(until, zone))


def _opening(since: Since) -> str:
    if since.told_at is None:
        return _("We are looking into a problem: [what customers notice, and since when].")
    return str(_OPENINGS.get(since.phase, _OPENINGS[Phase.MONITORING]))


def _owned_up(since: Since) -> Iterator[str]:
    missed = [given.latest for given in since.given if given.is_missed and given.latest]
    if missed:
        yield _(
            "The time that we gave, {moment}, has passed, and we are not done: [why, in short]."
        ).format(moment=_moment(since, max(missed)))
    elif since.is_late:
        yield _("This update comes later than we said; we are sorry.")


def _said(told: Sequence[Happened]) -> Iterator[str]:
    for one in told[-_MOST_SAID:]:
        words = " ".join(one.text.split())
        yield words if words.endswith((".", "!", "?")) else f"{words}."


def _hinted(since: Since, hidden: Sequence[Happened]) -> Iterator[str]:
    back = [one for one in hidden if one.milestone in (Milestone.MITIGATED, Milestone.RECOVERED)]
    tried = [one for one in hidden if one not in back and (one.outcome or "attempt" in one.tags)]
    failed = [one for one in tried if one.outcome in (Outcome.FAILED, Outcome.ABANDONED)]
    worked = [one for one in tried if one.outcome == Outcome.WORKED]
    others = [one for one in tried if one not in failed and one not in worked]
    decided = [one for one in hidden if one not in tried and {"decision", "pivot"} & {*one.tags}]
    if len(failed) > _MOST_ALIKE:
        yield _(
            "We have tried [what {count} attempts were, in a few words], without success."
        ).format(count=len(failed))
    else:
        for one in failed:
            yield _("We tried [what was tried {when}], and it did not help.").format(
                when=_when(since, one)
            )
    for one in worked[-_MOST_ALIKE:]:
        yield _("[What was done {when}] has helped.").format(when=_when(since, one))
    for one in others[-_MOST_ALIKE:]:
        yield _("We are trying [what is being tried {when}].").format(when=_when(since, one))
    for one in decided[-_MOST_ALIKE:]:
        yield _("We have decided [what was decided {when}].").format(when=_when(since, one))
    for one in back[-1:]:
        yield _("[What works again {when}] works again.").format(when=_when(since, one))


def _worked_on(since: Since) -> Iterator[str]:
    for job in since.jobs:
        if job.silent_since is None:
            yield job.sentence
        else:
            yield _(
                "The data is being brought back: [how far, without news since {moment}]."
            ).format(moment=spoken.clock(job.silent_since, since.zone))


def _still_missing(since: Since) -> Iterator[str]:
    for missing in since.missing:
        sentence = _MISSING[missing.kind].format(moment=_moment(since, missing.since))
        yield f"{missing.component}: {sentence}" if missing.component else sentence


def _states(since: Since) -> Iterator[str]:
    suffering = [
        f"{name} ({str(status.label).lower()})"
        for name, status in since.components
        if status != ComponentStatus.OPERATIONAL
    ]
    if suffering:
        yield _("Affected at the moment: {names}.").format(names=", ".join(suffering))
    elif since.components and since.phase == Phase.MONITORING:
        yield _("Everything works at the moment.")


def _expected(since: Since) -> Iterator[str]:
    for given in since.given:
        if not given.is_missed and given.latest is not None:
            yield _("We still expect to be done by {moment}.").format(
                moment=_moment(since, given.latest)
            )


def _sources(
    since: Since, told: Sequence[Happened], hidden: Sequence[Happened]
) -> Iterator[Source]:
    if since.told_at is not None:
        yield Source(words=_("Since the update of %s:") % _moment(since, since.told_at))
    for one in told[-_MOST_SAID:]:
        yield Source(
            words=_("Entry, public, %s: quoted") % _when(since, one), entry_id=one.entry_id
        )
    marked = [one for one in hidden if one.outcome or one.milestone or one.tags]
    for one in marked:
        yield Source(
            words=_("Entry, internal, %s: hinted at only") % _when(since, one),
            entry_id=one.entry_id,
        )
    if rest := len(hidden) - len(marked):
        yield Source(
            words=ngettext(
                "%d other internal entry, of which nothing is said",
                "%d other internal entries, of which nothing is said",
                rest,
            )
            % rest
        )
    for job in since.jobs:
        yield Source(words=_("Progress of %s") % job.title)
    for given in since.given:
        yield Source(
            words=_("An estimate that was missed")
            if given.is_missed
            else _("The estimate that stands")
        )
    if since.is_late:
        yield Source(words=_("The next update was promised for earlier"))
    if since.missing:
        yield Source(words=_("Impacts: missing data"))
    if since.components:
        yield Source(words=_("The states of the components"))


def _when(since: Since, one: Happened) -> str:
    """Return when something was, to stand behind a verb: "at 03:10 CET"."""
    if one.at is None:
        return _("then")
    if one.until is not None and one.until != one.at:
        return _("{start} to {end}").format(
            start=f"{local(one.at, since.zone):%H:%M}", end=f"{local(one.until, since.zone):%H:%M}"
        )
    return _("at {time}").format(time=f"{local(one.at, since.zone):%H:%M}")


def _moment(since: Since, at: datetime) -> str:
    """Return a time as it stands in a sentence, with its day where that is another."""
    if local(at, since.zone).date() == local(since.at, since.zone).date():
        return spoken.clock(at, since.zone)
    return spoken.moment_within(at, since.zone)
