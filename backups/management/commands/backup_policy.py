import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.models import BackupPolicy, Database, DrillAlarm
from backups.options.terms import LABELS, Terms, Window, described, in_words
from incidents.errors import Refused

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_PRESETS = {"never": "", "hourly": "0 * * * *", "daily": "0 2 * * *", "weekly": "0 2 * * 0"}
_WRITTEN = "hourly, daily, weekly, never, or five fields as in '0 2 * * *'"
# Options of the command, the terms that they set, and the unit in which they count.
_SCHEDULES = {
    "full": "full_schedule",
    "incremental": "incremental_schedule",
    "drill": "drill_schedule",
}
_SPANS = {
    "keep_days": ("keep_for", _DAY),
    "may_lose": ("may_lose", _MINUTE),
    "back_within": ("back_within", _MINUTE),
    "replica_lag": ("replica_lag_at_most", _MINUTE),
    "read_days": ("read_all_within", _DAY),
}
_SWITCHES = {"log": "archives_log", "encrypted": "wants_encryption"}


class Command(BaseCommand):
    help = "Show a database's backup policy, or change it; of a change first what it does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        for name in _SCHEDULES:
            parser.add_argument(f"--{name}", metavar="SCHEDULE", help=_WRITTEN)
        parser.add_argument("--tz", help="zone in which the schedules are read")
        parser.add_argument("--log", choices=["on", "off"], help="whether log is archived")
        parser.add_argument("--encrypted", choices=["on", "off"])
        for name, (_term, unit) in _SPANS.items():
            counted = "days" if unit == _DAY else "minutes"
            words = f"in {counted}; 0 says nothing"
            parser.add_argument(f"--{name.replace('_', '-')}", type=_count, help=words)
        parser.add_argument("--keep-fulls", type=_count, help="at least so many; 0 says nothing")
        parser.add_argument("--replicate-to", metavar="LOCATION", help="or none")
        parser.add_argument("--drill-target", metavar="TARGET", help="or none")
        parser.add_argument("--drill-alarm", choices=[each.lower() for each in DrillAlarm.values])
        parser.add_argument(
            "--window", action="append", type=_window, metavar="SCHEDULE;HOURS;WHY",
            help="a maintenance window; those named replace all others",
        )  # fmt: skip
        parser.add_argument("--no-windows", action="store_true")
        parser.add_argument("--why", default="", help="why it is changed; needed to change it")
        parser.add_argument("--review-on", type=_day, help="it is a workaround until that day")
        parser.add_argument(
            "--incident", type=int, help="number of the incident of its action item"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what it does; save nothing")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            changes = dict(_changes(options))
            document = self._changed(database, changes, options) if changes else _shown(database)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["format"] == "json":
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
            return
        for line in _lines(document):
            self.stdout.write(line)

    def _changed(
        self, database: Database, changes: Mapping[str, Any], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        at = timezone.now()
        preview = operations.preview_policy(database_id=database.pk, changes=changes, at=at)
        version = preview.version
        if not options["dry_run"]:
            version = operations.change_policy(
                database_id=database.pk,
                changes=changes,
                why=options["why"],
                by=None,
                at=at,
                based_on=preview.version,
                review_on=options["review_on"],
                incident_id=options["incident"],
            ).version
        return {
            "database": database.name,
            "saved": not options["dry_run"],
            "version": version,
            "changes": preview.changed,
            "effect": preview.effect.as_document(),
            "words": preview.effect.words,
            "breaks": list(preview.effect.breaks),
        }


def _shown(database: Database) -> dict[str, Any]:
    policy, terms = queries.policy_of(database.pk), queries.terms_of(database)
    standing = operations.policy_standing(database_id=database.pk, at=timezone.now())
    return {
        "database": database.name,
        "version": policy.version if policy is not None else 0,
        "terms": in_words(terms or queries.no_terms(database)),
        "due": {} if policy is None else _due(policy),
        "words": "" if standing is None else standing.words,
        "breaks": [] if standing is None else list(standing.breaks),
        "outlook": None if standing is None else standing.outlook.as_document(),
    }


def _due(policy: BackupPolicy) -> dict[str, str]:
    moments = {
        "full": policy.full_due_at,
        "incremental": policy.incremental_due_at,
        "drill": policy.drill_due_at,
    }
    return {name: moment.isoformat() for name, moment in moments.items() if moment is not None}


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    if "terms" in document:
        version = document["version"]
        yield f"{document['database']}: " + (f"version {version}" if version else "no policy yet")
        yield from (f"  {LABELS[name]}: {words}" for name, words in document["terms"].items())
        yield from (f"  Next {name}: {moment}" for name, moment in document["due"].items())
        yield from (line for line in [document["words"]] if line)
        yield from (f"! {words}." for words in document["breaks"])
        return
    yield document["words"]
    yield from (f"! {words}." for words in document["breaks"])
    yield from (f"  {words}" for words in described(document["changes"]))
    saved = f"Saved as version {document['version']}." if document["saved"] else "Nothing is saved."
    yield saved


def _changes(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what was asked for, by the names of a policy's terms."""
    given = {name: value for name, value in options.items() if value is not None}
    for option in _SCHEDULES.keys() & given:
        written = given[option]
        yield _SCHEDULES[option], _PRESETS.get(written, " ".join(written.split()))
    for option in _SPANS.keys() & given:
        term, unit = _SPANS[option]
        # Reading everything has no "never": without a number, as often as usual.
        none = Terms().read_all_within if term == "read_all_within" else None
        yield term, given[option] * unit or none
    for option in _SWITCHES.keys() & given:
        yield _SWITCHES[option], given[option] == "on"
    plain: Mapping[str, Callable[[Any], Any]] = {
        "tz": str,
        "keep_fulls": lambda count: count or None,
        "drill_alarm": str.upper,
    }
    for option in plain.keys() & given:
        yield option, plain[option](given[option])
    if options["window"] or options["no_windows"]:
        yield "windows", tuple(options["window"] or ())
    yield from _named(given)


def _named(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    finders: Mapping[str, Any] = {
        "replicate_to": queries.storage_location_named,
        "drill_target": queries.recovery_target_named,
    }
    for option in finders.keys() & given:
        name = given[option]
        yield option, None if name == "none" else queries.named(finders[option](name))


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > len("1000000"):
        raise ArgumentTypeError(f"{text!r} is no number. Write one of 0 to 9999999.")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise ArgumentTypeError(f"{text!r} is no day. Write it as 2026-01-12.") from fault


def _window(text: str) -> Window:
    schedule, _semicolon, rest = text.partition(";")
    hours, _semicolon, reason = rest.partition(";")
    try:
        lasts = float(hours) * _HOUR
    except (ValueError, OverflowError):
        lasts = timedelta()
    if not reason.strip() or lasts <= timedelta():
        raise ArgumentTypeError(
            f"{text!r} is no window. Write it as '0 22 * * 6; 4; indexes are rebuilt'."
        )
    return Window(schedule=" ".join(schedule.split()), lasts=lasts, reason=reason.strip()[:200])
