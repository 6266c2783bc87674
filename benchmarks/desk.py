"""The desk over a record of fifty thousand incidents and a million timeline entries.

    python -m benchmarks.desk [incidents]

A database of its own, filled by COPY, the same each time. With a number: so many incidents, with
twenty entries each; otherwise 50,000. For each page: the median and the 95th percentile of the CPU
that the web process spends on one request (whole requests through every middleware, DEBUG off,
templates cached), the median of its wall time, the mean of the CPU that PostgreSQL spends on it,
and its queries. Target: at most 60 ms of the web process at the median, and as many queries for a
long record as for a short one. Then how long a typed entry takes to reach somebody else's timeline.
"""

import gc
import html
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator

from config.embedded.testing import start_for_tests

start_for_tests()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import F  # noqa: E402
from django.test import Client  # noqa: E402

from accounts.models import User  # noqa: E402
from benchmarks import _record as record  # noqa: E402
from benchmarks._cost import cost_of  # noqa: E402
from incidents.models import Incident  # noqa: E402
from incidents.queries.listing import Place  # noqa: E402
from incidents.values import Phase  # noqa: E402

INCIDENTS = 50_000
ENTRIES_TYPED = 20
LIMIT_MS = 60
LIMIT_SECONDS = 2
# As many queries for the one as for the other. A search asks two more of each table in which the
# words are common, and reads only where something was found: twenty at most.
EVEN = (
    ("incident, 300 entries", "incident, 12 entries"),
    ("list, first page", "list, in the middle"),
)


def main(arguments: list[str]) -> int:
    # Each entry that is typed is published.
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    count = int(arguments[0]) if arguments else INCIDENTS
    began = time.perf_counter()
    user = record.fill(count)
    seconds = time.perf_counter() - began
    print(f"{count:,} incidents, {count * record.ENTRIES:,} entries, filled in {seconds:.0f} s")
    # As the web process does behind its start.
    gc.collect()
    gc.freeze()
    client = Client()
    client.force_login(user)
    costs = {}
    for name, address in _pages(client):
        cost = costs[name] = cost_of(client, address)
        print(f"{name:30} {cost}", flush=True)
    slow = [name for name, cost in costs.items() if cost.p50 > LIMIT_MS]
    uneven = [pair for pair in EVEN if costs[pair[0]].queries != costs[pair[1]].queries]
    uneven += [(name, "") for name, cost in costs.items() if "search" in name and cost.queries > 20]
    print(
        f"over {LIMIT_MS} ms: {', '.join(slow) or 'none'}; not as many queries: {uneven or 'none'}"
    )
    longest = _arrival(client, user)
    return 1 if slow or uneven or longest > LIMIT_SECONDS else 0


def _pages(client: Client) -> Iterator[tuple[str, str]]:
    """Yield what each page is called, and its address."""
    long, short = record.long_incident(), record.short_incident()
    yield "incident, 300 entries", long.get_absolute_url()
    yield "incident, 12 entries", short.get_absolute_url()
    yield "timeline alone, changed", f"{long.get_absolute_url()}timeline/"
    yield "timeline alone, nothing new", _live(client, long)[0]
    over = Incident.objects.filter(phase=Phase.RESOLVED).with_beginning()
    middle = Place.of(over.order_by(F("began_at").desc(), "-pk")[over.count() // 2])
    last = Place.of(over.order_by(F("began_at").asc(), "pk")[10])
    yield "list, first page", "/desk/"
    yield "list, in the middle", f"/desk/?after={middle}"
    yield "list, upwards from the middle", f"/desk/?before={middle}"
    yield "list, last page", f"/desk/?after={last}"
    yield "list, open", "/desk/?state=open"
    yield "list, severity and component", "/desk/?severity=sev1&component=7"
    yield "list, one month", "/desk/?since=2019-03-01&until=2019-03-31"
    yield "list, common word", f"/desk/?q={record.COMMON}"
    yield "list, rare word", f"/desk/?q={record.RARE}"
    yield "search, common word", f"/desk/search/?q={record.COMMON}"
    yield "search, two common words", f"/desk/search/?q={record.COMMON}+{record.ALSO_COMMON}"
    yield "search, never together", f"/desk/search/?q={record.APART}"
    yield "search, begun word", f"/desk/search/?q={record.COMMON[:4]}"
    yield "search, rare word", f"/desk/search/?q={record.RARE}"
    yield "search, nothing found", "/desk/search/?q=zyxwvut"
    yield "search, in one incident", f"/desk/search/?q={record.COMMON}&incident={long.ref}"


def _live(client: Client, incident: Incident) -> tuple[str, float]:
    """Return where a page that was opened just now asks for news, and after how many seconds."""
    body = client.get(incident.get_absolute_url()).content.decode()
    found = re.search(
        r'id="timeline"[^>]* hx-get="([^"]+)" hx-vals=\'{"seen": "([^"]*)"}\' '
        r'hx-trigger="every ([0-9]+)s',
        body,
    )
    if found is None:
        raise RuntimeError("The timeline does not renew itself.")
    address = html.unescape(found[1])
    return f"{address}{'&' if '?' in address else '?'}seen={found[2]}", float(found[3])


def _arrival(writer: Client, user: User) -> float:
    """Print how long a typed entry takes to somebody else's timeline; return the longest wait.

    Whoever reads asks every so many seconds, as the page says: at worst that is waited for, too.
    """
    reader = Client()
    reader.force_login(user)
    incident = record.long_incident()
    line, pause, waits = f"{incident.get_absolute_url()}entries/line/", 0.0, []
    for number in range(ENTRIES_TYPED):
        address, pause = _live(reader, incident)
        began = time.perf_counter()
        written = writer.post(line, {"line": f"-1m typed {number}", "key": f"key-{number}"})
        answer = reader.get(address)
        waits.append(time.perf_counter() - began)
        if written.status_code != 200 or f"typed {number}" not in answer.content.decode():
            raise RuntimeError(f"The entry did not arrive: {written.status_code}.")
    middle, longest = statistics.median(waits), max(waits)
    print(
        f"from Enter to another's timeline: {middle * 1000:.0f} ms of work at the median, "
        f"{longest * 1000:.0f} ms at most; with the wait between two looks ({pause:g} s) "
        f"{middle + pause / 2:.2f} s on average, {longest + pause:.2f} s at most "
        f"(limit {LIMIT_SECONDS} s)"
    )
    return longest + pause


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
