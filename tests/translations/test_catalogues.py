"""The catalogues are whole: every word for customers, in every language, with nothing left out."""

import ast
import io
import re
from collections import Counter
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from django.conf import settings
from django.template.loader import get_template

from statuspage.models import Language
from translations import catalogues, extraction, scope

LANGUAGES = scope.languages()
TEMPLATE = extraction.template_catalog()
# What code or Django fills in, and the tags that a sentence may carry.
_PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|{\w*}|<[^>]+>")


def _messages(language: str) -> Iterator[Message]:
    return (message for message in catalogues.read(language) if message.id)


def _forms(words: object) -> list[str]:
    return [words] if isinstance(words, str) else list(words)  # type: ignore[call-overload]


def test_the_languages_are_the_same_everywhere() -> None:
    assert {"en", *LANGUAGES} == {code for code, _name in settings.LANGUAGES}
    assert {"en", *LANGUAGES} == set(Language.values)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_there_and_no_other(language: str) -> None:
    wanted = {(message.context, str(message.id)) for message in TEMPLATE if message.id}

    assert wanted
    assert {(message.context, str(message.id)) for message in _messages(language)} == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_and_nobody_guessed(language: str) -> None:
    offenders = [
        message.id
        for message in _messages(language)
        if message.fuzzy or not message.string or not all(_forms(message.string))
    ]

    assert offenders == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plural_has_as_many_forms_as_the_language(language: str) -> None:
    wanted = catalogues.read(language).num_plurals
    offenders = [
        message.id
        for message in _messages(language)
        if len(_forms(message.string)) != (wanted if message.pluralizable else 1)
    ]

    assert offenders == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_and_tags_of_its_message(language: str) -> None:
    offenders = [
        (message.id, form)
        for message in _messages(language)
        for form in _forms(message.string)
        if Counter(_PLACES.findall(form)) != Counter(_PLACES.findall(_forms(message.id)[-1]))
        or form.count("\n") != _forms(message.id)[-1].count("\n")
    ]

    assert offenders == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    def words(compiled: bytes) -> dict[object, str]:
        found = GNUTranslations(io.BytesIO(compiled))._catalog  # type: ignore[attr-defined]
        # The header names the version of the compiler.
        return {key: value for key, value in found.items() if key}

    written = catalogues.compiled(catalogues.read(language))

    assert words(catalogues.mo_path(language).read_bytes()) == words(written)


def test_french_keeps_its_signs_with_their_words() -> None:
    offenders = [
        form
        for message in _messages("fr")
        for form in _forms(message.string)
        if re.search(r"[^\W_%][:;?!](?=\s|$)| [:;?!%](?=\s|$)|'", form)
    ]

    assert offenders == []


@pytest.mark.parametrize("path", list(scope.templates()), ids=lambda path: path.name)
def test_a_template_for_customers_can_be_compiled(path: object) -> None:
    # A sentence with a filter or a tag inside would be refused here.
    assert get_template(str(path).partition("/templates/")[2])


def test_everything_that_is_to_be_read_is_there() -> None:
    found = list(scope.python_files())
    missing = [
        (path.name, name)
        for path, names in found
        for name in names
        if not extraction.lines_of(path.read_text("utf-8"), (name,))
    ]

    assert missing == []
    assert all(any(path.match(pattern) for path, _names in found) for pattern in scope.PYTHON)


class TestExtraction:
    def test_reads_only_the_definitions_that_are_named(self) -> None:
        found = {str(message.id) for message in TEMPLATE if message.id}

        assert "Investigating" in found  # Phase is shown to customers,
        assert "SEV1: critical" not in found  # a severity is not.

    def test_reads_sentences_with_variables_as_django_looks_them_up(self) -> None:
        found = {message.id for message in TEMPLATE}

        assert "No news since %(heartbeat)s." in found
        assert ("%d day", "%d days") in found


def _calls(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node


@pytest.mark.parametrize(
    "path",
    [path for path, names in scope.python_files() if not names],
    ids=lambda path: str(path.relative_to(scope.ROOT)),
)
def test_no_sentence_hides_from_extraction(path: Path) -> None:
    # Inside an f-string, say: there it is looked up, and never found.
    known = {form for message in TEMPLATE for form in _forms(message.id)}
    asked = [
        argument.value
        for call in _calls(path.read_text("utf-8"))
        if call.func.id in {"_", "_lazy", "gettext", "ngettext"}  # type: ignore[attr-defined]
        for argument in call.args[: 2 if call.func.id == "ngettext" else 1]  # type: ignore[attr-defined]
        if isinstance(argument, ast.Constant)
    ]

    assert [sentence for sentence in asked if sentence not in known] == []


class TestUpdating:
    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scope, "LOCALE", tmp_path)

    def _template(self, *messages: str) -> Catalog:
        template = Catalog()
        for message in messages:
            template.add(message, locations=[("page.py", 1)])
        return template

    def test_keeps_translations_drops_what_is_gone_and_names_what_lacks(self) -> None:
        assert catalogues.bring_up_to_date("nl", self._template("One", "Two")) == ["One", "Two"]
        path = catalogues.po_path("nl")
        path.write_text(
            path.read_text("utf-8").replace('msgid "One"\nmsgstr ""', 'msgid "One"\nmsgstr "Een"'),
            "utf-8",
        )

        assert catalogues.bring_up_to_date("nl", self._template("One", "Ones")) == ["Ones"]

        catalog = catalogues.read("nl")
        assert catalog["One"].string == "Een"
        assert catalog["Ones"].string == ""
        assert "Two" not in path.read_text("utf-8")

    def test_changes_nothing_where_nothing_changed(self) -> None:
        template = self._template("One")
        catalogues.bring_up_to_date("nl", template)
        before = catalogues.po_path("nl").read_bytes(), catalogues.mo_path("nl").read_bytes()

        catalogues.bring_up_to_date("nl", template)

        after = catalogues.po_path("nl").read_bytes(), catalogues.mo_path("nl").read_bytes()
        assert after == before
