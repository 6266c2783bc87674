"""Reads a written postmortem into values: timeline, updates, causes, actions.

Pure functions: text in, frozen values out. Nothing here knows Django, a database or a clock.
"""

from incidents.importer.output import as_json
from incidents.importer.reader import read_postmortem
from incidents.importer.reading import Action, Cause, Entry, Mention, Reading, StatedZone, Update
from incidents.importer.refusals import (
    Evidence,
    NothingToRead,
    UnknownZone,
    YearOutOfRange,
    YearReading,
    YearUnclear,
)

__all__ = [
    "Action",
    "Cause",
    "Entry",
    "Evidence",
    "Mention",
    "NothingToRead",
    "Reading",
    "StatedZone",
    "UnknownZone",
    "Update",
    "YearOutOfRange",
    "YearReading",
    "YearUnclear",
    "as_json",
    "read_postmortem",
]
