"""The page's own colour, and whether it can be read.

Contrast is that of WCAG 2.2 (relative luminance; 4.5 to 1 for text).
"""

from typing import NamedTuple

# The grounds on which links stand: those of static/css/tokens.css.
LIGHT_GROUNDS = ("#f5f7fa", "#ffffff", "#edf1f5")
DARK_GROUNDS = ("#0c141d", "#131e2a", "#1b2836")
READABLE = 4.5
_STEPS = 100
_BLACK, _WHITE = "#000000", "#ffffff"
# Where the curve of sRGB begins, and its figures.
_LINEAR_BELOW = 0.04045


class Scheme(NamedTuple):
    """A colour for links and buttons, one a step stronger, and the ink that is read on it."""

    accent: str
    strong: str
    on_accent: str


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21. Colours are written "#rrggbb"."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def least_contrast(colour: str) -> float:
    """Return the contrast of a colour with the light ground on which it is read worst."""
    return min(contrast(colour, ground) for ground in LIGHT_GROUNDS)


def readable(colour: str) -> str:
    """Return the colour, darkened as little as makes it readable on light ground."""
    return _towards(colour, _BLACK, LIGHT_GROUNDS)


def light_scheme(colour: str) -> Scheme:
    """Return the scheme of a colour that is readable on light ground."""
    return Scheme(accent=colour, strong=_mix(colour, _BLACK, 0.25), on_accent=_WHITE)


def dark_scheme(colour: str) -> Scheme:
    """Return its counterpart for the dark: lightened until it can be read there."""
    accent = _towards(colour, _WHITE, DARK_GROUNDS)
    return Scheme(accent=accent, strong=_mix(accent, _WHITE, 0.35), on_accent=DARK_GROUNDS[0])


def _towards(colour: str, end: str, grounds: tuple[str, ...]) -> str:
    for step in range(_STEPS):
        mixed = _mix(colour, end, step / _STEPS)
        if min(contrast(mixed, ground) for ground in grounds) >= READABLE:
            return mixed
    return end


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
