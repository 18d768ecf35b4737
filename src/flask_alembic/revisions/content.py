"""Reads a file whole, without Python's layers, which take twice as long: this is done
for each file of a history.
"""

from __future__ import annotations

import os
import typing as t

_CHUNK: t.Final = 1 << 14
_FLAGS: t.Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)


def read_content(path: str) -> bytes:
    """All that is in a file.

    :param path: The file.
    :return: Its content.
    :raises OSError: If it can't be read.
    """
    handle = os.open(path, _FLAGS)

    try:
        chunks = [os.read(handle, _CHUNK)]

        while len(chunks[-1]) == _CHUNK:
            chunks.append(os.read(handle, _CHUNK))
    finally:
        os.close(handle)

    return b"".join(chunks)
