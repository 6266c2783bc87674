"""The lint on small documents; the real ones are in test_importer.py."""

from textwrap import dedent

from incidents.importer import read_postmortem
from incidents.lint import Finding, Level, lint


def findings(text: str, code: str, *, year: int | None = None) -> list[Finding]:
    found = lint(read_postmortem(dedent(text), year=year))
    return [finding for finding in found if finding.code == code]


CALM = """\
    # Outage of 2024-03-04

    All times in UTC.

    ## Timeline

    - 10:00: the site goes down
    - 10:05: an alert pages the engineer on call
    - 10:20: Status update: "We are looking into it."
    - 11:00: rolled back, back to normal
    - 11:30: incident resolved

    ## Actions

    - Add a test (owner: ana, due 2024-04-01)
    """


class TestDates:
    def test_a_calm_document_has_no_finding(self) -> None:
        assert lint(read_postmortem(dedent(CALM))) == ()

    def test_a_weekday_must_be_that_of_the_date(self) -> None:
        text = "## Timeline\n\n- Friday 2024-03-04 10:00 UTC: a\n- 2024-03-05 10:00 UTC: b\n"

        (finding,) = findings(text, "weekday_mismatch")

        assert finding.level == Level.ERROR
        assert finding.lines == (3,)
        assert "Monday" in finding.message

    def test_a_year_named_twice_must_be_the_same(self) -> None:
        text = """\
            ## Timeline

            - 2024-01-04 10:00 UTC: restored to 3 January 2023
            - 2024-01-04 11:00 UTC: done
            """

        (finding,) = findings(text, "year_conflict")

        assert finding.lines == (3,)
        assert "2023, 2024" in finding.message

    def test_an_old_date_that_has_nothing_to_do_with_it_is_fine(self) -> None:
        text = "## Timeline\n\n- 2024-01-04 10:00 UTC: the code of 3 July 2019 fails\n"

        assert findings(text, "year_conflict") == []

    def test_a_copied_title_is_noticed(self) -> None:
        text = "# Outage of 2023-11-20\n\n## Timeline\n\n- 2024-03-04 10:00 UTC: a\n"

        (finding,) = findings(text, "document_date_vs_timeline")

        assert finding.lines == (1,)


class TestTimes:
    def test_a_step_back_is_noticed(self) -> None:
        text = "# 2024-03-04\n\n- 10:00 UTC a\n- 10:30 UTC b\n- 10:15 UTC c\n- 10:40 UTC d\n"

        (finding,) = findings(text, "time_goes_backwards")

        assert finding.entries == (2, 3)

    def test_a_list_with_the_newest_first_does_not_go_back(self) -> None:
        text = "# 2024-03-04\n\n- 10:40 UTC d\n- 10:30 UTC c\n- 10:15 UTC b\n- 10:00 UTC a\n"

        assert findings(text, "time_goes_backwards") == []

    def test_a_second_incident_may_lie_before_the_first(self) -> None:
        text = """\
            # Incidents

            ## 2024-03-08

            - 10:00 UTC a
            - 10:30 UTC b

            ## 2024-03-04

            - 10:00 UTC c
            - 10:30 UTC d
            """

        assert findings(text, "time_goes_backwards") == []

    def test_summer_time_has_its_own_label(self) -> None:
        text = "# 2024-07-04\n\n- 10:00 CET a\n- 10:30 CET b\n"

        (finding,) = findings(text, "tz_label_not_in_force")

        assert finding.entries == (1, 2)

    def test_a_winter_label_in_winter_is_fine(self) -> None:
        assert (
            findings("# 2024-01-04\n\n- 10:00 CET a\n- 10:30 CET b\n", "tz_label_not_in_force")
            == []
        )

    def test_a_range_must_end_after_it_begins(self) -> None:
        text = "## Timeline\n\n- 2024-03-04 10:00 - 2024-03-03 11:00 UTC: a\n"

        assert findings(text, "range_ends_before_start")

    def test_am_and_pm_belong_to_twelve_hours(self) -> None:
        text = "## Timeline\n\n- 2024-03-04 17:14pm: a\n- 2024-03-04 18:00: b\n"

        (finding,) = findings(text, "redundant_meridiem")

        assert finding.lines == (3,)

    def test_two_zones_are_noticed(self) -> None:
        text = "# 2024-03-04\n\n- 10:00 UTC a\n- 10:30 UTC b\n- 12:00 CET c\n"

        (finding,) = findings(text, "timezones_differ")

        assert finding.lines == (5,)


class TestUpdates:
    def test_a_late_first_word_and_a_long_silence_are_noticed(self) -> None:
        text = """\
            # 2024-03-04

            All times in UTC.

            - 10:00: the site goes down
            - 12:30: Status update: "We are looking."
            - 13:00: Status update: "Back by the end of the day."
            - 23:00: Status update: "Still at it."
            - 2024-03-05 09:00: fully restored
            """

        (late,) = findings(text, "first_update_late")
        (gap,) = findings(text, "update_gap")
        (eta,) = findings(text, "eta_expired")

        assert "2 h 30 min" in late.message
        assert gap.lines == (7, 8)
        assert eta.lines == (7,)

    def test_a_kept_promise_is_no_finding(self) -> None:
        text = """\
            # 2024-03-04

            - 10:00 UTC the site goes down
            - 10:10 UTC Status update: "Back by the end of the day."
            - 15:00 UTC fully restored
            """

        assert findings(text, "eta_expired") == []


class TestStory:
    def test_resolved_before_it_started(self) -> None:
        text = """\
            # 2024-03-04

            - 2024-03-04 10:00 UTC the site goes down
            - 2024-03-03 11:00 UTC incident resolved
            """

        (finding,) = findings(text, "milestones_out_of_order")

        assert finding.lines == (3, 4)

    def test_nothing_that_reads_like_an_entry(self) -> None:
        assert findings("Just some words about nothing.", "no_timeline")


class TestActions:
    def test_open_ones_need_an_owner_and_a_date(self) -> None:
        text = """\
            # 2024-03-04

            - 10:00 UTC down

            ## Actions

            - Add a test
            - Add an alert (@ana, due 2024-04-01)
            """

        assert [f.lines for f in findings(text, "action_without_owner")] == [(7,)]
        assert [f.lines for f in findings(text, "action_without_due")] == [(7,)]
