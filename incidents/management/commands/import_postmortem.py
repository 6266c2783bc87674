import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone as clock

from incidents import operations
from incidents.errors import Refused
from incidents.importer import Reading, YearUnclear, as_json, read_postmortem
from incidents.lint import Finding, lint

_UNCLEAR = 2
_LARGEST = 16 * 1024 * 1024


class Command(BaseCommand):
    help = "Read a written postmortem into an incident: timeline, updates, causes, actions."
    requires_system_checks = []
    requires_migrations_checks = False

    @staticmethod
    def embedded_servers(arguments: list[str]) -> frozenset[str]:
        """Return a dry run needs no server."""
        return frozenset() if "--dry-run" in arguments else frozenset({"postgres"})

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the document, as UTF-8 text or markdown; - reads stdin")
        parser.add_argument("--year", type=int, help="the year of dates that state none")
        parser.add_argument(
            "--timezone", help="the zone of times that state none: Europe/Amsterdam, CET, +01:00"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only show what was read; needs no database"
        )
        parser.add_argument("--format", choices=("json", "text"), default="text")

    def handle(self, *, file: str, dry_run: bool, **options: Any) -> None:
        text = _read(file)
        try:
            reading = read_postmortem(text, year=options["year"], timezone=options["timezone"])
        except YearUnclear as refusal:
            raise CommandError(_ask(refusal), returncode=_UNCLEAR) from refusal
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._show(reading, lint(reading), options["format"])
        if not dry_run:
            self._keep(reading, text, file)

    def _show(self, reading: Reading, findings: tuple[Finding, ...], form: str) -> None:
        if form == "json":
            told = as_json(reading) | {"lint": [_finding(finding) for finding in findings]}
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(_lines(reading, findings)))

    def _keep(self, reading: Reading, text: str, file: str) -> None:
        source = "standard input" if file == "-" else Path(file).name
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


def _read(file: str) -> str:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(file).open("rb") as source:
                content = source.read(_LARGEST + 1)
    except OSError as fault:
        raise CommandError(
            f"{file} cannot be read: {fault.strerror}. Name a text file, or - for standard input."
        ) from fault
    if len(content) > _LARGEST:
        raise CommandError(f"{file} is larger than 16 MiB. Import only the postmortem itself.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise CommandError(
            f"{file} is not UTF-8 text (byte {fault.start}). Save it as UTF-8 and try again."
        ) from fault


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


def _lines(reading: Reading, findings: tuple[Finding, ...]) -> Iterator[str]:
    zone = reading.timezone
    yield reading.title or "(no title)"
    yield f"Zone: {zone.label} ({zone.name})" if zone else "Zone: none stated"
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
    yield f"\nLint, {len(findings)} finding{'' if len(findings) == 1 else 's'}"
    for finding in findings:
        numbers = ", ".join(str(line) for line in finding.lines)
        yield f"  {finding.level} {finding.code} ({numbers}): {finding.message}"
