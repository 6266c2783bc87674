"""The tools that a fetch is measured against, each as one command with its own defaults."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.embedded.addresses import Addresses

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin"
BARMAN = ROOT / ".venv-barman" / "bin"
SERVER, BACKUP_ID = "main", "20260101T000000"

# The least that barman-cloud-restore wants to know of a backup.
BACKUP_INFO = f"""backup_label=None
begin_offset=40
begin_time=2026-01-01 00:00:00+00:00
begin_wal=000000010000000000000002
begin_xlog=0/2000028
compression=None
config_file=/data/postgresql.conf
copy_stats=None
deduplicated_size=None
end_offset=200
end_time=2026-01-01 00:01:00+00:00
end_wal=000000010000000000000002
end_xlog=0/20000C8
error=None
hba_file=/data/pg_hba.conf
ident_file=/data/pg_ident.conf
included_files=None
mode=concurrent
pgdata=/data
server_name=cloud
size=None
status=DONE
systemid=1
tablespaces=None
timeline=1
version=170000
xlog_segment_size=16777216
backup_name={BACKUP_ID}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One tool: its command for an endpoint and a destination, and where the bytes then lie."""

    name: str
    command: Sequence[str]
    result: Path
    # The result is what lay in the archive, not the archive.
    unpacks: bool = False


def peers(endpoint: str, bucket: str, key: str, folder: Path) -> list[Peer]:
    """Return the tools that are installed."""
    plain = folder / "copy"
    found = [
        Peer(
            name="s5cmd",
            command=[
                str(PEERS / "s5cmd"), "--endpoint-url", endpoint, "--log", "error",
                "cp", f"s3://{bucket}/{key}", str(plain),
            ],
            result=plain,
        ),
        Peer(
            name="rclone",
            command=[
                str(PEERS / "rclone"), "--config", "/dev/null", "copyto",
                f":s3,provider=Other,env_auth,endpoint='{endpoint}':{bucket}/{key}", str(plain),
            ],
            result=plain,
        ),
        Peer(
            name="aws s3 cp",
            command=[
                str(PEERS / "aws"), "--endpoint-url", endpoint, "s3", "cp", "--quiet",
                f"s3://{bucket}/{key}", str(plain),
            ],
            result=plain,
        ),
        Peer(
            name="barman-cloud-restore",
            command=[
                str(BARMAN / "barman-cloud-restore"), "--endpoint-url", endpoint,
                "--addressing-style", "path", f"s3://{bucket}", SERVER, BACKUP_ID,
                str(folder / "data"),
            ],
            result=folder / "data" / "bulk",
            unpacks=True,
        ),
    ]  # fmt: skip
    return [each for each in found if Path(each.command[0]).exists()]


def environment(known: Addresses) -> Mapping[str, str]:
    """Return the environment in which every tool finds the keys."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": known.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": known.s3_secret_key,
        "AWS_REGION": known.s3_region,
        "AWS_DEFAULT_REGION": known.s3_region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
    }
