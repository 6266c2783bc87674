"""How well the importer and the lint read documents whose answers are known."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from incidents.errors import Refused
from incidents.importer import Entry, Reading, Told, YearUnclear, read_postmortem
from incidents.importer.reading import read_iso
from incidents.lint import lint

_ANSWER = ".expected.json"


@dataclass(slots=True, kw_only=True)
class Score:
    """Counts over one document, or over several. Ratios are None where nothing was to be had."""

    name: str
    wanted: int = 0
    found: int = 0
    invented: int = 0
    timed: int = 0
    lint_wanted: int = 0
    lint_found: int = 0
    trouble: str = ""
    missed: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    lint_missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """Entries found, of those that a careful reader finds."""
        return _ratio(self.found, self.wanted)

    @property
    def precision(self) -> float | None:
        """Entries found that a careful reader finds, of all found. Optional ones do not count."""
        return _ratio(self.found, self.found + self.invented)

    @property
    def times(self) -> float | None:
        """Entries whose date, time and stated zone are right, of those found."""
        return _ratio(self.timed, self.found)

    @property
    def lint_recall(self) -> float | None:
        return _ratio(self.lint_found, self.lint_wanted)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def score_folder(folder: Path) -> list[Score]:
    """Read each NAME.md that has a NAME.expected.json beside it, and compare the two."""
    scores = []
    for answer in sorted(folder.glob(f"*{_ANSWER}")):
        name = answer.name.removesuffix(_ANSWER)
        document = _document(folder, name)
        if document is not None:
            wanted = json.loads(answer.read_text(encoding="utf-8"))
            scores.append(score_document(name, document.read_text(encoding="utf-8"), wanted))
    return scores


def _document(folder: Path, name: str) -> Path | None:
    """Return the document of an answer; that of the founding report lies with the reports."""
    places = (folder / f"{name}.md", folder.parent.parent / "report" / f"{name}.txt")
    return next((place for place in places if place.is_file()), None)


def score_document(name: str, text: str, answer: dict[str, Any]) -> Score:
    """Compare what is read with the answer; a year that it must be told is taken from there."""
    score = Score(name=name, wanted=len(answer["entries"]))
    try:
        reading = _read(text, answer)
    except Refused as refusal:
        score.trouble = str(refusal)
        score.missed = [entry["line"] for entry in answer["entries"]]
        return score
    _compare(score, reading, answer)
    wanted = [finding["code"] for finding in answer.get("lint_expected", [])]
    found = {finding.code for finding in lint(reading)}
    score.lint_wanted = len(wanted)
    score.lint_missed = [code for code in wanted if code not in found]
    score.lint_found = len(wanted) - len(score.lint_missed)
    return score


def _read(text: str, answer: dict[str, Any]) -> Reading:
    try:
        return read_postmortem(text)
    except YearUnclear:
        starts = [entry["start"] for entry in answer["entries"] if entry["start"]]
        return read_postmortem(text, told=Told(year=int(starts[0][:4]) if starts else None))


def _compare(score: Score, reading: Reading, answer: dict[str, Any]) -> None:
    optional = {entry["line"] for entry in answer.get("optional_entries", [])}
    left: dict[int, list[Entry]] = {}
    for entry in reading.entries:
        left.setdefault(entry.line, []).append(entry)
    for wanted in answer["entries"]:
        there = left.get(wanted["line"], [])
        if not there:
            score.missed.append(wanted["line"])
            continue
        right = [entry for entry in there if _is_same(entry, wanted)]
        there.remove((right or there)[0])
        score.found += 1
        score.timed += bool(right)
        if not right:
            score.wrong.append(wanted["line"])
    score.false = [n for n, there in left.items() for _entry in there if n not in optional]
    score.invented = len(score.false)


def _is_same(entry: Entry, wanted: dict[str, Any]) -> bool:
    if entry.precision != wanted["precision"]:
        return False
    return _is_same_time(entry.start, wanted["start"]) and (
        not wanted.get("end") or _is_same_time(entry.end, wanted["end"])
    )


def _is_same_time(found: str | None, wanted: str | None) -> bool:
    """Whether date and clock are the same, and the offset where the answer has one."""
    mine, answer = read_iso(found), read_iso(wanted)
    if mine is None or answer is None:
        return mine is answer
    offset = answer.utcoffset()
    return _wall(mine) == _wall(answer) and (offset is None or mine.utcoffset() == offset)


def _wall(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None, microsecond=0)


def total(scores: list[Score]) -> Score:
    """Return all documents together, each entry counting the same."""
    return Score(
        name="together",
        wanted=sum(score.wanted for score in scores),
        found=sum(score.found for score in scores),
        invented=sum(score.invented for score in scores),
        timed=sum(score.timed for score in scores),
        lint_wanted=sum(score.lint_wanted for score in scores),
        lint_found=sum(score.lint_found for score in scores),
    )
