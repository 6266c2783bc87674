"""The forms in which people write timelines, each in a small document of our own."""

from textwrap import dedent

import pytest

from incidents.importer import Reading, YearUnclear, read_postmortem


def read(text: str, *, year: int | None = None, timezone: str | None = None) -> Reading:
    return read_postmortem(dedent(text), year=year, timezone=timezone)


def starts(reading: Reading) -> list[str | None]:
    return [entry.start for entry in reading.entries]


def texts(reading: Reading) -> list[str]:
    return [entry.text for entry in reading.entries]


class TestTables:
    def test_with_a_date_column_that_is_filled_once(self) -> None:
        reading = read("""\
            # Kettle outage

            | Date | Time (UTC) | Description |
            |---|---|---|
            | 10/21/2015 | 22:50 | A new heater goes live |
            | | 23:10 | Water stays cold |
            | | 00:20 | The old heater is back |
            | 10/23/2015 | 09:00 | Review |
            """)

        assert starts(reading) == [
            "2015-10-21T22:50:00Z",
            "2015-10-21T23:10:00Z",
            "2015-10-22T00:20:00Z",
            "2015-10-23T09:00:00Z",
        ]
        assert [e.date_source for e in reading.entries] == [
            "inline",
            "inherited",
            "rollover",
            "inline",
        ]

    def test_with_a_column_for_the_person(self) -> None:
        reading = read("""\
            # 2021-06-03 Full queue

            ## Timeline

            | Time | Who | What |
            |------|-----|------|
            | 9:05 AM ET | ana | Sees the queue grow |
            | 11:58 AM | ben | Restarts the broker |
            | 12:40 PM | ana | Queue is empty |
            | 1:15 PM | ana | Done |
            """)

        assert starts(reading) == [
            "2021-06-03T09:05:00-04:00",
            "2021-06-03T11:58:00-04:00",
            "2021-06-03T12:40:00-04:00",
            "2021-06-03T13:15:00-04:00",
        ]
        assert texts(reading)[0] == "Sees the queue grow"

    def test_with_a_column_for_the_end(self) -> None:
        reading = read("""\
            ## Timeline

            | Start (UTC) | End (UTC) | What |
            |---|---|---|
            | 2020-05-05 10:00 | 2020-05-05 10:20 | Slow pages |
            | 2020-05-05 23:30 | 00:20 | Slow again |
            """)

        assert [(e.start, e.end) for e in reading.entries] == [
            ("2020-05-05T10:00:00Z", "2020-05-05T10:20:00Z"),
            ("2020-05-05T23:30:00Z", "2020-05-06T00:20:00Z"),
        ]
        assert "day_rollover" in reading.entries[1].flags

    def test_with_rows_that_are_only_a_date_or_only_dots(self) -> None:
        reading = read("""\
            # Timeline

            All timestamps in UTC

            | Date / Time | Event |
            | --- | --- |
            | 2023-03-03 |  |
            | 09:36:09 | An alert opens the incident |
            | … | … |
            | unknown | Somebody restarts it |
            | 10:12:10 | Closed |
            """)

        assert starts(reading) == ["2023-03-03T09:36:09Z", None, "2023-03-03T10:12:10Z"]
        assert reading.entries[1].flags == ("unknown_time",)
        assert reading.entries[1].bounds == ("2023-03-03T09:36:09Z", "2023-03-03T10:12:10Z")

    def test_that_are_about_something_else_are_left_alone(self) -> None:
        reading = read("""\
            # Outage of 2020-05-05

            | | |
            |---|---|
            | Start | 2020-05-05 10:00 UTC |
            | End | 2020-05-05 11:00 UTC |

            ## Timeline

            | Time | Event |
            |---|---|
            | 10:00 | Down |
            | 11:00 | Up |

            ## Actions

            | Action | Owner | Due | Status |
            |---|---|---|---|
            | Add an alarm | ana | 2020-06-01 | open |
            | Write it down | ben | 2020-05-09 | done |
            """)

        assert texts(reading) == ["Down", "Up"]
        assert [(a.text, a.owner, a.state, a.due, a.done) for a in reading.actions] == [
            ("Add an alarm", "ana", "planned", "2020-06-01", None),
            ("Write it down", "ben", "done", None, "2020-05-09"),
        ]


class TestLists:
    def test_with_month_and_day_in_brackets(self) -> None:
        reading = read("""\
            # Certificates

            All times in UTC.

            ## Timeline (2020)

            * [02-28 17:55] First doubt
            * [02-29 00:40] Fixed
            * [03-01 10:00] Customers have the list
            """)

        assert starts(reading) == [
            "2020-02-28T17:55:00Z",
            "2020-02-29T00:40:00Z",
            "2020-03-01T10:00:00Z",
        ]

    def test_with_numbers_and_doubts(self) -> None:
        reading = read("""\
            Incident 2019-03-12

            Timeline:

            1. 14:05 CET - Mail piles up
            2. ~14:20 - First calls
            3. 14:30-ish: on-call is paged
            4. ??:?? - somebody restarts the relay
            5. 15:10 – 15:40 - the queue drains
            6. ±16:00: over
            """)

        assert starts(reading) == [
            "2019-03-12T14:05:00+01:00",
            "2019-03-12T14:20:00+01:00",
            "2019-03-12T14:30:00+01:00",
            None,
            "2019-03-12T15:10:00+01:00",
            "2019-03-12T16:00:00+01:00",
        ]
        assert [e.approx for e in reading.entries] == [False, True, True, True, False, True]
        assert reading.entries[4].end == "2019-03-12T15:40:00+01:00"
        assert "placeholder_time" in reading.entries[3].flags

    def test_below_bullets_that_are_dates(self) -> None:
        reading = read("""\
            ## Timeline

            - 2022-03-01
              - 10:00 UTC – one
              - 10:30 UTC – two
            - 2022-03-02
              - 09:00 UTC – three
            """)

        assert starts(reading) == [
            "2022-03-01T10:00:00Z",
            "2022-03-01T10:30:00Z",
            "2022-03-02T09:00:00Z",
        ]
        assert {e.date_source for e in reading.entries} == {"section"}

    def test_with_a_bullet_between_that_has_no_time(self) -> None:
        reading = read("""\
            # 2020-05-05

            ## Timeline

            - **10:00 UTC** — a deploy
              - a detail, at 10:01
            - Meanwhile, support answers
            - **10:30 UTC** — over
            """)

        assert texts(reading) == ["a deploy", "Meanwhile, support answers", "over"]
        assert reading.entries[1].flags == ("undated_between_dated",)

    def test_past_midnight(self) -> None:
        reading = read("""\
            # Postmortem 2020-12-31

            ## Timeline

            All times UTC

            - 22:10: replication stops
            - 23:55: alert
            - 00:15: failover
            - 01:30: over
            """)

        assert starts(reading)[2:] == ["2021-01-01T00:15:00Z", "2021-01-01T01:30:00Z"]
        assert [e.date_source for e in reading.entries] == [
            "document",
            "document",
            "rollover",
            "inherited",
        ]

    def test_newest_first_and_past_midnight(self) -> None:
        reading = read("""\
            # Outage of 2021-04-01

            ## Timeline (UTC)

            * 01:10 closed
            * 00:20 fixed
            * 23:50 found
            * 22:00 began
            """)

        assert starts(reading) == [
            "2021-04-02T01:10:00Z",
            "2021-04-02T00:20:00Z",
            "2021-04-01T23:50:00Z",
            "2021-04-01T22:00:00Z",
        ]

    def test_over_new_year_without_years(self) -> None:
        reading = read("""\
            # Fireworks

            Date: December 30, 2021

            ## Timeline

            - Dec 30 23:00: one
            - Dec 31 12:00: two
            - Jan 1 01:00: three
            - Jan 2: four
            """)

        assert starts(reading) == [
            "2021-12-30T23:00:00",
            "2021-12-31T12:00:00",
            "2022-01-01T01:00:00",
            "2022-01-02",
        ]

    def test_of_afternoons_that_say_so_once(self) -> None:
        reading = read("""\
            # 2020-08-01

            ## Timeline

            - 11:50 AM one
            - 12:10 PM two
            - 1:05 three
            """)

        assert starts(reading)[2] == "2020-08-01T13:05:00"


class TestHeadings:
    def test_that_are_times(self) -> None:
        reading = read("""\
            ## Incident timeline

            #### 2018 October 21 22:52 UTC

            The two halves part.

            More about it.

            #### 2018 October 21 22:54 UTC: alerts

            They come in.
            """)

        assert starts(reading) == ["2018-10-21T22:52:00Z", "2018-10-21T22:54:00Z"]
        assert texts(reading) == ["The two halves part.", "alerts"]

    def test_that_are_days_with_and_without_times_below(self) -> None:
        reading = read("""\
            # Disks in 2021

            ## Timeline

            ### Monday, March 8

            Slow disks are seen.

            ### Tuesday, March 9

            * 08:00 CET disks replaced
            * 12:00 CET all in step again
            """)

        assert starts(reading) == [
            "2021-03-08",
            "2021-03-09T08:00:00+01:00",
            "2021-03-09T12:00:00+01:00",
        ]
        assert [e.precision for e in reading.entries] == ["day", "minute", "minute"]

    def test_of_several_incidents(self) -> None:
        reading = read("""\
            # Incidents of July 2021

            ## 2021-07-03: no login

            - 10:00 Deploy
            - 10:30 Rollback

            ## 2021-07-19: slow search

            - 22:00 Index is rebuilt
            - 00:40 Done
            """)

        assert starts(reading) == [
            "2021-07-03T10:00:00",
            "2021-07-03T10:30:00",
            "2021-07-19T22:00:00",
            "2021-07-20T00:40:00",
        ]
        assert [e.part for e in reading.entries] == [1, 1, 2, 2]


class TestProse:
    def test_is_read_sentence_by_sentence(self) -> None:
        reading = read("""\
            # What happened on 14 November 2022

            On Monday, 14 November 2022 at 08:30 US/Pacific, a setting was changed. The proxies
            fell over. Engineers were alerted at 08:42 and looked into it. Full service was back
            by around 09:40.

            We will write more on 18 November.
            """)

        assert [(e.line, e.start, e.approx) for e in reading.entries] == [
            (3, "2022-11-14T08:30:00-08:00", False),
            (4, "2022-11-14T08:42:00-08:00", False),
            (4, "2022-11-14T09:40:00-08:00", True),
        ]
        assert texts(reading)[0] == "a setting was changed."

    def test_outside_a_timeline_is_no_second_entry(self) -> None:
        reading = read("""\
            # Outage

            At 2019-10-21 01:38 UTC the site went down.

            ## Timeline

            - 2019-10-21 01:38 UTC: the site goes down
            - 02:06: it is back
            """)

        assert [e.line for e in reading.entries] == [7, 8]


class TestDaysAndMonths:
    def test_keep_their_precision(self) -> None:
        reading = read("""\
            # A long leak, 2019

            ## Timeline

            | Date | Event |
            |---|---|
            | 2017 | The form is written |
            | Jan 2018 | It goes live |
            | 2018-11 | It is changed |
            | March 3-5, 2019 | The scan |
            | ~ 7 March 2019 | Letters are sent |
            | Feb 28th | Out of order |
            """)

        assert [(e.start, e.end, e.precision) for e in reading.entries] == [
            ("2017", None, "year"),
            ("2018-01", None, "month"),
            ("2018-11", None, "month"),
            ("2019-03-03", "2019-03-05", "day"),
            ("2019-03-07", None, "day"),
            ("2019-02-28", None, "day"),
        ]
        assert reading.entries[4].approx


class TestLeaningTimes:
    def test_are_counted_from_the_entry_they_lean_on(self) -> None:
        reading = read("""\
            # 2020-08-01

            ## Timeline

            - 14:00 UTC: down
            - 10 minutes later: an alert
            - T+30m: a call
            - The next day: a report
            """)

        assert starts(reading) == [
            "2020-08-01T14:00:00Z",
            "2020-08-01T14:10:00Z",
            "2020-08-01T14:30:00Z",
            "2020-08-02",
        ]
        assert {e.date_source for e in reading.entries[1:]} == {"relative"}


class TestZones:
    def test_may_differ_from_entry_to_entry(self) -> None:
        reading = read("""\
            ## Timeline

            - 2020-03-09 09:00 PDT (16:00 UTC): one
            - 2020-03-09 18:30 UTC: two
            - 2020-03-09T01:02:03Z three
            - 2020-03-09 10:05:09+09:00 four
            - 2020-03-09 08:00 Europe/Paris five
            - 2020-07-09 08:00 BST six
            - 2020-07-09 20:00 JST seven
            """)

        assert starts(reading) == [
            "2020-03-09T09:00:00-07:00",
            "2020-03-09T18:30:00Z",
            "2020-03-09T01:02:03Z",
            "2020-03-09T10:05:09+09:00",
            "2020-03-09T08:00:00+01:00",
            "2020-07-09T08:00:00+01:00",
            "2020-07-09T20:00:00+09:00",
        ]
        assert texts(reading)[0] == "one"

    @pytest.mark.parametrize(
        "statement",
        [
            "All times in EST.",
            "*(times are EST)*",
            "Timezone: EST",
            "All times are US Eastern Standard Time",
        ],
    )
    def test_may_be_stated_once(self, statement: str) -> None:
        reading = read(f"# 2020-01-09\n\n## Timeline\n\n{statement}\n\n- 10:00 a\n- 10:10 b\n")

        assert starts(reading) == ["2020-01-09T10:00:00-05:00", "2020-01-09T10:10:00-05:00"]

    def test_may_be_given_by_the_caller(self) -> None:
        reading = read("# 2020-07-09\n\n- 10:00 a\n- 10:10 b\n", timezone="Europe/Amsterdam")

        assert starts(reading)[0] == "2020-07-09T10:00:00+02:00"


class TestDates:
    @pytest.mark.parametrize(
        ("words", "start"),
        [
            ("2022-03-01 - 10:00 -", "2022-03-01T10:00:00"),
            ("2022/03/01, 10:00:", "2022-03-01T10:00:00"),
            ("01.03.2022 10:00", "2022-03-01T10:00:00"),
            ("3/21/2022 10:00 PM -", "2022-03-21T22:00:00"),
            ("21/03/2022 10:00", "2022-03-21T10:00:00"),
            ("Mar 1 2022 12:00", "2022-03-01T12:00:00"),
            ("1 Mar 2022, 12:30 —", "2022-03-01T12:30:00"),
            ("1st of March 2022 at 2pm:", "2022-03-01T14:00:00"),
            ("March 1st, 2022, noon:", "2022-03-01T12:00:00"),
            ("Tue Mar 1 13:00:00 UTC 2022", "2022-03-01T13:00:00Z"),
            ("(2022-03-01 13:00:05 UTC)", "2022-03-01T13:00:05Z"),
            ("`2022-03-01 1300 UTC`", "2022-03-01T13:00:00Z"),
            ("13:00 UTC on 1 March 2022:", "2022-03-01T13:00:00Z"),
            ("2022-03-01 17:14pm", "2022-03-01T17:14:00"),
        ],
    )
    def test_are_read_in_many_forms(self, words: str, start: str) -> None:
        reading = read(f"## Timeline\n\n- {words} the lamp goes out\n- 2022-03-30: end\n")

        assert (reading.entries[0].start, reading.entries[0].text) == (start, "the lamp goes out")

    def test_without_any_year_are_asked_about(self) -> None:
        with pytest.raises(YearUnclear) as refused:
            read("## Timeline\n\n- Mar 1 10:00: a\n- Mar 1 11:00: b\n")

        assert refused.value.readings == ()

    def test_take_the_year_they_are_given(self) -> None:
        reading = read("## Timeline\n\n- Dec 31 10:00: a\n- Jan 1 11:00: b\n", year=2019)

        assert starts(reading) == ["2019-12-31T10:00:00", "2020-01-01T11:00:00"]

    def test_take_the_year_that_everything_else_agrees_on(self) -> None:
        reading = read("""\
            ## Timeline

            - November 30, 10:00: a
            - November 30, 11:00: b

            ## Actions

            - Do it (planned February 2021)
            """)

        assert starts(reading)[0] == "2020-11-30T10:00:00"
        assert reading.entries[0].flags == ("year_inferred",)


class TestShortenedDates:
    def test_a_weekday_is_the_next_one(self) -> None:
        reading = read("""\
            # Week of 4 March 2024

            ## Timeline (UTC)

            - Monday 4 March 22:00: a
            - Tuesday 09:00: b
            - Wed 10:00: c
            """)

        assert starts(reading) == [
            "2024-03-04T22:00:00Z",
            "2024-03-05T09:00:00Z",
            "2024-03-06T10:00:00Z",
        ]

    def test_month_and_day_follow_the_order_of_the_whole(self) -> None:
        reading = read("""\
            # Outage

            | Date/Time | Event |
            |-|-|
            | 7/22/2019 13:42 UTC | a |
            | 7/22 14:00 | b |
            | 14:02 | c |
            """)

        assert starts(reading) == [
            "2019-07-22T13:42:00Z",
            "2019-07-22T14:00:00Z",
            "2019-07-22T14:02:00Z",
        ]

    def test_a_title_may_hold_the_year(self) -> None:
        reading = read("Feb 28th incident 2017\n\n9:37 AM PST slow\n1:12 PM PST well again\n")

        assert starts(reading) == ["2017-02-28T09:37:00-08:00", "2017-02-28T13:12:00-08:00"]

    def test_two_starts_and_an_end(self) -> None:
        reading = read(
            "## Timeline\n\n* 2017/01/31 16:00/17:00 - 21:00: a\n* 2017/01/31 22:00: b\n"
        )

        assert reading.entries[0].end == "2017-01-31T21:00:00"
        assert reading.entries[0].text == "a"


class TestTraps:
    def test_are_no_entries(self) -> None:
        reading = read("""\
            # Outage on 2022-05-04

            Duration: 0:20

            ## Timeline (UTC)

            - 10:00 - First errors, see https://graphs.example/d?from=2022-05-04T09:59:00
            - 10:05 - Paged

            ```
            2022-05-04 10:06:01 ERROR db: connection refused
            10:06:02 retry
            ```

            - 10:20 - Fixed; the job of `11:00` is off

            ### Chat log

            [10:01] <ana> is it down?
            10:02 ben: yes

            > carl [10:03 AM]
            > same here

            ## Impact

            - 10:00 - 10:20 UTC: 40% of requests failed

            ## Follow-up

            - [ ] Write a runbook by 2022-06-01 (@ben)
            - [x] Add an alert (done 2022-05-05)
            """)

        assert [e.line for e in reading.entries] == [7, 8, 15]
        assert [(a.state, a.due, a.done, a.owner) for a in reading.actions] == [
            ("proposed", "2022-06-01", None, "ben"),
            ("done", None, "2022-05-05", ""),
        ]

    def test_a_timeline_may_be_set_as_code(self) -> None:
        reading = read("""\
            # 2020-04-04

            ## Timeline

            ```
            14:00 deploy
            14:10 errors
            ```
            """)

        assert texts(reading) == ["deploy", "errors"]


class TestStatusPages:
    def test_put_the_time_below_the_words(self) -> None:
        reading = read(
            """\
            Slow replies

            Resolved - All is well.
            Feb 28, 22:35 UTC

            Investigating - We are looking.
            Feb 28, 20:10 UTC
            """,
            year=2020,
        )

        assert [(e.start, e.text) for e in reading.entries] == [
            ("2020-02-28T22:35:00Z", "Resolved - All is well."),
            ("2020-02-28T20:10:00Z", "Investigating - We are looking."),
        ]
