"""What lies in a storage is named without anything of Highwater's running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.addresses import Addresses
from config.embedded.faults import Faults
from tests.backups.fetching import Storage, replica, storage

__all__ = ["replica", "storage"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def env(s3_server: Addresses, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": s3_server.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.s3_secret_key,
        "AWS_REGION": s3_server.s3_region,
        "HOME": str(tmp_path),
    }


def listed(
    *storages: Storage, env: dict[str, str], prefix: str = "", patience: str = "10"
) -> subprocess.CompletedProcess[str]:
    sources = [f"{each.proxy.endpoint},{each.bucket},{prefix}" for each in storages]
    named = [word for source in sources for word in ("--source", source)]
    return subprocess.run(
        [sys.executable, "-m", "backups.storage.listing", *named, "--patience", patience],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def keys(ended: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in ended.stdout.splitlines()]


@pytest.fixture(autouse=True)
def archive(storage: Storage) -> None:
    for key in ("pg/shop/base/20260301T000000/data.tar", "pg/shop/base/20260301T000000/backup.info",
                "pg/highwater/manifests/shop/20260301T000000.json"):  # fmt: skip
        storage.put(key, b"twelve bytes")


def test_names_what_begins_so_with_its_size(storage: Storage, env: dict[str, str]) -> None:
    ended = listed(storage, env=env, prefix="pg/shop/base/")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert keys(ended) == [
        "pg/shop/base/20260301T000000/backup.info", "pg/shop/base/20260301T000000/data.tar",
    ]  # fmt: skip
    assert ended.stdout.split()[0] == "12"


def test_without_a_prefix_names_all(storage: Storage, env: dict[str, str]) -> None:
    ended = listed(storage, env=env)

    assert "pg/highwater/manifests/shop/20260301T000000.json" in keys(ended)
    assert len(keys(ended)) == 3


def test_asks_again_where_the_storage_is_busy(storage: Storage, env: dict[str, str]) -> None:
    storage.proxy.faults = Faults(error_share=0.5)

    assert len(keys(listed(storage, env=env))) == 3


def test_asks_a_copy_where_the_first_is_gone(
    storage: Storage, replica: Storage, env: dict[str, str]
) -> None:
    replica.client.put_object(Bucket=replica.bucket, Key="pg/there", Body=b"here")
    storage.proxy.faults = Faults(down=True)

    assert "pg/there" in keys(listed(storage, replica, env=env, prefix="pg/"))


def test_says_that_nothing_begins_so(storage: Storage, env: dict[str, str]) -> None:
    ended = listed(storage, env=env, prefix="elsewhere/")

    assert ended.returncode == 3
    assert "Try a shorter one" in ended.stderr


def test_gives_up_on_a_storage_that_is_away(storage: Storage, env: dict[str, str]) -> None:
    storage.proxy.faults = Faults(down=True)

    ended = listed(storage, env=env, patience="1")

    assert ended.returncode == 1
    assert ended.stdout == ""


def test_names_keys_that_are_refused(storage: Storage, env: dict[str, str]) -> None:
    ended = listed(storage, env=env | {"AWS_SECRET_ACCESS_KEY": "wrong"}, patience="5")

    assert ended.returncode == 4


def test_says_what_is_wrong_with_the_command_line(env: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "backups.storage.listing", "--source", "s3://backups/pg"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert "give URL,BUCKET or URL,BUCKET,PREFIX" in ended.stderr
