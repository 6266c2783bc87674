"""Ports and secrets of the embedded servers: chosen once, kept, private."""

import socket
from pathlib import Path

from config.embedded import addresses
from config.embedded.addresses import HOST


class TestLoad:
    def test_chooses_once_and_remembers(self, tmp_path: Path) -> None:
        first = addresses.load(tmp_path / "var")

        assert addresses.load(tmp_path / "var") == first
        assert len(set(first.ports.values())) == len(first.ports)

    def test_keeps_secrets_to_the_owner(self, tmp_path: Path) -> None:
        addresses.load(tmp_path)

        assert (tmp_path / "embedded.json").stat().st_mode & 0o777 == 0o600

    def test_two_installations_share_no_secret(self, tmp_path: Path) -> None:
        one, other = addresses.load(tmp_path / "one"), addresses.load(tmp_path / "other")

        assert one.secret_key != other.secret_key
        assert one.postgres_password != other.postgres_password
        assert one.s3_secret_key != other.s3_secret_key


class TestMove:
    def test_moves_what_is_named_and_nothing_else(self, tmp_path: Path) -> None:
        before = addresses.load(tmp_path)
        with socket.create_server((HOST, before.ports["redis"])):
            after = addresses.move(tmp_path, {"redis"})

        assert after.ports.pop("redis") != before.ports.pop("redis")
        assert after == before
