"""The story, act by act. Everything in it goes through the operations that people use."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

import boto3
from django.conf import settings
from django.db import OperationalError, connections
from django.utils import timezone

from accounts.models import User
from backups import operations as backup_operations
from backups import queries as backup_queries
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import Database, JobState, RecoveryTarget, RestoreJob
from backups.runner.tools import opened_archive, postgres_at
from config.embedded import addresses
from config.embedded.addresses import free_port, write_private
from config.embedded.clusters import stop_clusters_under
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from config.story import stage
from config.story.cluster import TENANTS, Production
from incidents import operations
from incidents.models import Incident
from incidents.values import CauseKind, Phase, Severity, When

BUCKET = "highwater-story"
DEDUP_KEY = "story-lost-cluster"
# The storage's worst night, as the restore meets it: slow, cut off, and busy.
NIGHT = Faults(
    bytes_per_second=6_000_000,
    error_share=0.08,
    reset_after_bytes=6_000_000,
    reset_share=0.25,
)
LONGEST_SECONDS = 900


Result = TypeVar("Result")


class StoryFailed(Exception):
    """The story did not end as it should; the sentence says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one play of the story happens in."""

    folder: Path
    production: Production
    database: Database
    target: RecoveryTarget


def _embedded() -> addresses.Addresses:
    return addresses.load(Path(settings.VAR_DIR))


def play(*, say: Callable[[str], None]) -> None:
    """Lose a cluster and bring it back. Takes about three minutes.

    :raises StoryFailed: if what came back is not what was there
    """
    author = User.objects.filter(is_superuser=True).order_by("pk").first()
    stage.set_stage(at=timezone.now(), author=author, say=say)
    stage.end_last_play(dedup_key=DEDUP_KEY, at=timezone.now(), author=author)
    setting = _set_up(say)
    say("Taking a base backup into the object storage")
    _take_backup(setting.database)
    say("Customers go on working; their changes are archived")
    setting.production.live_on()
    target_at, expected = setting.production.now(), setting.production.rows()
    say("A maintenance script deletes rows, and the cluster is lost")
    setting.production.damage()
    setting.production.destroy()
    incident = _declare(author)
    say(f"{incident.ref} is declared, and customers are told")
    say(f"How {stage.CUSTOMER} sees its own data: {stage.private_link(setting.database)}")
    job = _restore_at_night(setting, incident, target_at, say)
    _compare(setting, job, expected, say)
    stage.show_backups(setting.database, at=timezone.now())
    _learn(incident, author)
    if stage.phase_of(incident.pk) != Phase.MONITORING:
        raise StoryFailed(f"{incident.ref} did not move to monitoring.")
    say(f"{incident.ref} is monitored. Resolve it at the desk when you have looked around.")


def _set_up(say: Callable[[str], None]) -> Setting:
    at = timezone.now()
    name = f"tours-{at:%Y%m%d-%H%M%S}"
    stories = Path(settings.VAR_DIR) / "story"
    _clear_away(stories)
    stage.forget_last_plays_customers(bucket=BUCKET)
    folder = stories / name
    folder.mkdir(parents=True)
    credentials, password = _keep_credentials(folder)
    _make_bucket()
    storage = backup_operations.register_storage_location(
        name=name,
        bucket=BUCKET,
        prefix=name,
        endpoint=_embedded().s3_endpoint,
        region=_embedded().s3_region,
        credentials_reference=credentials,
        at=at,
    )
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "production", port=free_port())
    database = backup_operations.register_database(
        name=name,
        host="127.0.0.1",
        port=postgres.port,
        storage_id=storage.pk,
        archive_name="tours",
        password_reference=credentials,
        tenants=list(TENANTS.items()),
        at=at,
    )
    target = backup_operations.register_recovery_target(
        name=name,
        port=free_port(),
        data_dir=str(folder / "restored"),
        work_dir=str(folder / "staging"),
        at=at,
    )
    say(f"Starting a PostgreSQL cluster with {len(TENANTS)} customers, a few hundred MB")
    production = Production(postgres=postgres, password=password, log=folder / "production.log")
    with opened_archive(database) as archive:
        production.begin(archive.engine)
    return Setting(folder=folder, production=production, database=database, target=target)


def _clear_away(stories: Path) -> None:
    """Stop and remove the clusters of earlier plays. Their records stay."""
    if stories.exists():
        stop_clusters_under(stories, but=stories / "none")
        rmtree(stories)


def _keep_credentials(folder: Path) -> tuple[str, str]:
    """Write the story's keys to a private file; return its reference, and the password."""
    password = secrets.token_urlsafe(24)
    path = folder / "credentials.json"
    keys = {
        "access_key": _embedded().s3_access_key,
        "secret_key": _embedded().s3_secret_key,
        "password": password,
    }
    write_private(path, json.dumps(keys))
    return f"file:{path}", password


def _make_bucket() -> None:
    client = boto3.client(
        "s3",
        endpoint_url=_embedded().s3_endpoint,
        region_name=_embedded().s3_region,
        aws_access_key_id=_embedded().s3_access_key,
        aws_secret_access_key=_embedded().s3_secret_key,
    )
    if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=BUCKET)


def _take_backup(database: Database) -> None:
    job = backup_operations.take_backup(database_id=database.pk, at=timezone.now())
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        _patiently(job.refresh_from_db)
        if job.state == JobState.SUCCEEDED:
            return
        if job.state == JobState.FAILED:
            raise StoryFailed(f"The backup failed: {job.failure_advice}")
        time.sleep(0.5)
    raise StoryFailed("The backup was not taken. Is a worker running?")


def _declare(author: User | None) -> Incident:
    at = timezone.now()
    return operations.declare_incident(
        title="Virtual tours cannot be opened",
        severity=Severity.SEV1,
        at=at,
        author=author,
        started=When(at=at),
        detected=When(at=at),
        body="Tours cannot be opened at the moment. We know why, and are starting to bring the "
        "data back from our backups. This page follows the work by itself.",
        components=stage.struck_components(),
        dedup_key=DEDUP_KEY,
        tz=stage.ZONE,
    )


def _restore_at_night(
    setting: Setting, incident: Incident, target_at: datetime, say: Callable[[str], None]
) -> RestoreJob:
    """Restore through a connection that is slow and breaks."""
    storage = setting.database.storage
    direct = storage.endpoint
    with FaultProxy(target=_embedded().ports["s3"], faults=NIGHT) as proxy:
        backup_operations.change_storage_location(location_id=storage.pk, endpoint=proxy.endpoint)
        try:
            job = backup_operations.request_restore(
                database_id=setting.database.pk,
                recovery_target_id=setting.target.pk,
                target_at=target_at,
                incident_id=incident.pk,
                at=timezone.now(),
            )
            say(f"Restore {job.pk} is on its way, to {target_at:%H:%M:%S} UTC; watch the page")
            _watch(job, say)
        finally:
            _patiently(
                partial(
                    backup_operations.change_storage_location,
                    location_id=storage.pk,
                    endpoint=direct,
                )
            )
        seen = proxy.total()
    say(f"The storage refused {seen.errors} requests and broke off {seen.resets} answers meanwhile")
    return job


def _watch(job: RestoreJob, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    told = ""
    while time.monotonic() < deadline:
        row = _patiently(partial(backup_queries.restore, job.pk))
        line = f"  {row.get_phase_display()}"
        if row.total:
            line += f", {row.done * 10 // row.total * 10} %"
        if line != told:
            told = line
            say(line)
        if row.state == JobState.SUCCEEDED:
            return
        if row.state == JobState.FAILED:
            raise StoryFailed(f"The restore stopped: {row.failure_advice}")
        time.sleep(1)
    raise StoryFailed("The restore did not end in time.")


def _patiently(deed: Callable[[], Result]) -> Result:
    """Do a deed; while the application's own database is away, wait for it. Spectators kill it."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            return deed()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            connections.close_all()
            time.sleep(1)


def _compare(
    setting: Setting,
    job: RestoreJob,
    expected: dict[str, tuple[int, int]],
    say: Callable[[str], None],
) -> None:
    restored = Production(
        postgres=postgres_at(setting.target),
        password=setting.production.password,
        log=setting.folder / "restored.log",
    ).rows()
    say("  customer            tours  panoramas   at the target time")
    for tenant, name in TENANTS.items():
        tours, panoramas = restored[tenant]
        mark = "the same" if restored[tenant] == expected[tenant] else "DIFFERENT"
        say(f"  {name:<18} {tours:>6}  {panoramas:>9}   {mark}")
    if restored != expected:
        raise StoryFailed(f"Restore {job.pk} did not bring back what was there.")


def _learn(incident: Incident, author: User | None) -> None:
    """Put on record what is known of causes, and what is done about them."""
    at = timezone.now()
    cause = operations.record_root_cause(
        incident_id=incident.pk,
        kind=CauseKind.TRIGGER,
        text="A maintenance script deleted rows; then the cluster failed.",
        at=at,
        author=author,
    )
    operations.record_root_cause(
        incident_id=incident.pk,
        kind=CauseKind.CONTRIBUTING,
        text="The connection to the object storage was slow and broke off.",
        at=at,
        author=author,
    )
    operations.add_action_item(
        incident_id=incident.pk,
        text="Run maintenance scripts on a restored copy first",
        at=at,
        author=author,
        kind="prevent",
        owner_label="database team",
        addresses=[cause.pk],
    )
