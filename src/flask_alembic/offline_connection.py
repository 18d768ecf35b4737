"""What stands in for a connection while a script is written: it writes what it is to
run, and has nothing to answer.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import CompileError

from . import alembic_internals
from .literals import add_literals
from .literals import with_parameters
from .literals import with_values
from .statements import ended

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

Rows = t.Mapping[str, t.Any] | t.Sequence[t.Mapping[str, t.Any]]


class NoDatabaseError(AttributeError):
    """A revision wants something of the database, and a script has none. It is an
    ``AttributeError`` so that who asks whether there is an attribute gets an answer.
    """


class OfflineConnection(MockConnection):
    """Writes what is executed on it.

    :param context: The migration context to write to.
    :param engine: The engine that the revisions were written for.
    """

    def __init__(self, context: MigrationContext, engine: sa.Engine) -> None:
        super().__init__(context.dialect, self._write)
        self._context = context
        self._doubles_percent = engine.dialect.paramstyle in ("format", "pyformat")

    def exec_driver_sql(self, statement: str) -> t.Any:
        """Write a statement as it is written for a driver.

        :param statement: The statement.
        :return: What has no rows.
        """
        if self._doubles_percent:
            statement = statement.replace("%%", "%")

        return self.execute(sa.text(statement.replace(":", r"\:")))

    def _write(self, statement: t.Any, parameters: Rows | None = None) -> t.Any:
        if not parameters:
            self._context.execute(statement)
        else:
            several = [parameters] if isinstance(parameters, t.Mapping) else parameters

            for row in several:
                self._context.execute(with_parameters(statement, row))

        return _NoRows()

    def __getattr__(self, name: str) -> t.Any:
        raise NoDatabaseError(f"a script has no connection with '{name}'")


class _NoRows:
    """The result of what was written. Whoever looks into it wanted to read."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def __iter__(self) -> t.Iterator[t.Any]:
        raise NoDatabaseError("a script has no rows")

    def __getattr__(self, name: str) -> t.Any:
        raise NoDatabaseError(f"a script has no rows for '{name}'")


def how_to_write(error: BaseException) -> str | None:
    """How a revision becomes a script that wants something of the database.

    :param error: What the revision raised.
    :return: The cure; ``None`` if the error is another one.
    """
    # Alembic tells it by the text alone.
    if isinstance(error, CommandError) and "live database connection" in str(error):
        return "Give the table to op.batch_alter_table() as copy_from="

    # SQLAlchemy names the type of what it got instead of a connection.
    is_refused = OfflineConnection.__name__ in str(error)

    if is_refused or isinstance(error, NoDatabaseError):
        return (
            "Put that into 'if not context.is_offline_mode():', with 'from alembic"
            " import context'"
        )

    return None


def write_statements(context: MigrationContext, engine: sa.Engine) -> None:
    """Let a context write what is run on it, as the database's own client takes it.

    :param context: A context with ``as_sql``.
    :param engine: The engine that would run it.
    """
    impl = context.impl
    translate = engine.get_execution_options().get("schema_translate_map")
    # Oracle and SQL Server have one, beside what ends a statement.
    separator: str | None = getattr(impl, "batch_separator", None)

    def write(construct: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        try:
            statement = _compiled(construct, context, translate)
        except CompileError as error:
            # It quotes the value, and ours tells the cure.
            raise error.__cause__ or error from None

        text = ended(statement, context.dialect.name, impl.command_terminator)

        if text:
            impl.static_output(text)

            if separator:
                impl.static_output(separator)

    add_literals(context.dialect)
    alembic_internals.write_by(context, write, OfflineConnection(context, engine))


def _compiled(
    construct: t.Any,
    context: MigrationContext,
    translate: t.Mapping[t.Any, t.Any] | None,
) -> str:
    if isinstance(construct, str):
        construct = sa.text(construct)

    options: dict[str, t.Any] = {}

    # DDL takes no parameters at all.
    if context.impl.literal_binds and not isinstance(construct, sa.schema.DDLElement):
        construct = with_values(construct, context.dialect)
        options["compile_kwargs"] = {"literal_binds": True}

    if translate:
        options["schema_translate_map"] = translate
        options["render_schema_translate"] = True

    compiled = construct.compile(dialect=context.dialect, **options)

    if "compile_kwargs" in options and compiled.binds:
        raise TypeError(f"a value is required for '{next(iter(compiled.binds))}'")

    return str(compiled)
