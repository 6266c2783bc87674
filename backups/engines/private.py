"""A cluster that nobody meets: it listens on a socket in a private folder, under rules of ours."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from backups.engines import launcher
from backups.engines.postgres import PRIVATE_PREFIX, Postgres, PostgresFailed, step_out
from backups.engines.postgres import PortTaken as PostgresPortTaken
from backups.errors import EngineFailed, PortTaken


class ClusterNotStarted(EngineFailed):
    """A cluster that was made or restored does not start; its last words are in the detail."""

    code = "cluster-not-started"
    advice = (
        "The restored cluster did not start (the attempt's log has PostgreSQL's words). "
        "Mend the cause, then resume the job."
    )


def start_privately(
    postgres: Postgres,
    *,
    log: Path,
    settings: Mapping[str, str],
    wait_ready: bool = True,
    failure: type[EngineFailed] = ClusterNotStarted,
) -> Path:
    """Start a cluster for us alone, without passwords, and return the folder of its socket.

    The folder goes when the cluster is stopped, or started again.

    :raises PortTaken: if another program has its port
    :raises EngineFailed: of the kind ``failure``, if it does not start
    """
    folder = Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX))
    rules = folder / "hba.conf"
    rules.write_text("local all all trust\n")
    for path in (folder, rules):
        give(path)
    given = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "hba_file": str(rules),
        "ssl": "off",
        "archive_mode": "off",
        "logging_collector": "off",
        "log_destination": "stderr",
        **settings,
    }
    try:
        start(postgres, log=log, settings=given, wait_ready=wait_ready, failure=failure)
    except EngineFailed:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def start(
    postgres: Postgres,
    *,
    log: Path,
    settings: Mapping[str, str],
    wait_ready: bool,
    failure: type[EngineFailed],
) -> None:
    """Start a cluster as its own configuration has it, but for the settings given.

    :raises PortTaken: if another program has its port
    :raises EngineFailed: of the kind ``failure``, if it does not start
    """
    try:
        postgres.start(log=log, settings=settings, wait_ready=wait_ready, timeout_seconds=300)
    except PostgresPortTaken as taken:
        raise PortTaken(str(taken)) from taken
    except PostgresFailed as failed:
        raise failure(str(failed)) from failed


def give(path: Path) -> None:
    """Let the account that the server runs as have a file of ours, where root cannot keep it."""
    if step_out() == "account":
        account = launcher.unprivileged_account()
        os.chown(path, account.pw_uid, account.pw_gid)
