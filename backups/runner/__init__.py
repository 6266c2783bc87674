"""Doing the work: backups taken, catalogues read, restores carried to their end."""

from backups.runner.alerting import (
    beat,
    close_alerts_of,
    ensure_rules,
    follow_findings,
    hold_alerts,
    send_heartbeat,
    tell_silence,
)
from backups.runner.backup import run_backup
from backups.runner.carrying import run_restore
from backups.runner.catalogue import sync_catalogue
from backups.runner.copying import (
    COMPARED_WITHIN,
    Archiving,
    archiving_at,
    begin_due_copies,
    run_copy,
    still_arrives,
    thin_copies,
    was_compared,
)
from backups.runner.drills import (
    advance_drills,
    begin_drill,
    begin_due_drills,
    clear_drill,
    is_held,
)
from backups.runner.due import begin_due_backups
from backups.runner.looking import Look, look_at_archive
from backups.runner.loss import (
    forecast_loss,
    forecast_losses,
    renew_forecast,
    thin_forecasts,
)
from backups.runner.options import read_facts
from backups.runner.places import clear_left_place, left_places
from backups.runner.probing import due_storages, probe_storage, thin_probes
from backups.runner.proofs import tell_proof, tell_proofs
from backups.runner.reading import places_to_read, read_content, try_to_read
from backups.runner.recording import run_manifest
from backups.runner.reviews import hang_review, hang_reviews
from backups.runner.runbooks import runbook_html, write_runbook, write_runbooks
from backups.runner.standbys import base_of, newest_backup, standbys_by_queue, tend_standby
from backups.runner.standing import policy_standing
from backups.runner.targets import probe_target, targets_by_queue
from backups.runner.telling import tell_paused, tell_pivoted, tell_queued
from backups.runner.thinning import thin_check_changes, thin_measurements
from backups.runner.trying import NotAsked, read_question, try_question
from backups.runner.upkeep import (
    waiting_backups,
    waiting_copies,
    waiting_manifests,
    waiting_restores,
)
from backups.runner.watching import (
    check_database,
    check_databases,
    read_archive,
    unread_archives,
)
from backups.runner.windows import look_for_windows, storages_to_look_at

__all__ = [
    "COMPARED_WITHIN",
    "Archiving",
    "Look",
    "NotAsked",
    "advance_drills",
    "archiving_at",
    "base_of",
    "beat",
    "begin_drill",
    "begin_due_backups",
    "begin_due_copies",
    "begin_due_drills",
    "check_database",
    "check_databases",
    "clear_drill",
    "clear_left_place",
    "close_alerts_of",
    "due_storages",
    "ensure_rules",
    "follow_findings",
    "forecast_loss",
    "forecast_losses",
    "hang_review",
    "hang_reviews",
    "hold_alerts",
    "is_held",
    "left_places",
    "look_at_archive",
    "look_for_windows",
    "newest_backup",
    "places_to_read",
    "policy_standing",
    "probe_storage",
    "probe_target",
    "read_archive",
    "read_content",
    "read_facts",
    "read_question",
    "renew_forecast",
    "run_backup",
    "run_copy",
    "run_manifest",
    "run_restore",
    "runbook_html",
    "send_heartbeat",
    "standbys_by_queue",
    "still_arrives",
    "storages_to_look_at",
    "sync_catalogue",
    "targets_by_queue",
    "tell_paused",
    "tell_pivoted",
    "tell_proof",
    "tell_proofs",
    "tell_queued",
    "tell_silence",
    "tend_standby",
    "thin_check_changes",
    "thin_copies",
    "thin_forecasts",
    "thin_measurements",
    "thin_probes",
    "try_question",
    "try_to_read",
    "unread_archives",
    "waiting_backups",
    "waiting_copies",
    "waiting_manifests",
    "waiting_restores",
    "was_compared",
    "write_runbook",
    "write_runbooks",
]
