"""What may be an id, a label or a file's name, and how new ids are made."""

from __future__ import annotations

import re
import threading
import time
import typing as t

# The one pattern that decides what reaches SQL (Alembic writes ids into it as
# literals), a file's name or a function's name.
_NAME: t.Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")

# Alembic gives these a meaning in revision arguments: label@id, id+1, id-1, a:b.
_NOT_IN_IDS: t.Final = frozenset("@+-:")

# "a-1" is the revision before "a".
_COUNT: t.Final = re.compile(r"-\d+$")

# Words that stand for revisions in arguments.
_SYMBOLS: t.Final = frozenset({"base", "current", "head", "heads"})

_lock: t.Final = threading.Lock()
_last_id = 0


def timestamp_id() -> str:
    """A new id: the seconds since 1970, or more, so that none is given twice.

    :return: Digits. Each call in a process returns a greater number, also when the
        clock goes back.
    """
    global _last_id

    with _lock:
        _last_id = max(int(time.time()), _last_id + 1)
        return str(_last_id)


def is_id(value: object) -> bool:
    """Whether a value can be a revision id.

    :param value: Anything.
    :return: ``True`` for a ``str`` of ASCII letters, digits, ``_`` and ``.``.
    """
    return is_label(value) and _NOT_IN_IDS.isdisjoint(t.cast(str, value))


def is_label(value: object) -> bool:
    """Whether a value can be a branch label: an id, which may hold ``-`` too.

    :param value: Anything.
    :return: ``True`` if it can.
    """
    return (
        isinstance(value, str)
        and _NAME.fullmatch(value) is not None
        and not _COUNT.search(value)
        and value not in _SYMBOLS
    )
