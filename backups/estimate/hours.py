"""How a storage's speed goes with the hour of the day, and how well that is known.

A Gaussian process over the 24 hours of a day, with a kernel that comes round at midnight
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2 and 4.2). It
shrinks to "no difference" where little was measured and is uncertain where nothing was.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

HOURS = 24
# Hours nearer than about two are alike.
_LENGTH = 0.5
_JITTER = 1e-6

Matrix = list[list[float]]


@dataclass(frozen=True, slots=True)
class Bin:
    """What was measured at one hour of the day: the mean of so many days."""

    hour: int
    mean: float
    days: float


@dataclass(frozen=True, slots=True)
class Hours:
    """The logarithm of the speed at each hour against the mean, and a root of its covariance."""

    mean: tuple[float, ...]
    root: Matrix

    def draw(self, random: Random) -> list[float]:
        """Return one way in which the truth may differ from the mean, hour by hour."""
        normals = [random.gauss(0.0, 1.0) for _hour in range(HOURS)]
        return [
            sum(one * other for one, other in zip(row, normals, strict=False)) for row in self.root
        ]


def learn_hours(bins: Sequence[Bin], *, noise: float, amplitudes: Sequence[float]) -> Hours:
    """Return what the bins say of the hours.

    ``noise`` is the variance of one day's measure; of the amplitudes, the one under which the bins
    are most likely counts.
    """
    if not bins:
        amplitude = amplitudes[len(amplitudes) // 2]
        return Hours((0.0,) * HOURS, _cholesky(_kernel(range(HOURS), range(HOURS), amplitude)))
    return max(
        (_posterior(bins, noise, amplitude) for amplitude in amplitudes), key=lambda fit: fit[0]
    )[1]


def _posterior(bins: Sequence[Bin], noise: float, amplitude: float) -> tuple[float, Hours]:
    hours = [each.hour for each in bins]
    seen = _kernel(hours, hours, amplitude)
    for index, each in enumerate(bins):
        seen[index][index] += noise / each.days
    root = _cholesky(seen)
    half = _solve_lower(root, [each.mean for each in bins])
    evidence = -0.5 * sum(value * value for value in half) - sum(
        math.log(root[index][index]) for index in range(len(bins))
    )
    across = _kernel(range(HOURS), hours, amplitude)
    halves = [_solve_lower(root, row) for row in across]
    prior = _kernel(range(HOURS), range(HOURS), amplitude)
    covariance = [
        [prior[one][other] - _dot(halves[one], halves[other]) for other in range(HOURS)]
        for one in range(HOURS)
    ]
    return evidence, Hours(tuple(_dot(row, half) for row in halves), _cholesky(covariance))


def _kernel(rows: Sequence[int], columns: Sequence[int], amplitude: float) -> Matrix:
    return [
        [
            amplitude**2
            * math.exp(-2 * (math.sin(math.pi * (row - column) / HOURS) / _LENGTH) ** 2)
            for column in columns
        ]
        for row in rows
    ]


def _cholesky(matrix: Matrix) -> Matrix:
    """Return the lower root of a matrix that is positive definite but for rounding."""
    root: Matrix = []
    for index, row in enumerate(matrix):
        line: list[float] = []
        for column in range(index):
            line.append((row[column] - _dot(line, root[column])) / root[column][column])
        line.append(math.sqrt(max(row[index] - _dot(line, line), 0.0) + _JITTER))
        root.append(line)
    return root


def _solve_lower(root: Matrix, values: Sequence[float]) -> list[float]:
    solved: list[float] = []
    for row, value in zip(root, values, strict=True):
        solved.append((value - _dot(row, solved)) / row[len(solved)])
    return solved


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=False))
