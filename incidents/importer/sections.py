"""What the sections of a postmortem are for, by their titles."""

import re
from dataclasses import dataclass
from enum import StrEnum

# The level from which the labels of lists count as sections: deeper than any heading.
LIST_LEVEL = 10


class SectionRole(StrEnum):
    """What a reader expects below a heading."""

    TIMELINE = "timeline"
    ACTIONS = "actions"
    CAUSES = "causes"
    NOISE = "noise"
    ASIDE = "aside"


# The first that matches counts: "Timeline of actions taken" is a timeline.
_ROLES = (
    (
        SectionRole.TIMELINE,
        (
            r"time ?-?line|chronolog|sequence of events|order of events|course of (?:events|the)"
            r"|(?:log|list|history) of events|\bevents\b|event log|incident log|what happened"
            r"|\bverlauf\b|\bablauf\b|zeitleiste|zeitachse|chronik|déroulement|cronolog|tijdlijn"
            r"|l[ií]nea de tiempo|linha do tempo"
            r"|play.?by.?play|blow.?by.?blow|^history$|key (?:dates|moments|times)|how it unfolded"
        ),
    ),
    (
        SectionRole.NOISE,
        (
            r"\bchat\b|slack|\birc\b|transcript|\blogs?\b|conversation|appendix|glossary|references"
            r"|supporting info|stack ?trace|raw data|console output"
        ),
    ),
    (
        SectionRole.ACTIONS,
        (
            r"action|follow[- ]?ups?|next steps?|to-?dos?\b|corrective|prevent|remediation|improve"
            r"|ma(?:ß|ss)nahmen|nächste schritte|mesures|prochaines|acciones|maatregelen|azioni"
            r"|\btasks\b|tickets|going forward|future work|planned (?:work|changes|measures)"
        ),
    ),
    (
        SectionRole.CAUSES,
        (
            r"root cause|\bcauses?\b|ursache|oorzaak|\bcausas?\b"
            r"|contributing|\btriggers?\b|\bfactors?\b|why (?:it|did)"
        ),
    ),
    (
        SectionRole.ASIDE,
        (
            r"lessons?|went (?:well|wrong|badly|poorly)|lucky|\bluck\b|impact|metrics|\bstats\b"
            r"|statistics|participants|attendees|authors|definitions|key figures|service levels?"
        ),
    ),
)
_PATTERNS = tuple((role, re.compile(pattern, re.IGNORECASE)) for role, pattern in _ROLES)


_NAMES_A_DAY = re.compile(r"\b(?:19|20)\d\d[-/.]\d\d[-/.]\d\d\b|\bincident on\b", re.IGNORECASE)
_LONGEST_ROLE = 14


def role_of(title: str) -> SectionRole | None:
    """Return what a section of that title is for; None if the title does not say.

    A title that names a day, or that is a sentence, tells what happened: "Incident on 3 May
    which resulted in missing metrics" is no section about metrics.
    """
    role = next((role for role, pattern in _PATTERNS if pattern.search(title)), None)
    told = bool(_NAMES_A_DAY.search(title)) or len(title.split()) > _LONGEST_ROLE
    return None if told and role != SectionRole.TIMELINE else role


_NAMES = re.compile(
    r"(?:(?:executive|incident|issue) )?(?:summary|overview|background|description|introduction"
    r"|detection|resolution|recovery|response|conclusions?)",
    re.IGNORECASE,
)
_LONGEST_NAME = 4


def is_section_name(words: str) -> bool:
    """Whether a few words are the name of a section, as they stand over one without any marks."""
    name = words.rstrip(":").strip()
    if len(name.split()) > _LONGEST_NAME or name.endswith((".", ",", ";")):
        return False
    return bool(role_of(name) or _NAMES.fullmatch(name))


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what it is for. A section without a role of its own has its parent's."""

    title: str = ""
    level: int = 0
    line: int = 0
    parent: "Section | None" = None
    own_role: SectionRole | None = None
    is_title: bool = False

    @property
    def role(self) -> SectionRole | None:
        return self.own_role or (self.parent.role if self.parent else None)


def section_at(
    current: Section, *, title: str, level: int, line: int, is_title: bool = False
) -> Section:
    """Return the section that a new heading opens inside or beside the current one.

    The title of the document names its subject, not what stands below it.
    """
    parent = current
    while parent.level >= level and parent.parent is not None:
        parent = parent.parent
    role = None if is_title else role_of(title)
    return Section(title, level, line, parent if parent.level < level else None, role, is_title)
