"""Time zones as people name them: labels, offsets and IANA names."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

# What a label says about itself, in minutes east of UTC. A label is believed even on a date
# when its zone observes another one ("CET" in July); the lint remarks on that.
OFFSETS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120,
    "MEZ": 60, "MESZ": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "SAST": 120, "WAT": 60, "CAT": 120,
    "EAT": 180, "TRT": 180, "GST": 240, "IST": 330, "PKT": 300, "ICT": 420,
    "WIB": 420, "SGT": 480, "HKT": 480, "AWST": 480, "JST": 540, "KST": 540, "ACST": 570,
    "AEST": 600, "ACDT": 630, "AEDT": 660, "NZST": 720, "NZDT": 780, "BRT": -180, "ART": -180,
    "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300,
    "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
}  # fmt: skip

# Labels that leave summer or winter to the date.
REGIONS = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
    "EASTERN": "America/New_York",
    "CENTRAL": "America/Chicago",
    "MOUNTAIN": "America/Denver",
    "PACIFIC": "America/Los_Angeles",
}

# Where a label with a summer or winter twin is at home, to ask whether it was in force.
HOMES = {
    "WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "BST": "Europe/London",
    "CET": "Europe/Berlin", "CEST": "Europe/Berlin",
    "MEZ": "Europe/Berlin", "MESZ": "Europe/Berlin", "EET": "Europe/Helsinki",
    "EEST": "Europe/Helsinki", "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney",
    "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland", "EST": "America/New_York",
    "EDT": "America/New_York", "CST": "America/Chicago", "CDT": "America/Chicago",
    "MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
}  # fmt: skip

# "CET/CEST" leaves it to the date which of the two holds.
_TWINS = {
    frozenset((one, other)): home
    for one, home in HOMES.items()
    for other, elsewhere in HOMES.items()
    if home == elsewhere and one != other
} | {frozenset(("GMT", "BST")): "Europe/London"}

# "Japan time", "Berlin local time".
PLACES = {
    "JAPAN": "Asia/Tokyo", "TOKYO": "Asia/Tokyo", "KOREA": "Asia/Seoul", "SEOUL": "Asia/Seoul",
    "CHINA": "Asia/Shanghai", "BEIJING": "Asia/Shanghai", "SINGAPORE": "Asia/Singapore",
    "INDIA": "Asia/Kolkata", "ISRAEL": "Asia/Jerusalem", "DUBAI": "Asia/Dubai",
    "MOSCOW": "Europe/Moscow", "BERLIN": "Europe/Berlin", "PARIS": "Europe/Paris",
    "AMSTERDAM": "Europe/Amsterdam", "MADRID": "Europe/Madrid", "STOCKHOLM": "Europe/Stockholm",
    "UK": "Europe/London", "LONDON": "Europe/London", "DUBLIN": "Europe/Dublin",
    "SYDNEY": "Australia/Sydney", "NEW YORK": "America/New_York", "BOSTON": "America/New_York",
    "CHICAGO": "America/Chicago", "SEATTLE": "America/Los_Angeles",
    "SAN FRANCISCO": "America/Los_Angeles", "NEW ZEALAND": "Pacific/Auckland",
}  # fmt: skip

_LONG_NAMES = (
    (re.compile(r"coordinated universal", re.IGNORECASE), "UTC"),
    (re.compile(r"central european summer", re.IGNORECASE), "CEST"),
    (re.compile(r"central european", re.IGNORECASE), "CET"),
    (re.compile(r"west(?:ern)? africa", re.IGNORECASE), "WAT"),
    (re.compile(r"british summer", re.IGNORECASE), "BST"),
)

_LABELS = "|".join(sorted((*OFFSETS, "ET", "CT", "MT", "PT"), key=len, reverse=True))
_PAIR = "|".join(
    sorted(f"{one} ?/ ?{other}" for twins in _TWINS for one in twins for other in twins - {one})
)
_PLACE = (
    "(?:"
    + "|".join(sorted(place if place == "UK" else place.title() for place in PLACES))
    + r")(?: [Ll]ocal)? [Tt]ime\b(?!-)"
)
_IANA = (
    r"(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific|US|Etc)"
    r"/[A-Z][A-Za-z_]{1,30}(?:/[A-Z][A-Za-z_]{1,30})?"
)
_LONG = (
    r"(?:(?:US )?(?:Eastern|Central|Mountain|Pacific)(?: (?:Standard|Daylight))? Time"
    r"|Central European (?:Summer )?Time|West(?:ern)? African? Time"
    r"|British Summer Time|Coordinated Universal Time)"
)
# A zone, wherever it stands. Labels count in capitals only: "est" and "met" are words.
ZONE_PATTERN = (
    rf"(?:{_IANA}|(?i:{_LONG})|(?:{_PAIR})(?![\w/])|{_PLACE}"
    rf"|(?:UTC|GMT|utc|gmt) ?[+\-\u2212]\d{{1,2}}(?::?\d{{2}})?(?!\d|:\d)"
    rf"|(?:{_LABELS}|utc|Utc)(?![\w/]))"
)
# "2 pm Pacific": a region is a zone where it follows a clock, and no other name goes on.
REGION_PATTERN = r"(?:US )?(?:Eastern|Central|Mountain|Pacific)\b(?! [A-Z])"
# "17:45-18:45" is a range; only seconds, or the T of ISO 8601, make "-05:00" an offset.
OFFSET_PATTERN = (
    r"(?:(?<=[\d ])(?:\+\d{2}:?|[\-\u2212]\d{2})\d{2}"
    r"|(?:(?<=T\d\d:\d\d)|(?<=:\d\d:\d\d)|(?<=[.,]\d{3})|(?<=[.,]\d{6}))"
    r"[\-\u2212]\d{2}:\d{2})(?!\d|:\d)"
)

_SIGNED = re.compile(r"(?:UTC|GMT)? ?([+\-\u2212])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
_LONGEST_OFFSET = 14 * 60


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as a document states it: its own words, and what they mean.

    Either ``minutes`` (a fixed offset) or ``key`` (an IANA name) is set.
    """

    label: str
    minutes: int | None = None
    key: str = ""

    def place(self, moment: datetime) -> datetime:
        """Return the wall-clock ``moment`` as an instant in this zone."""
        if self.minutes is None:
            return moment.replace(tzinfo=ZoneInfo(self.key))
        if self.minutes == 0:
            return moment.replace(tzinfo=UTC)
        return moment.replace(tzinfo=timezone(timedelta(minutes=self.minutes)))

    @property
    def name(self) -> str:
        """The IANA name, or the offset as ``+01:00``."""
        if self.minutes is None:
            return self.key
        sign = "-" if self.minutes < 0 else "+"
        hours, rest = divmod(abs(self.minutes), 60)
        return f"{sign}{hours:02d}:{rest:02d}"


def read_zone(words: str) -> Zone | None:
    """Return the zone that ``words`` name, or None if they name none that is known."""
    label = words.strip()
    upper = label.upper().removeprefix("US ")
    if upper in OFFSETS:
        return Zone(upper, minutes=OFFSETS[upper])
    if upper in REGIONS:
        return Zone(upper, key=REGIONS[upper])
    home = _TWINS.get(frozenset(upper.replace(" ", "").split("/")))
    if home:
        return Zone(upper, key=home)
    place = PLACES.get(re.sub(r"(?: LOCAL)? TIME$", "", upper)) if upper.endswith("TIME") else None
    if place:
        return Zone(label, key=place)
    signed = _SIGNED.fullmatch(label)
    if signed:
        return _from_offset(label, signed)
    return _from_long_name(label) or _from_key(label)


def _from_offset(label: str, signed: re.Match[str]) -> Zone | None:
    minutes = int(signed[2]) * 60 + int(signed[3] or 0)
    if minutes > _LONGEST_OFFSET:
        return None
    return Zone(label, minutes=minutes if signed[1] == "+" else -minutes)


def _from_long_name(label: str) -> Zone | None:
    for pattern, short in _LONG_NAMES:
        if pattern.search(label):
            return Zone(short, minutes=OFFSETS[short])
    words = label.upper().removeprefix("US ").split()
    if len(words) > 1 and words[0] in REGIONS and words[-1] == "TIME":
        if "STANDARD" in words or "DAYLIGHT" in words:
            short = words[0][0] + words[1][0] + "T"
            return Zone(short, minutes=OFFSETS[short])
        return Zone(label, key=REGIONS[words[0]])
    return None


def _from_key(label: str) -> Zone | None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){1,2}", label):
        return None
    try:
        ZoneInfo(label)
    except (KeyError, ValueError, OSError):
        return None
    return Zone(label, key=label)


def label_is_in_force(zone: Zone, moment: datetime) -> bool:
    """Whether the clocks of the label's home really showed it at that wall-clock moment."""
    home = HOMES.get(zone.label)
    if home is None or zone.minutes is None:
        return True
    offset = moment.replace(tzinfo=ZoneInfo(home)).utcoffset()
    return offset == timedelta(minutes=zone.minutes)
