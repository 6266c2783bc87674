"""Who watches beat and the workers: the web server, which runs when they do not."""

import logging
import threading
import time
from datetime import datetime

from django.db import connections
from django.utils import timezone

from backups import runner

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


def start() -> threading.Thread:
    """Look once a minute, from a thread that ends with its process.

    Every web process does; the database says which one tells.
    """
    thread = threading.Thread(target=_watch, args=(timezone.now(),), name="watchdog", daemon=True)
    thread.start()
    return thread


def look(since: datetime | None = None) -> bool:
    """Tell staff if no worker was heard for long; whether they were told now. Never fails.

    ``since`` is when the watch began: a beat that never ran is missed from then on.
    """
    try:
        return runner.tell_silence(at=timezone.now(), since=since)
    except Exception:
        # Without a database nothing can be known; the next look may.
        logger.warning("the watchdog could not look", exc_info=True)
        return False
    finally:
        connections.close_all()


def _watch(since: datetime) -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        look(since)
