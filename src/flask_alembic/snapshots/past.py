"""The revisions that a snapshot stands for, and whether they are still what they were
when it was written. Pure: the files are read elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from ..checksum import checksum
from ..checksum import file_hash
from ..checksum import is_same

# What is hashed may be another thing one day.
_VERSION: t.Final = "1"


@dataclass(frozen=True)
class PastRevision:
    """A revision, as it was when a snapshot was written."""

    id: str
    parents: tuple[str, ...]
    depends_on: tuple[str, ...]
    checksum: str | None
    """What its file did. ``None`` if there was no source to read."""
    file_hash: str | None


def checksum_of(past: t.Iterable[PastRevision]) -> str:
    """One checksum for all of a history. Formatting and comments do not change it.

    :param past: The revisions.
    :return: 66 characters.
    """
    ordered = sorted(past, key=lambda revision: revision.id)
    facts = [(r.id, r.parents, r.depends_on, r.checksum) for r in ordered]
    text = json.dumps(facts)
    return f"{_VERSION}-{hashlib.sha256(text.encode()).hexdigest()}"


def past_revision(
    id_: str,
    parents: t.Iterable[str],
    depends_on: t.Iterable[str],
    content: bytes | None,
) -> PastRevision:
    """A revision, as it is now.

    :param id_: Its id.
    :param parents: What it revises.
    :param depends_on: The ids that it depends on.
    :param content: What is in its file; ``None`` where there is none to read.
    :return: The revision.
    """
    return PastRevision(
        id_,
        tuple(sorted(parents)),
        tuple(sorted(depends_on)),
        None if content is None else checksum(content),
        None if content is None else file_hash(content),
    )


def is_unchanged(before: PastRevision, content: bytes | None) -> bool:
    """Whether the file of a revision does what it did. Only a file that differs is
    parsed, as that takes long.

    :param before: The revision, as it was.
    :param content: What is in its file; ``None`` where there is none to read.
    :return: ``False`` if it does something else.
    """
    if content is None or before.checksum is None:
        return (content is None) == (before.checksum is None)

    if file_hash(content) == before.file_hash:
        return True

    return is_same(before.checksum, checksum(content))
