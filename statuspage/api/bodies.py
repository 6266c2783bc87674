"""Reading what programs send: JSON, or form fields with brackets, and one value after the other."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.exceptions import ParseError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser

from statuspage.api.faults import Incomplete, Unfit

_PART = re.compile(r"[^\[\]]+|\[\]")
_KEY = re.compile(r"[^\[\]]+(\[[^\[\]]*\])*")
_DEEPEST = 6
_YES, _NO = ("true", "t", "1", "on", "yes"), ("false", "f", "0", "off", "no", "")
# One end to all texts: what is longer is a file.
LONGEST_BODY = 25_000
LONGEST_NAME = 255
_LONGEST_METADATA = 100_000


class PlainJSONParser(JSONParser):
    """Reads JSON of any depth that can be meant."""

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(stream, *args, **kwargs)
        except RecursionError as fault:
            raise ParseError("This JSON is nested too deeply. Send it flatter.") from fault


class NestedFormParser(FormParser):
    """Reads form fields such as ``incident[name]=…`` as the objects that they mean."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        return nested(super().parse(*args, **kwargs))


class NestedMultiPartParser(MultiPartParser):
    """Reads the same from a form of several parts; files in it are left alone."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        return nested(super().parse(*args, **kwargs).data)


def nested(fields: QueryDict) -> dict[str, Any]:
    """Return form fields as nested objects; ``[]`` at the end of a name collects a list.

    :raises ParseError: if names contradict each other
    """
    found: dict[str, Any] = {}
    for name, values in fields.lists():
        if not _KEY.fullmatch(name) or not values:
            continue
        parts = _PART.findall(name)
        is_list = parts[-1] == "[]"
        path = parts[:-1] if is_list else parts
        if len(path) > _DEEPEST or "[]" in path:
            raise ParseError(f"The field {name} cannot be read. Write names as object[key].")
        place = found
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ParseError(f"The field {name} contradicts another one. Send one of them.")
        place[path[-1]] = list(values) if is_list else values[-1]
    return found


class Body:
    """The values of an object that a program has sent, each read as what it is meant to be."""

    def __init__(self, values: Mapping[str, Any], zone: tzinfo) -> None:
        self._values = values
        self._zone = zone

    @classmethod
    def within(cls, data: Any, wrapper: str, zone: tzinfo) -> "Body":
        """Return the object in its wrapper: ``{"incident": {…}}``.

        :raises Incomplete: if it is not there
        """
        found = data.get(wrapper) if isinstance(data, Mapping) else None
        if not isinstance(found, Mapping):
            raise Incomplete(
                f'Send {{"{wrapper}": {{…}}}} with Content-Type: application/json, or form fields '
                f"such as {wrapper}[name]."
            )
        return cls(found, zone)

    @classmethod
    def plain(cls, data: Any, zone: tzinfo) -> "Body":
        """Return an object that is sent without a wrapper.

        :raises Incomplete: if it is none
        """
        if not isinstance(data, Mapping):
            raise Incomplete("Send a JSON object.")
        return cls(data, zone)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Any:
        return iter(self._values)

    def has(self, name: str) -> bool:
        """Whether it is there, and says something."""
        return self._values.get(name) not in (None, "", [], {})

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str, *, longest: int = LONGEST_BODY) -> str:
        """Return a text; empty if there is none.

        :raises Unfit: if it is no text, is too long, or holds what cannot be kept
        """
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unfit(f"{name} must be a text.")
        text = kept(str(value), name)
        if len(text) > longest:
            raise Unfit(f"{name} has {longest:,} characters at most, and this is {len(text):,}.")
        return text

    def line(self, name: str, *, longest: int = LONGEST_NAME) -> str:
        """Return a text of one line, with no space around it."""
        return " ".join(self.text(name, longest=longest).split())

    def flag(self, name: str, *, default: bool) -> bool:
        """Return yes or no.

        :raises Unfit: if it is neither
        """
        value = self._values.get(name)
        if value is None:
            return default
        said = str(value).lower()
        if said not in (*_YES, *_NO):
            raise Unfit(f"{name} must be true or false.")
        return said in _YES

    def choice(self, name: str, among: Sequence[str]) -> str:
        """Return one of these words; empty if there is none.

        :raises Unfit: if it is another one
        """
        value = self._values.get(name)
        if value in (None, ""):
            return ""
        if value not in among:
            raise Unfit(f"{name} must be one of {', '.join(among)}.")
        return str(value)

    def moment(self, name: str) -> datetime | None:
        """Return a time; one without a zone is meant in the page's.

        :raises Unfit: if it is none
        """
        text = self.text(name, longest=64).strip()
        if not text:
            return None
        try:
            found = parse_datetime(text) or _start_of(parse_date(text))
        except ValueError:
            found = None
        if found is None:
            raise Unfit(f"{name} must be a time such as 2026-01-09T12:00:00Z.")
        return found if found.tzinfo else found.replace(tzinfo=self._zone)

    def day(self, name: str) -> date | None:
        """Return a date.

        :raises Unfit: if it is none
        """
        text = self.text(name, longest=32).strip()
        if not text:
            return None
        try:
            found = parse_date(text)
        except ValueError:
            found = None
        if found is None:
            raise Unfit(f"{name} must be a date such as 2026-01-09.")
        return found

    def email(self, name: str) -> str:
        """Return an address of a mailbox; empty if there is none.

        :raises Unfit: if it is none
        """
        text = self.text(name, longest=254).strip()
        if text:
            try:
                validate_email(text)
            except ValidationError as fault:
                raise Unfit(f"{name} must be an email address.") from fault
        return text

    def listing(self, name: str) -> list[str]:
        """Return a list of texts. Keys that are numbers make a list, too.

        :raises Unfit: if it is none
        """
        value = self._values.get(name)
        if value in (None, ""):
            return []
        if isinstance(value, Mapping) and all(str(key).isdecimal() for key in value):
            value = list(value.values())
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Unfit(f"{name} must be a list of ids.")
        return [kept(item, name) for item in value]

    def table(self, name: str) -> dict[str, str]:
        """Return texts by name.

        :raises Unfit: if it is something else
        """
        value = self._values.get(name)
        if value in (None, "", []):
            return {}
        if not isinstance(value, Mapping):
            raise Unfit(f"{name} must be an object.")
        if not all(item is None or isinstance(item, str) for item in value.values()):
            raise Unfit(f"{name} must hold a text for each id.")
        return {kept(str(key), name): item or "" for key, item in value.items()}

    def objects(self, name: str) -> dict[str, Any]:
        """Return objects by name.

        :raises Unfit: if it is something else, or too much
        """
        value = self._values.get(name)
        if value in (None, ""):
            return {}
        if not isinstance(value, Mapping) or not all(
            isinstance(item, Mapping) for item in value.values()
        ):
            raise Unfit(f"{name} must be an object, and so must each of its values.")
        written = kept(json.dumps(value, ensure_ascii=False), name)
        if "\\u0000" in written or len(written) > _LONGEST_METADATA:
            raise Unfit(f"{name} cannot be kept. Send less, and no NUL characters.")
        return dict(value)


def kept(text: str, name: str) -> str:
    """Return a text that the database can keep.

    :raises Unfit: if it cannot
    """
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise Unfit(f"{name} holds half of a character.") from fault
    if "\x00" in text:
        raise Unfit(f"{name} holds a NUL character. Send text.")
    return text


def _start_of(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day) if day else None  # noqa: DTZ001 - see moment()
