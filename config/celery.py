"""The Celery application: queues, limits and the beat of the house."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("highwater")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A tick that no worker took before the next one came is of no use any more.
app.conf.beat_schedule = {
    "settle promises": {
        "task": "incidents.tasks.settle_promises",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "tell staff what is due": {
        "task": "incidents.tasks.tell_what_is_due",
        "schedule": 15,
        "options": {"expires": 15},
    },
    "tell staff what is overdue": {
        "task": "incidents.tasks.tell_what_is_overdue",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "carry maintenances on": {
        "task": "incidents.tasks.advance_maintenances",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "bring action items in step with trackers": {
        "task": "incidents.tasks.sync_trackers",
        "schedule": 10,
        "options": {"expires": 10},
    },
    "clear files of no evidence": {
        "task": "incidents.tasks.clear_unused_files",
        "schedule": 86_400,
        "options": {"expires": 3600},
    },
    "carry lost restores on": {
        "task": "backups.tasks.requeue_lost_jobs",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "begin planned backups": {
        "task": "backups.tasks.begin_what_is_due",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "tell how fresh backups are": {
        "task": "backups.tasks.tell_proofs",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "read the archives": {
        "task": "backups.tasks.read_archives",
        "schedule": 300,
        "options": {"expires": 300},
    },
    "read what backups hold": {
        "task": "backups.tasks.read_contents",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "begin copies": {
        "task": "backups.tasks.begin_copies",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "look at databases": {
        "task": "backups.tasks.check_databases",
        "schedule": 120,
        "options": {"expires": 120},
    },
    "tell what the checks found": {
        "task": "backups.tasks.follow_findings",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "keep the pulse": {
        "task": "backups.tasks.keep_pulse",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "carry drills on": {
        "task": "backups.tasks.advance_drills",
        "schedule": 30,
        "options": {"expires": 30},
    },
    "look after standbys": {
        "task": "backups.tasks.tend_standbys",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "forecast what a loss would cost": {
        "task": "backups.tasks.forecast_losses",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "write runbooks down": {
        "task": "backups.tasks.write_runbooks",
        "schedule": 120,
        "options": {"expires": 120},
    },
    "probe storage locations": {
        "task": "backups.tasks.probe_storages",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "look for saturation windows": {
        "task": "backups.tasks.look_for_windows",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "let go of old history": {
        "task": "backups.tasks.thin_history",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "look at recovery targets": {
        "task": "backups.tasks.probe_targets",
        "schedule": 600,
        "options": {"expires": 600},
    },
    "publish what is due": {
        "task": "statuspage.tasks.publish_due",
        "schedule": 15,
        "options": {"expires": 15},
    },
    "copy the pages elsewhere": {
        "task": "statuspage.tasks.push_targets",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "queue deliveries": {
        "task": "statuspage.tasks.queue_deliveries",
        "schedule": 15,
        "options": {"expires": 15},
    },
    "forget who never confirmed": {
        "task": "statuspage.tasks.forget_unconfirmed",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    # One task a channel: a chat that hangs does not hold up the mail, nor the other way about.
    "send mail": {
        "task": "notifications.tasks.send_due",
        "schedule": 5,
        "args": ["email"],
        "options": {"expires": 5},
    },
    "send to chats": {
        "task": "notifications.tasks.send_due",
        "schedule": 5,
        "args": ["chat"],
        "options": {"expires": 5},
    },
    "send signed webhooks": {
        "task": "notifications.tasks.send_due",
        "schedule": 5,
        "args": ["webhook"],
        "options": {"expires": 5},
    },
}


@setup_logging.connect
def _keep_djangos_logging(**_arguments: Any) -> None:
    """Keep the logging of the settings: Celery installs its own unless somebody answers."""
