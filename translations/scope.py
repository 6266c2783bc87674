"""Which files hold words for customers. The desk speaks English and stays outside."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"

# A path or a pattern, and the definitions in it whose words customers read; none: all of it.
# A definition's name may end in * and then stands for all that begin so.
PYTHON: dict[str, tuple[str, ...]] = {
    "incidents/spoken.py": (),
    "incidents/values.py": (
        "ComponentStatus",
        "ImpactLevel",
        "Maintenance*",
        "Phase",
        "ProgressPhase",
        "ProgressState",
        "Tenant*",
    ),
    "incidents/wording.py": ("*_words", "_PHASES", "UPDATES"),
    "statuspage/api/saying.py": (),
    "statuspage/deliveries.py": (),
    "statuspage/documents/*.py": (),
    "statuspage/forms/subscribers.py": ("ChoicesForm", "FollowForm"),
    "statuspage/models/subscribers.py": ("Pace",),
    "statuspage/subscribing.py": (),
}
TEMPLATES = (
    "templates/components/*.html",
    "templates/statuspage/*.html",
    # Of forms that customers fill in, too.
    "templates/incidents/_field.html",
)


def python_files() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Return each file with the names that count in it, in a settled order."""
    for pattern, names in PYTHON.items():
        for path in sorted(ROOT.glob(pattern)):
            yield path, names


def templates() -> Iterator[Path]:
    """Return each template, in a settled order."""
    for pattern in TEMPLATES:
        yield from sorted(ROOT.glob(pattern))


def languages() -> list[str]:
    """Return the languages that have a catalogue."""
    return sorted(path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/django.po"))
