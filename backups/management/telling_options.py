"""A board of recovery options on the command line: for people in 80 columns, for programs whole."""

import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups.options import Board, Phase, Range, RecoveryOption, Risk
from backups.options.words import PHASES, amount, told_range

WIDTH = 80
_ROW = "{number:>2}  {point:<6}  {until:<16}  {usable:<19}  {whole:<19}  {how}"


def as_lines(board: Board, *, database: str) -> Iterator[str]:
    """Write a board as a table, with what each option means below it."""
    read = f"archive read {_minute(board.as_of)}" if board.as_of else "archive never read"
    yield f"Ways back for {database} at {_minute(board.at)}, {read}"
    yield ""
    for note in board.notes:
        yield from _indented(f"! {note.code}: {note.words}", indent=2)
    if board.notes:
        yield ""
    if not board.options:
        yield "There is no way back that could be offered."
        return
    yield _ROW.format(
        number="#", point="to", until="data up to, UTC", usable="usable in", whole="whole in",
        how="by",
    )  # fmt: skip
    for number, option in enumerate(board.options, start=1):
        yield _ROW.format(
            number=number,
            point=option.point.lower(),
            until=f"{option.data_until_at:%Y-%m-%d %H:%M}",
            usable=_short(option.usable),
            whole=_short(option.seconds),
            how=option.strategy.lower(),
        )
    for number, option in enumerate(board.options, start=1):
        yield ""
        yield from _told(number, option, database=database)
    if board.left_out:
        yield ""
        yield from _indented(
            f"{board.left_out} more were left out: another is at least as good in everything that "
            "matters. --all shows them.",
            indent=0,
        )


def as_document(board: Board, *, database: str) -> dict[str, Any]:
    """Return a board as plain values; times are ISO 8601, durations are seconds."""
    recommended = board.recommended
    return {
        "database": database,
        "at": board.at.isoformat(),
        "as_of": board.as_of.isoformat() if board.as_of else None,
        "recommended": recommended.code if recommended else None,
        "notes": [_risk(note) for note in board.notes],
        "options": [_option(option) for option in board.options],
        "left_out": board.left_out,
    }


def _short(seconds: Range) -> str:
    return told_range(seconds).replace(" to ", "-").replace(" min", "m").replace(" h ", "h")


def _told(number: int, option: RecoveryOption, *, database: str) -> Iterator[str]:
    second = f", the rest beside it at {option.second.name}" if option.second else ""
    yield from _indented(
        f"{number}. From {option.backup.name} in {option.place.name} to {option.target.name}"
        f"{second}; tenants {option.lanes} at a time.",
        indent=4,
        first=0,
    )
    yield from _indented(f"Loses: {option.loses}")
    yield from _indented("Takes: " + ", ".join(_phase(phase) for phase in option.phases) + ".")
    free = amount(option.disk_free) if option.disk_free is not None else "an unknown amount"
    yield from _indented(f"Disk: {amount(option.disk_needed)} needed, {free} free.")
    for risk in option.risks:
        yield from _indented(f"{_mark(risk)} {risk.code}: {risk.words}")
    if option.reason:
        yield from _indented(f"Recommended. {option.reason}")
    if option.can_start:
        yield from _indented("Start it:")
        yield f"    manage.py restore_database {database} \\"
        yield f"      --option {option.code}"


def _mark(risk: Risk) -> str:
    return {"blocks": "X", "asks": "?", "warns": "!", "notes": "-"}[risk.severity]


def _phase(phase: Phase) -> str:
    return f"{PHASES[phase.name]} {told_range(phase.seconds)}"


def _indented(text: str, *, indent: int = 4, first: int | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        width=WIDTH - 1,
        initial_indent=" " * (indent if first is None else first),
        subsequent_indent=" " * (indent + (2 if first is None else 0)),
        break_on_hyphens=False,
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _risk(risk: Risk) -> dict[str, str]:
    return {"code": risk.code, "severity": str(risk.severity), "words": risk.words}


def _range(seconds: Range) -> dict[str, float]:
    return {
        "low": round(seconds.low, 1),
        "middle": round(seconds.middle, 1),
        "high": round(seconds.high, 1),
    }


def _option(option: RecoveryOption) -> dict[str, Any]:
    return {
        "code": option.code,
        "point": str(option.point),
        "moment": option.moment.isoformat() if option.moment else None,
        "backup": option.backup.name,
        "source": option.place.name,
        "target": option.target.name,
        "second_target": option.second.name if option.second else None,
        "strategy": str(option.strategy),
        "lanes": option.lanes,
        "data_until_at": option.data_until_at.isoformat(),
        "first_data_until_at": option.first_until_at.isoformat(),
        "loses": option.loses,
        "phases": {phase.name: _range(phase.seconds) for phase in option.phases},
        "usable_seconds": _range(option.usable),
        "whole_seconds": _range(option.seconds),
        "basis": option.basis,
        "disk_needed_bytes": option.disk_needed,
        "disk_free_bytes": option.disk_free,
        "risks": [_risk(risk) for risk in option.risks],
        "can_start": option.can_start,
        "asks_for_name": option.asks_for_name,
        "reason": option.reason,
    }
