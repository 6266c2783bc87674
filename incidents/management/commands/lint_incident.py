import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents import queries
from incidents.errors import Refused
from incidents.importer import LARGEST_FILE, YearUnclear, decode, read_postmortem
from incidents.lint import Finding, Level, lint
from incidents.models import Incident, LintDismissal

_UNCLEAR = 2
_FOUND = 3
_REF = re.compile(r"(?:INC-)?(\d{1,18})", re.IGNORECASE)

_Found = list[tuple[Finding, LintDismissal | None]]


class Command(BaseCommand):
    help = "Say what does not hold together in an incident's record, or in a written postmortem."
    requires_system_checks = []
    requires_migrations_checks = False

    @staticmethod
    def embedded_servers(arguments: list[str]) -> frozenset[str]:
        """Return a document needs no server."""
        return frozenset() if "--file" in arguments else frozenset({"postgres"})

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ref", help="the incident, as INC-7 or 7; a document with --file")
        parser.add_argument(
            "--file",
            action="store_true",
            help="REF is a document, as UTF-8 text or markdown; - reads stdin; needs no database",
        )
        parser.add_argument("--year", type=int, help="with --file: the year of dates without one")
        parser.add_argument("--timezone", help="with --file: the zone of times without one")
        parser.add_argument(
            "--strict", action="store_true", help="fail for warnings, too, not for errors alone"
        )
        parser.add_argument("--format", choices=("json", "text"), default="text")

    def handle(self, *, ref: str, file: bool, strict: bool, **options: Any) -> None:
        found = _in_document(ref, options) if file else _in_record(ref)
        if options["format"] == "json":
            told = [_as_json(finding, decision) for finding, decision in found]
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(_lines(found)))
        counted = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
        left = [one for one, decision in found if decision is None and one.level in counted]
        if left:
            words = "finding" if strict else "error"
            raise CommandError(
                f"{len(left)} {words}{'' if len(left) == 1 else 's'} left: correct the record, "
                "or dismiss each with a reason.",
                returncode=_FOUND,
            )


def _in_record(ref: str) -> _Found:
    match = _REF.fullmatch(ref.strip())
    if match is None:
        raise CommandError(f"{ref} is no incident: give INC-7 or 7, or add --file for a document.")
    try:
        judged = queries.lint_findings(int(match[1]))
    except Incident.DoesNotExist as fault:
        raise CommandError(f"There is no incident {ref}.") from fault
    return [(one.finding, one.dismissal) for one in judged]


def _in_document(file: str, options: dict[str, Any]) -> _Found:
    try:
        reading = read_postmortem(_text(file), year=options["year"], timezone=options["timezone"])
    except YearUnclear as refusal:
        years = " or ".join(f"--year {reading.year}" for reading in refusal.readings)
        raise CommandError(
            f"{refusal}\nPass {years or '--year with the right one'}.", returncode=_UNCLEAR
        ) from refusal
    except Refused as refusal:
        raise CommandError(str(refusal)) from refusal
    return [(finding, None) for finding in lint(reading)]


def _text(file: str) -> str:
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
        return decode(content).text
    except Refused as refusal:
        raise CommandError(f"{file}: {refusal}") from refusal


def _as_json(finding: Finding, decision: LintDismissal | None) -> dict[str, Any]:
    return finding.as_json() | {"dismissed": decision.reason if decision else None}


def _lines(found: _Found) -> Iterator[str]:
    yield f"{len(found)} finding{'' if len(found) == 1 else 's'}"
    for finding, decision in found:
        mark = "dismissed" if decision else str(finding.level)
        yield f"{mark:9}  {finding.code}: {finding.message}"
        if finding.evidence:
            yield f"           {finding.evidence}"
        if decision:
            yield f"           may stand: {decision.reason}"
        elif finding.fix:
            yield f"           {finding.fix}"
