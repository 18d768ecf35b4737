"""Writing down what was applied, while it is: a row beside each row of the version
table, in the same transaction. How the table is read is not known here.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import typing as t
from functools import cache
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from . import alembic_internals
from .applied_table import AppliedTable
from .applied_table import find
from .applied_table import LENGTH
from .applied_table import undone
from .checksum import checksum
from .checksum import file_hash
from .descriptions import describe
from .load_step import LoadStep
from .own_tables import history_name
from .own_tables import is_model
from .own_tables import utc_now
from .redaction import redact
from .revisions.content import read_content
from .sqlite import is_busy
from .steps import step_direction
from .steps import step_name
from .steps import step_script

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script

# Not Alembic's logger: what that warns of is shown only where an app asks for it.
_log = logging.getLogger("flask_alembic")


class AppliedLog:
    """What is written down of one database.

    :param context: Its context.
    :param database: Its name.
    """

    def __init__(self, context: MigrationContext, database: str) -> None:
        self.context = context
        self.database = database
        self._table: sa.Table | None = None
        self._is_prepared = False

    def prepare(self) -> None:
        """Make the table where it is missing, and see whether rows can be written: a
        statement that fails would end the transaction of a revision. Without it the run
        goes on.
        """
        if not self._is_prepared and not self.context.as_sql:
            self._table = self._find_or_make()
            self._is_prepared = True

    def write(self, step: MigrationStep, seconds: float) -> None:
        """Write down a step, in the transaction of the step.

        :param step: The step.
        :param seconds: How long it took.
        """
        if self._table is None:
            return

        made = {**self._process, "applied_at": utc_now(), "seconds": seconds}
        rows = [{**made, **what} for what in _revisions(self.context, step)]
        # As parameters: the text is the same each time, and compiled once.
        self._connection.execute(self._insert, rows)

    @cached_property
    def _process(self) -> dict[str, t.Any]:
        return _process()

    @cached_property
    def _insert(self) -> sa.Insert:
        # Inline, so that the server is not asked for the id of the row.
        return t.cast(sa.Table, self._table).insert().inline()

    @property
    def _connection(self) -> sa.Connection:
        return t.cast(sa.Connection, self.context.connection)

    def _find_or_make(self) -> sa.Table | None:
        if is_model(self.context, history_name(self.context)):
            self._warn(f"the models have a table '{history_name(self.context)}'")
            return None

        try:
            return self._prepare()
        except DBAPIError as error:
            if error.connection_invalidated or is_busy(error):
                raise

            self._warn(redact(describe(error), self._connection.engine))
            return None

    def _prepare(self) -> sa.Table | None:
        with undone(self.context):
            found = find(self.context)

        if found.is_there:
            self._try(_nothing(found.table, self.context))
        elif self._commits_ddl_of_others():
            self._warn("making its table would commit the transaction that is open")
            return None
        else:
            found = self._create(found)

        return found.table

    def _create(self, found: AppliedTable) -> AppliedTable:
        try:
            self._try(sa.schema.CreateTable(found.table), writes=True)
        except DBAPIError as error:
            # Another process may have made it meanwhile.
            if error.connection_invalidated or not find(self.context).is_there:
                raise

            self._try(_nothing(found.table, self.context))

        return found

    def _try(self, statement: sa.Executable, *, writes: bool = False) -> None:
        with undone(self.context):
            self._connection.execute(statement)

            if alembic_internals.in_external_transaction(self.context):
                return

            # SQLite waits for readers to commit, even if nothing was written.
            if writes:
                self._connection.commit()
            else:
                self._connection.rollback()

    def _commits_ddl_of_others(self) -> bool:
        is_external = alembic_internals.in_external_transaction(self.context)
        return is_external and not self.context.impl.transactional_ddl

    def _warn(self, reason: str) -> None:
        _log.warning(
            "What is applied to the database '%s' is not noted in its history: %s.",
            self.database,
            reason,
        )


def _nothing(table: sa.Table, context: MigrationContext) -> sa.Executable:
    """A statement that writes no row, and fails if one could not be written."""
    columns = [column for column in table.c if not column.primary_key]
    rows = sa.select(*columns).where(sa.false())

    # It knows no rights, and would wait for others who write.
    if context.dialect.name == "sqlite":
        return rows

    return table.insert().from_select(columns, rows)


@cache
def _version() -> str:
    try:
        return version("Flask-Alembic")
    except PackageNotFoundError:
        return ""


def who() -> dict[str, t.Any]:
    """What is noted of this process, and of the time.

    :return: Columns of the table to values.
    """
    return {**_process(), "applied_at": utc_now()}


def _process() -> dict[str, t.Any]:
    return {
        "run_by": _user(),
        "host": socket.gethostname()[:LENGTH],
        "pid": os.getpid(),
        "version": _version(),
    }


def _user() -> str | None:
    # In a container a user may have a number only: KeyError, OSError since Python 3.13.
    try:
        return getpass.getuser()[:LENGTH]
    except (KeyError, OSError, ImportError):
        return None


def _revisions(
    context: MigrationContext, step: MigrationStep
) -> t.Iterator[dict[str, t.Any]]:
    """What is to be noted: a row a revision. A stamp may lead to several."""
    if not isinstance(step, LoadStep):
        yield from (_what(context, step, id_) for id_ in step_name(step).split(", "))
        return

    for revision in step.past:
        yield {
            "revision": revision.id[:LENGTH],
            "direction": step_direction(step),
            "parents": ",".join(revision.parents),
            "checksum": revision.checksum,
            "file_hash": revision.file_hash,
        }


def _what(context: MigrationContext, step: MigrationStep, id_: str) -> dict[str, t.Any]:
    direction = step_direction(step)
    script = step_script(step)

    if script is None and id_ != "base" and context.script is not None:
        script = context.script.get_revision(id_)

    return {"revision": id_[:LENGTH], "direction": direction, **what_ran(script)}


def what_ran(script: Script | None) -> dict[str, t.Any]:
    """What is noted of the file of a revision that was run, as it was then.

    :param script: The revision, or ``None`` where there is none.
    :return: Columns of the table to values.
    """
    return _what_of(script, getattr(script, "content", None))


def what_file(script: Script | None) -> dict[str, t.Any]:
    """What is noted of the file of a revision, as it is now.

    :param script: The revision, or ``None`` where there is none.
    :return: Columns of the table to values.
    """
    return _what_of(script, None)


def _what_of(script: Script | None, content: bytes | None) -> dict[str, t.Any]:
    if content is None and script is not None:
        content = read(script.path)

    parents = (script.down_revision or ()) if script else ()
    return {
        "parents": parents if isinstance(parents, str) else ",".join(parents),
        "checksum": None if content is None else checksum(content),
        "file_hash": None if content is None else file_hash(content),
    }


def read(path: str) -> bytes | None:
    """What is in a file.

    :param path: Its path.
    :return: What is in it; ``None`` if it is gone.
    """
    try:
        return read_content(path)
    except OSError:
        return None
