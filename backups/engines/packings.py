"""How files of an archive are packed: told by the ends of their names, read whole or as streams."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol, TypeVar

import lz4.frame  # type: ignore[import-untyped]
import snappy  # type: ignore[import-untyped]
import zstandard

from backups.errors import EngineFailed

# As barman and pgBackRest end the names of what they pack.
PACKINGS = ("gz", "bz2", "xz", "zst", "lz4", "snappy")
CHUNK = 1024 * 1024
# What the libraries say of content that is cut off or no such content at all.
UNPACKING_ERRORS = (
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    snappy.UncompressError,
    zlib.error,
    zstandard.ZstdError,
)
_GZIP = 16 + zlib.MAX_WBITS
Way = TypeVar("Way")


class Readable(Protocol):
    """What tarfile needs of a stream."""

    def read(self, size: int = -1, /) -> bytes: ...


class _SnappyStream:
    """Snappy's framing as a stream: the library unpacks pieces, and knows no file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pieces = snappy.StreamDecompressor()
        self._ready = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        while size < 0 or len(self._ready) < size:
            packed = self._file.read(CHUNK)
            if not packed:
                break
            self._ready += self._pieces.decompress(packed)
        wanted = len(self._ready) if size < 0 else size
        content = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return content


def _gunzipped(content: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    whole = unpacker.decompress(content)
    # Only at its end does the CRC of a gzip file get looked at.
    if not unpacker.eof:
        raise ValueError("ends early")
    return whole


# Without a size in the header, as barman and pgBackRest write it, only the object form copes.
_WHOLE: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": _gunzipped,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zst": lambda content: zstandard.ZstdDecompressor().decompressobj().decompress(content),
    "lz4": lz4.frame.decompress,
    "snappy": lambda content: bytes(snappy.StreamDecompressor().decompress(content)),
}
_STREAMS: Mapping[str, Callable[[IO[bytes]], Any]] = {
    "": lambda file: file,
    "gz": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True),
    "lz4": lz4.frame.LZ4FrameFile,
    "snappy": _SnappyStream,
}


def unpacked(content: bytes, packing: str) -> bytes:
    """Return what was packed; an empty ``packing`` means that it was not.

    Fails with one of ``UNPACKING_ERRORS`` if it is no such content. Where zstd or snappy is cut
    off, less comes out than went in: the length has to be looked at.

    :raises EngineFailed: if the packing is not known here
    """
    return _known(_WHOLE, packing)(content)


def stream_of(file: IO[bytes], packing: str) -> Readable:
    """Return what was packed into an open file as a stream.

    :raises EngineFailed: if the packing is not known here
    """
    stream: Readable = _known(_STREAMS, packing)(file)
    return stream


def _known(table: Mapping[str, Way], packing: str) -> Way:
    if packing not in table:
        raise EngineFailed(
            f"the packing {packing} is not known",
            advice="The archive is packed in a way that cannot be read here. Take backups plain, "
            f"or packed as one of {', '.join(PACKINGS)}.",
        )
    return table[packing]
