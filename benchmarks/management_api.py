"""What a write by the management API costs the web process.

    python -m benchmarks.management_api

Whole requests through every middleware, DEBUG off, each published as it is live: an incident is
declared with a component, told of twice, and resolved, again and again; then components and
planned work. By kind of write, the median of the CPU of the process: of the write with its answer,
and of the publish that goes with it, which costs what it costs after a click at the desk
(`benchmarks.publish`). Target: at most 40 ms of the first at the median; the sum is printed too.
"""

import gc
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from config.embedded.testing import start_for_tests

start_for_tests()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts import tokens  # noqa: E402
from accounts.models import User  # noqa: E402
from incidents import operations  # noqa: E402
from statuspage import publisher  # noqa: E402
from statuspage.models import Page  # noqa: E402

RUNS, WARM_UP = 40, 4
COMPONENTS = 20
LIMIT_MS = 40

Send = Callable[[str, str, object], dict[str, str]]


def main() -> int:
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    settings.API_REQUESTS_A_MINUTE = 1_000_000
    now = timezone.now()
    page = Page.objects.first_page(at=now)
    user = User.objects.create_user("bot", is_staff=True)
    _token, key = tokens.make_token(user_id=user.pk, name="benchmark", at=now)
    parts = [
        operations.add_component(name=f"Part {number}", at=now).public_id
        for number in range(COMPONENTS)
    ]
    costs: dict[str, list[tuple[float, float]]] = {}
    send = _sender(f"/v1/pages/{page.public_id}", key, costs)
    gc.collect()
    gc.freeze()
    for number in range(WARM_UP + RUNS):
        if number == WARM_UP:
            costs.clear()
        _round(send, parts[number % COMPONENTS])
    slow = False
    for name, spent in costs.items():
        write = statistics.median(whole - published for whole, published in spent)
        published = statistics.median(published for _whole, published in spent)
        slow |= write > LIMIT_MS
        print(
            f"{name:20} write {write:5.1f} ms (limit {LIMIT_MS}), publish {published:5.1f} ms, "
            f"together {statistics.median(whole for whole, _published in spent):5.1f} ms"
        )
    return 1 if slow else 0


def _round(send: Send, part: str) -> None:
    """Carry one incident and one maintenance through their lives, and change a component."""
    down = {"name": "Slow", "body": "It is slow.", "components": {part: "partial_outage"}}
    path = f"/incidents/{send('declare', '/incidents', {'incident': down})['id']}"
    send("tell more", path, {"incident": {"status": "identified", "body": "A disk is full."}})
    up = {"status": "resolved", "body": "It works.", "components": {part: "operational"}}
    send("resolve", path, {"incident": up})
    send("component", f"/components/{part}", {"component": {"status": "degraded_performance"}})
    send("component", f"/components/{part}", {"component": {"status": "operational"}})
    soon = timezone.now() + timedelta(hours=1)
    plan = {
        "name": "Disks",
        "scheduled_for": soon.isoformat(),
        "scheduled_until": (soon + timedelta(hours=1)).isoformat(),
        "component_ids": [part],
    }
    path = f"/incidents/{send('schedule', '/incidents', {'incident': plan})['id']}"
    for status in ("in_progress", "completed"):
        send("maintenance goes on", path, {"incident": {"status": status}})


def _sender(root: str, key: str, costs: dict[str, list[tuple[float, float]]]) -> Send:
    client, publish, published = Client(), publisher.request_publish, [0.0]

    def timed(incident_id: int | None) -> None:
        began = time.process_time()
        publish(incident_id)
        published[0] += time.process_time() - began

    publisher.request_publish = timed  # type: ignore[assignment]

    def send(name: str, path: str, body: object) -> dict[str, str]:
        method = "POST" if path == "/incidents" else "PATCH"
        written = json.dumps(body)
        published[0], began = 0.0, time.process_time()
        answer = client.generic(
            method,
            root + path,
            written,
            content_type="application/json",
            headers={"Authorization": f"OAuth {key}"},
        )
        whole = time.process_time() - began
        costs.setdefault(name, []).append((whole * 1000, published[0] * 1000))
        if answer.status_code not in (200, 201):
            raise RuntimeError(f"{name} was answered {answer.status_code}: {answer.content!r}")
        found: dict[str, str] = json.loads(answer.content)
        return found

    return send


if __name__ == "__main__":
    sys.exit(main())
