"""Finding the messages: in Python with Babel, in templates as Django itself reads them."""

import ast
import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from django.utils.translation.template import templatize

from translations import scope

# Beside Babel's own: Django's lazy forms, and the short names under which this house imports them.
_KEYWORDS: dict[str, Any] = dict(DEFAULT_KEYWORDS) | {
    "_lazy": None,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "pgettext_lazy": ((1, "c"), 2),
}


def template_catalog() -> Catalog:
    """Return every message that customers can read, with the files in which it stands."""
    catalog = Catalog(charset="utf-8", fuzzy=False)
    for path, names in scope.python_files():
        source = path.read_text(encoding="utf-8")
        lines = lines_of(source, names)
        for line, message, context in _messages(source):
            if line in lines:
                _add(catalog, path, message, context)
    for path in scope.templates():
        for _line, message, context in _messages(_as_python(path)):
            _add(catalog, path, message, context)
    return catalog


def _add(catalog: Catalog, path: Path, message: str | tuple[str, ...], context: str | None) -> None:
    place = str(path.relative_to(scope.ROOT))
    catalog.add(message, context=context, locations=[(place, 1)])


def _as_python(template: Path) -> str:
    """Return a template's messages as calls. What lies between is blanked out already."""
    found = templatize(template.read_text(encoding="utf-8"), origin=str(template))
    # Whitespace before a call would be read as indentation.
    return "\n".join(line.strip() for line in found.splitlines())


def _messages(source: str) -> Iterator[tuple[int, str | tuple[str, ...], str | None]]:
    for line, message, _comments, context in extract(
        "python", io.BytesIO(source.encode()), keywords=_KEYWORDS
    ):
        yield line, message, context


def lines_of(source: str, names: tuple[str, ...]) -> set[int]:
    """Return the lines of the definitions that are named; all lines if none is."""
    body = ast.parse(source).body
    return {
        line
        for statement in body
        if not names or any(_is_named(statement, name) for name in names)
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }


def _is_named(statement: ast.stmt, pattern: str) -> bool:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            found = [name]
        case ast.Assign(targets=targets):
            found = [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            found = [name]
        case _:
            found = []
    return any(fnmatchcase(name, pattern) for name in found)
