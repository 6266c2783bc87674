"""What a job says to customers: plain sentences, which staff may replace by their own.

A sentence takes figures by name and nothing else, so that no word of an engine, no path, host
or bucket can reach the page. ``NAMES`` are those there are.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from incidents.models import UpdateTemplate

# code: what customers are told. Staff see these at the desk and may replace each.
UPDATES = {
    "restore_started": _(
        "We have started to bring the data back from a backup. This page shows how far it is, "
        "and keeps itself up to date."
    ),
    "restore_attempt_failed": _(
        "The work was interrupted. What had arrived is kept, and it goes on from there by itself."
    ),
    "restore_waiting": _(
        "The storage that holds our backups does not answer at the moment. What has arrived is "
        "kept, and the work goes on by itself as soon as it answers."
    ),
    "restore_going_on": _("The data is still being brought back: {progress}. {eta}"),
    "restore_eta_moved": _("Our estimate has changed. {eta}"),
    "restore_eta_missed": _("The time that we gave has passed and the data is not back yet. {eta}"),
    "restore_failed": _(
        "Bringing the data back has stopped before its end. Nothing that had arrived is lost. "
        "Our engineers are on it, and we will say here how it goes on."
    ),
    "restore_cancelled": _(
        "We have ended this way of bringing the data back. We will say here how it goes on."
    ),
    "restore_finished": _(
        "All data up to {data_until} is back and has been checked. We are watching the service."
    ),
}

# The figures that a sentence may name, and what each stands for.
NAMES = {
    "percent": _("how far the phase under way is"),
    "phase": _("the part of the restore that is under way"),
    "progress": _("that part, and how far it is if that can be told"),
    "eta": _("a sentence with the range in which it ends, and what that rests on"),
    "data_until": _("the moment up to which everything is, or will be, back"),
    "attempts": _("which attempt this is"),
    "amount": _("how much has been brought back"),
}

# code: what the timeline says.
ENTRIES = {
    "restore_started": _("Restore started: everything up to {data_until} shall come back."),
    "restore_attempt_failed": _("Attempt {attempts} was interrupted: {progress}."),
    "restore_waiting": _("The storage does not answer. Waiting, with what has arrived."),
    "restore_resumed": _("The restore goes on, with what has arrived: {phase}."),
    "restore_phase_done": _("Done: {phase}. {amount}"),
    "restore_failed": _("The restore stopped in: {phase}. It can go on from there."),
    "restore_cancelled": _("The restore was ended early, and its target cleared."),
    "restore_finished": _("Restore finished and checked: everything up to {data_until}. {amount}"),
}


class _Figures(dict[str, Any]):
    """What a sentence may name. A name that staff invented stays visible as it is."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def update_text(code: str, figures: Mapping[str, Any]) -> str:
    """Return what customers are told for this code, in staff's words if they wrote any."""
    own = UpdateTemplate.objects.filter(code=code).values_list("body", flat=True).first()
    return fill(own or str(UPDATES[code]), figures)


def entry_text(code: str, figures: Mapping[str, Any]) -> str:
    """Return what the timeline says for this code."""
    return fill(str(ENTRIES[code]), figures)


def fill(sentence: str, figures: Mapping[str, Any]) -> str:
    """Return the sentence with its names replaced by figures. Unknown names stay as they are."""
    # format_map would follow attributes and indexes that a template names; figures are plain
    # text, so that there is nothing behind them to reach.
    plain = {name: str(value) for name, value in figures.items()}
    try:
        return sentence.format_map(_Figures(plain)).strip()
    except (ValueError, AttributeError, IndexError, KeyError):
        return sentence
