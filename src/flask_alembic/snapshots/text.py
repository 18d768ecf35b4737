"""What stands in a snapshot, as a text and back. Pure: nothing is read or run here.

::

    -- A snapshot of the database 'default', written by 'flask db snapshot'.
    -- dialect: postgresql
    -- revisions: 1767605400
    -- history: 1-3f0a...
    -- rows: none

    -- == table public.todo
    CREATE TABLE public.todo (
        ...
    );

    -- == history
    -- ["1767605400", [], [], "1-0c9b...", "77d1..."]
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from .past import checksum_of
from .past import PastRevision

Rows = t.Literal["all"] | tuple[str, ...]

_HEADING: t.Final = re.compile(r"^-- == (.+)\n", re.MULTILINE)
_FACT: t.Final = re.compile(r"^-- (\w+): (.*)$", re.MULTILINE)
_HISTORY: t.Final = "history"
_FACTS: t.Final = ("dialect", "revisions", "history", "rows")


class UnreadableSnapshot(ValueError):
    """A text is not what a snapshot is."""


@dataclass(frozen=True)
class Statement:
    """One statement of a snapshot.

    :param title: What it makes, such as ``table todo``.
    :param sql: The statement, without a semicolon at its end.
    """

    title: str
    sql: str

    def is_table(self, name: str) -> bool:
        """Whether it makes a table.

        :param name: The name of the table, without a schema.
        :return: ``True`` if it does.
        """
        kind, _, what = self.title.partition(" ")
        return kind == "table" and what.rpartition(".")[2].strip('"') == name


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot holds."""

    dialect: str
    """The name of the dialect that it is for."""

    revisions: tuple[str, ...]
    """The ids that a database is at which it was loaded into."""

    rows: Rows
    """The tables whose rows are in it."""

    past: tuple[PastRevision, ...]
    """The revisions that it stands for, oldest first."""

    statements: tuple[Statement, ...]
    """What makes the schema, in this order."""

    @property
    def digest(self) -> str:
        """What is the same only for the same statements."""
        text = "\0".join(statement.sql for statement in self.statements)
        return f"snapshot {hashlib.sha256(text.encode()).hexdigest()}"


def written(snapshot: Snapshot, database: str) -> str:
    """Write a snapshot.

    :param snapshot: The snapshot.
    :param database: The name of the database.
    :return: The text of its file.
    :raises UnreadableSnapshot: If a statement could not be told from the next one.
    """
    parts = [
        f"-- A snapshot of the database '{database}', written by 'flask db snapshot'.\n"
        f"-- dialect: {snapshot.dialect}\n"
        f"-- revisions: {' '.join(snapshot.revisions)}\n"
        f"-- history: {checksum_of(snapshot.past)}\n"
        f"-- rows: {_rows_text(snapshot.rows)}\n"
    ]
    parts += map(_paragraph, snapshot.statements)
    past = "".join(f"-- {_past_text(revision)}\n" for revision in snapshot.past)
    return "\n".join([*parts, f"-- == {_HISTORY}\n{past}"])


def read(text: str) -> Snapshot:
    """Read a snapshot.

    :param text: The text of its file.
    :return: The snapshot.
    :raises UnreadableSnapshot: If it is none, or was changed by hand.
    """
    # Git may have written all of the file so. What stands so in a function stays.
    first = text.partition("\n")[0]
    text = text.replace("\r\n", "\n") if first.endswith("\r") else text
    head, *parts = _HEADING.split(text)
    facts = dict(_FACT.findall(head))
    titles, bodies = parts[::2], parts[1::2]

    if missing := [name for name in _FACTS if name not in facts]:
        raise UnreadableSnapshot(f"there is no line '-- {missing[0]}: ' at its top")

    if titles[-1:] != [_HISTORY]:
        raise UnreadableSnapshot("its end is missing")

    past = tuple(map(_past_of, bodies[-1].splitlines()))

    if checksum_of(past) != facts["history"]:
        raise UnreadableSnapshot("the revisions at its end are not those of its top")

    return Snapshot(
        dialect=facts["dialect"],
        revisions=tuple(facts["revisions"].split()),
        rows=_rows_of(facts["rows"]),
        past=past,
        statements=tuple(
            Statement(title, _statement(body))
            for title, body in zip(titles[:-1], bodies[:-1], strict=True)
        ),
    )


def _paragraph(statement: Statement) -> str:
    title = " ".join(statement.title.split())
    # What stands behind a comment in the last line is one too.
    *_, last = statement.sql.splitlines()
    end = "\n;" if "--" in last or "#" in last else ";"
    result = f"-- == {title}\n{statement.sql}{end}\n"

    if len(_HEADING.findall(result)) > 1:
        raise UnreadableSnapshot(f"in '{title}' there is a line that begins '-- == '")

    return result


def _statement(body: str) -> str:
    return body.strip("\n").removesuffix(";").rstrip("\n")


def _rows_text(rows: Rows) -> str:
    return rows if rows == "all" else ", ".join(rows) or "none"


def _rows_of(text: str) -> Rows:
    if text in ("all", "none"):
        return "all" if text == "all" else ()

    return tuple(text.split(", "))


def _past_text(revision: PastRevision) -> str:
    return json.dumps(
        [
            revision.id,
            revision.parents,
            revision.depends_on,
            revision.checksum,
            revision.file_hash,
        ]
    )


def _past_of(line: str) -> PastRevision:
    try:
        id_, parents, depends_on, checksum, file_hash = json.loads(line[3:])
        return PastRevision(id_, tuple(parents), tuple(depends_on), checksum, file_hash)
    except (TypeError, ValueError) as error:
        raise UnreadableSnapshot("its end is not a list of revisions") from error
