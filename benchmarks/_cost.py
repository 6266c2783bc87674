"""What one page of the desk costs: CPU of the web process, and of PostgreSQL on its behalf."""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

RUNS, WARM_UP = 40, 4
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one page costs: milliseconds, queries, bytes."""

    p50: float
    p95: float
    wall: float
    postgres: float
    queries: int
    size: int

    def __str__(self) -> str:
        return (
            f"CPU p50 {self.p50:5.1f}, p95 {self.p95:5.1f} ms; wall {self.wall:6.1f} ms; "
            f"PostgreSQL {self.postgres:5.1f} ms; {self.queries:2} queries; "
            f"{self.size / 1000:4.0f} kB"
        )


def cost_of(client: Client, address: str) -> Cost:
    """Ask for a page again and again, and return what it costs.

    :raises RuntimeError: if it is not answered
    """
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    queries = len(captured)
    if answer.status_code not in (200, 204):
        raise RuntimeError(f"{address} was answered {answer.status_code}.")
    for _time in range(WARM_UP):
        client.get(address)
    spent, walls = [], []
    postgres = _postgres_seconds()
    for _time in range(RUNS):
        wall, began = time.perf_counter(), time.process_time()
        client.get(address)
        spent.append((time.process_time() - began) * 1000)
        walls.append((time.perf_counter() - wall) * 1000)
    postgres = _postgres_seconds() - postgres
    return Cost(
        p50=statistics.median(spent),
        p95=sorted(spent)[round(RUNS * 0.95) - 1],
        wall=statistics.median(walls),
        postgres=postgres / RUNS * 1000,
        queries=queries,
        size=len(answer.content),
    )


def _postgres_seconds() -> float:
    """Return the CPU that the server's process of this connection has used so far."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        pid = cursor.fetchone()[0]
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
