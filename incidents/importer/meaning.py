"""What an entry is about: its kind, its tags, and the milestones of the incident."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from dataclasses import replace

from incidents.importer.reading import Entry, Update, is_clocked, without_zone


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Words that an entry uses when customers were told something by it.
_UPDATE = _words(
    r"^\W*(?:\S+ )?(?:status|public|customer|external) updates?\b|\bstatus ?page\b.{0,40}\b(?:updated?|posted|"
    r"published|created|changed|set)\b|\b(?:updated?|posted|published)\b.{0,40}\bstatus ?page\b"
    r"|^\W*(?:\S+ )?status\.\S+ updated|\b(?:posted|published|sent)\b.{0,30}\b(?:announcement|notice|tweet|update)\b"
    r"|\bannouncement (?:was )?(?:posted|published|sent)\b|\btweeted\b"
    r"|\bcustomers?\b.{0,20}\b(?:informed|notified|emailed|told)\b"
    r"|\b(?:inform(?:ed)?|notif(?:y|ied)|emailed) (?:all |our |affected )*(?:customers|users)\b"
)
_QUOTED = re.compile(r"[\"“«](.+)[\"”»]", re.DOTALL)

_TAGS = (
    ("vendor", _words(r"\b(?:cloud |storage |hosting )?(?:provider|vendor|supplier|upstream)\b|\bsupport (?:case|ticket)\b")),
    ("workaround", _words(r"\bworkarounds?\b|\bstop-?gap\b|\btemporary (?:fix|measure)\b|\binterim\b")),
    ("backup", _words(r"\bbackups?\b|\bsnapshots?\b")),
    ("maintenance", _words(r"\bmaintenance\b|\bupgrade window\b")),
    ("failure", _words(r"\bfailure state\b|\b(?:fail(?:s|ed|ure)?|crash(?:es|ed)?|outage begins|goes? down|went down)\b")),
    ("detection", _words(r"\balert(?:s|ed)?\b|\bpage[dr]\b|\bpages\b|\bdetect(?:s|ed|ion)\b|\bfirst reports?\b|\bnoticed\b")),
    ("attempt", _words(r"\battempt(?:s|ed)?\b|\btr(?:y|ies|ied) to\b|\brecovery (?:cluster|session)\b")),
    ("failed", _words(r"\battempts? fail|\bdid not (?:help|work)\b|\bunsuccessful|\bwithout success\b|\bfailed to\b")),
    ("eta", _words(r"\bETA\b|\bestimate\b|\bexpect(?:ed)? to\b|\bby (?:the )?end of\b|\bin the next (?:few )?(?:hours|minutes|days)\b")),
    ("eta_missed", _words(r"\b(?:ETA|estimate|deadline)\b.{0,20}\b(?:missed|passed|slipped|not met)\b")),
    ("decision", _words(r"\bdecid(?:e|es|ed)\b|\bdecision\b|\bpivot(?:s|ed)?\b|\baccept(?:ed|s)? to\b|\bpaus(?:es|ed)\b|\bagreed\b|\bstrategy\b")),
    ("pivot", _words(r"\bpivot(?:s|ed)?\b|\bchang(?:es?|ed) (?:of )?(?:approach|strategy|course)\b|\bswitch(?:es|ed) (?:to|from)\b")),
    ("fatigue", _words(r"\bfatigue\b|\bexhaust(?:ed|ion)\b|\btired\b")),
    ("handover", _words(r"\bhand(?:s|ed)? ?over\b|\bhandoff\b|\bshift\b|\bpaus(?:es|ed)\b.{0,30}\bwork\b|\bwork\b.{0,30}\bpaus(?:es|ed)\b")),
    ("recovery", _words(r"\b(?:fully |partially |again )?(?:restored|recovered)\b|\bback online\b|\bback to normal\b")),
    ("restore", _words(r"\brestor(?:e|es|ing|ations?)\b")),
    ("data_loss_notice", _words(r"\bdata (?:loss|lost)\b|\b(?:changes|data|edits)\b.{0,80}\b(?:unavailable|missing|lost)\b")),
    ("fix", _words(r"\bfix(?:es|ed)?\b|\bpatch(?:es|ed)?\b|\bhot-?fix\b|\bupdates? (?:was |were |is )?(?:deployed|rolled out)\b")),
    ("sub_incident", _words(r"\b(?:brief|short|separate|unrelated|secondary) (?:issue|outage|interruption|problem|disruption)\b")),
    ("status", _words(r"\b(?:marked|declared|set) (?:as )?(?:resolved|closed|mitigated)\b|\bincident (?:closed|ends|resolved)\b")),
)  # fmt: skip

_TRIGGER = _words(
    r"\bmaintenance\b|\bdeploy(?:s|ed|ment)?\b|\brelease\b|\broll-?out\b|\bupgrade\b|\bmigration\b"
    r"|\bmerged\b|\bchange\b|\bpushed\b"
)
_STARTED = _words(
    r"\b(?:outage|incident|impact|degradation|disruption) (?:begins?|began|starts?|started)\b|\bfailure state\b"
    r"|\b(?:goes|went|is|were|was) down\b|\bstart(?:s|ed)? (?:to fail|failing|crash\w*|melting)\b"
    r"|\b(?:stops?|stopped) (?:responding|working|accepting)\b|\bcrash(?:es|ed)\b|\bno longer\b"
    r"|\b(?:errors?|latency|failures?) (?:begins?|began|starts?|started|rises?|rose|spikes?d?|increases?d?)\b"
    r"|\b(?:becomes?|became) unavailable\b|\bfirst (?:errors?|failures?)\b|\bfails?\b"
)
_DETECTED = _words(
    r"\balert(?:s|ed)?\b|\bpager?\b|\bpaged\b|\bdetect(?:s|ed)\b|\bfirst (?:report|alert|confirmation)\b"
    r"|\bnotic(?:es|ed)\b|\breports? (?:that|of|from)\b|\bpinged\b|\bnotifies team\b"
)
_DECLARED = _words(
    r"\bdeclare[sd]? (?:an? )?(?:\S+ )?incident\b|\bincident (?:is |was )?(?:declared|begins|opened)\b"
    r"|\bopen(?:s|ed) (?:an? )?incident\b"
)
_MITIGATED = _words(
    r"\bmitigat(?:ed|es)\b|\brestored\b|\bback (?:online|up)\b|\brolled back\b|\brevert(?:ed|s)\b|\brecovers?\b"
)
_RECOVERED = _words(
    r"\bfull(?:y)? (?:operational|restored|recover(?:ed|y)|functional)\b|\boutage ends\b|\bback to normal\b"
    r"|\ball (?:\S+ ){0,4}(?:restored|recovered|operational|healthy)\b|\bservice(?:s)? restored\b"
)
_RESOLVED = _words(
    r"\bresolved\b|\bincident (?:ends|ended|closed|over)\b|\ball clear\b|\bresolution is confirmed\b"
)
_TRIGGER_WINDOW = 3600.0


def understand(entries: list[Entry]) -> list[Entry]:
    """Return the entries with kind, tags and milestones, each milestone at most once."""
    told = [replace(entry, tags=_tags(entry.text), kind=_kind(entry)) for entry in entries]
    return _with_context(_with_milestones(told))


def updates_of(entries: list[Entry]) -> list[Update]:
    """Return what customers were told, in the words quoted if there are any."""
    return [
        Update(line=entry.line, n=entry.n, published_at=entry.start, body=_said(entry.text))
        for entry in entries
        if entry.kind == "update"
    ]


def _said(text: str) -> str:
    quoted = _QUOTED.search(text)
    return quoted[1].strip() if quoted else text


def _kind(entry: Entry) -> str:
    return "update" if _UPDATE.search(_unquoted(entry.text)) else "event"


def _unquoted(text: str) -> str:
    return _QUOTED.sub('""', text)


def _tags(text: str) -> tuple[str, ...]:
    if _UPDATE.search(_unquoted(text)):
        kept = [
            name for name, words in _TAGS if name.startswith(("eta", "data")) and words.search(text)
        ]
        return ("communication", *kept)
    return tuple(name for name, words in _TAGS if words.search(text))


def _with_milestones(entries: list[Entry]) -> list[Entry]:
    timed = [entry for entry in entries if is_clocked(entry.start)]
    events = [entry for entry in timed if entry.kind != "update"]
    chosen: dict[int, str] = {}

    def choose(name: str, entry: Entry | None) -> None:
        if entry is not None and entry.n not in chosen:
            chosen[entry.n] = name

    choose("resolved", _last(timed, _RESOLVED))
    started = _first([e for e in events if e.n not in chosen], _STARTED)
    choose("started", started)
    after = [e for e in events if e.n not in chosen and (started is None or e.n > started.n)]
    choose("declared", _first(after, _DECLARED))
    choose("detected", _first([e for e in after if e.n not in chosen], _DETECTED))
    choose("recovered", _last([e for e in timed if e.n not in chosen], _RECOVERED))
    choose("mitigated", _first([e for e in after if e.n not in chosen], _MITIGATED))
    choose("first_update", next((e for e in timed if e.kind == "update"), None))
    told = [replace(entry, milestone=chosen.get(entry.n, "")) for entry in entries]
    return _with_trigger(told, started)


def _with_trigger(entries: list[Entry], started: Entry | None) -> list[Entry]:
    """Tag a change within the hour before the start as what set it off."""
    if started is None:
        return entries
    before = [e for e in entries if e.n < started.n and e.kind == "event" and is_clocked(e.start)]
    if not before or not _TRIGGER.search(before[-1].text):
        return entries
    first, second = without_zone(before[-1].start), without_zone(started.start)
    assert first is not None
    assert second is not None
    if not 0 <= (second - first).total_seconds() <= _TRIGGER_WINDOW:
        return entries
    return [replace(e, tags=(*e.tags, "trigger")) if e.n == before[-1].n else e for e in entries]


def _with_context(entries: list[Entry]) -> list[Entry]:
    """Tag as context what lies before the trigger or the start."""
    begins = [e for e in entries if e.milestone == "started" or "trigger" in e.tags]
    if not begins:
        return [
            _as_context(e) if e.start is None and e.bounds == (None, None) else e for e in entries
        ]
    first = begins[0].n
    start = without_zone(begins[0].start)
    return [
        _as_context(entry) if entry.n < first and _is_earlier(entry, start) else entry
        for entry in entries
    ]


def _is_earlier(entry: Entry, start: object) -> bool:
    moment = without_zone(entry.start)
    return moment is None or start is None or moment < start  # type: ignore[operator]


def _as_context(entry: Entry) -> Entry:
    kind = "context" if entry.start is None else entry.kind
    return replace(entry, kind=kind, tags=("context", *entry.tags))


def _first(entries: list[Entry], words: re.Pattern[str]) -> Entry | None:
    return next((entry for entry in entries if words.search(entry.text)), None)


def _last(entries: list[Entry], words: re.Pattern[str]) -> Entry | None:
    return next((entry for entry in reversed(entries) if words.search(entry.text)), None)
