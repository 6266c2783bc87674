"""The house keeps its own order: no test here is about a feature."""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command, get_commands
from django.db import models

from backups.errors import EngineFailed
from incidents import wording
from incidents.errors import Refused

ROOT: Path = settings.BASE_DIR
APPS = ["accounts", "backups", "config", "credentials", "incidents", "notifications", "statuspage"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PARTIALS = sorted((ROOT / "templates").rglob("_*.html"))


def _sources() -> Iterator[Path]:
    for app in APPS:
        yield from (
            path
            for path in (ROOT / app).rglob("*.py")
            if not {"migrations", "settings"} & set(path.parts)
        )


def _subclasses(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_context_decision_consequences(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
    ]


@pytest.mark.parametrize("path", PARTIALS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_partial_names_what_it_needs(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("{% comment %}")


def test_every_refusal_has_its_own_code_and_says_what_to_do() -> None:
    for path in _sources():
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    refusals = [kind for kind in _subclasses(Refused) if kind.__module__.split(".")[0] in APPS]
    codes = [kind.code for kind in refusals]  # type: ignore[attr-defined]

    assert len(codes) == len(set(codes))
    assert all(str(kind.message).endswith((".", "?")) for kind in refusals)  # type: ignore[attr-defined]


def test_every_engine_failure_has_its_own_code_and_advice() -> None:
    failures = list(_subclasses(EngineFailed))
    codes = [kind.code for kind in failures]  # type: ignore[attr-defined]

    assert len(codes) == len(set(codes))
    assert all(kind.advice.endswith(".") for kind in failures)  # type: ignore[attr-defined]


def test_only_incidents_reads_incidents_rows() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in _sources()
        if path.relative_to(ROOT).parts[0] != "incidents"
        and re.search(r"\b(Incident|TimelineEntry|Promise)\.objects\b", path.read_text("utf-8"))
    ]

    assert offenders == []


def test_every_choice_field_has_a_check() -> None:
    ours = [model for model in apps.get_models() if model.__module__.split(".")[0] in APPS]
    unchecked = [
        f"{model._meta.label}.{field.name}"
        for model in ours
        for field in model._meta.get_fields()
        if isinstance(field, models.CharField)
        and field.choices
        and not any(
            field.name in str(constraint.condition)
            for constraint in model._meta.constraints
            if isinstance(constraint, models.CheckConstraint)
        )
    ]

    assert unchecked == []


def test_every_environment_variable_is_documented() -> None:
    documented = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    tree = ast.parse((ROOT / "config" / "settings" / "production.py").read_text("utf-8"))
    names = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"text", "words", "whole", "folder"}
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }

    assert names
    for name in names:
        assert f"`{name}`" in documented
        assert f"{name}=" in example


def test_every_command_is_documented() -> None:
    documented = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")
    )
    ours = [name for name, app in get_commands().items() if app in APPS]

    assert ours
    for name in ours:
        assert f"manage.py {name}" in documented, name


def test_every_word_of_a_job_is_a_template_without_secrets() -> None:
    known = {"phase", "percent", "progress", "eta", "data_until", "attempts", "amount"}
    known |= {"begins", "ends", "checks", "counted", "resumes", "data_since"}
    for sentence in [*wording.UPDATES.values(), *wording.ENTRIES.values()]:
        assert set(re.findall(r"{(\w+)}", str(sentence))) <= known


def test_nothing_names_a_registry_or_this_machine() -> None:
    forbidden = re.compile(
        "files.python"
        r"hosted|py"
        r"pi\.org|registry\.npm"
        r"js|deb\.deb"
        r"ian|/wor"
        "k/"
    )
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.splitlines()
    offenders = [
        name
        for name in listed
        if (ROOT / name).is_file()
        and forbidden.search((ROOT / name).read_text(encoding="utf-8", errors="ignore"))
    ]

    assert listed
    assert offenders == []
