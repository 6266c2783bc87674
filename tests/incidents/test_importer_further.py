"""Zones by region, status pages with the time below, text pasted without its markup."""

from textwrap import dedent

import pytest

from incidents.importer import Reading, read_postmortem


def read(text: str) -> Reading:
    return read_postmortem(dedent(text))


def starts(reading: Reading) -> list[str | None]:
    return [entry.start for entry in reading.entries]


class TestRegionsAsZones:
    @pytest.mark.parametrize(
        ("zone", "winter", "summer"),
        [
            ("CET/CEST", "+01:00", "+02:00"),
            ("PDT / PST", "-08:00", "-07:00"),
            ("GMT/BST", "Z", "+01:00"),
        ],
    )
    def test_two_labels_leave_it_to_the_date(self, zone: str, winter: str, summer: str) -> None:
        reading = read(f"""\
            # Kettle

            ## Timeline (all times in {zone})

            - 2023-01-10 08:00: cold
            - 2023-07-10 08:00: warm
            """)

        assert starts(reading) == [
            f"2023-01-10T08:00:00{winter}",
            f"2023-07-10T08:00:00{summer}",
        ]

    def test_a_region_after_the_clock(self) -> None:
        reading = read("""\
            # Kettle, 2024-03-04

            - 7:09 AM Eastern: cold
            - 2 pm Pacific: Central Park is told
            """)

        assert starts(reading) == ["2024-03-04T07:09:00-05:00", "2024-03-04T14:00:00-08:00"]

    def test_a_region_for_all_times(self) -> None:
        reading = read("# Kettle, 2024-07-04\n\nAll times are Eastern.\n\n- 09:00: cold\n")

        assert starts(reading) == ["2024-07-04T09:00:00-04:00"]


class TestTimesBelowTheirWords:
    def test_what_was_posted_begins_at_the_name_of_the_state(self) -> None:
        reading = read("""\
            Trouble with kettles
            Report by the kitchen
            Resolved
            It is warm again.

            We are sorry.
            Posted Jan 19, 2018 - 10:37 PST
            Investigating
            It seems to be cold.
            Posted Jan 19, 2018 - 09:48 PST
            """)

        assert [(e.line, e.start) for e in reading.entries] == [
            (3, "2018-01-19T10:37:00-08:00"),
            (8, "2018-01-19T09:48:00-08:00"),
        ]

    def test_gaps_around_the_words_do_no_harm(self) -> None:
        reading = read("""\
            Trouble with kettles

            Resolved - It is warm again.

            Last updated on Jan 19, 2018, 10:37 UTC

            Investigating

            It seems to be cold.

            Posted Jan 19, 2018, 09:48 UTC
            """)

        assert [(e.line, e.text) for e in reading.entries] == [
            (3, "Resolved - It is warm again."),
            (7, "Investigating It seems to be cold."),
        ]


class TestTextWithoutMarkup:
    def test_names_of_sections_stand_bare(self) -> None:
        reading = read("""\
            Cold kettles on 15 March 2024
            All times in UTC.
            1. Summary
            - 15 March 2024, 03:50: cold
            - Length:
            - Nobody could have tea for eight hours.
            - 15 March 2024, 11:50: warm
            Impact:
            - No tea from 15 March 2024 at 03:50 on.
            - No coffee.
            2. Timeline
            - 15 March 2024, 03:53 – The kettle is cold
            - 15 March 2024, 04:01 – Somebody notices
            """)

        assert [entry.line for entry in reading.entries][-2:] == [12, 13]
        assert not {6, 9, 10} & {entry.line for entry in reading.entries}

    def test_a_numbered_list_is_no_row_of_sections(self) -> None:
        reading = read("""\
            # Kettle, 2024-03-15

            1. Detection
            2. Response
            3. 14:00 UTC it is warm
            """)

        assert starts(reading) == ["2024-03-15T14:00:00Z"]


class TestDaysOfTheIncident:
    @pytest.mark.parametrize(
        "told",
        [
            "On May 14th, 2024 our kettles went cold for an hour.",
            "Since the evening of May 14, kettles were cold.",
            "# Cold kettles on 14 May 2024",
        ],
    )
    def test_the_date_of_publication_is_not_that_of_the_incident(self, told: str) -> None:
        reading = read(
            f"---\ntitle: Kettles\ndate: 2024-05-20\n---\n\n{told}\n\n- 10:00 UTC cold\n"
        )

        assert starts(reading) == ["2024-05-14T10:00:00Z"]

    @pytest.mark.parametrize(
        "told", ["Bought on May 14, cold on 2024-05-20.", "Bought in May 2019.", "Due on June 2."]
    )
    def test_front_matter_holds_where_nothing_better_is_told(self, told: str) -> None:
        reading = read(f"---\ndate: 2024-05-20\n---\n\n{told}\n\n- 10:00 UTC cold\n")

        assert starts(reading) == ["2024-05-20T10:00:00Z"]

    def test_a_part_of_a_day_is_roughly_that_day(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            - **Early morning May 2nd, 2024**: the water boils away
            - **2024-05-02 9:49 UTC**: cold
            """)

        assert [(e.start, e.precision, e.approx) for e in reading.entries] == [
            ("2024-05-02", "day", True),
            ("2024-05-02T09:49:00Z", "minute", False),
        ]

    def test_a_day_that_nobody_knows_leaves_its_month_or_year(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            - 2023-MM-DD: a lid is lost
            - 2023-11-DD[^1]: another one
            - 2024-06-28 07:09 UTC: cold
            """)

        assert starts(reading) == ["2023", "2023-11", "2024-06-28T07:09:00Z"]

    def test_the_next_day_may_be_named_as_well(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            On 3 May 2024, the lid was lost by somebody who wanted to descale it.

            The next day, on 4 May 2024, another one was bought.
            """)

        assert starts(reading) == ["2024-05-03", "2024-05-04"]


class TestClocks:
    def test_half_a_meridiem_and_a_small_zulu(self) -> None:
        reading = read("""\
            # Kettle, 2024-05-03

            - 10:45a cold
            - 12:29p lukewarm
            - 13:30z warm
            """)

        assert starts(reading) == [
            "2024-05-03T10:45:00Z",
            "2024-05-03T12:29:00Z",
            "2024-05-03T13:30:00Z",
        ]

    def test_a_nightly_job_that_failed_once_is_told(self) -> None:
        reading = read("""\
            # Kettle, 2024-05-03

            ## What happened

            At 02:10 UTC the nightly descaling had run dry. It runs nightly at 02:00.
            Later it turned out that at 02:12 UTC the nightly check was skipped.
            """)

        assert starts(reading) == ["2024-05-03T02:10:00Z", "2024-05-03T02:12:00Z"]

    def test_prose_whose_days_rise_is_not_turned_round(self) -> None:
        reading = read("""\
            # Kettle

            ## What happened

            On 3 May 2024 at 20:00 it was cold. By 14:00 somebody had noticed.

            On 5 May 2024 at 11:00 it was warm. A lid was lost at 09:00.
            """)

        assert [entry.start[:10] for entry in reading.entries if entry.start] == [
            "2024-05-03",
            "2024-05-03",
            "2024-05-05",
            "2024-05-05",
        ]


class TestBeforeTheIncident:
    def test_days_and_months_before_it_count_from_its_beginning(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            - [Two months prior to the incident] A kettle was bought.
            - [Ten days before the outage] Its lid was lost.
            - [2024-01-05 16:35 UTC] It is cold.
            - 17:00 UTC: It is warm.
            """)

        assert [(e.start, e.precision) for e in reading.entries] == [
            ("2023-11", "month"),
            ("2023-12-26", "day"),
            ("2024-01-05T16:35:00Z", "minute"),
            ("2024-01-05T17:00:00Z", "minute"),
        ]

    def test_a_list_may_begin_and_end_vaguely(self) -> None:
        reading = read("""\
            # Kettle

            ## Timeline

            - This is what we know.
            - **Before the incident**: Somebody left the lid open.
            - 2024-01-05 16:35 UTC: It is cold.
            - 2024-01-05 17:00 UTC: It is warm.
            - Afterwards, tea was made.
            """)

        assert [(e.line, e.start) for e in reading.entries] == [
            (6, None),
            (7, "2024-01-05T16:35:00Z"),
            (8, "2024-01-05T17:00:00Z"),
            (9, None),
        ]


class TestBareClocks:
    def test_a_list_of_clocks_without_colons(self) -> None:
        reading = read("""\
            # Kettle, 2023-04-05

            ## Timeline (UTC)

            - 0915 cold
            - 0930: a lid is lost
            - 2015 - warm
            """)

        assert starts(reading) == [
            "2023-04-05T09:15:00Z",
            "2023-04-05T09:30:00Z",
            "2023-04-05T20:15:00Z",
        ]

    def test_years_at_the_heads_of_a_list_stay_years(self) -> None:
        reading = read("# Kettles\n\n## History\n\n- 2015: one\n- 2019: two\n- 2022: three\n")

        assert starts(reading) == ["2015", "2019", "2022"]

    def test_a_clock_of_twelve_hours_without_its_half(self) -> None:
        reading = read("""\
            # Kettle, 2023-04-05

            | Time | What |
            |---|---|
            | 9:15 | cold |
            | 9:05 | noticed, in wrong order |
            | 11:45 | lukewarm |
            | 1:05 | warm |
            | 3:10 | tea |
            """)

        assert [start[11:16] for start in starts(reading) if start] == [
            "09:15", "09:05", "11:45", "13:05", "15:10",
        ]  # fmt: skip

    def test_padded_clocks_pass_midnight(self) -> None:
        reading = read("# Kettle, 2023-04-05\n\n- 10:15: cold\n- 11:45: half\n- 01:05: warm\n")

        assert starts(reading)[-1] == "2023-04-06T01:05:00"

    def test_a_new_day_begins_in_the_morning(self) -> None:
        reading = read("""\
            # Kettle

            ## 2023-04-05

            - 12:50 PM: cold

            ## 2023-04-06

            - 9:05: warm
            """)

        assert starts(reading) == ["2023-04-05T12:50:00", "2023-04-06T09:05:00"]

    def test_halves_of_a_sentence_tell_for_themselves(self) -> None:
        reading = read("""\
            # Kettle, 2023-04-05

            It went cold at 10:03 UTC; by 10:30 UTC it was warm again.
            """)

        assert [(e.start, e.text) for e in reading.entries] == [
            ("2023-04-05T10:03:00Z", "It went cold"),
            ("2023-04-05T10:30:00Z", "it was warm again."),
        ]

    def test_clauses_with_a_clock_each_tell_for_themselves(self) -> None:
        reading = read("""\
            # Kettle, 2023-06-05

            By 6:15 PM UTC the lid was found, and at 7 PM UTC kettles were warm.
            Tea was made, and by 8 PM UTC all had some.
            """)

        assert [(e.start, e.text) for e in reading.entries] == [
            ("2023-06-05T18:15:00Z", "the lid was found"),
            ("2023-06-05T19:00:00Z", "kettles were warm."),
            ("2023-06-05T20:00:00Z", "Tea was made, and all had some."),
        ]

    def test_a_month_in_the_title_gives_its_year_to_the_days(self) -> None:
        reading = read("""\
            Kettles in May 2023

            May 3 08:40 UTC (for 30 minutes)

            At 08:37 UTC, the kitchen noticed.
            """)

        assert starts(reading) == ["2023-05-03T08:40:00Z", "2023-05-03T08:37:00Z"]


class TestTimelinesInCode:
    def test_code_under_a_timeline_is_read_though_the_summary_names_a_time(self) -> None:
        reading = read("""\
            # Kettle

            ## Summary

            On May 9th 2021 at 7:40AM UTC the kettle went cold.

            ## Timeline (Japan time)

            ```
            16:40 (7:40 UTC): cold
            16:52: noticed
            17:10: warm
            ```
            """)

        assert starts(reading) == [
            "2021-05-09T16:40:00+09:00",
            "2021-05-09T16:52:00+09:00",
            "2021-05-09T17:10:00+09:00",
        ]

    def test_a_log_beside_a_list_is_none(self) -> None:
        reading = read("""\
            # Kettle, 2021-05-09

            ## Timeline

            - 16:40 New York time: cold

            ```
            16:41: one
            16:42: two
            16:43: three
            ```
            """)

        assert starts(reading) == ["2021-05-09T16:40:00-04:00"]

    def test_a_heading_with_a_time_may_hold_only_code(self) -> None:
        reading = read("""\
            # Kettle, 2021-05-09

            ## Timeline

            ### 13:51

            Some logs of the kettle were kept:
            ```
            hiss
            ```

            ### 14:00

            ```
            whistle
            ```

            ### 14:30

            Warm.
            """)

        assert [(e.line, e.text) for e in reading.entries] == [
            (5, "Some logs of the kettle were kept:"),
            (12, "whistle"),
            (18, "Warm."),
        ]
