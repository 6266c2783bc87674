"""Compression: nothing is lost at any size, and what everybody fetches is the smallest."""

import gzip
import random

import brotli
import pytest

from statuspage.publisher.compressing import (
    LARGE,
    compressed,
    compressed_for_good,
    compressed_for_later,
)

# The same text each time.
_SOME = random.Random(7)
_WORDS = ("search", "checkout", "billing", "login", "gateway", "mail", "import", "tours", "reports")
TEXT = "".join(
    f"<li><b>{_SOME.choice(_WORDS)} {_SOME.choice(_WORDS)} {number}</b> {_SOME.random():.2%}</li>"
    for number in range(3000)
).encode()


@pytest.mark.parametrize("size", [0, 1, 5_000, LARGE, LARGE + 1])
@pytest.mark.parametrize("is_front", [True, False])
def test_nothing_is_lost(size: int, *, is_front: bool) -> None:
    body = TEXT[:size]

    for plain, gzipped, brotlied in (
        compressed(body, is_front=is_front),
        compressed_for_good(body),
    ):
        assert plain == body
        assert gzip.decompress(gzipped) == body
        assert brotli.decompress(brotlied) == body
    assert gzip.decompress(compressed_for_later(body)) == body


def test_equal_documents_have_equal_bytes() -> None:
    assert compressed(TEXT) == compressed(bytes(bytearray(TEXT)))


def test_the_front_page_is_smaller_than_what_few_fetch() -> None:
    for size, at_most in ((10_000, 0.95), (LARGE, 0.95), (LARGE + 1, 0.99)):
        body = TEXT[:size]
        front, other = compressed(body, is_front=True)[2], compressed(body)[2]
        assert len(front) < at_most * len(other)


def test_of_a_large_front_page_the_last_tenth_is_not_waited_for() -> None:
    body = TEXT[: LARGE + 1]

    for_good = compressed_for_good(body)[2]

    assert len(for_good) < 0.9 * len(compressed(body, is_front=True)[2])
    assert len(for_good) > 0.9 * len(compressed(body[:-1], is_front=True)[2])
