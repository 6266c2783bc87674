"""Giving back the disk of a stretch of a file that stays: Linux's fallocate, which Python lacks."""

import ctypes
import os

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_libc.syncfs.argtypes = [ctypes.c_int]


def punch(descriptor: int, start: int, length: int) -> None:
    """Turn a stretch into a hole, which reads as zeros.

    :raises OSError: if the file system cannot
    """
    if _libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, length):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def sync_file_system(descriptor: int) -> None:
    """Force to the disk what any file of the file system has in memory.

    :raises OSError: if that fails
    """
    if _libc.syncfs(descriptor):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
