from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.models import TenantRestore
from incidents.errors import Refused

_DECISIONS = {"replace": True, "keep": False}


class Command(BaseCommand):
    help = (
        "Change one tenant's turn in a restore (first, earlier, later, last), let it be tried "
        "again (retry), or decide what becomes of writes that it took since (replace, keep)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument("tenant", help="the code that customers see, or the database's name")
        parser.add_argument("deed", choices=[*operations.Place.values, "retry", *_DECISIONS])

    def handle(self, *_args: Any, **options: Any) -> None:
        deed = options["deed"]
        try:
            row = queries.tenant_restore_named(options["restore"], options["tenant"])
            row = _doing(deed)(row.pk)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{row.tenant}: {row.get_state_display().lower()}.")


def _doing(deed: str) -> Callable[[int], TenantRestore]:
    at = timezone.now()
    if deed == "retry":
        return lambda pk: operations.retry_tenant(tenant_restore_id=pk, at=at)
    if deed in _DECISIONS:
        return lambda pk: operations.decide_conflict(
            tenant_restore_id=pk, replace=_DECISIONS[deed], at=at
        )
    return lambda pk: operations.move_tenant(tenant_restore_id=pk, to=operations.Place(deed))
