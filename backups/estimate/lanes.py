"""Work that runs in several lanes at once, as if it ran in one."""

import heapq
from collections.abc import Sequence


def in_one_lane(amounts: Sequence[float], lanes: int) -> float:
    """Return how much one lane would have to do to take as long as these in so many lanes.

    They are taken in their order, each by the lane that is free first: a large one at the end
    leaves the other lanes empty.
    """
    ends = [0.0] * max(1, lanes)
    for amount in amounts:
        heapq.heapreplace(ends, ends[0] + amount)
    return max(ends)
