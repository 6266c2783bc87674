import csv
import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused

_COLUMNS = ("database", "customers_see", "code", "address")


class Command(BaseCommand):
    help = "List the private codes of a database's tenants, to hand them out; keep the list safe."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        rows = [
            (tenant.name, known.name, known.spoken_code, f"/my/{known.lookup_code}")
            for tenant, known in operations.give_codes(database_id=database.pk, at=timezone.now())
        ]
        try:
            self._write(rows, options["format"])
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough. What is still held back must not fail at the exit.
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self.stdout.fileno())

    def _write(self, rows: list[tuple[str, str, str, str]], form: str) -> None:
        match form:
            case "csv":
                writer = csv.writer(self.stdout)
                writer.writerow(_COLUMNS)
                writer.writerows(rows)
            case "json":
                listed = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
                self.stdout.write(json.dumps(listed, ensure_ascii=False, indent=2))
            case _:
                for name, customers_see, code, address in rows:
                    self.stdout.write(f"{name:<24} {customers_see:<32} {code}  {address}")
