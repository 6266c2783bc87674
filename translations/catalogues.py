"""The files under ``locale/``: brought up to date with the code, and compiled."""

import io
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from translations import scope

# Who wrote what and when is the version control's business: a file changes only where words do.
_HEADER = """\
# What customers read. How to work on it: docs/how-to/translate.md
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def po_path(language: str) -> Path:
    return scope.LOCALE / language / "LC_MESSAGES" / "django.po"


def mo_path(language: str) -> Path:
    return po_path(language).with_suffix(".mo")


def read(language: str) -> Catalog:
    """Return the catalogue of a language; an empty one for a language that has none."""
    try:
        with po_path(language).open("rb") as file:
            catalog = read_po(file, locale=language, abort_invalid=True)
    except FileNotFoundError:
        catalog = Catalog(locale=language)
    catalog.creation_date = _ANY_DAY
    return catalog


def bring_up_to_date(language: str, template: Catalog) -> list[str]:
    """Take in new messages, drop those that are gone; return those that lack a translation.

    Nothing is guessed: a message that changed is a new message, to be translated by a person.
    """
    catalog = read(language)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    po_path(language).parent.mkdir(parents=True, exist_ok=True)
    po_path(language).write_bytes(_written(catalog))
    mo_path(language).write_bytes(compiled(read(language)))
    return [str(message.id) for message in catalog if message.id and not _is_whole(message.string)]


def compiled(catalog: Catalog) -> bytes:
    """Return a catalogue as Django reads it."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def _is_whole(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    forms = translation if isinstance(translation, tuple | list) else [translation]
    return all(forms)


def _written(catalog: Catalog) -> bytes:
    """Return a catalogue as text, in the order of its messages."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, sort_output=True, include_lineno=False, omit_header=True)
    header = _HEADER.format(language=catalog.locale_identifier, plural_forms=catalog.plural_forms)
    return header.encode() + file.getvalue()
