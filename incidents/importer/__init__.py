"""Reads a written postmortem into values: timeline, updates, causes, actions.

Pure functions: text in, frozen values out. Nothing here knows Django, a database or a clock.
"""

from incidents.importer.encoding import LARGEST_FILE, Decoded, decode
from incidents.importer.output import as_json
from incidents.importer.reader import Told, read_postmortem
from incidents.importer.reading import (
    Action,
    Cause,
    Entry,
    Mention,
    Other,
    Part,
    Promised,
    Reading,
    StatedZone,
    Statement,
    Update,
    Window,
)
from incidents.importer.refusals import (
    DocumentTooLong,
    Evidence,
    NothingToRead,
    NotText,
    UnknownPart,
    UnknownZone,
    YearOutOfRange,
    YearReading,
    YearUnclear,
)

__all__ = [
    "LARGEST_FILE",
    "Action",
    "Cause",
    "Decoded",
    "DocumentTooLong",
    "Entry",
    "Evidence",
    "Mention",
    "NotText",
    "NothingToRead",
    "Other",
    "Part",
    "Promised",
    "Reading",
    "StatedZone",
    "Statement",
    "Told",
    "UnknownPart",
    "UnknownZone",
    "Update",
    "Window",
    "YearOutOfRange",
    "YearReading",
    "YearUnclear",
    "as_json",
    "decode",
    "read_postmortem",
]
