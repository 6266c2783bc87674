"""The same over TLS, as every storage on the internet is reached."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups.storage.fetch import MIB, Fetcher, Source, Sources
from backups.storage.s3 import Place
from backups.storage.wire import CertificateRefused
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, item, storage, whole
from tests.backups.tls import TlsDoor

__all__ = ["storage"]


@pytest.fixture
def door(storage: Storage, tmp_path: Path) -> Iterator[TlsDoor]:
    with TlsDoor(int(storage.proxy.endpoint.rpartition(":")[2]), tmp_path / "door") as door:
        yield door


@pytest.fixture
def trusted(door: TlsDoor, monkeypatch: pytest.MonkeyPatch) -> TlsDoor:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(door.ca_file))
    return door


def sources_behind(door: TlsDoor, storage: Storage) -> Sources:
    place = Place(bucket=storage.bucket, endpoint=door.endpoint)
    source = Source(name="primary", place=place, credentials=storage.keys)
    return Sources([source], silence_seconds=2)


class TestFetch:
    @pytest.mark.parametrize(
        "faults",
        [
            Faults(),
            Faults(reset_after_bytes=3 * MIB, reset_share=0.5),
            Faults(stall_at_byte=MIB, stall_share=0.2),
            Faults(error_share=0.3),
            Faults(flip_every_bytes=16 * MIB),
        ],
        ids=["clean", "resets", "stalls", "refusals", "flips"],
    )
    def test_brings_everything(
        self, faults: Faults, trusted: TlsDoor, storage: Storage, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        storage.proxy.faults = faults

        sources = sources_behind(trusted, storage)
        with Fetcher(sources, tmp_path / "stage") as fetcher:
            list(fetcher.steps([wanted]))
        sources.close()

        assert whole(tmp_path / "stage")

    def test_refuses_a_certificate_that_nobody_vouches_for(
        self, door: TlsDoor, storage: Storage, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)

        sources = sources_behind(door, storage)
        with (
            Fetcher(sources, tmp_path / "stage") as fetcher,
            pytest.raises(CertificateRefused) as refused,
        ):
            list(fetcher.steps([wanted]))
        sources.close()

        assert "AWS_CA_BUNDLE" in refused.value.advice
        assert storage.proxy.total().bytes_down == 0

    def test_as_a_program(self, trusted: TlsDoor, storage: Storage, tmp_path: Path) -> None:
        storage.put()
        keys = storage.keys.now

        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "backups.storage.fetch",
                "--source",
                f"{trusted.endpoint},{storage.bucket},large",
                str(tmp_path / "large"),
            ],
            env=os.environ
            | {
                "AWS_ACCESS_KEY_ID": keys.access_key,
                "AWS_SECRET_ACCESS_KEY": keys.secret_key,
                "AWS_CA_BUNDLE": str(trusted.ca_file),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        assert (tmp_path / "large").read_bytes() == CONTENT
