from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.management.moments import moment
from backups.management.waiting import follow_restore
from backups.models import RestoreJob, RestoreStrategy
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Restore a database to a recovery target; with an incident, its page shows how far."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("recovery_target", nargs="?", help="name of the recovery target")
        parser.add_argument("--at", type=moment, help="the moment, in UTC; else the latest")
        parser.add_argument(
            "--backup", metavar="NAME", help="stop at the end of this backup; its name or id"
        )
        parser.add_argument("--option", metavar="CODE", help="as recovery_options names it")
        parser.add_argument(
            "--strategy", choices=[each.lower() for each in RestoreStrategy.values], default="stage"
        )
        parser.add_argument(
            "--standby", action="store_true", help="bring up the standby that is warm there"
        )
        parser.add_argument("--source", metavar="LOCATION", help="the copy to read from first")
        parser.add_argument("--lanes", type=int, help="how many tenants come back at once")
        parser.add_argument("--why", default="", metavar="REASONS", help="for the timeline")
        parser.add_argument(
            "--replace", default="", metavar="DIR", help="the target's directory, to move it aside"
        )
        parser.add_argument(
            "--rest-at",
            metavar="TARGET",
            help="in two stages: open with a backup alone first, recover the rest at this target",
        )
        parser.add_argument("--incident", type=int, help="number of the incident")
        parser.add_argument("--wait", action="store_true", help="work here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = _request(options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        rest = job.later_parts.first()
        self.stdout.write(f"Queued {job}, and {rest} for the rest." if rest else f"Queued {job}.")
        if options["wait"]:
            follow_restore(job.pk, self.stdout)


def _request(options: dict[str, Any]) -> RestoreJob:
    if options["option"]:
        return _chosen(options)
    return _in_stages(options) if options["rest_at"] else _asked(options)


def _in_stages(options: dict[str, Any]) -> RestoreJob:
    if not options["recovery_target"]:
        raise CommandError("Say where the first part is to be opened: the name of a target.")
    if options["replace"]:
        raise CommandError("In two stages nothing is moved aside. Choose two empty targets.")
    if options["standby"]:
        raise CommandError("A standby is brought up in one stage. Leave --rest-at out.")
    database_id = queries.database_named(options["database"]).pk
    backup, source = options["backup"], options["source"]
    return operations.request_staged_recovery(
        database_id=database_id,
        first_target_id=queries.recovery_target_named(options["recovery_target"]).pk,
        target_id=queries.recovery_target_named(options["rest_at"]).pk,
        backup_id=queries.backup_named(database_id, backup).pk if backup else None,
        target_at=options["at"],
        strategy=RestoreStrategy(options["strategy"].upper()),
        source_id=queries.storage_location_named(source).pk if source else None,
        lanes=options["lanes"],
        reasons=options["why"],
        incident_id=options["incident"],
        by_worker=not options["wait"],
        at=timezone.now(),
    ).first


def _chosen(options: dict[str, Any]) -> RestoreJob:
    if options["recovery_target"] or options["at"] or options["backup"]:
        raise CommandError("An option says itself where to and up to when. Leave the rest out.")
    return operations.choose_option(
        database_id=queries.database_named(options["database"]).pk,
        code=options["option"],
        reasons=options["why"],
        replaces=options["replace"],
        incident_id=options["incident"],
        by_worker=not options["wait"],
        by=None,
        at=timezone.now(),
    )


def _asked(options: dict[str, Any]) -> RestoreJob:
    if not options["recovery_target"]:
        raise CommandError("Say where to: the name of a recovery target, or --option CODE.")
    if options["at"] and options["backup"]:
        raise CommandError("A moment and the end of a backup are two points. Leave one out.")
    if options["standby"] and options["backup"]:
        raise CommandError("A standby is beyond the end of its backup. Leave one out.")
    database_id = queries.database_named(options["database"]).pk
    backup, source = options["backup"], options["source"]
    return operations.request_restore(
        database_id=database_id,
        recovery_target_id=queries.recovery_target_named(options["recovery_target"]).pk,
        target_at=options["at"],
        ends_with_backup=bool(backup),
        backup_id=queries.backup_named(database_id, backup).pk if backup else None,
        strategy=RestoreStrategy(options["strategy"].upper()),
        source_id=queries.storage_location_named(source).pk if source else None,
        lanes=options["lanes"],
        reasons=options["why"],
        replaces=options["replace"],
        from_standby=options["standby"],
        incident_id=options["incident"],
        by_worker=not options["wait"],
        at=timezone.now(),
    )
