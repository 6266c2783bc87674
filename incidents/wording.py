"""What a job says to customers: plain sentences, which staff may replace by their own.

A sentence takes figures by name and nothing else, so that no word of an engine, no path, host
or bucket can reach the page. ``NAMES`` are those there are. What is ours is said in every
language that a page may have; staff's own words stay as they are, around figures in each.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from incidents import spoken
from incidents.calm import outward
from incidents.models import UpdateTemplate
from incidents.values import Looked, ProgressPhase

# code: what customers are told. Staff see these at the desk and may replace each.
UPDATES = {
    "restore_started": _(
        "We have started to bring the data back from a backup. This page shows how far it is, "
        "and keeps itself up to date."
    ),
    "restore_started_later": _(
        "We have started to bring back what was written after {data_since}, one customer after the "
        "other. Everything up to then can be used meanwhile. This page shows how far it is, and "
        "keeps itself up to date."
    ),
    "restore_attempt_failed": _(
        "The work was interrupted. What had arrived is kept, and it goes on from there by itself."
    ),
    "restore_waiting": _(
        "The storage that holds our backups does not answer at the moment. What has arrived is "
        "kept, and the work goes on by itself as soon as it answers."
    ),
    "restore_held": _(
        "Bringing the data back has come to a halt. What has arrived is kept, our engineers are on "
        "it, and the work goes on from there."
    ),
    "restore_resumed": _("Bringing the data back goes on again, with what had arrived. {eta}"),
    "restore_going_on": _("The data is still being brought back: {progress}. {eta}"),
    "restore_eta_moved": _("Our estimate has changed. {eta}"),
    "restore_eta_missed": _("The time that we gave has passed and the data is not back yet. {eta}"),
    "restore_failed": _(
        "Bringing the data back has stopped before its end. Nothing that had arrived is lost. "
        "Our engineers are on it, and we will say here how it goes on."
    ),
    "restore_deciding": _(
        "{counted} are back and have been checked. The rest has newer work in it, and is kept as "
        "it is until our team has decided what becomes of that."
    ),
    "restore_deciding_unchecked": _(
        "{counted} are back, and could not be checked in full. The rest has newer work in it, and "
        "is kept as it is until our team has decided what becomes of that."
    ),
    "restore_cancelled": _(
        "We have ended this way of bringing the data back. We will say here how it goes on."
    ),
    "restore_paused": _(
        "Bringing the data back is paused for now. What has arrived is kept, and the work goes on "
        "from there. {resumes}"
    ),
    "restore_pivoted": _(
        "We have changed the way in which the data comes back. Everything up to {data_until} is to "
        "come back, and what has arrived is used as far as it serves."
    ),
    "restore_reopened": _(
        "Everything up to {data_until} is back, has been checked, and can be used again. {checks} "
        "What was written after that is being brought back now, one customer after the other."
    ),
    "restore_reopened_unchecked": _(
        "Everything up to {data_until} is back and can be used again; it could not be checked in "
        "full. {checks} What was written after that is being brought back now, one customer after "
        "the other."
    ),
    "restore_finished": _(
        "All data up to {data_until} is back and has been checked. {checks} We are watching the "
        "service."
    ),
    "restore_finished_unchecked": _(
        "All data up to {data_until} is back, and could not be checked in full. {checks} We are "
        "watching the service."
    ),
    "restore_finished_apart": _(
        "All data up to {data_until} is back and has been checked, except where newer work was "
        "kept in its place. {checks} We are watching the service."
    ),
    "restore_finished_apart_unchecked": _(
        "All data up to {data_until} is back, except where newer work was kept in its place, and "
        "could not be checked in full. {checks} We are watching the service."
    ),
    "incident_reopened": _("This incident is open again. We are looking into it."),
    "maintenance_scheduled": _("This maintenance is planned from {begins} until {ends}."),
    "maintenance_reminder": _("A reminder: this maintenance begins at {begins}."),
    "maintenance_moved": _("This maintenance is now planned from {begins} until {ends}."),
    "maintenance_started": _("The maintenance has begun. It is planned until {ends}."),
    "maintenance_extended": _("We need more time. The maintenance is now planned until {ends}."),
    "maintenance_verifying": _("The work is done. We are checking that everything is as it was."),
    "maintenance_finished": _("The maintenance is finished."),
    "maintenance_cancelled": _("This maintenance has been called off."),
    "maintenance_written": _("This maintenance took place from {begins} until {ends}."),
    "maintenance_missed": _(
        "This maintenance was planned from {begins} until {ends}. This page could not follow it "
        "at that time, and only notes now that its time is over."
    ),
}

# The figures that a sentence may name, and what each stands for.
NAMES = {
    "percent": _("how far the phase under way is"),
    "phase": _("the part of the restore that is under way"),
    "progress": _("that part, and how far it is if that can be told"),
    "eta": _("a sentence with the range in which it ends, and what that rests on"),
    "data_until": _("the moment up to which everything is, or will be, back"),
    "data_since": _("the moment up to which everything is open, where what follows comes back"),
    "attempts": _("which attempt this is"),
    "amount": _("how much has been brought back"),
    "counted": _("how many are back, of how many"),
    "resumes": _("a sentence with when work that is paused goes on"),
    "checks": _("what was looked at in what came back, and found well"),
    "begins": _("when a maintenance is planned to begin"),
    "ends": _("until when a maintenance is planned"),
}

# code: what the timeline says.
ENTRIES = {
    "restore_started": _("Restore started: everything up to {data_until} shall come back."),
    "restore_started_later": _(
        "Restore started of what was written after {data_since}, up to {data_until}."
    ),
    "restore_attempt_failed": _("Attempt {attempts} was interrupted: {progress}."),
    "restore_waiting": _("The storage does not answer. Waiting, with what has arrived."),
    "restore_held": _("The restore is held up in: {phase}. What has arrived is kept."),
    "restore_resumed": _("The restore goes on, with what has arrived: {phase}."),
    "restore_paused": _("The restore is paused in: {phase}. What has arrived is kept. {resumes}"),
    "restore_pivoted": _("Change of plan: everything up to {data_until} shall come back."),
    "restore_phase_done": _("Done: {phase}. {amount}"),
    "restore_failed": _("The restore stopped in: {phase}. It can go on from there."),
    "restore_deciding": _(
        "Back and checked: {counted}. The rest took writes since, and waits for a decision."
    ),
    "restore_deciding_unchecked": _(
        "Back, not checked in full: {counted}. The rest took writes since, and waits for a "
        "decision."
    ),
    "restore_cancelled": _("The restore was ended early, and its target cleared."),
    "restore_reopened": _(
        "Open again and checked, with everything up to {data_until}. {checks} What was written "
        "later follows."
    ),
    "restore_reopened_unchecked": _(
        "Open again, not checked in full, with everything up to {data_until}. {checks} What was "
        "written later follows."
    ),
    "restore_finished_apart": _(
        "Restore finished and checked: everything up to {data_until}, except where newer work was "
        "kept. {checks} {amount}"
    ),
    "restore_finished_apart_unchecked": _(
        "Restore finished, not checked in full: everything up to {data_until}, except where newer "
        "work was kept. {checks} {amount}"
    ),
    "restore_finished": _(
        "Restore finished and checked: everything up to {data_until}. {checks} {amount}"
    ),
    "restore_finished_unchecked": _(
        "Restore finished, not checked in full: everything up to {data_until}. {checks} {amount}"
    ),
}


# The parts of a restore, as they stand within a sentence.
_PHASES = {
    ProgressPhase.PREPARING: _("preparing the recovery"),
    ProgressPhase.FETCHING: _("copying the backup"),
    ProgressPhase.UNPACKING: _("unpacking the backup"),
    ProgressPhase.REPLAYING: _("bringing back later changes"),
    ProgressPhase.VERIFYING: _("checking what came back"),
    ProgressPhase.TENANTS: _("bringing back each customer's data"),
    ProgressPhase.READY: _("finished"),
}

# What a job's estimate rests on, as it is stored.
_MEASURES = re.compile("usual:|(?:(?:past|hours|last):[0-9]+)(?:,(?:past|hours|last):[0-9]+)*")
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A text in English, and what it is in the other languages that have it."""

    text: str
    translations: Mapping[str, str]


class _Figures(dict[str, Any]):
    """What a sentence may name. A name that staff invented stays visible as it is."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def update_wording(code: str, figures: Callable[[], Mapping[str, Any]]) -> Wording:
    """Return what customers are told for this code, in staff's words if they wrote any.

    ``figures`` is asked once for each language, while that is active.
    """
    own = UpdateTemplate.objects.filter(code=code).values_list("body", flat=True).first()
    return in_every_language(lambda: fill(own or str(UPDATES[code]), figures()))


def in_every_language(say: Callable[[], str]) -> Wording:
    """Return what is said in each language of a page; ``say`` is asked while that is active."""

    def said(language: str) -> str:
        with translation.override(language):
            return say()

    text = said(settings.LANGUAGE_CODE)
    others = {language: said(language) for language, _name in settings.LANGUAGES}
    # Staff's own words without any figure are the same everywhere, and need no translation.
    return Wording(
        text=text,
        translations={language: words for language, words in others.items() if words != text},
    )


def duplicate_words(title: str) -> str:
    """Say at the end of a duplicate where it goes on; ``title`` is empty if it is not named."""
    if not title:
        return gettext("We have taken this together with another report of the same.")
    words = gettext("This is the same as “%(title)s”. From now on we say there how it goes on.")
    return words % {"title": title}


def entry_text(code: str, figures: Mapping[str, Any]) -> str:
    """Return what the timeline says for this code."""
    return fill(str(ENTRIES[code]), figures)


def basis_words(basis: str) -> str:
    """Return what an estimate rests on, in words: a job's measures, or what a person wrote."""
    if not _MEASURES.fullmatch(basis):
        return basis
    *others, last = (_measure_words(*each.split(":")) for each in basis.split(","))
    if not others:
        return last
    return gettext("{measures} and {last}").format(measures=", ".join(others), last=last)


def _measure_words(measure: str, figure: str) -> str:
    if measure == "usual":
        return gettext("usual speeds")
    many = int(figure)
    if measure == "past":
        return ngettext("{} earlier restore", "{} earlier restores", many).format(many)
    if measure == "hours":
        return ngettext(
            "the storage's speed by the hour over {} day",
            "the storage's speed by the hour over {} days",
            many,
        ).format(many)
    if many < 2 * _MINUTE:
        return gettext("the speed of the last {} s").format(many)
    if many < 2 * _HOUR:
        return gettext("the speed of the last {} min").format(many // _MINUTE)
    return gettext("the speed of the last {} h").format(many // _HOUR)


def phase_words(phase: ProgressPhase) -> str:
    """Return the part of a restore, as it stands within a sentence."""
    return str(_PHASES[phase])


def progress_words(phase: ProgressPhase, percent: int | None) -> str:
    """Return the part that is under way, and how far it is if that can be told."""
    if percent is None:
        return phase_words(phase)
    return gettext("{phase}, {share}").format(phase=phase_words(phase), share=spoken.share(percent))


def eta_words(low: datetime | None, high: datetime | None, zone: tzinfo) -> str:
    """Return a sentence with the range in which a job ends; nothing while that is not known."""
    if low is None or high is None:
        return ""
    low, high = outward(low, high)
    return gettext("We expect to be done between {start} and {end}.").format(
        start=spoken.moment_within(low, zone), end=spoken.moment_within(high, zone)
    )


def counted_words(done: int, total: int | None, unit: str) -> str:
    """Return how much is done, and of how much if that is known."""
    if not total:
        return amount_words(done, unit)
    figures = {"done": spoken.amount(done, unit), "total": spoken.amount(total, unit)}
    return gettext("%(done)s of %(total)s") % figures


def resume_words(at: datetime | None, zone: tzinfo) -> str:
    """Return a sentence that says when work that is paused goes on, as far as that is known."""
    if at is None:
        return gettext("We will say here when it does.")
    return gettext("It is planned to go on at {moment}.").format(
        moment=spoken.moment_within(at, zone)
    )


def horizon_words(until: datetime | None, zone: tzinfo) -> str:
    """Return up to when data comes back, to stand behind "up to"."""
    if until is None:
        return gettext("the last archived change")
    return spoken.moment_within(until, zone)


def amount_words(done: int, unit: str) -> str:
    """Return how much was handled: "253 MB", "12 items" or nothing."""
    if unit == "items":
        return ngettext("{} item", "{} items", done).format(spoken.number(done))
    return spoken.amount(done, unit) if unit else ""


def checks_words(looked: Looked | None) -> str:
    """Return what was looked at and found well, in sentences; nothing where nothing was."""
    if looked is None:
        return ""
    said = [
        (looked.tables, gettext("Every table was counted.")),
        (looked.indexes, gettext("Every table and every index of the usual kind was found sound.")),
        (looked.pages, gettext("Every page was read.")),
        (
            looked.own_of,
            ngettext(
                "{passed} of {all} check of our own passed.",
                "{passed} of {all} checks of our own passed.",
                looked.own_of,
            ).format(passed=spoken.number(looked.own), all=spoken.number(looked.own_of)),
        ),
    ]
    return " ".join(words for is_so, words in said if is_so)


def fill(sentence: str, figures: Mapping[str, Any]) -> str:
    """Return the sentence with its names replaced by figures. Unknown names stay as they are."""
    # format_map would follow attributes and indexes that a template names; figures are plain
    # text, so that there is nothing behind them to reach.
    plain = {name: str(value) for name, value in figures.items()}
    try:
        said = sentence.format_map(_Figures(plain)).strip()
    except (ValueError, AttributeError, IndexError, KeyError):
        return sentence
    # A figure that is not known yet leaves no gap.
    return re.sub(r"(?<=\S) {2,}(?=\S)", " ", said)
