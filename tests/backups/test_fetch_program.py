"""The fetch as a program: what it prints, what it leaves behind, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from backups.errors import EngineFailed, StorageUnavailable
from backups.storage.answers import RegionWrong
from backups.storage.fetch import MIB
from backups.storage.manifest import record_manifest
from backups.storage.program import HOPELESS_KINDS, REFUSED_KINDS, by_hand
from backups.storage.s3 import Bucket
from config.embedded.addresses import Addresses
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, replica, storage

__all__ = ["replica", "storage"]

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Program:
    """The command line of a fetch of the large object, and where it is started."""

    storages: Sequence[Storage]
    folder: Path
    env: dict[str, str]

    @property
    def destination(self) -> Path:
        return self.folder / "copy"

    def words(self, *options: str) -> list[str]:
        sources = [
            f"{each.proxy.endpoint},{each.bucket},{each.prefix}/large".replace(",/", ",")
            for each in self.storages
        ]
        named = [word for source in sources for word in ("--source", source)]
        module = [sys.executable, "-m", "backups.storage.fetch"]
        return [*module, *named, *options, str(self.destination)]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*options), cwd=ROOT, env=self.env, capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip

    @contextmanager
    def started(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            self.words(*options), cwd=ROOT, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def program(storage: Storage, s3_server: Addresses, tmp_path: Path) -> Program:
    keys = {
        "AWS_ACCESS_KEY_ID": s3_server.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.s3_secret_key,
        "AWS_REGION": s3_server.s3_region,
        "HOME": str(tmp_path),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return Program([storage], tmp_path, kept | keys)


def record(storage: Storage) -> None:
    bucket = Bucket(storage.source.place, storage.keys)
    list(record_manifest(bucket, "manifest.json", [storage.ref("large")]))
    bucket.close()


class TestTheProgram:
    def test_brings_an_object_and_leaves_nothing_else(
        self, storage: Storage, program: Program
    ) -> None:
        storage.put()
        record(storage)

        ended = program.run("--manifest", "manifest.json")

        assert (ended.returncode, ended.stdout) == (0, "")
        assert "every block agrees with the manifest" in ended.stderr
        assert program.destination.read_bytes() == CONTENT
        assert [path.name for path in program.folder.iterdir()] == ["copy"]

    def test_tells_its_progress_in_json(self, storage: Storage, program: Program) -> None:
        storage.put()
        storage.proxy.faults = Faults(bytes_per_second=15 * MIB)

        ended = program.run("--json")

        said = [json.loads(line) for line in ended.stdout.splitlines()]
        assert said[0]["state"] == "running"
        assert 0 < said[1]["done"] < said[1]["total"] == len(CONTENT)
        assert said[-1]["state"] == "finished"
        assert said[-1]["proven_by"] == "etag"
        assert said[-1]["counters"]["bytes_wire"] >= len(CONTENT)

    def test_goes_on_after_each_of_several_deaths(self, storage: Storage, program: Program) -> None:
        storage.put()
        record(storage)
        storage.proxy.ledger.clear()
        storage.proxy.faults = Faults(bytes_per_second=20 * MIB)
        stage = program.folder / "copy.highwater" / "data"
        for part in (1, 2, 3):
            with program.started("--manifest", "manifest.json") as process:
                self.wait_for(stage, part * 8 * MIB)
                process.kill()
        storage.proxy.faults = Faults()

        assert program.run("--manifest", "manifest.json").returncode == 0
        assert program.destination.read_bytes() == CONTENT
        # A death costs what was under way, not what was there.
        assert storage.proxy.total().bytes_down < len(CONTENT) + 3 * 6 * MIB

    @pytest.mark.parametrize(
        "kind", [*HOPELESS_KINDS, *REFUSED_KINDS, StorageUnavailable, RegionWrong]
    )
    def test_speaks_of_the_command_and_not_of_jobs(self, kind: type[EngineFailed]) -> None:
        said = by_hand(kind("the detail"))

        assert said.endswith("(the detail)")
        assert "run the same command again" in said.lower()
        for ours in ("job", "log", "storage location", "of this backup"):
            assert ours not in said

    def test_interrupted_says_how_to_go_on(self, storage: Storage, program: Program) -> None:
        storage.put()
        storage.proxy.faults = Faults(bytes_per_second=10 * MIB)
        with program.started() as process:
            self.wait_for(program.folder / "copy.highwater" / "data", 4 * MIB)
            process.send_signal(signal.SIGINT)
            _said, advice = process.communicate(timeout=20)

        assert process.returncode == 130
        assert "The same command goes on" in advice
        assert not program.destination.exists()

    def test_knows_a_destination_that_is_there_already(
        self, storage: Storage, program: Program
    ) -> None:
        storage.put()
        assert program.run().returncode == 0
        before = storage.proxy.total().bytes_down

        assert program.run().returncode == 0
        assert storage.proxy.total().bytes_down - before < MIB

    def test_leaves_a_foreign_file_alone(self, storage: Storage, program: Program) -> None:
        storage.put()
        program.destination.write_text("mine")

        ended = program.run()

        assert ended.returncode == 1
        assert "Remove it or name another place" in ended.stderr
        assert program.destination.read_text() == "mine"

    def test_uses_a_second_source_with_keys_of_its_own(
        self, storage: Storage, replica: Storage, program: Program
    ) -> None:
        storage.put()
        replica.put()
        storage.proxy.faults = Faults(down=True)
        program.storages = [storage, replica]
        program.env |= {
            "AWS_ACCESS_KEY_ID_2": program.env["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY_2": program.env["AWS_SECRET_ACCESS_KEY"],
            "AWS_ACCESS_KEY_ID": "nobody",
        }

        assert program.run().returncode == 0
        assert program.destination.read_bytes() == CONTENT

    def test_reads_the_usual_file_of_keys(self, storage: Storage, program: Program) -> None:
        storage.put()
        file = program.folder / ".aws" / "credentials"
        file.parent.mkdir()
        file.write_text(
            f"[default]\naws_access_key_id = {program.env.pop('AWS_ACCESS_KEY_ID')}\n"
            f"aws_secret_access_key = {program.env.pop('AWS_SECRET_ACCESS_KEY')}\n"
        )

        assert program.run().returncode == 0

    @staticmethod
    def wait_for(path: Path, amount: int) -> None:
        deadline = time.monotonic() + 60
        while not path.exists() or path.stat().st_blocks * 512 < amount:
            assert time.monotonic() < deadline
            time.sleep(0.02)


class TestItsEnd:
    def test_without_the_object_is_three(self, program: Program) -> None:
        assert program.run().returncode == 3

    def test_with_wrong_keys_is_four_and_shows_no_secret(
        self, storage: Storage, program: Program
    ) -> None:
        storage.put()
        program.env["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"

        ended = program.run("--json")

        assert ended.returncode == 4
        assert json.loads(ended.stdout.splitlines()[-1])["code"] == "credentials-refused"
        assert "wrong-secret" not in ended.stdout + ended.stderr

    def test_without_keys_is_four_and_names_what_to_set(
        self, storage: Storage, program: Program
    ) -> None:
        storage.put()
        del program.env["AWS_ACCESS_KEY_ID"]

        ended = program.run()

        assert ended.returncode == 4
        assert "AWS_ACCESS_KEY_ID" in ended.stderr

    def test_without_a_storage_is_one_after_its_patience(
        self, storage: Storage, program: Program
    ) -> None:
        storage.put()
        storage.proxy.faults = Faults(down=True)

        ended = program.run("--patience", "1")

        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr

    @pytest.mark.parametrize(
        "words",
        [["--limit", "fast"], ["--source", "nowhere"], ["--source", "http://h,bucket"]],
        ids=["limit", "source", "key"],
    )
    def test_with_a_wrong_command_line_is_two(self, words: list[str], program: Program) -> None:
        ended = program.run(*words)

        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
