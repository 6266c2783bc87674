"""The words of monitoring systems for how grave it is, as severities."""

import re

from incidents.values import Severity

_WORDS = {
    Severity.SEV1: "critical crit fatal emergency disaster page sev1 s1 p1 1 p0 sev0 0",
    Severity.SEV2: "error err major high alert sev2 s2 p2 2",
    Severity.SEV3: "warning warn minor medium moderate average sev3 s3 p3 3",
    Severity.SEV4: "info information informational notice low none debug sev4 s4 p4 4 sev5 s5 p5 5",
}
_SEVERITIES = {word: severity for severity, words in _WORDS.items() for word in words.split()}
_ASIDE = re.compile(r"[\s_-]+")


def severity_of(word: str) -> Severity | None:
    """Return the severity that a word means: "critical", "SEV-1", "P2"; None for unknown ones."""
    return _SEVERITIES.get(_ASIDE.sub("", word.lower()))
