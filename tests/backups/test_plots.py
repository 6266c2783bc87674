"""Plots: what is drawn is what the table says, with gaps where nothing is known."""

from datetime import timedelta

from django.template.loader import render_to_string

from backups.plots import HEIGHT, LEFT, WIDTH, Point, plotted
from tests.factories import HOUR, NOON


def told(value: float) -> str:
    return f"{value:g} h"


def points(*values: float | None) -> list[Point]:
    return [Point(at=NOON + number * HOUR, value=value) for number, value in enumerate(values)]


def test_a_line_runs_from_left_to_right_and_upwards() -> None:
    plot = plotted("Time back", points(1, 2, 4), told=told, name="back")

    assert plot is not None
    [line] = plot.lines
    places = [tuple(map(float, piece.split())) for piece in line.removeprefix("M").split("L")]
    assert places[0][0] == LEFT
    assert places[-1][0] > places[1][0] > places[0][0]
    assert places[-1][1] < places[1][1] < places[0][1]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert [rule.label for rule in plot.scale] == ["0 h", "1.25 h", "2.5 h", "3.75 h", "5 h"]


def test_what_is_not_known_is_a_gap_and_said_in_the_table() -> None:
    plot = plotted("Time back", points(1, 2, None, 3, 4), told=told, name="back")

    assert plot is not None
    assert len(plot.lines) == 2
    assert [figure for _at, figure, _span in plot.rows] == ["1 h", "2 h", "not known", "3 h", "4 h"]


def test_a_long_stretch_without_figures_is_not_bridged() -> None:
    far = Point(at=NOON + timedelta(days=9), value=3)

    plot = plotted("Time back", [*points(1, 2), far], told=told, name="back", gap=HOUR)

    assert plot is not None
    assert (len(plot.lines), len(plot.dots)) == (1, 1)


def test_too_few_figures_are_no_plot() -> None:
    assert plotted("Time back", points(1), told=told, name="back") is None
    assert plotted("Time back", points(None, None, 1), told=told, name="back") is None


def test_a_limit_above_all_figures_is_still_in_the_box() -> None:
    plot = plotted(
        "Time back", points(1, 2), told=told, name="back", limit=40, limit_label="decided"
    )

    assert plot is not None
    [mark] = plot.marks
    assert 0 < mark.y < HEIGHT
    assert mark.label == "decided"


def test_is_drawn_without_any_style_of_its_own_and_with_its_table() -> None:
    known = [
        Point(at=NOON + number * HOUR, value=number, low=number / 2, high=number * 2)
        for number in range(4)
    ]

    page = render_to_string(
        "backups/_plot.html", {"plot": plotted("<b>", known, told=told, name="back")}
    )

    assert "style=" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<tr>") == 5
    assert "1.5 h to 6 h" in page
