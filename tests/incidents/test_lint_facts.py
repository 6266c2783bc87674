"""What prose and figures say, held against the timeline; each code found and not found."""

from dataclasses import replace
from textwrap import dedent

import pytest

from incidents.importer import Entry, Other, Promised, Reading, Window, read_postmortem
from incidents.lint import Finding, Level, lint

TIMELINE = """
## Timeline (UTC)

- 17:50: the site goes down
- 17:55: an alert pages the engineer on call
- 18:30: service restored
"""


def read(text: str, timeline: str = TIMELINE) -> Reading:
    return read_postmortem(dedent(f"# Outage of 2024-03-04\n\n{text}\n{timeline}"))


def found(reading: Reading, code: str) -> list[Finding]:
    return [finding for finding in lint(reading) if finding.code == code]


class TestMilestoneWithoutEntry:
    @pytest.mark.parametrize(
        "text",
        [
            "The API was unavailable from 17:45 to 18:30 UTC.",
            "Customers were affected since 17:40.",
            "The outage began at 17:30 UTC.",
            "Impact start: 17:45",
        ],
    )
    def test_a_beginning_that_no_entry_tells_is_found(self, text: str) -> None:
        (finding,) = found(read(text), "milestone_without_entry")

        assert finding.level == Level.WARNING
        assert finding.lines == (3,)
        assert "no entry" in finding.message

    @pytest.mark.parametrize(
        "text",
        [
            "The API was unavailable from 17:50 to 18:30 UTC.",
            "The API was down from around 17:45 UTC.",
            "It was down from 18:50 CET on.",
            "Users were down since Monday.",
            "A backup ran from 16:00 to 17:00.",
            "`down from 16:00`",
        ],
    )
    def test_a_beginning_that_an_entry_tells_is_fine(self, text: str) -> None:
        assert found(read(text), "milestone_without_entry") == []


class TestImpactStartDisagrees:
    def test_text_and_timeline(self) -> None:
        (finding,) = found(read("Impact start: 17:55"), "impact_start_disagrees")

        assert "17:55" in finding.message
        assert "17:50" in finding.message
        assert found(read("Impact start: 17:50"), "impact_start_disagrees") == []

    def test_what_customers_went_without_and_the_timeline(self) -> None:
        reading = read("")
        late = Window(line=0, text="Tours", start="2024-03-04T17:58+00:00", row="impact:1")
        right = replace(late, start="2024-03-04T18:50+01:00", row="impact:2")

        (finding,) = found(replace(reading, windows=(late,)), "impact_start_disagrees")

        assert "impact:1" in finding.objects
        # The first to suffer says when it began; others may suffer later.
        assert found(replace(reading, windows=(right, late)), "impact_start_disagrees") == []


class TestMetricDisagrees:
    @pytest.mark.parametrize(
        "text",
        [
            "The outage lasted 90 minutes.",
            "Duration: 2 hours",
            "| Duration | 1h 30m |",
            "Time to detect: 20 minutes",
            "TTR: 3h",
        ],
    )
    def test_a_figure_that_no_milestones_are_apart_is_found(self, text: str) -> None:
        (finding,) = found(read(text), "metric_disagrees")

        assert finding.level == Level.WARNING
        assert finding.lines[0] == 3

    @pytest.mark.parametrize(
        "text",
        [
            "The outage lasted 40 minutes.",
            "Duration: 0h 40m",
            "Duration: about 35 min",
            "Duration: 1 hour",
            "Time to detect: 5 min",
            "The cache lives for 90 minutes.",
            "The deploy took 3 minutes.",
            "A drill lasted three days.",
        ],
    )
    def test_a_figure_that_fits_or_counts_something_else_is_fine(self, text: str) -> None:
        assert found(read(text), "metric_disagrees") == []

    def test_several_incidents_in_one_document_have_no_one_duration(self) -> None:
        text = """\
            # Incidents

            Duration: 9 hours

            ## 2024-03-08

            - 10:00 UTC down
            - 10:30 UTC incident resolved

            ## 2024-03-04

            - 10:00 UTC down
            - 10:30 UTC incident resolved
            """

        assert found(read_postmortem(dedent(text)), "metric_disagrees") == []


class TestFactDisagreesAcrossDocuments:
    def _other(self, **changes: str) -> Other:
        told = Entry(
            n=1, line=1, text="An alert pages the engineer on call!", start="2024-03-04T17:55+00:00"
        )
        return Other(name="INC-9", entries=(replace(told, **changes),))  # type: ignore[arg-type]

    def test_the_same_at_another_time_is_found(self) -> None:
        reading = replace(read(""), others=(self._other(start="2024-03-04T18:10+00:00"),))

        (finding,) = found(reading, "fact_disagrees_across_documents")

        assert "INC-9" in finding.message
        assert "18:10" in finding.message

    def test_the_same_moment_in_another_zone_and_other_words_are_fine(self) -> None:
        same = self._other(start="2024-03-04T18:55+01:00")
        another = self._other(text="A second alert pages somebody", start="2024-03-04T19:00+00:00")
        short = self._other(text="Down", start="2024-03-04T19:00+00:00")

        for other in (same, another, short):
            reading = replace(read(""), others=(other,))
            assert found(reading, "fact_disagrees_across_documents") == []


class TestPromises:
    UPDATES = """
## Timeline (UTC)

- 17:50: the site goes down
- 18:00: Status update: "Back within 30 minutes."
- 19:00: the ETA was missed
- 21:00: service restored
"""

    def test_the_record_knows_better_what_became_of_an_estimate(self) -> None:
        reading = read("", self.UPDATES)
        entries = tuple(replace(entry, row=f"entry:{entry.n}") for entry in reading.entries)
        told = Promised(line=0, made_in="entry:2", due="2024-03-04T18:30+00:00", outcome="missed")
        reading = replace(reading, entries=entries)

        (missed,) = found(
            replace(
                reading,
                promises=(told,),
                entries=tuple(replace(e, tags=("eta",)) for e in entries),
            ),
            "eta_expired",
        )
        moved = replace(reading, promises=(replace(told, outcome="superseded"),))

        assert "missed" in missed.evidence
        assert found(moved, "eta_expired") == []
        assert found(moved, "eta_missed_without_promise") == []


@pytest.mark.parametrize(
    "text",
    [
        "down from " * 2000,
        "Duration: " + "9 h " * 4000,
        "outage " + "a" * 50_000 + " since 17:45",
        "<script>alert(1)</script> outage began at 17:45 \x00\u202e",
        "down from 99:99; Duration: 99999999 h; TTD: 0 min",
        "(" * 5000 + "impact start (" + ")" * 5000,
    ],
)
def test_hostile_text_is_read_to_its_end(text: str) -> None:
    assert isinstance(lint(read(text)), tuple)
