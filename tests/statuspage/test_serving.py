"""What the server answers, and what it survives."""

import gzip
import shutil
from datetime import timedelta
from pathlib import Path

import brotli
import pytest

from statuspage.documents.clauses import Edition
from statuspage.publisher.site import Draft, Site
from statuspage.serving import LateApplication
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

FRONT = "<p>all is well</p>" * 20


def _put(root: Path, number: int = 1, **bodies: str) -> Site:
    site = Site(root)
    documents = {"/": FRONT, "/api/v2/status.json": '{"a":1}', "404": "<h1>nothing here</h1>"}
    documents |= {f"/{name}": body for name, body in bodies.items()}
    draft = Draft(
        documents={
            path: [Edition(valid_from=NOON, body=body.encode())] for path, body in documents.items()
        }
    )
    site.put(draft, revision=number, generated_at=NOON.timestamp())
    return site


@pytest.fixture
def site(page_root: Path) -> Site:
    return _put(page_root)


class TestAnswers:
    def test_the_smallest_encoding_that_is_accepted(self, site: Site, visitor: Visitor) -> None:
        plain = visitor.get("/")
        zipped = visitor.get("/", accept_encoding="gzip, deflate")
        small = visitor.get("/", accept_encoding="gzip, deflate, br")

        assert plain.text == FRONT
        assert gzip.decompress(zipped.body).decode() == FRONT
        assert brotli.decompress(small.body).decode() == FRONT
        assert [answer.headers.get("Content-Encoding") for answer in (plain, zipped, small)] == [
            None,
            "gzip",
            "br",
        ]
        assert len({answer.headers["ETag"] for answer in (plain, zipped, small)}) == 3
        assert all(answer.headers["Vary"] == "Accept-Encoding" for answer in (plain, zipped, small))

    @pytest.mark.parametrize("refused", ["br;q=0, gzip;q=0", "identity", "", "br;q=x"])
    def test_an_encoding_that_is_refused_is_not_sent(
        self, refused: str, site: Site, visitor: Visitor
    ) -> None:
        assert "Content-Encoding" not in visitor.get("/", accept_encoding=refused).headers

    def test_304_for_the_tag_that_the_visitor_holds(self, site: Site, visitor: Visitor) -> None:
        first = visitor.get("/", accept_encoding="gzip")
        etag = first.headers["ETag"]

        for asked in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = visitor.get("/", accept_encoding="gzip", if_none_match=asked)
            assert (again.status, again.body) == (304, b"")
            assert again.headers["ETag"] == etag
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert visitor.get("/", if_none_match=etag).status == 200

    def test_head_without_a_body(self, site: Site, visitor: Visitor) -> None:
        got, head = visitor.get("/"), visitor.get("/", method="HEAD")

        assert head.body == b""
        assert head.headers == got.headers

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_405_with_what_is_allowed(self, method: str, site: Site, visitor: Visitor) -> None:
        answer = visitor.get("/api/v2/status.json", method=method)

        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")

    def test_options_for_scripts_of_other_sites(self, site: Site, visitor: Visitor) -> None:
        answer = visitor.get("/api/v2/status.json", method="OPTIONS")

        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    def test_404_as_json_under_api_and_as_a_page_elsewhere(
        self, site: Site, visitor: Visitor
    ) -> None:
        document, page = visitor.get("/api/v2/nothing.json"), visitor.get("/nothing")

        assert (document.status, document.json["code"]) == (404, "not-found")
        assert document.headers["Access-Control-Allow-Origin"] == "*"
        assert (page.status, page.text) == (404, "<h1>nothing here</h1>")
        assert visitor.get("/404").status == 404
        assert visitor.get("404").status == 404

    def test_a_slash_too_many_leads_to_the_page(self, page_root: Path, visitor: Visitor) -> None:
        _put(page_root, history="months")

        answer = visitor.get("/history/")

        assert (answer.status, answer.headers["Location"]) == (308, "/history")

    @pytest.mark.parametrize(
        "path",
        [
            "/desk",
            "/desk/x",
            "/static/a.css",
            "/api/desk/v1/",
            "/api/alerts/x",
            "/api/trackers/x",
            "/healthz",
            "/unsubscribe/x",
        ],
    )
    def test_only_what_is_not_public_reaches_the_application(
        self, path: str, site: Site, visitor: Visitor
    ) -> None:
        assert visitor.get(path).headers["X-Behind"] == path

    @pytest.mark.parametrize(
        "path", ["/deskx", "/incidents/../../lock", "/assets/../lock", "/../current", "/wanted"]
    )
    def test_nothing_else_can_be_reached(self, path: str, site: Site, visitor: Visitor) -> None:
        assert visitor.get(path).status == 404

    def test_headers_keep_the_conventions(self, site: Site, visitor: Visitor) -> None:
        page, api = visitor.get("/"), visitor.get("/api/v2/status.json")

        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in page.headers
        assert api.headers["Access-Control-Allow-Origin"] == "*"
        assert api.headers["Content-Type"] == "application/json; charset=utf-8"
        for answer in (page, api):
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Cache-Control"].startswith("public, max-age=10,")
            assert answer.headers["X-Highwater-Revision"] == "1"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


class TestEditions:
    def test_are_chosen_by_the_clock(self, page_root: Path, visitor: Visitor) -> None:
        draft = Draft(
            documents={
                "/": [
                    Edition(valid_from=NOON, body=b"running"),
                    Edition(valid_from=NOON + MINUTE, body=b"no news"),
                    Edition(valid_from=NOON + HOUR, body=b"old copy"),
                ]
            }
        )
        Site(page_root).put(draft, revision=1, generated_at=NOON.timestamp())

        said = []
        for after in (-HOUR, timedelta(0), MINUTE - timedelta(seconds=1), MINUTE, 2 * HOUR):
            visitor.clock[0] = (NOON + after).timestamp()
            said.append(visitor.get("/").text)

        assert said == ["running", "running", "running", "no news", "old copy"]

    def test_have_tags_of_their_own(self, page_root: Path, visitor: Visitor) -> None:
        draft = Draft(
            documents={
                "/": [
                    Edition(valid_from=NOON, body=b"running"),
                    Edition(valid_from=NOON + MINUTE, body=b"no news"),
                ]
            }
        )
        Site(page_root).put(draft, revision=1, generated_at=NOON.timestamp())
        visitor.clock[0] = NOON.timestamp()
        etag = visitor.get("/").headers["ETag"]

        visitor.clock[0] = (NOON + MINUTE).timestamp()

        assert visitor.get("/", if_none_match=etag).text == "no news"


class TestRevisions:
    def test_a_new_one_is_served_at_once(self, site: Site, visitor: Visitor) -> None:
        visitor.get("/")
        _put(site.root, 2, live="new")

        assert visitor.get("/live").text == "new"
        assert visitor.get("/").headers["X-Highwater-Revision"] == "2"

    def test_an_unchanged_document_keeps_its_tag(self, site: Site, visitor: Visitor) -> None:
        before = visitor.get("/").headers
        _put(site.root, 2, live="new")
        after = visitor.get("/").headers

        assert after["ETag"] == before["ETag"]
        assert after["Last-Modified"] == before["Last-Modified"]

    def test_an_archived_document_is_looked_at_again(self, site: Site, visitor: Visitor) -> None:
        site.replace_archived("/incidents/abc", b"one")
        assert visitor.get("/incidents/abc", accept_encoding="gzip").status == 200

        site.replace_archived("/incidents/abc", b"two")
        _put(site.root, 2)

        assert visitor.get("/incidents/abc").text == "two"


class TestSurvival:
    def test_nothing_published_is_said_in_plain_words(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        page, api = visitor.get("/"), visitor.get("/api/v2/status.json")

        assert (page.status, page.headers["Retry-After"]) == (503, "10")
        assert "has not been published yet" in page.text
        assert (api.status, api.json["code"]) == (503, "not-published")
        assert visitor.get("/desk").status == 200

    def test_what_is_in_memory_outlives_its_files(self, site: Site, visitor: Visitor) -> None:
        visitor.get("/")
        shutil.rmtree(site.root)

        assert visitor.get("/").text == FRONT

    @pytest.mark.parametrize(
        "broken", ["manifest.json", "site/index.html", "site/index.html.gz", "site/index.html.br"]
    )
    def test_a_broken_revision_is_not_taken_over(
        self, broken: str, site: Site, visitor: Visitor
    ) -> None:
        visitor.get("/")
        other = FRONT + "new"
        draft = Draft(documents={"/": [Edition(valid_from=NOON, body=other.encode())]})
        site.put(draft, revision=2, generated_at=NOON.timestamp())
        file = site.root / "revisions" / "2" / broken
        file.write_bytes(file.read_bytes()[:-7])

        assert visitor.get("/").text == FRONT
        file.unlink()
        assert visitor.get("/").text == FRONT

    def test_after_a_start_the_newest_whole_revision_is_served(
        self, site: Site, page_root: Path, visitor: Visitor
    ) -> None:
        for number in (2, 3):
            _put(page_root, number, live=f"as of {number}")
        # Whole, and never switched to: a publisher was killed just before.
        shutil.copytree(page_root / "revisions" / "3", page_root / "revisions" / "4")
        for name in ("index.html", "index.html.gz", "index.html.br"):
            # As a power cut leaves them.
            (page_root / "revisions" / "3" / "site" / name).unlink()
            (page_root / "revisions" / "3" / "site" / name).write_bytes(b"")

        assert visitor.get("/live").text == "as of 2"
        assert visitor.get("/").text == FRONT
        _put(page_root, 5, live="as of 5")
        assert visitor.get("/live").text == "as of 5"

    def test_a_revision_that_was_cut_short_is_not_built_upon(
        self, site: Site, page_root: Path, visitor: Visitor
    ) -> None:
        _put(page_root, 2)
        for number in (1, 2):
            # One file, in two revisions.
            (page_root / "revisions" / str(number) / "site" / "index.html").write_bytes(b"")
        assert visitor.get("/").status == 503

        _put(page_root, 3)

        assert visitor.get("/").text == FRONT

    def test_an_archived_sibling_of_another_edition_is_left_out(
        self, site: Site, visitor: Visitor
    ) -> None:
        site.replace_archived("/incidents/abc", b"two")
        path = site.archive / "incidents" / "abc.html.gz"
        path.write_bytes(gzip.compress(b"one"))

        answer = visitor.get("/incidents/abc", accept_encoding="gzip")

        assert (answer.text, answer.headers.get("Content-Encoding")) == ("two", None)


class TestLateApplication:
    def test_answers_503_until_it_starts(self, public_root: Path) -> None:
        starts = iter([ConnectionError("the database is away"), None])

        def start() -> object:
            if fault := next(starts):
                raise fault
            return lambda _environ, begin: begin("200 OK", []) or [b"up"]

        late = LateApplication(start)  # type: ignore[arg-type]
        seen: list[str] = []

        def begin(status: str, *_rest: object) -> None:
            seen.append(status)

        assert b"does not answer" in b"".join(late({}, begin))  # type: ignore[arg-type]
        late._try_at = 0.0
        assert b"".join(late({}, begin)) == b"up"  # type: ignore[arg-type]
        assert seen == ["503 Service Unavailable", "200 OK"]

    def test_a_fatal_fault_stops_the_start(self) -> None:
        def start() -> object:
            raise ValueError("settings are wrong")

        with pytest.raises(ValueError, match="settings are wrong"):
            LateApplication(start, fatal=(ValueError,))  # type: ignore[arg-type]
