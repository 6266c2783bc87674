"""A cluster that nobody meets: it listens on a socket in a private folder, under rules of ours."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from backups.engines import launcher
from backups.engines.postgres import PortTaken as PostgresPortTaken
from backups.engines.postgres import Postgres, PostgresFailed, step_out
from backups.errors import EngineFailed, PortTaken

# Short: a socket's path has 107 bytes at most.
SOCKET_PREFIX = "hw-"


class ClusterNotStarted(EngineFailed):
    """A cluster that was made or restored does not start; its last words are in the detail."""

    code = "cluster-not-started"
    advice = (
        "The restored cluster did not start (the attempt's log has PostgreSQL's words). "
        "Mend the cause, then resume the job."
    )


def start_privately(postgres: Postgres, *, log: Path, settings: Mapping[str, str]) -> Path:
    """Start a cluster for us alone, without passwords, and return the folder of its socket.

    :raises PortTaken: if another program has its port
    :raises ClusterNotStarted: if it does not start
    """
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX))
    rules = folder / "hba.conf"
    rules.write_text("local all all trust\n")
    if step_out() == "account":
        account = launcher.unprivileged_account()
        for path in (folder, rules):
            os.chown(path, account.pw_uid, account.pw_gid)
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
        postgres.start(log=log, settings=given, timeout_seconds=300)
    except PostgresPortTaken as taken:
        raise PortTaken(str(taken)) from taken
    except PostgresFailed as failed:
        raise ClusterNotStarted(str(failed)) from failed
    return folder
