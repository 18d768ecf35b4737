"""How long a statement may wait for a table on PostgreSQL, as its text tells. Pure."""

from __future__ import annotations

import enum
import re
import typing as t
from functools import lru_cache

from .statements import bare


class Need(enum.IntEnum):
    """What a statement needs of a lock timeout. Of several in one text, the highest
    counts.
    """

    NONE = 0
    """It reads or writes rows: nobody waits for it, unless tables are locked already.
    """

    PATIENCE = 1
    """It is made to wait for others, and keeps nobody waiting meanwhile."""

    LIMIT = 2
    """While it waits for a table, everybody else who comes waits behind it."""

    END = 3
    """It ends a transaction, and with it what was set in there."""

    OWN = 4
    """It sets the timeout itself."""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_OWN: t.Final = _words(
    r"(?:set (?:local |session )?|reset )lock_timeout\b|reset all\b|discard all\b"
)
_SET_CONFIG: t.Final = _words(r"\bset_config\s*\(\s*'lock_timeout'")
_END: t.Final = _words(r"(?:abort|commit|end|rollback)\b")
# https://www.postgresql.org/docs/current/explicit-locking.html tells which locks keep
# whom waiting. What runs concurrently also waits for transactions, by its nature.
_PATIENT: t.Final = _words(
    r".*\bconcurrently\b|alter table (?:if exists )?(?:only )?\S+ validate constraint"
    r" [^\s,]+$|analyze\b|vacuum\b(?!.*\bfull\b)"
)
_DATA: t.Final = _words(
    r"\(*(?:begin|call|close|copy|deallocate|declare|delete|execute|explain|fetch"
    r"|insert|listen|merge|move|notify|prepare|release|savepoint|select|set|show|start"
    r"|table|unlisten|update|values|with)\b"
)


# The same revisions may run on many databases.
@lru_cache(maxsize=1024)
def need_of(text: str) -> Need:
    """What a text needs of a lock timeout.

    :param text: What is executed: a statement, or several.
    :return: The need. That of what is not known here is ``LIMIT``.
    """
    if _SET_CONFIG.search(text):
        return Need.OWN

    needs = [_need(statement) for statement in bare(text, "postgresql")]
    return max(needs, default=Need.NONE)


def _need(statement: str) -> Need:
    if _OWN.match(statement):
        return Need.OWN

    if _END.match(statement):
        return Need.END

    if _PATIENT.match(statement):
        return Need.PATIENCE

    return Need.NONE if _DATA.match(statement) else Need.LIMIT


def blocks_reads(text: str) -> bool:
    """Whether a statement waits for sessions that only read a table.

    :param text: What was executed.
    :return: ``False`` for what readers don't get in the way of.
    """
    return any(_is_exclusive(statement) for statement in bare(text, "postgresql"))


_SHARED: t.Final = _words(r"create\b|comment\b|.*\bforeign key\b")


def _is_exclusive(statement: str) -> bool:
    return _need(statement) is Need.LIMIT and not _SHARED.match(statement)
