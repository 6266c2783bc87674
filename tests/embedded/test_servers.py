"""The embedded servers: started by the first who needs them, stopped by the last."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from botocore.exceptions import ClientError

from config.embedded import addresses, servers
from config.embedded.addresses import HOST, Addresses
from config.embedded.postgres import PostgresServer
from config.embedded.redis import RedisServer
from tests.servers import s3_client_at

ROOT = Path(__file__).parents[2]
POSTGRES = frozenset({"postgres"})
REDIS = frozenset({"redis"})


def is_running(name: str, var_dir: Path) -> bool:
    return servers.server(name, var_dir).is_running()


class TestInUse:
    def test_stops_what_it_started(self, tmp_path: Path) -> None:
        with servers.in_use(POSTGRES | REDIS, var_dir=tmp_path):
            assert is_running("postgres", tmp_path)
            assert is_running("redis", tmp_path)
            assert not is_running("storage", tmp_path)

        assert not is_running("postgres", tmp_path)
        assert not is_running("redis", tmp_path)

    def test_stops_after_a_fault_too(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), servers.in_use(REDIS, var_dir=tmp_path):
            raise RuntimeError

        assert not is_running("redis", tmp_path)

    def test_the_last_one_stops_them(self, tmp_path: Path) -> None:
        with servers.in_use(REDIS, var_dir=tmp_path):
            with servers.in_use(REDIS | POSTGRES, var_dir=tmp_path):
                pass
            assert is_running("redis", tmp_path)
            assert is_running("postgres", tmp_path)

        assert not is_running("redis", tmp_path)
        assert not is_running("postgres", tmp_path)

    def test_what_a_killed_user_left_is_taken_over_and_stopped(self, tmp_path: Path) -> None:
        code = (
            "import os, signal; from pathlib import Path; from config.embedded import servers\n"
            f"with servers.in_use(frozenset({{'redis'}}), var_dir=Path({str(tmp_path)!r})):\n"
            "    os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
        assert is_running("redis", tmp_path)

        with servers.in_use(POSTGRES, var_dir=tmp_path):
            pass

        assert not is_running("redis", tmp_path)

    def test_evades_a_taken_port_and_says_so(self, tmp_path: Path) -> None:
        port = addresses.load(tmp_path).ports["redis"]
        said: list[str] = []

        with (
            socket.create_server((HOST, port)),
            servers.in_use(REDIS, var_dir=tmp_path, say=said.append),
        ):
            moved = addresses.load(tmp_path).ports["redis"]
            assert is_running("redis", tmp_path)

        assert said == [
            f"Port {port} is taken by another program; redis listens on {moved} from now on."
        ]


class TestPostgres:
    def test_keeps_its_data(self, tmp_path: Path) -> None:
        server = PostgresServer(var_dir=tmp_path, addresses=addresses.load(tmp_path))
        where = ["--host", HOST, "--port", str(server.cluster.port), "--username", "highwater"]
        secret = {"PGPASSWORD": server.addresses.postgres_password}
        with servers.in_use(POSTGRES, var_dir=tmp_path):
            server.cluster.run("psql", *where, "-c", "create table kept (it int)", env=secret)

        with servers.in_use(POSTGRES, var_dir=tmp_path):
            server.cluster.run("psql", *where, "-c", "table kept", env=secret)


class TestRedis:
    def test_wants_its_password(self, redis_server: Addresses) -> None:
        stranger = redis.Redis(host=HOST, port=redis_server.ports["redis"])

        with stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()

    def test_keeps_what_it_was_given_when_killed(self, tmp_path: Path) -> None:
        with servers.in_use(REDIS, var_dir=tmp_path):
            url = addresses.load(tmp_path).redis_url
            with redis.Redis.from_url(url) as client:
                client.set("kept", "yes")
                time.sleep(1.2)  # appendfsync everysec
            server = RedisServer(var_dir=tmp_path, addresses=addresses.load(tmp_path))
            pid = server.daemon.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            while server.is_running():
                time.sleep(0.01)

            assert servers.revive(REDIS, var_dir=tmp_path) == ["redis"]

            with redis.Redis.from_url(url) as client:
                assert client.get("kept") == b"yes"


class TestStorage:
    def test_takes_and_gives_objects(self, s3_server: Addresses, s3_bucket: str) -> None:
        client = s3_client_at(s3_server.s3_endpoint, s3_server)

        client.put_object(Bucket=s3_bucket, Key="a/b", Body=b"content")

        assert client.get_object(Bucket=s3_bucket, Key="a/b")["Body"].read() == b"content"

    def test_checks_signatures(self, s3_server: Addresses, s3_bucket: str) -> None:
        wrong = Addresses(
            secret_key="",
            postgres_password="",
            redis_password="",
            s3_access_key=s3_server.s3_access_key,
            s3_secret_key="not the secret",
            ports=s3_server.ports,
        )

        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3_client_at(s3_server.s3_endpoint, wrong).list_objects_v2(Bucket=s3_bucket)

    def test_keeps_objects_over_a_restart(self, tmp_path: Path) -> None:
        storage = frozenset({"storage"})
        with servers.in_use(storage, var_dir=tmp_path):
            known = addresses.load(tmp_path)
            client = s3_client_at(known.s3_endpoint, known)
            client.create_bucket(Bucket="kept")
            client.put_object(Bucket="kept", Key="it", Body=b"content" * 100_000)

        with servers.in_use(storage, var_dir=tmp_path):
            kept = s3_client_at(known.s3_endpoint, known).get_object(Bucket="kept", Key="it")
            assert kept["Body"].read() == b"content" * 100_000
