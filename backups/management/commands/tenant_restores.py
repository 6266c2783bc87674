import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from backups.models import TenantRestore, TenantRestoreState
from incidents.errors import Refused

_SHOWN = 200


class Command(BaseCommand):
    help = "List the tenants that a restore brings back one by one, in the order of their turns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument(
            "--state",
            type=str.upper,
            choices=TenantRestoreState.values,
            default="",
            help="only those in this state",
        )
        parser.add_argument("--find", default="", help="only those in whose name these words stand")
        parser.add_argument("--lanes", type=int, help="from now on bring so many back at once")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = queries.restore(options["restore"])
            if options["lanes"] is not None:
                operations.set_lanes(restore_id=job.pk, lanes=options["lanes"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        rows = queries.tenant_restores(job.pk, state=options["state"], named=options["find"])
        if options["format"] == "json":
            self.stdout.write(json.dumps([_fields(row) for row in rows.iterator()], indent=2))
            return
        counts = queries.tenant_counts(job.pk)
        self.stdout.write(
            ", ".join(
                f"{counts[state]} {state.label.lower()}"
                for state in TenantRestoreState
                if state in counts
            )
            or "Their turns are not known before the restore comes to them."
        )
        if counts and not rows.exists():
            self.stdout.write(_none_of(options["state"], options["find"]))
        for row in rows[:_SHOWN]:
            said = _fields(row)
            turn = "" if said["turn"] is None else said["turn"]
            self.stdout.write(
                f"{turn:>6} {said['tenant']:<32} {row.get_state_display():<22} "
                f"{said['data_until'] or '':<32} {said['detail'][:200]}".rstrip()
            )
        if rows.count() > _SHOWN:
            self.stdout.write(f"The first {_SHOWN} of them; --find or --format json shows others.")


def _none_of(state: str, find: str) -> str:
    """Say that nothing is like what was asked for; without either wish, all are shown."""
    asked = []
    if state:
        asked.append(f"is {TenantRestoreState(state).label.lower()}")
    if find:
        asked.append(f"has '{find}' in its name")
    return f"None of them {' and '.join(asked)}."


def _fields(row: TenantRestore) -> dict[str, Any]:
    return {
        "tenant": row.tenant.public_code,
        "database": row.tenant.name,
        "state": row.state,
        # Counted from 1 among those that wait; annotated by the query.
        "turn": row.turn,  # type: ignore[attr-defined]
        "bytes": row.size_bytes,
        "tries": row.attempts,
        "data_until": row.data_until_at.isoformat() if row.data_until_at else None,
        "kept_as": row.kept_as,
        "failure": row.failure_code,
        "detail": " ".join(row.detail.split()),
    }
