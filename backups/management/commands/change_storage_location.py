from argparse import BooleanOptionalAction
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from incidents.errors import Refused

_CHANGES = {
    "endpoint": "endpoint",
    "region": "region",
    "provider": "provider",
    "credentials": "credentials_reference",
    "path_style": "uses_path_style",
    "bucket": "bucket",
    "prefix": "prefix",
    "zone": "tz",
    "read_only": "is_read_only",
}


class Command(BaseCommand):
    help = "Change how a storage location is reached; what is not named stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what it is called here")
        parser.add_argument("--endpoint", help="address of the storage; '' for AWS")
        parser.add_argument("--region")
        parser.add_argument("--provider", help="who runs it")
        parser.add_argument(
            "--path-style",
            action=BooleanOptionalAction,
            default=None,
            help="the bucket stands in the path, or in the host name",
        )
        parser.add_argument(
            "--credentials",
            help="where the keys are: settings:NAME, env:NAME or file:PATH; never the keys",
        )
        parser.add_argument("--bucket", help="not while a job works with it")
        parser.add_argument("--zone", help="the time zone in which its nights are counted")
        parser.add_argument(
            "--read-only",
            action=BooleanOptionalAction,
            default=None,
            help="its keys are only to read: nothing is written there, and that is no fault",
        )
        parser.add_argument(
            "--prefix", help="where in the bucket the archives lie; not while a job works with it"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        wanted = {
            field: options[name] for name, field in _CHANGES.items() if options[name] is not None
        }
        if not wanted:
            raise CommandError("Say what is to change, as in --endpoint https://s3.example.net.")
        try:
            location = operations.change_storage_location(
                location_id=queries.storage_location_named(options["name"]).pk, **wanted
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        place = f"{location.bucket}/{location.prefix}".rstrip("/")
        style = "path" if location.uses_path_style else "host name"
        self.stdout.write(
            f"{location}: {place} at {location.endpoint or 'AWS'}, region {location.region}, "
            f"bucket in the {style}, keys from {location.credentials_reference}"
            f"{', only to read' if location.is_read_only else ''}, hours in {location.tz}."
        )
        self.stdout.write(
            "Work that is under way goes on as it began. A restore takes this with its next "
            "attempt: pause and resume it."
        )
