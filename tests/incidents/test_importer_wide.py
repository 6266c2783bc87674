"""Further forms of timelines, what a document leaves open, and documents of several incidents."""

from datetime import date
from textwrap import dedent

import pytest

from incidents.importer import Reading, Told, UnknownPart, read_postmortem
from incidents.lint import lint


def read(text: str, **told: object) -> Reading:
    return read_postmortem(dedent(text), told=Told(**told))  # type: ignore[arg-type]


def starts(reading: Reading) -> list[str | None]:
    return [entry.start for entry in reading.entries]


class TestForms:
    def test_seconds_since_1970(self) -> None:
        reading = read("# Kettle\n\n- 1600000000: cold\n- 1600000600: warm\n")

        assert starts(reading) == ["2020-09-13T12:26:40Z", "2020-09-13T12:36:40Z"]

    def test_a_table_in_html_on_one_line_or_several(self) -> None:
        reading = read("""\
            # Kettle, 2020-05-12

            <table>
            <tr><th>Time (UTC)</th><th>What</th></tr>
            <tr><td>08:01</td><td>It is <b>cold</b></td></tr>
            <tr>
              <td>08:30</td>
              <td>It is warm</td>
            </tr>
            </table>
            """)

        assert starts(reading) == ["2020-05-12T08:01:00Z", "2020-05-12T08:30:00Z"]
        assert [(e.line, e.text) for e in reading.entries] == [
            (5, "It is cold"),
            (7, "It is warm"),
        ]

    def test_german_dates_clocks_and_zones(self) -> None:
        reading = read("""\
            # Ausfall am 3. März 2023

            ## Verlauf

            Alle Zeiten in MEZ.

            - 09:12 Uhr: Kessel kalt
            - gegen 10:40 Uhr: Kessel warm
            - 4. März 2023, 08:00 Uhr: geprüft
            """)

        assert starts(reading) == [
            "2023-03-03T09:12:00+01:00",
            "2023-03-03T10:40:00+01:00",
            "2023-03-04T08:00:00+01:00",
        ]
        assert [e.approx for e in reading.entries] == [False, True, False]

    def test_french_dates_and_clocks(self) -> None:
        reading = read("""\
            # Panne du 14 février 2022

            ## Chronologie

            - 8h45 : froid
            - à 14h00, chaud
            - 15 février 2022 à 10h00 : bilan
            """)

        assert starts(reading) == [
            "2022-02-14T08:45:00",
            "2022-02-14T14:00:00",
            "2022-02-15T10:00:00",
        ]

    def test_minutes_counted_from_a_named_start_in_a_table(self) -> None:
        reading = read("""\
            # Kettle, 2022-09-14

            It began at 14:05 UTC (T+0).

            ## Timeline

            | T-5m | Switched on |
            | T+0 | Cold |
            | T+1h30m | Warm |
            """)

        assert starts(reading) == [
            "2022-09-14T14:00:00Z",
            "2022-09-14T14:05:00Z",
            "2022-09-14T15:35:00Z",
        ]

    def test_a_status_page_without_gaps_has_the_words_above_each_time(self) -> None:
        reading = read("""\
            # Slow kettle, March 13, 2025

            Resolved -
            It is warm again.
            Mar 13, 10:16 MDT
            Investigating -
            It seems to be cold.
            Mar 13, 09:10 MDT
            """)

        assert [(e.line, e.start, e.text) for e in reading.entries] == [
            (3, "2025-03-13T10:16:00-06:00", "Resolved - It is warm again."),
            (6, "2025-03-13T09:10:00-06:00", "Investigating - It seems to be cold."),
        ]

    def test_a_range_without_blanks_is_no_offset(self) -> None:
        (entry,) = read("# 2024-03-04\n\n- 08:45-09:30: cold\n").entries

        assert (entry.start, entry.end) == ("2024-03-04T08:45:00", "2024-03-04T09:30:00")

    def test_an_offset_after_seconds_is_one(self) -> None:
        (entry,) = read("- 2024-03-04T08:45:10-09:30: cold\n").entries

        assert entry.start == "2024-03-04T08:45:10-09:30"

    def test_what_is_done_every_night_is_no_entry(self) -> None:
        reading = read("""\
            # What happened

            On 4 March 2024 at 10:00 UTC the kettle went cold. At 11:00 UTC it was warm.

            The job at 03:00 every night fills it.
            """)

        assert starts(reading) == ["2024-03-04T10:00:00Z", "2024-03-04T11:00:00Z"]

    def test_an_incident_at_the_turn_of_the_year_published_after_it(self) -> None:
        reading = read("""\
            Published January 6, 2021

            ## Timeline

            - Dec 31, 10:10 p.m.: cold
            - Jan 1, 3:05 a.m.: warm
            """)

        assert starts(reading) == ["2020-12-31T22:10:00", "2021-01-01T03:05:00"]

    def test_a_title_that_tells_what_happened_is_no_section_of_metrics(self) -> None:
        reading = read("""\
            # Log

            ## Incident on 2024-04-15: a restart which resulted in missing metrics

            - 2024-04-15 12:32: restart
            - 2024-04-15 12:40: back
            """)

        assert len(reading.entries) == 2


class TestImpossibleDates:
    def test_the_entry_is_kept_without_a_time(self) -> None:
        reading = read("""\
            ## Timeline (UTC)

            - 2022-06-30 23:50: cold
            - 2022-06-31 00:10: colder
            - 2022-07-01 08:00: warm
            """)

        assert starts(reading) == ["2022-06-30T23:50:00Z", None, "2022-07-01T08:00:00Z"]
        assert reading.entries[1].text == "colder"
        (finding,) = [f for f in lint(reading) if f.code == "impossible_date"]
        assert finding.lines == (4,)
        assert "2022-06-31" in finding.message


class TestOpen:
    def test_a_day_that_is_nowhere_is_asked_for_and_taken(self) -> None:
        text = "# Kettle\n\n- 10:00 UTC: cold\n- 10:30 UTC: warm\n"

        assert read(text).lacks_day
        told = read(text, day=date(2024, 3, 4))
        assert not told.lacks_day
        assert starts(told) == ["2024-03-04T10:00:00Z", "2024-03-04T10:30:00Z"]

    def test_a_zone_that_is_nowhere_is_asked_for_and_taken(self) -> None:
        text = "# Kettle\n\n- 2024-03-04 10:00: cold\n"

        assert read(text).lacks_zone
        assert not read(text, timezone="CET").lacks_zone

    def test_an_order_of_day_and_month_that_nothing_settles(self) -> None:
        text = "# Kettle\n\n- 03/04/2021 10:00 UTC: cold\n- 03/05/2021 10:00 UTC: warm\n"

        assert read(text).order_open
        told = read(text, day_first=True)
        assert not told.order_open
        assert starts(told) == ["2021-04-03T10:00:00Z", "2021-05-03T10:00:00Z"]

    def test_an_order_that_another_date_settles(self) -> None:
        text = "# Kettle\n\n- 03/04/2021 10:00 UTC: cold\n- 25/04/2021 10:00 UTC: warm\n"

        assert not read(text).order_open

    def test_lines_with_a_time_that_led_to_nothing_are_named(self) -> None:
        reading = read("""\
            # Kettle, 2024-03-04

            ## Timeline

            - 10:00 UTC: cold
            - 11:00 UTC: warm

            ## Lessons

            The alert of 10:20 came too late.
            Nobody was told.
            """)

        assert reading.unplaced == (10,)


SEVERAL = """\
    # Spring

    ## Outage of 2023-04-02: printers

    ### Timeline

    - 10:00 UTC: paper runs out, printing fails
    - 10:30 UTC: resolved

    ### Actions

    - Buy paper

    ## Outage of 2023-05-11: doors

    ### Timeline

    - 23:30 UTC: door fails to close
    - 00:45 UTC: resolved
    """


class TestSeveralIncidents:
    def test_are_named(self) -> None:
        assert [(p.number, p.title, p.line, p.count) for p in read(SEVERAL).parts] == [
            (1, "Outage of 2023-04-02: printers", 3, 2),
            (2, "Outage of 2023-05-11: doors", 14, 2),
        ]

    def test_one_of_them_can_be_taken(self) -> None:
        reading = read(SEVERAL, part=2)

        assert reading.title == "Outage of 2023-05-11: doors"
        assert starts(reading) == ["2023-05-11T23:30:00Z", "2023-05-12T00:45:00Z"]
        assert [e.milestone for e in reading.entries] == ["started", "resolved"]
        assert reading.actions == ()

    @pytest.mark.parametrize("part", [0, 3])
    def test_a_part_that_is_not_there_is_refused(self, part: int) -> None:
        with pytest.raises(UnknownPart, match="1 to 2"):
            read(SEVERAL, part=part)

    def test_days_of_one_incident_are_no_parts(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            ### 2024-03-04
            - 10:00 UTC: cold
            - 11:00 UTC: colder

            ### 2024-03-05
            - 10:00 UTC: warm
            - 11:00 UTC: hot
            """)

        assert reading.parts == ()
