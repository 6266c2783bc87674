"""Deeds on runbooks: staff's own sections, and the steps that are ticked in an incident."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from backups import queries, runner
from backups.models import Database, RunbookSection, RunbookTick
from incidents import operations as record
from incidents import queries as reading
from incidents.errors import Refused
from incidents.operations import EditedMeanwhile
from incidents.values import Source, When

_LONGEST_WORDS = RunbookTick._meta.get_field("words").max_length


class FolderRefused(Refused):
    code = "runbook-folder-refused"
    message = "The runbook cannot be written there. Name a folder that may be written to."


class NoSuchStep(Refused):
    code = "runbook-step-gone"
    message = "The runbook has no such step any more. Load the page again, and tick what is there."


def add_section(
    *, database_id: int, title: str, body: str, by: User | None, at: datetime
) -> RunbookSection:
    """Write a section of one's own, behind the others."""
    with transaction.atomic():
        _hold(database_id)
        last = RunbookSection.objects.filter(database_id=database_id).aggregate(
            last=Max("position")
        )["last"]
        return RunbookSection.objects.create(
            database_id=database_id,
            title=title,
            body=body,
            position=0 if last is None else last + 1,
            edited_at=at,
            edited_by=by,
        )


def edit_section(
    *, section_id: int, title: str, body: str, version: int, by: User | None, at: datetime
) -> RunbookSection:
    """Say something else in a section. ``version`` is the one that was read.

    :raises EditedMeanwhile: if somebody has changed it since
    """
    with transaction.atomic():
        section = RunbookSection.objects.select_for_update().get(pk=section_id)
        if (section.title, section.body) == (title, body):
            return section
        if section.version != version:
            raise EditedMeanwhile
        section.title, section.body = title, body
        section.version += 1
        section.edited_at, section.edited_by = at, by
        section.save(update_fields=["title", "body", "version", "edited_at", "edited_by"])
    return section


def move_section(*, section_id: int, to: Literal["up", "down"]) -> None:
    """Let a section change places with the one above or below it; at an end it stays."""
    with transaction.atomic():
        database_id = RunbookSection.objects.values_list("database_id", flat=True).get(
            pk=section_id
        )
        _hold(database_id)
        rows = list(
            RunbookSection.objects.filter(database_id=database_id).order_by("position", "pk")
        )
        place = next((at for at, row in enumerate(rows) if row.pk == section_id), None)
        if place is None:
            return
        other = place + (-1 if to == "up" else 1)
        if 0 <= other < len(rows):
            rows[place], rows[other] = rows[other], rows[place]
        for position, row in enumerate(rows):
            row.position = position
        RunbookSection.objects.bulk_update(rows, ["position"])


def remove_section(*, section_id: int, version: int) -> RunbookSection:
    """Take a section away; what it said is returned.

    :raises EditedMeanwhile: if somebody has changed it since it was read
    """
    with transaction.atomic():
        section = RunbookSection.objects.select_for_update().get(pk=section_id)
        if section.version != version:
            raise EditedMeanwhile
        section.delete()
    return section


def tick_step(
    *, database_id: int, incident_id: int, step: str, by: User | None, at: datetime
) -> RunbookTick:
    """Write down that a step was done in an incident; its timeline says so as well.

    A step that is ticked already is left as it is, and its tick returned.

    :raises NoSuchStep: if the runbook has no step of this code
    """
    with transaction.atomic():
        database = _hold(database_id)
        found = RunbookTick.objects.filter(
            database_id=database_id, incident_id=incident_id, step=step
        ).first()
        if found is not None:
            return found
        incident = reading.incident(incident_id)
        made = queries.runbook_of(database, at=at, incident=incident).step(step)
        if made is None:
            raise NoSuchStep
        entry = record.add_entry(
            incident_id=incident_id,
            text=f"Runbook of {database.name}: “{made.title}” is done.",
            when=When(at=at),
            at=at,
            author=by,
            source=Source.WEB,
            tags=["runbook"],
        )
        return RunbookTick.objects.create(
            database_id=database_id,
            incident_id=incident_id,
            step=step,
            words=made.title[:_LONGEST_WORDS],
            at=at,
            by=by,
            entry=entry,
        )


def untick_step(
    *, database_id: int, incident_id: int, step: str, by: User | None, at: datetime
) -> bool:
    """Take a tick back, and its entry off the timeline, where it can be brought back.

    Return whether it was ticked.
    """
    with transaction.atomic():
        _hold(database_id)
        tick = RunbookTick.objects.filter(
            database_id=database_id, incident_id=incident_id, step=step
        ).first()
        if tick is None:
            return False
        if tick.entry_id is not None:
            record.delete_entry(entry_id=tick.entry_id, at=at, author=by)
        tick.delete()
    return True


def write_runbook(*, database_id: int, folder: Path, at: datetime) -> list[Path]:
    """Write a runbook into a folder, as markdown and as HTML; return the files.

    :raises FolderRefused: if it cannot be written there
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    try:
        return runner.write_runbook(database, folder, at=at)
    except OSError as error:
        raise FolderRefused from error


def _hold(database_id: int) -> Database:
    """Return a database that nobody else changes the runbook of meanwhile."""
    rows = Database.objects.select_related("storage").select_for_update(of=("self",))
    return rows.get(pk=database_id)
