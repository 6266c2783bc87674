"""A page in each language: nothing of ours stays English, and nothing of one is told in another."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation

from incidents import operations
from incidents.models import Component, Incident, StatusUpdate, UpdateTemplate
from incidents.operations import JobEvent, Plan, Progress, Proof, TenantNews
from incidents.values import (
    ComponentStatus,
    Phase,
    ProgressPhase,
    PromiseKind,
    ProvenHow,
    Severity,
    TenantState,
    When,
)
from notifications.models import Delivery
from statuspage import publisher
from statuspage.deliveries import queue_deliveries
from statuspage.models import FIRST_PAGE
from statuspage.operations import set_up_page
from statuspage.publisher.site import Site
from statuspage.serving.directory import folder_of
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor
from translations import catalogues, scope

LANGUAGES = scope.languages()
DAY = timedelta(days=1)
# While the restore is not silent yet.
SOON = NOON + 45 * MINUTE + timedelta(seconds=10)
# What people write here are words that begin so, in no language.
_PEOPLES = re.compile(r"\bZz\w*|\bUTC\b|\bhttps?:\S+")
_SHOWN = {"alt", "aria-label", "content", "data-other", "data-yours", "placeholder", "title"}
_SENTENCES = {"description", "og:title", "og:description"}
HALF = Progress(
    phase=ProgressPhase.FETCHING,
    done=39_480_000_000,
    total=84_000_000_000,
    unit="bytes",
    rate=38.4e6,
    eta_low_at=NOON + 40 * MINUTE,
    eta_high_at=NOON + 70 * MINUTE,
    eta_basis="last:60",
    data_until_at=NOON - 3 * HOUR,
)


class _Reader(HTMLParser):
    """Everything that a page says to somebody who reads it or hears it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.language = self.language or (given.get("lang") or "")
        # Of what only programs read, the sentences that others show.
        if tag != "meta" or (given.get("name") or given.get("property")) in _SENTENCES:
            self.said |= {value or "" for name, value in given.items() if name in _SHOWN}

    def handle_data(self, data: str) -> None:
        self.said.add(" ".join(data.split()))


def _read(body: str) -> _Reader:
    reader = _Reader()
    reader.feed(body)
    return reader


def _pages(root: Path) -> dict[str, str]:
    """Return every page with all its editions, by its address or its file."""
    site = Site(folder_of(root, FIRST_PAGE))
    published = site.published()
    assert published is not None
    found = {
        f"{path} {number}": site.read(edition).decode()
        for path, document in published.documents.items()
        for number, edition in enumerate(document.editions)
        if Path(edition.file).suffix == ".html"
    }
    archived = (site.root / "archive").rglob("*.html")
    return found | {str(path): path.read_text("utf-8") for path in archived}


def _set_up(language: str) -> None:
    set_up_page(
        name="Zzed",
        url="https://status.zzed.example",
        support_url="https://help.zzed.example",
        language=language,
        at=NOON,
    )


def _event(incident: Incident, event: JobEvent, *, at: Any, progress: Progress = HALF) -> None:
    operations.report_event(
        incident_id=incident.pk,
        key="restore-1",
        title="Database restore",
        event=event,
        number=1,
        progress=progress,
        at=at,
    )


def _declare(title: str, body: str, **more: Any) -> Incident:
    arguments: dict[str, Any] = {"severity": Severity.SEV2, "at": NOON, "author": None} | more
    return operations.declare_incident(title=title, body=body, **arguments)


def _restore(incident: Incident) -> None:
    """Bring an incident's data back, halfway, after an estimate that was missed."""
    _event(incident, JobEvent.STARTED, at=NOON + MINUTE)
    for minutes, high in ((2, 20), (30, 60), (45, 70)):
        operations.settle_due_promises(at=NOON + minutes * MINUTE)
        operations.report_progress(
            incident_id=incident.pk,
            key="restore-1",
            title="Database restore",
            progress=Progress(
                phase=ProgressPhase.FETCHING, done=minutes, total=90, unit="items", rate=1.0,
                eta_low_at=NOON + (high - 9) * MINUTE, eta_high_at=NOON + high * MINUTE,
                eta_basis="last:60", data_until_at=NOON - HOUR,
            ),
            at=NOON + minutes * MINUTE,
        )  # fmt: skip


def _tell_everything() -> Incident:
    """Let happen, on one page, as much as there is to say."""
    group = Component.objects.create(
        name="Zzuiden", is_group=True, created_at=NOON, updated_at=NOON
    )
    part = operations.add_component(name="Zzpart", at=NOON - 200 * DAY, group_id=group.pk)
    other = operations.add_component(name="Zzother", at=NOON - 200 * DAY)
    over = _declare("Zzover", "Zzbody.", at=NOON - 2 * DAY)
    operations.resolve_incident(incident_id=over.pk, body="Zzdone.", at=NOON - DAY, author=None)
    incident = _declare(
        "Zzincident", "Zzfirst.", components={part.pk: ComponentStatus.MAJOR_OUTAGE}
    )
    said = operations.post_status_update(
        incident_id=incident.pk, body="Zzsecond.", phase=Phase.IDENTIFIED, at=NOON, author=None
    )
    operations.correct_status_update(
        update_id=said.pk, body="Zzbetter.", at=NOON + MINUTE, author=None
    )
    guessed = _declare("Zzguessed", "Zzbody.", severity=Severity.SEV1)
    operations.make_promise(
        incident_id=guessed.pk,
        kind=PromiseKind.ETA,
        due=When(at=NOON + DAY, precision="day", approx=True, tz="UTC"),
        basis="Zzbasis",
        at=NOON,
        author=None,
    )
    _restore(incident)
    plan = Plan(title="Zzplan", components=[other.pk])
    for begins in (NOON - 3 * DAY, NOON - HOUR, NOON + DAY):
        operations.schedule_maintenance(
            plan=plan,
            scheduled_for=begins,
            scheduled_until=begins + 90 * MINUTE,
            at=min(NOON, begins - HOUR) if begins < NOON - DAY else NOON - 2 * HOUR,
            author=None,
        )
    operations.advance_maintenances(at=NOON)
    operations.register_tenants(names={"a": "Zza", "b": "Zzb"}, at=NOON)
    operations.report_tenants(
        key="restore-1",
        tenants=[
            TenantNews(key="a", state=TenantState.WAITING, place=3, eta_basis="usual:",
                       eta_low_at=NOON + 50 * MINUTE, eta_high_at=NOON + 2 * HOUR),
            TenantNews(key="b", state=TenantState.RESTORING, place=1, data_until_at=NOON),
        ],
        at=NOON + 45 * MINUTE,
    )  # fmt: skip
    operations.report_proof(
        key="zz",
        proof=Proof(
            name="Zzbackups", taken_at=NOON - HOUR, proven_at=NOON - DAY,
            proven_how=ProvenHow.RESTORE, proven_until_at=NOON - DAY,
        ),
        at=NOON,
    )  # fmt: skip
    return incident


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left_on_any_page(language: str, public_root: Path, visitor: Visitor) -> None:
    _tell_everything()
    pages: dict[str, dict[str, str]] = {}
    for tongue in ("en", language):
        _set_up(tongue)
        publisher.publish_all(now=lambda: SOON)
        pages[tongue] = _pages(public_root)
    same = {message.id for message in catalogues.read(language) if message.id == message.string}

    assert pages[language].keys() == pages["en"].keys()
    left = {
        (path, words)
        for path, body in pages[language].items()
        for words in _read(body).said & _read(pages["en"][path]).said - same
        if re.search("[A-Za-z]{2}", _PEOPLES.sub("", words))
    }
    assert {words for _path, words in left} == set(), left
    assert {_read(body).language for body in pages[language].values()} <= {language, ""}
    assert visitor.get("/").text.count(f'lang="{language}"') == 1


@pytest.mark.django_db
class TestJobs:
    def _told(self, event: JobEvent = JobEvent.STARTED) -> StatusUpdate:
        incident = _declare("Zzincident", "Zzbody.")
        _event(incident, event, at=NOON + MINUTE)
        return StatusUpdate.objects.published().newest_first()[0]

    def test_say_it_in_every_language(self) -> None:
        update = self._told()

        assert update.body.startswith("We have started to bring the data back")
        assert set(update.translations) == set(LANGUAGES)
        assert update.translations["de"].startswith("Wir haben begonnen")

    def test_write_their_figures_in_each(self) -> None:
        incident = _declare("Zzincident", "Zzbody.")
        operations.report_progress(
            incident_id=incident.pk, key="restore-1", title="Database restore", progress=HALF,
            at=NOON + 20 * MINUTE,
        )  # fmt: skip
        update = StatusUpdate.objects.published().newest_first()[0]

        assert update.body == (
            "The data is still being brought back: copying the backup, 47 %. We expect to be done "
            "between 12 January 12:40 UTC and 12 January 13:10 UTC."
        )
        assert update.translations["de"] == (
            "Die Daten werden noch wiederhergestellt: Kopieren der Sicherung, 47\u00a0%. Wir "
            "rechnen damit, zwischen dem 12. Januar, 12:40 UTC und dem 12. Januar, 13:10 UTC "
            "fertig zu sein."
        )

    def test_are_read_in_the_language_of_the_page(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        update = self._told()
        _set_up("fr")
        publisher.publish_all(now=lambda: NOON + 2 * MINUTE)

        said = update.translations["fr"]
        summary = visitor.get("/api/v2/summary.json").json
        assert said in visitor.get("/").text
        assert said in visitor.get("/history.atom").text
        assert summary["incidents"][0]["incident_updates"][0]["body"] == said
        # The words of the wire are no language's.
        assert summary["status"]["description"] == "All Systems Operational"

    def test_are_mailed_in_the_language_of_the_page(self, public_root: Path) -> None:
        _set_up("nl")
        add_subscriber(wish=Wish(email="zz@example.com"), at=NOON)
        update = self._told()

        queue_deliveries(at=NOON + 2 * MINUTE)

        mail = Delivery.objects.get(idempotency_key__startswith=f"update-{update.pk}-")
        assert mail.message.subject == "[Zzed] Oorzaak gevonden: Zzincident"
        assert mail.message.body.startswith(update.translations["nl"])
        assert "Geen berichten meer ontvangen: https://" in mail.message.body

    def test_staffs_own_words_are_the_same_everywhere(self) -> None:
        UpdateTemplate.objects.create(code="restore_started", body="Zzwords.")

        assert self._told().translations == {}

    def test_figures_in_staffs_own_words_are_those_of_the_language(self) -> None:
        UpdateTemplate.objects.create(code="restore_started", body="Zzat {percent}.")

        update = self._told()

        assert update.body == "Zzat 47 %."
        assert update.translations["nl"] == "Zzat 47%."

    def test_what_a_person_corrects_is_said_so_everywhere(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        update = self._told()
        before = update.translations["de"]
        operations.correct_status_update(
            update_id=update.pk, body="Zzcorrected.", at=NOON + 2 * MINUTE, author=None
        )
        _set_up("de")
        publisher.publish_all(now=lambda: NOON + 3 * MINUTE)

        update.refresh_from_db()
        page = visitor.get(f"/incidents/{update.incident.public_id}").text
        assert update.translations == {}
        assert "Zzcorrected." in page
        # What it said before, it said in the language of the page.
        assert before in page


@pytest.mark.django_db
def test_a_revision_after_another_language_keeps_none_of_it(
    public_root: Path, visitor: Visitor
) -> None:
    _tell_everything()
    for language in ("de", "en"):
        _set_up(language)
        publisher.publish_all(now=lambda: SOON)
    publisher.publish_now(now=lambda: SOON + MINUTE)

    said = set().union(*(_read(body).said for body in _pages(public_root).values()))
    german = {
        str(message.string)
        for message in catalogues.read("de")
        if message.id != message.string and not re.search("[%{<]", str(message.id))
    }
    assert said & german == set()


def test_the_desk_speaks_english_whatever_the_browser_asks_for(client: Any) -> None:
    page = client.get("/desk/login/", headers={"accept-language": "de"}).content.decode()

    assert 'lang="en"' in page
    assert translation.get_language() == settings.LANGUAGE_CODE


def test_the_live_document_says_phases_in_the_language_of_the_page(
    db: None, public_root: Path, visitor: Visitor
) -> None:
    _tell_everything()
    _set_up("nl")
    publisher.publish_all(now=lambda: SOON)

    found = json.loads(visitor.get("/api/status/v1/live.json").body)
    progress = [job for incident in found["incidents"] for job in incident["progress"]]
    assert progress[0]["phase"] == "fetching"
    assert progress[0]["phase_description"] == "Back-up kopiëren"
    assert progress[0]["eta_basis"] == "de snelheid van de laatste 60\u00a0s"
