"""axe-core, run inside a page by the browser's own tools, so that the page's policy stands."""

import json
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

_SCRIPT = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RULES = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22a",
    "wcag22aa",
    "best-practice",
]
_RUN = "(options) => axe.run(document, options)"


def violations(page: Page) -> list[str]:
    """Return what axe-core holds against the page, a line for each fault."""
    page.evaluate(_SCRIPT)
    options = {
        "runOnly": {"type": "tag", "values": _RULES},
        "resultTypes": ["violations"],
        "preload": False,
    }
    found: dict[str, Any] = page.evaluate(_RUN, options)
    assert found["passes"], "axe-core looked at nothing"
    return [
        json.dumps([fault["id"], node["target"], node["failureSummary"]], ensure_ascii=False)
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
