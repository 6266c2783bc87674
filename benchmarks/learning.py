"""Learning over a record of fifty thousand incidents and a million timeline entries.

    python -m benchmarks.learning [incidents]

A database of its own, filled by COPY, the same each time. With a number: so many incidents, with
twenty entries each; otherwise 50,000. For the list and the board of action items, the figures,
full-text search and similar incidents: what the web process and PostgreSQL spend on one request, as
``benchmarks.desk`` measures it. Target: at most 60 ms of the web process at the median, and as many
queries for a long record as for a short one.
"""

import gc
import logging
import os
import sys
import time
from collections.abc import Iterator

from config.embedded.testing import start_for_tests

start_for_tests()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from benchmarks import _record as record  # noqa: E402
from benchmarks._cost import cost_of  # noqa: E402
from incidents.models import Incident  # noqa: E402

INCIDENTS = 50_000
LIMIT_MS = 60
# As many queries for the one as for the other.
EVEN = (
    ("figures, one year", "figures, all years"),
    ("figures, one year", "figures, one quarter's worth"),
    ("similar to a long incident", "similar to a short one"),
)
# A search asks two more of each table in which the words are common.
MOST_QUERIES = 20


def main(arguments: list[str]) -> int:
    """Print what each page costs; 0 if none is over the limit."""
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
    for name, address in _pages():
        costs[name] = cost_of(client, address)
        print(f"{name:30} {costs[name]}", flush=True)
    slow = [name for name, cost in costs.items() if cost.p50 > LIMIT_MS]
    uneven = [pair for pair in EVEN if costs[pair[0]].queries != costs[pair[1]].queries]
    many = [name for name, cost in costs.items() if cost.queries > MOST_QUERIES]
    print(
        f"over {LIMIT_MS} ms: {', '.join(slow) or 'none'}; not as many queries: "
        f"{uneven or 'none'}; more than {MOST_QUERIES} queries: {', '.join(many) or 'none'}"
    )
    return 1 if slow or uneven or many else 0


def _pages() -> Iterator[tuple[str, str]]:
    """Yield what each page is called, and its address."""
    long, short = record.long_incident(), record.short_incident()
    middle = Incident.objects.order_by("pk")[record.ENTRIES]
    yield "actions, list", "/desk/actions/"
    yield "actions, board", "/desk/actions/board/"
    yield "figures, last quarters", "/desk/figures/"
    yield "figures, one year", "/desk/figures/?period=2025"
    yield "figures, one quarter's worth", "/desk/figures/?period=2025&severity=sev3"
    yield "figures, all years", "/desk/figures/?period=all"
    yield "figures, all years, component", "/desk/figures/?period=all&component=7"
    yield "figures, all years, cause", "/desk/figures/?period=all&cause=contributing"
    yield "search, common word", f"/desk/search/?q={record.COMMON}"
    yield "search, two common words", f"/desk/search/?q={record.COMMON}+{record.ALSO_COMMON}"
    yield "search, rare word", f"/desk/search/?q={record.RARE}"
    yield "search, nothing found", "/desk/search/?q=zyxwvut"
    yield "similar to a long incident", f"{long.get_absolute_url()}similar/"
    yield "similar to a short one", f"{short.get_absolute_url()}similar/"
    yield "similar to any", f"{middle.get_absolute_url()}similar/"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
