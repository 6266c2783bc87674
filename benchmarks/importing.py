"""How long a postmortem of 5,000 lines takes to be read, by form. Target: 2 s of the processor.

Four documents of the same length: a list, a table, prose, and chapters with some of each, with
links, code and times of many kinds. Each is read three times; the slowest counts.

``python -m benchmarks.importing [LINES]``
"""

import sys
import time

from incidents.importer import read_postmortem
from incidents.lint import lint

TARGET = 2.0
LINES = 5000
ROUNDS = 3


def documents(lines: int) -> dict[str, str]:
    """Return documents of that many lines, by the name of their form."""
    return {
        "list": "# 2024-03-04\n\n## Timeline (UTC)\n\n" + _lines(lines - 4, _item),
        "table": "# 2024-03-04\n\n| Time (UTC) | Event |\n|---|---|\n" + _lines(lines - 4, _row),
        "prose": "# What happened on 4 March 2024\n\n" + _lines((lines - 2) // 2, _sentence),
        "chapters": "# Incidents of 2024\n\n" + _lines((lines - 2) // 5, _chapter),
    }


def _lines(count: int, line: object) -> str:
    assert callable(line)
    return "\n".join(line(n) for n in range(count))


def _clock(n: int) -> str:
    return f"{n // 60 % 24:02d}:{n % 60:02d}"


def _item(n: int) -> str:
    return f"- **{_clock(n)}** `@user{n % 9}` looks at [graph {n}](https://example.org/?from={n})"


def _row(n: int) -> str:
    return f"| {_clock(n)} | Step {n} of `job-{n}` is taken, and ~{n % 90} rows are left |"


def _sentence(n: int) -> str:
    return f"At {_clock(n)} UTC the queue held {n} messages. Nobody saw it then.\n"[: 120 - n % 2]


def _chapter(n: int) -> str:
    day = f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d}"
    return (
        f"## Outage on {day}\n\nIt was over by {_clock(n + 50)}, said `status`.\n"
        f"- {day} {_clock(n)} - {_clock(n + 30)} CET: the shop is closed\n"
    )


def main(lines: int) -> int:
    """Print a line per form; 1 if one of them takes longer than the target."""
    slowest = 0.0
    for name, text in documents(lines).items():
        took = []
        for _round in range(ROUNDS):
            began = time.process_time()
            reading = read_postmortem(text)
            lint(reading)
            took.append(time.process_time() - began)
        slowest = max(slowest, *took)
        count = text.count("\n") + 1
        print(f"{name:9} {count:6} lines {len(reading.entries):6} entries {max(took):6.2f} s")
    print(f"slowest {slowest:.2f} s, target {TARGET:.0f} s")
    return int(slowest > TARGET)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES))
