"""What people wrote, for a mail: no marks and no tags; lists and links as one writes by hand."""

import re
from html.parser import HTMLParser

from statuspage.documents.bodies import as_html

# How far what stands in a list inside a list is to the right of that.
_INDENT = "  "
_BLANKS = re.compile(r"[ \t]+")
_AROUND_BREAK = re.compile(r" *\n *")


def as_letter(body: str) -> str:
    """Return a body as plain text: an empty line between paragraphs, a line an item of a list.

    It says what the page says, in the same order. Behind the words of a link stands where it leads;
    what was emphasized is said without emphasis.
    """
    writer = _Writer()
    writer.feed(as_html(body))
    writer.close()
    return writer.letter()


class _Writer(HTMLParser):
    """Writes what ``as_html`` gives, with its few tags."""

    def __init__(self) -> None:
        super().__init__()
        self._letter = ""
        self._text = ""
        # The lists that are open: the number of the last item, or None for one with points.
        self._lists: list[int | None] = []
        # What stands before the first words of an item; empty behind them.
        self._mark = ""
        # Whether the last block stands in a list that is still open.
        self._is_in_list = False
        self._link = ("", 0)
        self._is_code = False

    def letter(self) -> str:
        """Return what was written. To be called once all was fed."""
        self._end_block()
        return self._letter

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        match tag:
            case "br":
                self._text += "\n"
            case "a":
                self._link = (dict(attrs).get("href") or "", len(self._text))
            case "p":
                self._end_block()
            case "pre":
                self._end_block()
                self._is_code = True
            case "ul" | "ol":
                self._end_block()
                self._lists.append(0 if tag == "ol" else None)
            case "li":
                self._begin_item()

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "a":
                self._tell_place()
            case "p" | "li":
                self._end_block()
            case "pre":
                self._end_block()
                self._is_code = False
            case "ul" | "ol":
                self._end_block()
                self._lists.pop()
                self._is_in_list = bool(self._lists)

    def handle_data(self, data: str) -> None:
        self._text += data if self._is_code else data.replace("\n", " ")

    def _begin_item(self) -> None:
        self._end_block()
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._mark = "- "
            return
        self._lists[-1] = number + 1
        self._mark = f"{number + 1}. "

    def _tell_place(self) -> None:
        place, begin = self._link
        place = place.removeprefix("mailto:")
        if place and self._text[begin:].strip() != place:
            self._text += f" ({place})"

    def _end_block(self) -> None:
        """Write down what was gathered, if anything was: items close together, all else apart."""
        text, self._text = self._text, ""
        if not self._is_code:
            text = _AROUND_BREAK.sub("\n", _BLANKS.sub(" ", text))
        text = text.strip("\n" if self._is_code else None)
        if not text:
            return
        margin = _INDENT * (len(self._lists) - 1)
        hang = margin + " " * len(self._mark) if self._mark else margin
        first, *more = text.split("\n")
        lines = [f"{margin}{self._mark}{first}", *(f"{hang}{line}" for line in more)]
        if self._letter:
            self._letter += "\n" if self._mark and self._is_in_list else "\n\n"
        self._letter += "\n".join(line.rstrip() for line in lines)
        self._mark, self._is_in_list = "", bool(self._lists)
