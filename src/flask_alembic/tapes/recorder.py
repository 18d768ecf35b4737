"""Watches a revision while it runs, and makes a tape of it. It also finds out whether
the tape would be true on another database: code that can't tell two databases apart
executes the same, as long as both answer the same.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from ..errors import RevisionFileError
from ..listening import listening
from ..own_statements import plain_text
from ..sql_words import is_commit
from ..sql_words import is_data
from ..sql_words import is_rollback
from ..statements import bare
from ..steps import step_script
from .fetches import Fetches
from .reach import beyond
from .tape import Tape
from .tape import Taped

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .tape import Kind
    from .tape import Tapes

_ATTRIBUTE: t.Final = "replayable"
"""What a revision says of itself."""

_OPTIONS: t.Final = ("transactional_ddl", "version_table", "version_table_schema")


class Recorder:
    """Makes tapes of what runs on a database.

    :param tapes: Where they are kept.
    """

    def __init__(self, tapes: Tapes) -> None:
        self._tapes = tapes

    @contextmanager
    def recording(
        self,
        context: MigrationContext,
        step: MigrationStep,
        skipped: t.Sequence[str] = (),
    ) -> t.Iterator[None]:
        """Make a tape of a step, if it ends well.

        :param context: The context of the database, which is connected.
        :param step: The step.
        :param skipped: Gets the statements that an earlier run had done.
        """
        obstacle = _obstacle(step)
        recording = _Recording()
        connection = t.cast("sa.Connection", context.connection)

        with listening(connection, recording.listeners):
            yield

        if skipped:
            obstacle = "an earlier run had begun it"

        statements = tuple(recording.statements())
        tape = Tape(statements, obstacle or recording.obstacle)
        self._tapes.add(kind_of(context), step, tape)


def kind_of(context: MigrationContext) -> Kind:
    """What has to be the same for a tape to be true.

    :param context: The context of a database.
    :return: The dialect, its driver, the server's version, and what Alembic was told.
    """
    dialect = context.dialect
    options = t.cast("sa.Connection", context.connection).get_execution_options()
    translated = options.get("schema_translate_map") or {}
    return (
        dialect.name,
        dialect.driver,
        getattr(dialect, "server_version_info", None),
        getattr(dialect, "_backslash_escapes", None),
        *(repr(context.opts.get(option)) for option in _OPTIONS),
        repr(sorted(translated.items(), key=str)),
    )


def _obstacle(step: MigrationStep) -> str | None:
    """What is known before the step runs.

    :raises RevisionFileError: If what it says of itself can't be used.
    """
    script = step_script(step)

    if script is None:
        return "it is a stamp"

    said = getattr(script.module, _ATTRIBUTE, None)

    if said is None:
        found = beyond(step.migration_fn)
        return f"it uses {found}" if found else None

    if not isinstance(said, bool):
        raise RevisionFileError(
            f"{script.path}: {_ATTRIBUTE} = {said!r} can't be used.",
            path=script.path,
            hint=f"{_ATTRIBUTE} is True or False.",
        )

    return None if said else f"it says {_ATTRIBUTE} = False"


class _Recording:
    """What one step executes on one connection."""

    def __init__(self) -> None:
        self._statements: list[tuple[Taped, Fetches | None]] = []
        self._open = 0
        self._has_ended = False

    @property
    def listeners(self) -> dict[str, t.Callable[..., t.Any]]:
        """For the events of the connection."""
        ends = ("begin", "commit", "rollback", "savepoint")
        return {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            **dict.fromkeys(ends, self._end),
        }

    @property
    def obstacle(self) -> str | None:
        """What was seen that speaks against a replay."""
        if self._has_ended:
            return "it begins or ends a transaction"

        return "a statement of it failed" if self._open else None

    def statements(self) -> t.Iterator[Taped]:
        """What was executed, in this order, with what was fetched of it."""
        for taped, fetches in self._statements:
            yield taped if fetches is None else fetches.noted(taped)

    def _end(self, *args: t.Any) -> None:
        self._has_ended = True

    def _before(self, *args: t.Any) -> None:
        self._open += 1

    def _after(
        self,
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> None:
        self._open -= 1
        self._has_ended |= _ends_transaction(statement, context.dialect.name)
        taped = Taped(statement, parameters, executemany)

        if not parameters or parameters in ([()], [{}]):
            taped = Taped(plain_text(statement, context))

        fetches = None

        # What a statement answers that writes rows, no operation of Alembic's hands on.
        if cursor.description is not None and not is_data(statement):
            fetches = context.cursor = Fetches(cursor)

        self._statements.append((taped, fetches))


def _ends_transaction(text: str, dialect: str) -> bool:
    parts = bare(text, dialect)

    # SQLite takes one at a time, and what is in the body of a trigger ends nothing.
    if dialect == "sqlite":
        parts = parts[:1]

    return any(is_commit(part) or is_rollback(part) for part in parts)
