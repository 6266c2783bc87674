import json
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.models import BackupCheck, BackupCheckName, CheckState, Database
from incidents.errors import Refused

# As monitoring plugins are to answer: 0 ok, 1 warning, 2 critical, 3 unknown.
EXIT_CODES = {
    CheckState.OK: 0,
    CheckState.WARNING: 1,
    CheckState.CRITICAL: 2,
    CheckState.UNKNOWN: 3,
}
# What counts more when several are so: what is known to be bad before what is not known.
GRAVITY = (CheckState.OK, CheckState.WARNING, CheckState.UNKNOWN, CheckState.CRITICAL)


class Command(BaseCommand):
    help = (
        "Look whether backups would serve: one line a check, and an exit code for monitoring "
        "(0 ok, 1 warning, 2 critical, 3 unknown)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", nargs="?", help="name of a database; all without it")
        parser.add_argument(
            "--check",
            action="append",
            default=[],
            type=str.upper,
            choices=BackupCheckName.values,
            metavar="CHECK",
            help=f"only this check; may be repeated ({', '.join(BackupCheckName.values)})",
        )
        parser.add_argument(
            "--look", action="store_true",
            help="list the storage now, instead of going by its last listing",
        )  # fmt: skip
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            name = options["database"]
            databases = [queries.database_named(name)] if name else queries.databases()
        except Refused as refusal:
            # Not 1, which would say that it was looked at and warns.
            raise CommandError(str(refusal), returncode=EXIT_CODES[CheckState.UNKNOWN]) from refusal
        for each in databases if options["look"] else ():
            try:
                operations.list_now(database_id=each.pk, at=timezone.now())
            except Refused as refusal:
                # The checks say themselves by which listing they went.
                self.stderr.write(f"{each}: {refusal}")
        found = {each: self._look(each, options["check"]) for each in databases}
        if options["format"] == "json":
            document = [_document(database, rows) for database, rows in found.items()]
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self._tell(found)
        states = {CheckState(row.state) for rows in found.values() for row in rows}
        # Nothing looked at is nothing known.
        worst = max(states, key=GRAVITY.index, default=CheckState.UNKNOWN)
        sys.exit(EXIT_CODES[worst])

    def _look(self, database: Database, names: Sequence[str]) -> Sequence[BackupCheck]:
        return operations.check_now(
            database_id=database.pk,
            at=timezone.now(),
            names=[BackupCheckName(name) for name in names],
        )

    def _tell(self, found: dict[Database, Sequence[BackupCheck]]) -> None:
        if not found:
            self.stdout.write("No database is registered: manage.py register_database --help.")
        for database, rows in found.items():
            self.stdout.write(f"{database}")
            for row in rows:
                state = "UNASKED" if row.is_unasked else row.state
                self.stdout.write(
                    f"  {state:<8}  {row.get_name_display()}: {row.words} "
                    f"(since {row.since_at:%Y-%m-%d %H:%M} UTC{_asked(row)})"
                )
                if row.advice:
                    self.stdout.write(f"            {row.advice}")


def _asked(row: BackupCheck) -> str:
    if row.source is None:
        return ""
    what, at = row.source
    return f"; {what} {at:%Y-%m-%d %H:%M} UTC"


def _document(database: Database, rows: Sequence[BackupCheck]) -> dict[str, Any]:
    return {
        "database": database.name,
        "checks": [
            {
                "check": row.name,
                "state": row.state,
                "since": row.since_at.isoformat(),
                "looked_at": row.looked_at.isoformat(),
                "words": row.words,
                "advice": row.advice,
                "evidence": row.evidence,
            }
            for row in rows
        ],
    }
