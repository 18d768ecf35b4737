"""The journal of one database during a run: which revision is half done there, and what
is noted and forgotten of it. What is noted of a statement while it runs is elsewhere.
"""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from .. import alembic_internals
from ..history import History
from ..load_step import LoadStep
from ..sqlite import is_busy
from ..steps import step_direction
from ..steps import step_name
from . import errors
from .errors import Place
from .guard import Guard
from .table import COMMITTING
from .table import HalfDone
from .table import JournalTable
from .table import make_entry

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .table import Entry

_log = logging.getLogger("flask_alembic")

_DIALECTS: t.Final = COMMITTING | {"postgresql", "sqlite"}
_SAVEPOINT: t.Final = "flask_alembic_journal"


class Journal:
    """What is half done on a database.

    :param context: The context of the database, which is connected and in no
        transaction of somebody else's.
    :param database: Its name.
    """

    def __init__(self, context: MigrationContext, database: str) -> None:
        self.database: str = database
        self.table: JournalTable = JournalTable(context)
        self.found: dict[HalfDone, dict[int, Entry]] = {}
        self._context = context
        self._is_ready: bool | None = None

    @property
    def is_working(self) -> bool:
        """Whether statements are noted, as far as is known."""
        return self._is_ready is not False

    def read(self) -> None:
        """Read what is half done, in a transaction of its own: MariaDB reads no table
        in one that is older than the table.

        :raises FlaskAlembicError: If it can't be read.
        """
        if not self.is_working:
            return

        connection = self.table.connection
        connection.rollback()
        self.found = {}

        if self._find():
            try:
                self.found = self.table.read()
            except DBAPIError as error:
                if error.connection_invalidated or is_busy(error):
                    raise

                connection.rollback()
                raise errors.unreadable(self.table, self.database, error) from error

        connection.rollback()

    def _find(self) -> bool:
        """Whether the table is there. Who has no right to it is not even told that."""
        try:
            self._is_ready = self.table.exists() or None
        except DBAPIError as error:
            if error.connection_invalidated or is_busy(error):
                raise

            self.table.connection.rollback()
            self._give_up(error)

        return bool(self._is_ready)

    def half_done(self, heads: t.Collection[str]) -> list[HalfDone]:
        """What is half done.

        :param heads: The ids in the version table.
        :return: What is noted, without what they say is over.
        """
        return [of for of in self.found if not self._is_stale(of, heads)]

    def forget_stale(self, heads: t.Collection[str]) -> None:
        """Forget what another tool has completed or stamped.

        :param heads: The ids in the version table.
        """
        for of in [of for of in self.found if self._is_stale(of, heads)]:
            _log.warning(
                "The statements that are noted of the %s of %s are forgotten: the"
                " version table of '%s' says that it is over.",
                of.direction,
                of.revision,
                self.database,
            )
            self.table.remove(of)
            del self.found[of]

    def check_first(
        self, steps: t.Sequence[MigrationStep], heads: t.Collection[str]
    ) -> None:
        """Check that what is half done comes first.

        :param steps: What is to run.
        :param heads: The ids in the version table.
        :raises HalfDoneError: If something else does.
        """
        first = _key(steps[0]) if steps else None

        if first is not None and first.direction == "stamp":
            return

        for of, entries in self.found.items():
            if of != first:
                place = Place(self.database, of, tuple(sorted(heads)))
                noted = [entries[position] for position in sorted(entries)]
                raise errors.in_the_way(place, noted)

    @contextmanager
    def guarding(
        self, step: MigrationStep, heads: t.Collection[str]
    ) -> t.Iterator[Guard]:
        """Note the statements of a step while it runs, and skip those that were done.

        :param step: The step.
        :param heads: The ids in the version table.
        """
        of = _key(step)
        place = Place(self.database, of, tuple(sorted(heads)))
        guard = Guard(self, place, self.found.get(of, {}))

        if of.direction == "stamp":
            yield guard
            return

        if isinstance(step, LoadStep):
            self._note_load(of, step)
            yield guard
            return

        if self.table.commits_ddl:
            # Not later: that commits.
            self.is_ready()

        with guard.listening():
            yield guard

    def _note_load(self, of: HalfDone, step: LoadStep) -> None:
        """Note that a snapshot is being loaded, where a part of it would be kept. Who
        loads it commits the note first.
        """
        noted = self.found.get(of, {}).values()
        step.before = next((entry.statement for entry in noted), None)

        if step.in_parts and self.is_ready():
            self.table.remove(of)
            self.table.add(of, [make_entry(1, step.digest)])

    def finish(self, step: MigrationStep) -> tuple[str, ...]:
        """Forget the statements of a step that is over; for a stamp all that is half
        done.

        :param step: The step.
        :return: The revisions that a stamp leaves half done.
        """
        key = _key(step)
        is_stamp = key.direction == "stamp"
        over = list(self.found) if is_stamp else [key]

        if self._is_ready:
            for of in over:
                self.table.remove(of)
                self.found.pop(of, None)

        if is_stamp and over:
            _log.warning(
                "What was half done on '%s' is forgotten: %s.",
                self.database,
                ", ".join(f"the {of.direction} of {of.revision}" for of in over),
            )

        return tuple(of.revision for of in over) if is_stamp else ()

    def is_ready(self) -> bool:
        """Whether the table is there; it is made if it is not."""
        if self._is_ready is None:
            self._make()

        return bool(self._is_ready)

    def _make(self) -> None:
        # In a transaction of PostgreSQL, nothing can be done after an error.
        is_inside = not self.table.commits_ddl and not self.table.is_autocommit

        if is_inside:
            self.table.execute(f"SAVEPOINT {_SAVEPOINT}")

        try:
            if not self.table.exists():
                self.table.create()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise

            if is_inside:
                self.table.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")

            self._give_up(error)
        else:
            self._is_ready = True

        if is_inside:
            self.table.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")

    def _give_up(self, error: DBAPIError) -> None:
        self._is_ready = False
        _log.warning(
            "The table %s of the database '%s' can't be used (%s). If a revision fails,"
            " what it did can't be skipped by the next run.",
            self.table.name,
            self.database,
            type(error.orig).__name__,
        )

    def _is_stale(self, of: HalfDone, heads: t.Collection[str]) -> bool:
        # It was loaded into an empty database.
        if of.direction == "snapshot":
            return bool(heads)

        script = self._context.script
        applied = set(heads)

        if script is not None:
            unknown = History(script).unknown(heads)
            known = [head for head in heads if head not in unknown]
            walked = script.iterate_revisions(tuple(known), "base") if known else ()
            applied |= {found.revision for found in walked}

        return (of.revision in applied) == (of.direction == "upgrade")


def open_journal(
    context: MigrationContext, database: str, *, is_on: bool
) -> Journal | None:
    """The journal of a database, where one is kept.

    :param context: Its context.
    :param database: Its name.
    :param is_on: Whether the user wants one.
    :return: The journal; ``None`` where somebody else commits, too.
    """
    if not is_on or alembic_internals.in_external_transaction(context):
        return None

    return Journal(context, database) if context.dialect.name in _DIALECTS else None


def mark(journal: Journal, *, done: bool) -> None:
    """Say of the statement that the run before was ended in whether it took effect.

    :param journal: The journal, which has been read.
    :param done: Whether it did.
    """
    for of, entries in journal.found.items():
        for entry in [entry for entry in entries.values() if entry.state == "begun"]:
            if done:
                journal.table.finish(of, entry)
            else:
                journal.table.remove(of, entry.position)

    journal.table.connection.commit()
    journal.read()


def _key(step: MigrationStep) -> HalfDone:
    return HalfDone(step_name(step), step_direction(step))
