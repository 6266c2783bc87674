"""Runbooks as files, for the day on which the desk is not there."""

import logging
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.utils.text import slugify

from backups.models import Database
from backups.queries import runbook_of
from backups.runbook import WITHOUT, Runbook, as_markdown, prose

logger = logging.getLogger(__name__)

FORMATS = ("md", "html")
# How long what was written down holds.
_HOLDS = timedelta(hours=1)


def runbook_html(runbook: Runbook) -> str:
    """Return a runbook as a page that stands alone: it loads nothing."""
    sections = [
        # It has just been cleaned.
        (section.title, mark_safe(prose.as_html(section.body)))  # noqa: S308
        for section in runbook.sections
    ]
    return render_to_string(
        "backups/runbook_document.html",
        {"runbook": runbook, "sections": sections, "without": WITHOUT},
    )


def write_runbook(database: Database, folder: Path, *, at: datetime) -> list[Path]:
    """Write a database's runbook into a folder, as markdown and as HTML; return the files.

    Each is there whole or as it was before, and readable by its owner alone.

    :raises OSError: if the folder cannot be written
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = runbook_of(database, at=at)
    texts = {"md": as_markdown(made), "html": runbook_html(made)}
    files = _files(database, folder)
    for ending, path in zip(FORMATS, files, strict=True):
        _write(path, texts[ending], at=at)
    return files


def write_runbooks(*, at: datetime) -> int:
    """Write the runbooks into RUNBOOK_ROOT that are an hour old; return of how many that was.

    One that is not there is written at once. Those of databases that are not registered any more
    are taken away.
    """
    folder = Path(settings.RUNBOOK_ROOT)
    written = set()
    count = 0
    for database in Database.objects.select_related("storage").order_by("name"):
        files = _files(database, folder)
        if all(_is_fresh(path, at) for path in files):
            written.update(files)
            continue
        try:
            written.update(write_runbook(database, folder, at=at))
        except OSError as error:
            logger.warning("The runbook of %s was not written: %s", database, error)
            return count
        except Exception:
            # One that stumbles keeps what was written of it before; the others are written.
            logger.exception("The runbook of database %s was not written", database.pk)
            written.update(files)
            continue
        count += 1
    for ending in FORMATS:
        for path in folder.glob(f"runbook-*.{ending}"):
            if path not in written:
                path.unlink(missing_ok=True)
    return count


def _files(database: Database, folder: Path) -> list[Path]:
    return [folder / f"{_stem(database)}.{ending}" for ending in FORMATS]


def _is_fresh(path: Path, at: datetime) -> bool:
    try:
        age = at.timestamp() - path.stat().st_mtime
    except OSError:
        return False
    # One from the future was written by a clock that was set back since.
    return 0 <= age < _HOLDS.total_seconds()


def _stem(database: Database) -> str:
    name = slugify(database.name)
    return f"runbook-{name}-{database.pk}" if name else f"runbook-{database.pk}"


def _write(path: Path, text: str, *, at: datetime) -> None:
    handle, half = tempfile.mkstemp(dir=path.parent, prefix=".runbook-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.utime(half, (at.timestamp(), at.timestamp()))
        Path(half).replace(path)
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
