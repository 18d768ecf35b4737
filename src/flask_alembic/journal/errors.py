"""What is said of a revision that is half done and can't go on by itself."""

from __future__ import annotations

import typing as t

from ..descriptions import describe
from ..errors import FlaskAlembicError
from ..redaction import redact
from ..run_errors import ChangedStatementError
from ..run_errors import HalfDoneError
from ..run_errors import UndecidedError

if t.TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

    from ..ddl.words import Effect
    from .table import Entry
    from .table import HalfDone
    from .table import JournalTable

_LONGEST: t.Final = 500


class Place(t.NamedTuple):
    """Where a revision is half done."""

    database: str
    of: HalfDone
    standing: tuple[str, ...]
    """The ids in the version table."""

    @property
    def stamp(self) -> str:
        """The command that forgets what is noted."""
        return f"'flask db stamp {' '.join(self.standing) or 'base'}'"

    @property
    def subject(self) -> str:
        """Begins a sentence about it."""
        how = "" if self.of.direction == "upgrade" else f"The {self.of.direction} of "
        kind = "Revision" if self.of.direction == "upgrade" else "revision"
        return (
            f"{how}{kind} {self.of.revision} is half done on the database"
            f" '{self.database}'"
        )

    def data(self, entry: Entry, hint: str) -> dict[str, t.Any]:
        """What all of the errors carry."""
        return {
            "database": self.database,
            "revision": self.of.revision,
            "position": entry.position,
            "statement": entry.statement,
            "hint": hint,
        }


def in_the_way(place: Place, entries: t.Sequence[Entry]) -> HalfDoneError:
    """Another revision is to run.

    :param place: Where one is half done.
    :param entries: What is noted of it.
    :return: The error to raise.
    """
    if place.of.direction == "snapshot":
        return half_loaded(place, entries[-1])

    lines = [f"  {e.position}. {_short(e.statement)}" for e in entries]
    return HalfDoneError(
        f"{place.subject}. It comes first. What took effect of it:\n"
        + "\n".join(lines),
        **place.data(
            entries[-1],
            "Run 'flask db resume', which completes it. Or undo by hand what took"
            f" effect, and run {place.stamp}, which forgets it.",
        ),
    )


def half_loaded(place: Place, entry: Entry) -> HalfDoneError:
    """A part of a snapshot is there.

    :param place: Where.
    :param entry: What is noted of it.
    :return: The error to raise.
    """
    return HalfDoneError(
        f"A snapshot is half loaded on the database '{place.database}': the run that"
        " loaded it was ended.",
        **place.data(
            entry,
            "Run 'flask db prepare' with that snapshot, which loads it anew. Or drop"
            " the database, and make an empty one.",
        ),
    )


def unreadable(
    table: JournalTable, database: str, error: DBAPIError
) -> FlaskAlembicError:
    """The journal is there, and can't be read.

    :param table: Its table.
    :param database: The name of the database.
    :param error: What was raised.
    :return: The error to raise.
    """
    reason = redact(describe(error), table.connection.engine)
    return FlaskAlembicError(
        f"The table {table.name} of the database '{database}' can't be read, so that"
        f" nobody knows whether a revision is half done there: {reason}",
        hint=f"Give the user the right to read and write {table.name}, or to do without"
        " it set ALEMBIC['journal'] to False.",
    )


def changed(place: Place, entry: Entry, now: str | None) -> ChangedStatementError:
    """The file has another statement than the one that was done.

    :param place: Where.
    :param entry: What was done.
    :param now: What the file has; ``None`` if it ends before.
    :return: The error to raise.
    """
    is_now = "nothing, the file ends before" if now is None else _short(now)
    return ChangedStatementError(
        f"{place.subject}, and its statement {entry.position} is not the one that was"
        f" done.\nDone: {_short(entry.statement)}\nNow:  {is_now}",
        now=now,
        **place.data(
            entry,
            "What was done has to stay as it was in the file; mend what comes after it."
            " Or undo by hand what was done, run"
            f" {place.stamp}, which forgets it, and run the same command again.",
        ),
    )


def undecided(place: Place, entry: Entry) -> UndecidedError:
    """A statement may have taken effect.

    :param place: Where.
    :param entry: The statement.
    :return: The error to raise.
    """
    return UndecidedError(
        f"{place.subject}, and nobody knows whether its statement {entry.position} took"
        f" effect: the run ended amid it.\nSQL: {_short(entry.statement)}",
        **place.data(
            entry,
            "Look it up. If it took effect run 'flask db resume --done', otherwise"
            " 'flask db resume --again'.",
        ),
    )


def undone(place: Place, entry: Entry, effect: Effect) -> HalfDoneError:
    """What was done is not there any more.

    :param place: Where.
    :param entry: The last statement that was done.
    :param effect: What is not so.
    :return: The error to raise.
    """
    how = "is not there" if effect.exists else "is there"
    return HalfDoneError(
        f"{place.subject}: its first {entry.position} statements were done before, but"
        f" {effect} {how}.",
        **place.data(
            entry,
            "If that was undone by hand, undo the rest too, run"
            f" {place.stamp}, which forgets it, and run the same command again.",
        ),
    )


def unanswered(place: Place, entry: Entry) -> HalfDoneError:
    """A statement was done, and its rows are not known.

    :param place: Where.
    :param entry: The statement.
    :return: The error to raise.
    """
    return HalfDoneError(
        f"{place.subject}: its statement {entry.position} was done before, and the rows"
        f" that it returned are not known any more.\nSQL: {_short(entry.statement)}",
        **place.data(
            entry,
            "Do the rest of it by hand and run 'flask db stamp' with it, or undo what"
            f" was done, run {place.stamp}, and run the same command again.",
        ),
    )


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
