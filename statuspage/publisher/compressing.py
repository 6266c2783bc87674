"""Compression: as small as is worth the time of somebody who waits until it is published.

Measured on pages of components with names, words and histories of their own, CPU in milliseconds
and size in kilobytes:

    ==========  ===========  ===========  ===========  ===========  ===========  ===========
    components  body         brotli 10    brotli 8     brotli 6     gzip 9       gzip 6
    ==========  ===========  ===========  ===========  ===========  ===========  ===========
    20          22           5 ms, 3.3    0.3, 3.6     0.2, 3.6     0.2, 3.9     0.2, 4.0
    100         82           18 ms, 6.9   0.8, 7.5     0.6, 7.6     0.9, 8.4     0.6, 8.6
    300         231          49 ms, 15.2  2.1, 16.4    1.6, 16.8    2.6, 18.5    1.5, 19.3
    1,000       761          175 ms, 43   6.9, 47      5.0, 49      8.7, 54      4.9, 57
    ==========  ===========  ===========  ===========  ===========  ===========  ===========
"""

import gzip

import brotli

# From so many bytes on, the last tenth of the size would be what a publish waits for longest.
LARGE = 100_000
# Styles and scripts are compressed once, and nobody waits for them.
_BROTLI_BEST = 11
# What every visitor fetches first.
_BROTLI_FRONT = 10
_BROTLI_FRONT_LARGE = 8
_BROTLI = 6
_GZIP = 9
_GZIP_LARGE = 6
# The best of the quick ones.
_GZIP_LATER_LARGE = 3

# A document, its gzip and its brotli.
Bodies = tuple[bytes, bytes, bytes]


def compressed(body: bytes, *, is_front: bool = False) -> Bodies:
    """Return a document of a revision in each encoding; that of the front page is smaller."""
    is_large = len(body) > LARGE
    quality = _BROTLI
    if is_front:
        quality = _BROTLI_FRONT_LARGE if is_large else _BROTLI_FRONT
    return body, _gzipped(body, _GZIP_LARGE if is_large else _GZIP), _brotlied(body, quality)


def compressed_for_good(body: bytes) -> Bodies:
    """Return what never changes under its name in each encoding, as small as it gets."""
    return body, _gzipped(body, _GZIP), _brotlied(body, _BROTLI_BEST)


def compressed_for_later(body: bytes) -> bytes:
    """Return as gzip an edition that most probably nobody will read: the next publish is sooner."""
    return _gzipped(body, _GZIP_LATER_LARGE if len(body) > LARGE else _GZIP)


def _gzipped(body: bytes, level: int) -> bytes:
    # No time in the header: equal documents have equal bytes.
    return gzip.compress(body, level, mtime=0)


def _brotlied(body: bytes, quality: int) -> bytes:
    found: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=quality)
    return found
