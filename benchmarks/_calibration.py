"""A calibration plot as SVG: how often the truth came within what was said, for each share said."""

from collections.abc import Mapping, Sequence

from backups.estimate import Forecast

_SIDE, _EDGE = 360, 48
_COLOURS = ("#0b5cad", "#b04a00", "#2a7a2a", "#7a2a7a")
Pairs = Sequence[tuple[Forecast, float]]


def plot(found: Mapping[str, Pairs]) -> str:
    """Return the plot: a line for each mark, against the one on which all would be right."""
    width, height = _SIDE + 2 * _EDGE + 140, _SIDE + 2 * _EDGE
    fonts = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {fonts}>',
        "<title>Calibration of ETAs</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _path([(0, 0), (1, 1)], "#999", dash="4 4"),
        _path([(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)], "#333"),
    ]
    for tick in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1):
        x, y = _point(tick, tick)
        parts.append(
            f'<text x="{x:.0f}" y="{_EDGE + _SIDE + 16}" text-anchor="middle">{tick:g}</text>'
            f'<text x="{_EDGE - 6}" y="{y + 4:.0f}" text-anchor="end">{tick:g}</text>'
        )
    parts.append(
        f'<text x="{_EDGE + _SIDE / 2}" y="{height - 10}" text-anchor="middle">'
        "said: the end comes before this, with this chance</text>"
        f'<text transform="translate(14 {_EDGE + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
        "it came before it so often</text>"
    )
    for row, ((mark, pairs), colour) in enumerate(zip(found.items(), _COLOURS, strict=False)):
        y = _EDGE + 14 + row * 18
        parts.append(_path([(0, 0), *_line(pairs), (1, 1)], colour))
        parts.append(
            f'<rect x="{_EDGE + _SIDE + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
            f'<text x="{_EDGE + _SIDE + 30}" y="{y}">{mark} ({len(pairs)})</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _line(pairs: Pairs) -> list[tuple[float, float]]:
    names = ((0.1, "low80"), (0.25, "low50"), (0.5, "middle"), (0.75, "high50"), (0.9, "high80"))
    return [
        (said, sum(truth <= getattr(each, name) for each, truth in pairs) / max(1, len(pairs)))
        for said, name in names
    ]


def _point(x: float, y: float) -> tuple[float, float]:
    return _EDGE + x * _SIDE, _EDGE + (1 - y) * _SIDE


def _path(points: Sequence[tuple[float, float]], colour: str, *, dash: str = "") -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_point(*point) for point in points))
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dash}"/>'
    )
