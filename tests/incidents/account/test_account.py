"""An account is written as a document and read back; hostile words stay words in every form."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidents import account
from incidents.account import (
    Action,
    Case,
    Cause,
    Dismissal,
    Entry,
    Impact,
    Link,
    NotAnAccount,
    Promise,
    Record,
    Section,
    Time,
    Update,
    pdf,
)

AT = datetime(2026, 1, 12, 0, 14, tzinfo=UTC)
EVIL = (
    '<script>alert(1)</script> **b** `c` {{timeline}} #import "x" $x$ \\ --> <!-- hw:end --> '
    "[x](javascript:alert(1)) ![i](http://t/x) &lt; &#60; | a\n\n## H\n- **x** y\n```\n  two  "
    "spaces \ttab \u2028 \ue0000\ue001 end "
)
LINE = " ".join(EVIL.split())


def record(entries: int = 3) -> Record:
    rows = tuple(
        Entry(
            n=n,
            time=Time(
                at=AT + timedelta(minutes=n), precision="minute", tz="Europe/Amsterdam", said=LINE
            ),
            text=f"{EVIL}{n}",
            tags=("attempt", "vendor"),
            milestone="started" if n == 1 else "",
            is_public=n == 1,
            links=(Link(url="https://graphs.example/1", caption=LINE),),
        )
        for n in range(1, entries + 1)
    )
    return Record(
        public_id="abc",
        title=LINE,
        summary=EVIL,
        tz="Europe/Amsterdam",
        moments=(("started", AT), ("detected", AT + timedelta(minutes=16))),
        entries=rows,
        updates=(Update(n=1, entry=2, body=EVIL, phase="identified", published_at=AT),),
        promises=(
            Promise(
                n=1, kind="eta", due=Time(at=AT, precision="day"), made_at=AT, outcome="missed",
                text=EVIL, made_in=1, settled_by=3,
            ),
        ),
        impacts=(Impact(n=1, kind="outage", at=AT, text=EVIL),),
        causes=(
            Cause(
                n=1, kind="luck", text=EVIL, evidence=(1, 2), case=Case(provider=EVIL, note=EVIL)
            ),
        ),
        actions=(
            Action(
                n=1, text=EVIL, state="done", proof=EVIL, check=EVIL, owner_label=EVIL,
                done=Time(at=AT, until=AT + timedelta(days=2), precision="day"), addresses=(1,),
            ),
        ),
        dismissals=(Dismissal(n=1, code="x", reason=EVIL, subject="entry:1", evidence=EVIL),),
        sections=(
            Section(n=1, kind="summary", title=LINE, body=EVIL.strip()),
            Section(
                n=2,
                kind="timeline",
                title="Timeline",
                is_public=True,
                body="Before\n{{timeline}}\nafter {{duration detect}}, {{ entry 2 }}, {{bogus}}\n\n"
                "{{causes luck}}\n\n{{figures}}\n\n{{timeline}}\n\n{{nothing}}",
            ),
        ),
    )  # fmt: skip


class TestRoundTrip:
    def test_reads_back_what_was_written(self) -> None:
        whole = record()

        assert account.read_account(account.write_markdown(whole)) == whole

    def test_the_words_of_a_person_win(self) -> None:
        plain = replace(
            record(),
            sections=(
                Section(n=1, kind="other", title="What", body="It was {{duration detect}}."),
            ),
            entries=(Entry(n=1, time=Time(at=AT, precision="minute"), text="The proxy died"),),
            updates=(), promises=(), causes=(), dismissals=(),
            actions=(Action(n=1, text="Restart", owner_label="Ops"),),
        )  # fmt: skip
        text = account.write_markdown(plain)
        edited = (
            text.replace("The proxy died", "The cache died")
            .replace("2026\\-01\\-12 01\\:14", "2026-01-12 02:20")
            .replace("**Proposed** Restart", "**Planned** Restart twice")
            .replace("Owner: Ops", "Owner: Network")
            .replace("It was ", "It took us ")
        )

        read = account.read_account(edited)

        assert read.entries[0].text == "The cache died"
        assert read.entries[0].time.at == datetime(2026, 1, 12, 1, 20, tzinfo=UTC)
        assert (read.actions[0].state, read.actions[0].text) == ("planned", "Restart twice")
        assert read.actions[0].owner_label == "Network"
        assert read.sections[0].body == "It took us {{duration detect}}."

    def test_what_was_taken_out_is_gone_with_all_that_names_it(self) -> None:
        lines = account.write_markdown(replace(record(), sections=())).split("\n")
        first = next(n for n, line in enumerate(lines) if line.startswith("<!-- hw:entry"))
        second = next(n for n, line in enumerate(lines[first + 1 :]) if "hw:entry" in line)
        del lines[first : first + second + 1]

        read = account.read_account("\n".join(lines))

        assert [entry.n for entry in read.entries] == [2, 3]
        assert read.causes[0].evidence == (2,)

    @pytest.mark.parametrize(
        ("words", "instead"),
        [
            ('"n":1', '"n":"one"'),
            ('"n":1', '"n":2'),
            ('"precision":"minute"', '"strange":"minute"'),
            ("<!-- hw:end -->", ""),
            ('{"public_id"', '["public_id"'),
            ("2026\\u002d01\\u002d12T00:15", "yesterday"),
        ],
    )
    def test_marks_that_were_changed_are_refused(self, words: str, instead: str) -> None:
        text = account.write_markdown(replace(record(), sections=()))
        assert words in text

        with pytest.raises(NotAnAccount):
            account.read_account(text.replace(words, instead, 1))


class TestPage:
    def test_nothing_can_run(self) -> None:
        page = account.document_html(record())

        assert "<script" not in page
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert "default-src 'none'" in page

    def test_says_what_names_nothing(self) -> None:
        assert "{{bogus}} (names nothing)" in account.document_html(record())

    def test_references_in_code_are_code(self) -> None:
        assert account.body_html("```\n{{timeline}} <b>\n```", record()) == (
            "<pre><code>{{timeline}} &lt;b&gt;\n</code></pre>"
        )


class TestPdf:
    def test_holds_a_timeline_of_a_thousand_entries(self) -> None:
        assert account.write_pdf(record(1000)).startswith(b"%PDF-")

    def test_long_words_break_and_signs_that_turn_text_round_are_shown(self) -> None:
        assert pdf._set("w" * 90 + " \u202eab\x00") == (
            f"{'w' * 40}\u200b{'w' * 40}\u200b{'w' * 10} \ufffdab\ufffd"
        )


class TestForCustomers:
    def test_says_what_is_public_and_names_nobody(self) -> None:
        public = account.for_customers(record())

        assert [section.title for section in public.sections] == ["Timeline"]
        assert [entry.n for entry in public.entries] == [1]
        assert public.actions == ()
        unknown = account.unknown_references(public.sections[0].body, public)
        assert unknown == ("{{ entry 2 }}", "{{bogus}}", "{{nothing}}")
