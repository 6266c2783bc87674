"""A program with a key, which holds every answer against the contract."""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import tokens
from incidents import operations
from incidents.models import Component
from statuspage.models import Page
from tests.factories import ResponderFactory

CONTRACT = settings.SHARED_DIR / "examples" / "statuspage-v2" / "statuspage-v1.openapi.json"
# What the contract leaves out although services send it: the public API has it, too.
_ALSO = {
    "Component": {"components"},
    "Incident": {"started_at"},
}
# What the contract calls a text, a truth or one object, and shows or sends as something else.
_OTHERWISE = {
    ("Incident", "postmortem_published_at"): str,
    ("Incident", "metadata"): dict,
    ("GroupComponent", "components"): list,
    ("GroupComponent", "position"): int,
    ("Subscriber", "components"): list,
    ("ComponentUptime", "warnings"): list,
    ("ComponentUptime", "related_events"): list,
    ("ComponentGroupUptime", "warnings"): list,
    ("ComponentGroupUptime", "related_events"): list,
}
# Of a list, the contract shows one member.
_LISTS = {"get /pages/{page_id}/metrics"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "array": (list,), "object": (dict,),
}  # fmt: skip


@cache
def contract() -> Any:
    return json.loads(Path(CONTRACT).read_bytes()) if CONTRACT.exists() else None


def operation(path: str, method: str) -> tuple[str, Any]:
    """Return the operation of the contract that an address and a method stand for."""
    asked = path.removeprefix("/v1").partition("?")[0].removesuffix(".json")
    fits = [
        (name.count("{"), name)
        for name in contract()["paths"]
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", name), asked)
    ]
    name = min(fits)[1]
    return f"{method} {name}", contract()["paths"][name][method]


def faults(value: Any, schema: Any, where: str = "") -> list[str]:
    """Return where a value is not what a schema says. Unknown keys are faults; null is none."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return faults(value, contract()["components"]["schemas"][name] | {"name": name}, name)
    if value is None:
        return []
    kind = schema.get("type", "object")
    is_kind = isinstance(value, _TYPES.get(kind, (dict,)))
    if not is_kind or value not in schema.get("enum", [value]):
        return [f"{where}: {value!r} is not {schema}"]
    if kind == "array":
        return [fault for item in list(value) for fault in faults(item, schema["items"], where)]
    return _faults_of_object(dict(value), schema, where) if "properties" in schema else []


def _faults_of_object(value: dict[str, Any], schema: Any, where: str) -> list[str]:
    name, known = schema.get("name", ""), schema["properties"]
    found = [
        f"{where}: nobody knows {key}" for key in value.keys() - known - _ALSO.get(name, set())
    ]
    found += [f"{where}: {key} is missing" for key in known.keys() - value.keys()]
    for key in value.keys() & known.keys():
        if other := _OTHERWISE.get((name, key)):
            if not isinstance(value[key], other | None):
                found.append(f"{where}.{key}: {value[key]!r}")
        else:
            found += faults(value[key], known[key], f"{where}.{key}")
    return found


@dataclass
class Program:
    """A client that sends a key with everything, and believes no answer unread."""

    client: Client
    key: str
    page: str
    asked: set[str] = field(default_factory=set)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        address = path if path.startswith("/v1") else f"/v1/pages/{self.page}{path}"
        headers = more.pop("headers", {"Authorization": f"OAuth {self.key}"})
        kind = more.pop("content_type", "application/json")
        answer = self.client.generic(
            method,
            address,
            json.dumps(body) if body is not None and not isinstance(body, str) else body or "",
            content_type=kind,
            headers=headers,
        )
        assert answer.status_code < 500, answer.content
        if contract() is not None:
            self._hold_against_contract(answer, method.lower(), address)
        return answer

    def get(self, path: str, status: int = 200) -> Any:
        return self._read(self.ask("GET", path), status)

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        return self._read(self.ask("POST", path, body), status)

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self._read(self.ask("PATCH", path, body), status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return self._read(self.ask("PUT", path, body), status)

    def delete(self, path: str, status: int = 200) -> Any:
        return self._read(self.ask("DELETE", path), status)

    def _read(self, answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None

    def _hold_against_contract(self, answer: Any, method: str, path: str) -> None:
        name, said = operation(path, method)
        self.asked.add(name)
        if answer.status_code >= 400:
            assert set(json.loads(answer.content)) == {"message"}
            return
        response = said["responses"][str(answer.status_code)]
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema and "properties" not in schema and name not in _LISTS:
            assert faults(json.loads(answer.content), schema) == []


@pytest.fixture
def page(public_root: Path) -> Page:
    return Page.objects.first_page(at=timezone.now())


@pytest.fixture
def program(client: Client, page: Page) -> Program:
    token = tokens.make_token(
        user_id=ResponderFactory.create().pk, name="deploy bot", at=timezone.now()
    )
    return Program(client, token[1], page.public_id)


@pytest.fixture
def tours() -> Component:
    return operations.add_component(name="Tours", at=timezone.now())
