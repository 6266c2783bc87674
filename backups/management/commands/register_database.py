from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.models import EngineName
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Register a PostgreSQL cluster to protect, with the tenants in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what to call it here")
        parser.add_argument("storage", help="name of the storage location of its backups")
        parser.add_argument(
            "--engine",
            default=EngineName.BARMAN_CLOUD.value,
            choices=EngineName.values,
            type=str.upper,
            help="what backs it up",
        )
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=5432)
        parser.add_argument("--superuser", default="postgres")
        parser.add_argument("--archive", help="its name in the archive; its name here if not given")
        parser.add_argument(
            "--password",
            required=True,
            help="where the password is: settings:NAME, env:NAME or file:PATH; never the password",
        )
        parser.add_argument(
            "--tenant",
            action="append",
            default=[],
            metavar="DATABASE=CODE",
            help="a customer's database and the code that customers see; may be repeated",
        )
        parser.add_argument(
            "--public-name",
            default="",
            metavar="NAME",
            help="what customers call it where they read how fresh its backups are",
        )

        parser.add_argument(
            "--copy",
            action="append",
            default=[],
            metavar="LOCATION",
            help="another storage location that holds the same objects; may be repeated",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        tenants = [tuple(each.partition("=")[::2]) for each in options["tenant"]]
        try:
            database = operations.register_database(
                name=options["name"],
                engine=options["engine"],
                host=options["host"],
                port=options["port"],
                superuser=options["superuser"],
                storage_id=queries.storage_location_named(options["storage"]).pk,
                archive_name=options["archive"] or options["name"],
                password_reference=options["password"],
                tenants=[(name, code or name) for name, code in tenants],
                public_name=options["public_name"],
                copy_ids=[queries.storage_location_named(name).pk for name in options["copy"]],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Registered the database {database}, with {len(tenants)} tenants.")
