"""Contrast of the house's colours, as WCAG 2.2 AA wants it: text 4.5 to 1, shapes 3 to 1."""

import re
from pathlib import Path

import pytest
from django.conf import settings

STATES = ["ok", "info", "minor", "partial", "major", "unknown"]


def _schemes() -> dict[str, dict[str, str]]:
    text = Path(settings.BASE_DIR / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    found = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", part))
        for name, part in (("light", light), ("dark", dark))
    }
    return {"light": found["light"], "dark": found["light"] | found["dark"]}


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestContrast:
    def test_of_ink_on_every_ground(self, scheme: str) -> None:
        colours = _schemes()[scheme]
        for ink in ("ink", "ink-2", "ink-3", "accent", "accent-strong"):
            for ground in ("paper", "surface", "sunken"):
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert _contrast(colours["on-accent"], colours["accent"]) >= 4.5

    @pytest.mark.parametrize("state", STATES)
    def test_of_states_on_their_grounds(self, scheme: str, state: str) -> None:
        colours = _schemes()[scheme]
        for ground in (f"{state}-soft", "surface", "paper", "sunken"):
            assert _contrast(colours[state], colours[ground]) >= 4.5, ground
        assert _contrast(colours["ink"], colours[f"{state}-soft"]) >= 4.5
        assert _contrast(colours["ink-2"], colours[f"{state}-soft"]) >= 4.5

    def test_of_edges_that_matter(self, scheme: str) -> None:
        colours = _schemes()[scheme]
        for ground in ("paper", "surface", "sunken"):
            assert _contrast(colours["line-strong"], colours[ground]) >= 3, ground
            assert _contrast(colours["focus"], colours[ground]) >= 3, ground
