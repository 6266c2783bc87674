"""The whole document looked over: which statements are entries, seen together."""

import re
from dataclasses import replace

from incidents.importer.candidates import (
    BARRED,
    ZONE_NOTE,
    Candidate,
    Mark,
    Step,
    first_steps,
    is_noise,
    is_noise_after,
    relative_candidate,
    standing_date,
)
from incidents.importer.items import Document, Item, Kind
from incidents.importer.leading import after_time, is_strongly_parted, leading_time
from incidents.importer.prose import sentences
from incidents.importer.sections import SectionRole

_LONGEST_BLOCK = 400
_FEWEST_IN_CODE = 3
_LABEL_LEVEL = 7
_LONGEST_NAME = 4
_VAGUELY = re.compile(
    r"\W*(?:(?:some ?time|shortly|just|immediately|long|soon|right) )?(?:before|prior to|after)"
    r" (?:the |this )?(?:incident|outage|event|failure|attack|deploy(?:ment)?|release|fix)\b"
    r"|\W*(?:previously|earlier|afterwards?|later|subsequently)\s*[:,–-]",
    re.IGNORECASE,
)
_CLOSES = re.compile(r"\W*(?:last )?(?:posted|updated|published)\b", re.IGNORECASE)
_STATE = re.compile(
    r"\W*(?:investigating|identified|monitoring|resolved|update|post-?mortem|scheduled|verifying"
    r"|in progress|completed)\W*(?:\s[-–—:]\s.*)?",
    re.IGNORECASE,
)


def find_steps(document: Document) -> list[Step]:
    """Return candidates and the dates over them, in the order of the document."""
    steps = first_steps(document)
    code = _from_code(document)
    told = any(isinstance(s, Candidate) and s.is_timed and _is_in_timeline(s) for s in steps)
    if not _timed(steps) or (not told and len(code) >= _FEWEST_IN_CODE):
        steps = sorted([*steps, *code], key=lambda step: step.line)
    steps = _with_bodies(document, _without_stray_prose(document, steps))
    listed = any(isinstance(s, Candidate) and s.is_timed and not _is_prose(s) for s in steps)
    steps = _with_sentences(document, steps, everywhere=not listed)
    return _with_undated(document, steps)


def _timed(steps: list[Step]) -> int:
    return sum(1 for step in steps if isinstance(step, Candidate) and step.is_timed)


def _without_stray_prose(document: Document, steps: list[Step]) -> list[Step]:
    """Drop sentences that tell once more what a list tells.

    Where a timeline is set out as a list, "At 14:05 UTC the site went down" elsewhere in the
    text is its summary, not a second entry.
    """
    listed = sum(
        1 for step in steps if isinstance(step, Candidate) and step.is_timed and not _is_prose(step)
    )
    has_timeline = any(
        isinstance(step, Candidate) and step.is_timed and step.section.role == SectionRole.TIMELINE
        for step in steps
    )
    if listed <= 1 and not has_timeline:
        return steps
    headings = any(item.kind == Kind.HEADING for item in document.items)
    return [
        step
        for step in steps
        if isinstance(step, Mark)
        or not _is_prose(step)
        or step.section.role == SectionRole.TIMELINE
        or not headings
    ]


def _is_prose(candidate: Candidate) -> bool:
    if candidate.item.kind != Kind.LINE or candidate.stated is None:
        return False
    return not is_strongly_parted(candidate.item.text, candidate.stated)


def _with_bodies(document: Document, steps: list[Step]) -> list[Step]:
    """Give headings and bare times their words.

    They stand below, or above on status pages. A date with no timed entry below it is an entry.
    """
    position = {item.line: n for n, item in enumerate(document.items)}
    result: list[Step] = []
    dated_headings = sum(1 for step in steps if _could_be_day_entry(step))
    swallowed: set[int] = set()
    for n, step in enumerate(steps):
        if step.line in swallowed:
            continue
        if isinstance(step, Candidate) and not step.text:
            above = _above(document, position[step.line])
            body = _body(document, position[step.line])
            if above:
                words = " ".join(item.text for item in above)
                result.append(replace(step, text=words, source_line=above[0].line))
            elif body is not None:
                result.append(replace(step, text=body.text))
                swallowed.add(body.line)
        elif isinstance(step, Mark) and _could_be_day_entry(step):
            text = after_time(step.item.text, step.stated)
            body = _body(document, position[step.line])
            bare = not text or ZONE_NOTE.match(text)
            lone = not _is_followed_by_times(steps, n)
            timeline = step.item.section.role == SectionRole.TIMELINE
            if lone and (timeline or dated_headings > 1) and (not bare or body is not None):
                words = text if not bare or body is None else body.text
                result.append(Candidate(item=step.item, stated=step.stated, text=words))
            else:
                result.append(step)
        else:
            result.append(step)
    return result


def _could_be_day_entry(step: Step) -> bool:
    return (
        isinstance(step, Mark)
        and not step.title
        and not step.standing
        and step.item.kind == Kind.HEADING
        and leading_time(step.item.text) is not None
    )


def _body(document: Document, n: int) -> Item | None:
    """Return the first statement below an item, if it is words and not the next time."""
    headed = document.items[n].kind == Kind.HEADING
    for item in document.items[n + 1 : n + 3]:
        if headed and (item.kind == Kind.CODE or _introduces(item)):
            return item
        if item.kind in (Kind.HEADING, Kind.ROW):
            return None
        if item.kind in (Kind.LINE, Kind.BULLET):
            if item.kind == Kind.BULLET and document.items[n].kind == Kind.BULLET:
                deeper = item.indent > document.items[n].indent
                return item if deeper and leading_time(item.text) is None else None
            return item if leading_time(item.text) is None else None
    return None


def _introduces(item: Item) -> bool:
    """Whether a line such as "These logs were kept:" was taken for a label; it is words."""
    words = item.section.own_role is None or len(item.text.split()) > _LONGEST_NAME
    label = item.kind == Kind.HEADING and item.text.endswith(":") and words
    return label and item.section.level >= _LABEL_LEVEL and leading_time(item.text) is None


def _above(document: Document, n: int) -> list[Item]:
    """Return the words right above a time that closes them, as status pages set it.

    In lines without a gap that begin with words and end with a time, each time closes its words.
    "Posted 3 May, 14:05" closes the words back to the name of the state that was announced.
    """
    if _CLOSES.match(document.items[n].text) and (announced := _announced(document, n)):
        return announced
    last = n
    while last + 1 < len(document.items) and _is_joined(document, last + 1):
        last += 1
    if last - n > _LONGEST_BLOCK or not _is_bare_time(document.items[last]):
        return []
    first = n
    while first > 0 and _is_joined(document, first) and n - first < _LONGEST_BLOCK:
        first -= 1
        if _begins_with_time(document.items[first]):
            return list(document.items[first + 1 : n])
    return list(document.items[first:n])


def _announced(document: Document, n: int) -> list[Item]:
    for first in range(n - 1, max(-1, n - 1 - _LONGEST_BLOCK), -1):
        if _STATE.fullmatch(document.items[first].text):
            return list(document.items[first:n])
        if _begins_with_time(document.items[first]):
            return list(document.items[first + 1 : n])
    return []


def _is_joined(document: Document, n: int) -> bool:
    """Whether an item is a line right below another one."""
    above, item = document.items[n - 1], document.items[n]
    below = not item.after_blank and above.kind == Kind.LINE == item.kind
    return below and above.starts[-1][0] == item.line - 1


def _begins_with_time(item: Item) -> bool:
    return leading_time(item.text) is not None


def _is_bare_time(item: Item) -> bool:
    stated = leading_time(item.text)
    return stated is not None and not after_time(item.text, stated)


def _is_followed_by_times(steps: list[Step], n: int) -> bool:
    mark = steps[n]
    for step in steps[n + 1 :]:
        if isinstance(step, Mark) and step.item.kind == mark.item.kind:
            deeper = step.item.section.level > mark.item.section.level
            if not deeper or mark.item.kind != Kind.HEADING:
                return False
        elif isinstance(step, Candidate) and step.is_timed:
            return True
        elif isinstance(step, Candidate) and mark.item.kind != Kind.HEADING:
            return False
    return False


def _from_code(document: Document) -> list[Step]:
    """Read a timeline that is set as code, for its alignment."""
    steps = []
    for item in document.items:
        if item.kind != Kind.CODE or item.section.role != SectionRole.TIMELINE:
            continue
        stated = leading_time(item.text)
        rest = after_time(item.text, stated) if stated else ""
        if stated and stated.has_clock and rest and not is_noise_after(rest, stated):
            steps.append(Candidate(item=item, stated=stated, text=rest))
    return list(steps)


def _with_sentences(document: Document, steps: list[Step], *, everywhere: bool) -> list[Step]:
    """Part paragraphs that tell of several times.

    Where there is no list, the prose is the timeline; else only paragraphs that are entries
    already are looked into.
    """
    known = {step.line: step for step in steps}
    told: dict[int, list[Step]] = {}
    for item in document.items:
        step = known.get(item.line)
        if isinstance(step, Candidate) and _is_prose(step):
            found = _sentences_of(item, leading=not everywhere)
            if len(found) > 1 or not step.text:
                told[item.line] = found
        elif everywhere and step is None and _may_tell(item):
            told[item.line] = _sentences_of(item, leading=False)
    if not told:
        return steps
    if everywhere and any(_is_in_timeline(step) for found in told.values() for step in found):
        # The summary tells the same story once more.
        steps = [step for step in steps if isinstance(step, Mark) or _is_in_timeline(step)]
        told = {line: [s for s in found if _is_in_timeline(s)] for line, found in told.items()}
    kept = [step for step in steps if step.line not in told]
    added = [step for found in told.values() for step in found]
    return sorted([*kept, *added], key=lambda step: step.line)


def _sentences_of(item: Item, *, leading: bool) -> list[Step]:
    return [
        Candidate(
            item=item,
            stated=sentence.stated,
            text=sentence.text,
            source_line=item.line_at(sentence.offset),
        )
        for sentence in sentences(item.words)
        if sentence.leads or not leading
    ]


def _is_in_timeline(step: Step) -> bool:
    return step.item.section.role == SectionRole.TIMELINE


def _may_tell(item: Item) -> bool:
    if item.kind not in (Kind.LINE, Kind.BULLET) or item.section.role in BARRED:
        return False
    return not is_noise(item.text) and standing_date(item) is None


def _with_undated(document: Document, steps: list[Step]) -> list[Step]:
    """Add statements without a time that stand among entries.

    These are bullets of the same list (of the timeline, if one is set out), at its ends those
    that begin with "Before the outage" and the like, and whole lines of the lead-in before the
    first date.
    """
    taken = {step.line for step in steps}
    groups = _lists_with_times(steps)
    set_out = any(isinstance(s, Candidate) and s.is_timed and _is_in_timeline(s) for s in steps)
    added: list[Step] = []
    for item in document.items:
        if item.line in taken or (set_out and item.section.role != SectionRole.TIMELINE):
            continue
        span = groups.get((id(item.section), item.indent))
        if item.kind != Kind.BULLET or not span:
            continue
        if span[0] < item.line < span[1] or _VAGUELY.match(item.text):
            added.append(_inner_or_undated(item))
            taken.add(item.line)
    added += [step for step in _lead_in(document, steps) if step.line not in taken]
    return sorted([*steps, *added], key=lambda step: step.line) if added else steps


def _lists_with_times(steps: list[Step]) -> dict[tuple[int, int], tuple[int, int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for step in steps:
        if isinstance(step, Candidate) and step.item.kind == Kind.BULLET and step.stated:
            groups.setdefault((id(step.section), step.item.indent), []).append(step.line)
    return {key: (min(lines), max(lines)) for key, lines in groups.items() if len(lines) > 1}


def _inner_or_undated(item: Item) -> Candidate:
    for sentence in sentences(item.words):
        return Candidate(item=item, stated=sentence.stated, text=item.text)
    relative = relative_candidate(item, item.text)
    if relative is not None:
        return relative
    return Candidate(item=item, stated=None, text=item.text, flags=("undated_between_dated",))


def _lead_in(document: Document, steps: list[Step]) -> list[Step]:
    """Lines after an entry that is only placed before a date, up to the first dated entry."""
    begin = next((n for n, step in enumerate(steps) if _is_before_something(step)), None)
    if begin is None or begin + 1 >= len(steps):
        return []
    first, last = steps[begin].line, steps[begin + 1].line
    return [
        Candidate(item=item, stated=None, text=item.text, flags=("undated_between_dated",))
        for item in document.items
        if first < item.line < last
        and item.kind == steps[begin].item.kind
        and item.indent == steps[begin].item.indent
    ]


def _is_before_something(step: Step) -> bool:
    return isinstance(step, Candidate) and step.relative is not None and step.relative.before
