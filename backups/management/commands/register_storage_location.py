from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

import credentials
from backups import operations
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Register a bucket that holds backups."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what to call it here")
        parser.add_argument("--bucket", required=True)
        parser.add_argument("--prefix", default="", help="where in the bucket the archives lie")
        parser.add_argument("--endpoint", default="", help="address of the storage; empty for AWS")
        parser.add_argument("--region", default="us-east-1")
        parser.add_argument("--provider", default="", help="who runs it")
        parser.add_argument(
            "--zone", default="UTC", help="the time zone in which its nights are counted"
        )
        parser.add_argument(
            "--read-only",
            action="store_true",
            help="its keys are only to read: nothing is written there, and that is no fault",
        )
        parser.add_argument("--virtual-hosts", action="store_true", help="bucket in the host name")
        parser.add_argument(
            "--credentials",
            required=True,
            help="where the keys are: settings:NAME, env:NAME or file:PATH; never the keys",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            location = operations.register_storage_location(
                name=options["name"],
                bucket=options["bucket"],
                prefix=options["prefix"],
                endpoint=options["endpoint"],
                region=options["region"],
                provider=options["provider"],
                tz=options["zone"],
                is_read_only=options["read_only"],
                uses_path_style=not options["virtual_hosts"],
                credentials_reference=options["credentials"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        try:
            credentials.storage_keys(location.credentials_reference)
        except credentials.CredentialsMissing as missing:
            self.stderr.write(
                f"Warning: seen from here there are no keys at {location.credentials_reference} "
                f"({missing}). Put them there before the first backup or restore."
            )
        self.stdout.write(f"Registered the storage location {location}.")
