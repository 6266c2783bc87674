import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone as clock

from incidents import operations, queries
from incidents.account import is_account, read_account
from incidents.errors import Refused
from incidents.importer import (
    LARGEST_FILE,
    Decoded,
    Reading,
    Told,
    YearUnclear,
    as_json,
    decode,
    read_postmortem,
)
from incidents.lint import Finding, lint

_UNCLEAR = 2


class Command(BaseCommand):
    help = "Read a written postmortem into an incident: timeline, updates, causes, actions."
    requires_system_checks = []
    requires_migrations_checks = False

    @staticmethod
    def embedded_servers(arguments: list[str]) -> frozenset[str]:
        """Return a dry run needs no server."""
        return frozenset() if "--dry-run" in arguments else frozenset({"postgres"})

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the document, as text or markdown; - reads stdin")
        parser.add_argument("--year", type=int, help="the year of dates that state none")
        parser.add_argument(
            "--timezone", help="the zone of times that state none: Europe/Amsterdam, CET, +01:00"
        )
        parser.add_argument(
            "--day", type=date.fromisoformat, help="the day of times that state none: 2026-01-31"
        )
        parser.add_argument(
            "--day-first", action="store_true", default=None, help="read 03/04/2026 as 3 April"
        )
        parser.add_argument(
            "--part", type=int, help="which incident, of a document that tells of several"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only show what was read; needs no database"
        )
        parser.add_argument(
            "--again",
            action="store_true",
            help="write a second record of an exported incident that is here already",
        )
        parser.add_argument("--format", choices=("json", "text"), default="text")

    def handle(self, *, file: str, dry_run: bool, **options: Any) -> None:
        decoded = _read(file)
        text = decoded.text
        if decoded.guessed:
            self.stderr.write(f"{file} is taken for {decoded.encoding}: a guess, by its bytes.")
        if is_account(text):
            self._take_back(text, file, again=options["again"], is_dry=dry_run)
            return
        told = Told(
            year=options["year"],
            timezone=options["timezone"],
            day=options["day"],
            day_first=options["day_first"],
            part=options["part"],
        )
        try:
            reading = read_postmortem(text, told=told)
        except YearUnclear as refusal:
            raise CommandError(_ask(refusal), returncode=_UNCLEAR) from refusal
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._show(reading, lint(reading), options["format"])
        if not dry_run:
            self._keep(reading, text, file)

    def _take_back(self, text: str, file: str, *, again: bool, is_dry: bool) -> None:
        """Take an account that was exported here into the record, whole."""
        try:
            record = read_account(text)
            self.stdout.write(
                f"{record.title}: exported here, with {len(record.entries)} entries, "
                f"{len(record.causes)} causes, {len(record.actions)} action items and "
                f"{len(record.sections)} sections."
            )
            if is_dry:
                return
            incident = operations.import_account(
                record=record,
                text=text,
                source_name=Path(file).name,
                at=clock.now(),
                author=None,
                again=again,
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stderr.write(f"Imported as {incident.ref}.")

    def _show(self, reading: Reading, findings: tuple[Finding, ...], form: str) -> None:
        if form == "json":
            told = as_json(reading) | {"lint": [_finding(finding) for finding in findings]}
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(_lines(reading, findings)))

    def _keep(self, reading: Reading, text: str, file: str) -> None:
        source = "standard input" if file == "-" else Path(file).name
        before = queries.imported_before(text=text, source_name="" if file == "-" else source)
        for known in before:
            same = "the same document" if known.same_words else "a document of the same name"
            self.stderr.write(f"{known.incident.ref} was imported before from {same}.")
        try:
            incident = operations.import_reading(
                reading=reading,
                text=text,
                title=reading.title or source,
                source_name=source,
                at=clock.now(),
                author=None,
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stderr.write(f"Imported as {incident.ref}.")


def _read(file: str) -> Decoded:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with Path(file).open("rb") as source:
                content = source.read(LARGEST_FILE + 1)
    except OSError as fault:
        raise CommandError(
            f"{file} cannot be read: {fault.strerror}. Name a text file, or - for standard input."
        ) from fault
    try:
        return decode(content)
    except Refused as refusal:
        raise CommandError(f"{file}: {refusal}") from refusal


def _ask(refusal: YearUnclear) -> str:
    years = " or ".join(f"--year {reading.year}" for reading in refusal.readings)
    return f"{refusal}\nPass {years or '--year with the right one'}."


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "level": str(finding.level),
        "lines": list(finding.lines),
        "entries": list(finding.entries),
        "message": finding.message,
        "evidence": finding.evidence,
        "fix": finding.fix,
    }


def _open_questions(reading: Reading) -> Iterator[str]:
    if reading.parts and reading.part is None:
        yield f"\nThis document tells of {len(reading.parts)} incidents. --part N takes one:"
        for part in reading.parts:
            yield f"{part.number:5d}  line {part.line}, {part.count} entries: {part.title}"
    if reading.lacks_day:
        yield "Day: none stated. Pass --day, or the entries stay without a time."
    if reading.lacks_zone:
        yield "Pass --timezone, or the times are taken as UTC."
    if reading.order_open:
        yield "Day and month could be exchanged in every date. Pass --day-first if they are."


def _lines(reading: Reading, findings: tuple[Finding, ...]) -> Iterator[str]:
    zone = reading.timezone
    yield reading.title or "(no title)"
    yield f"Zone: {zone.label} ({zone.name})" if zone else "Zone: none stated"
    yield from _open_questions(reading)
    yield f"\nTimeline, {len(reading.entries)} entr{'y' if len(reading.entries) == 1 else 'ies'}"
    for entry in reading.entries:
        about = "~" if entry.approx else " "
        when = f"{entry.start or '?'}{' to ' + entry.end if entry.end else ''}"
        yield f"{entry.line:5d} {about}{when}  {entry.text60}"
    yield f"\nCustomer updates, {len(reading.updates)}"
    for update in reading.updates:
        yield f"{update.line:5d}  {update.published_at or '?'}  {update.body[:60]}"
    yield f"\nCauses, {len(reading.causes)}"
    for cause in reading.causes:
        yield f"{cause.line:5d}  {cause.kind}: {cause.text[:60]}"
    yield f"\nActions, {len(reading.actions)}"
    for action in reading.actions:
        when = action.done or action.due or ""
        yield f"{action.line:5d}  {action.state} {when}  {action.text[:60]}"
    if reading.unplaced:
        numbers = ", ".join(str(line) for line in reading.unplaced)
        yield f"\nLines that hold a time and were not placed: {numbers}"
    yield f"\nLint, {len(findings)} finding{'' if len(findings) == 1 else 's'}"
    for finding in findings:
        numbers = ", ".join(str(line) for line in finding.lines)
        yield f"  {finding.level} {finding.code} ({numbers}): {finding.message}"
