"""What the desk's pages cost: as many queries for little as for much, and words said quickly."""

import gzip

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from incidents.models import Incident, Promise, RootCause
from incidents.models.fields import Worded
from incidents.templatetags.record import shortened
from incidents.values import Phase
from tests.factories import NOON, TimelineEntryFactory


@pytest.mark.django_db
def test_the_page_of_an_incident_asks_as_much_for_few_as_for_many(
    desk: Client, incident: Incident
) -> None:
    def queries() -> int:
        TimelineEntryFactory.create(
            incident=incident, text="One more", created_by=incident.created_by
        )
        RootCause.objects.create(
            incident=incident, text="Why", kind="trigger", created_at=NOON
        ).evidence.set(incident.entries.all())
        incident.actions.create(text="What", created_at=NOON)
        with CaptureQueriesContext(connection) as captured:
            assert "One more" in desk.get(incident.get_absolute_url()).content.decode()
        return len(captured)

    queries()
    few = queries()
    for _time in range(5):
        many = queries()

    assert many == few


@pytest.mark.django_db
def test_entries_are_read_once_until_somebody_writes(desk: Client, incident: Incident) -> None:
    def reads() -> int:
        with CaptureQueriesContext(connection) as captured:
            desk.get(incident.get_absolute_url())
        return sum(
            '."deleted_at" IS NULL AND "incidents_timelineentry"' in row["sql"] for row in captured
        )

    assert [reads(), reads()] == [1, 0]
    TimelineEntryFactory.create(incident=incident)
    assert reads() == 1


@pytest.mark.django_db
def test_an_entry_is_on_the_page_once_and_the_page_travels_packed(
    desk: Client, incident: Incident
) -> None:
    address = incident.get_absolute_url()
    before = len(desk.get(address).content)
    for number in range(50):
        TimelineEntryFactory.create(incident=incident, text=f"Attempt {number} failed")

    page = desk.get(address)
    packed = desk.get(address, headers={"accept-encoding": "gzip"})

    # No form of the page offers every entry to choose from.
    assert page.content.decode().count("Attempt 49 failed") == 1
    assert (len(page.content) - before) / 50 < 1500
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(page.content) / 5
    assert "Attempt 49 failed" in gzip.decompress(packed.content).decode()


@pytest.mark.parametrize("model", Worded.__subclasses__(), ids=lambda model: model.__name__)
def test_choices_are_said_as_django_says_them(model: type[Worded]) -> None:
    fields = [field for field in model._meta.concrete_fields if field.choices]

    assert fields
    for field in fields:
        for value, label in field.flatchoices:
            row = model(**{field.attname: value})
            with override("nl"):
                said = getattr(row, f"get_{field.name}_display")()
                assert said == str(label)


def test_a_word_that_is_none_is_shown_as_it_stands() -> None:
    assert Incident(phase="gone").get_phase_display() == "gone"
    assert Promise(kind="").get_kind_display() == ""
    assert Incident(phase=Phase.RESOLVED).get_phase_display() == "Resolved"


@pytest.mark.parametrize(
    ("text", "said"), [("", ""), ("abcde", "abcde"), ("abcdef", "abcd…"), ("abc def", "abc…")]
)
def test_a_long_text_is_cut(text: str, said: str) -> None:
    assert shortened(text, 5) == said
