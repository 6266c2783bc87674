"""What a document says, statement by statement, for those who look for contradictions in it."""

from collections.abc import Iterator

from incidents.importer.items import Document, Kind
from incidents.importer.reading import Statement
from incidents.importer.sections import SectionRole


def find_statements(document: Document) -> Iterator[Statement]:
    """Yield what is said in lines, lists, tables and headings; no code, quotes or noise."""
    for item in document.items:
        if item.kind in (Kind.CODE, Kind.QUOTE) or item.section.role == SectionRole.NOISE:
            continue
        words = " | ".join(cell.masked for cell in item.cells) or item.words.masked
        if words.strip():
            yield Statement(line=item.line, text=words)
