"""What the importer may answer instead of a reading."""

from dataclasses import dataclass

from incidents.errors import Refused


class NothingToRead(Refused):
    code = "import-empty"
    message = "The document is empty. Give a text with a timeline in it."


class DocumentTooLong(Refused):
    code = "import-too-long"
    message = (
        "The document is longer than any postmortem: a text may have 2,000,000 characters,"
        " a file 4 MB. Import only the postmortem itself, without logs."
    )


class NotText(Refused):
    code = "import-not-text"
    message = (
        "The file is no text: it may be a picture, an archive, or a program's own format."
        " Save it as plain text or Markdown, and try again."
    )


class UnknownPart(Refused):
    code = "import-unknown-part"

    def __init__(self, number: int, parts: int) -> None:
        told = f"1 to {parts}" if parts else "none: it tells of one incident"
        super().__init__(f"The document has no part {number}. Choose from its parts: {told}.")


class UnknownZone(Refused):
    code = "import-unknown-zone"

    def __init__(self, words: str) -> None:
        super().__init__(
            f"There is no time zone {words!r}. Name one like Europe/Amsterdam, CET or +01:00."
        )


class YearOutOfRange(Refused):
    code = "import-year-out-of-range"

    def __init__(self, year: int) -> None:
        super().__init__(f"The year {year} cannot be right. Give one from 1970 to 2199.")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a year may be the right one, and the lines that say so."""

    why: str
    lines: tuple[int, ...]

    def __str__(self) -> str:
        numbers = ", ".join(str(line) for line in self.lines)
        return f"{self.why} ({'line' if len(self.lines) == 1 else 'lines'} {numbers})"


@dataclass(frozen=True, slots=True)
class YearReading:
    """A year that the document can be read as, with its evidence."""

    year: int
    evidence: tuple[Evidence, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        return tuple(sorted({line for item in self.evidence for line in item.lines}))


class YearUnclear(Refused):
    """The dates have no year, and what else is said does not settle it.

    ``readings`` holds every year that something speaks for, with its evidence.
    """

    code = "import-year-unclear"

    def __init__(self, readings: tuple[YearReading, ...]) -> None:
        self.readings = readings
        super().__init__("\n".join(_told(readings)))


def _told(readings: tuple[YearReading, ...]) -> list[str]:
    if not readings:
        return [
            "The dates of this document have no year, and nothing in it says which one is meant.",
            "Say which year it is.",
        ]
    lines = ["The dates of this document have no year, and it can be read in more than one way:"]
    for reading in readings:
        lines.append(f"  {reading.year}")
        lines += [f"    {evidence}" for evidence in reading.evidence]
    return [*lines, "Say which year is right; the other reading stays as a finding of the lint."]
