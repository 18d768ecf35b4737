"""The schema of a MariaDB or MySQL database, as the server tells what made it."""

from __future__ import annotations

import re
import typing as t
from functools import cached_property

from ...errors import FlaskAlembicError
from ...statements import names_in
from ..kinds import ask
from ..kinds import ask_row
from ..kinds import execute
from ..kinds import execute_all
from ..kinds import text_literal
from ..text import Statement
from .rows import row_statements
from .session import quoted
from .session import session
from .session import UTC

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..kinds import Name

_COUNTER: t.Final = re.compile(r"^(\) ENGINE=\S+) AUTO_INCREMENT=(\d+)", re.MULTILINE)
_TABLES: t.Final = ("BASE TABLE", "SYSTEM VERSIONED")

# What is kept with a routine, beside its text.
_MODE: t.Final = "sql_mode"

# Constraints are kept from being checked, as the tables come in the order of their
# names; a zero is a zero.
_LOADING: t.Final = {
    "foreign_key_checks": "0",
    "unique_checks": "0",
    _MODE: "'NO_AUTO_VALUE_ON_ZERO'",
    **UTC,
}


class MySQLSchema:
    """What is in a database.

    :param connection: A connection to it.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    @cached_property
    def _kinds(self) -> dict[str, str]:
        rows = ask(
            self.connection,
            "SELECT table_name, table_type FROM information_schema.tables"
            " WHERE table_schema = DATABASE() ORDER BY table_name",
        )
        return {row[0]: row[1] for row in rows}

    @cached_property
    def _routines(self) -> t.Sequence[t.Any]:
        return ask(
            self.connection,
            "SELECT routine_type, routine_name FROM information_schema.routines"
            " WHERE routine_schema = DATABASE() ORDER BY 1, 2",
        )

    @cached_property
    def _database(self) -> str:
        return str(ask(self.connection, "SELECT DATABASE()")[0][0])

    def is_empty(self, own: t.Collection[Name]) -> bool:
        """Whether there is nothing but tables of ours.

        :param own: Those tables.
        :return: ``True`` if so.
        """
        names = {name for _, name in own}
        return self._kinds.keys() <= names and not self._routines

    def before_rows(self, filled: t.Collection[str] = ()) -> list[Statement]:
        """What makes sequences, functions, tables and views.

        :param filled: The tables that get rows, which is the same here.
        """
        self._refuse_grants()

        with session(self.connection, {_MODE: "''"}):
            return [
                *(self._made("sequence", name) for name in self._of("SEQUENCE")),
                *self._all_routines(),
                *(self._made("table", name) for name in self._of(*_TABLES)),
                *self._views(),
            ]

    def after_rows(self) -> list[Statement]:
        """What makes triggers and events."""
        triggers = ask(
            self.connection,
            "SELECT trigger_name FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE() ORDER BY event_object_table,"
            " action_timing, event_manipulation, action_order",
        )
        events = ask(
            self.connection,
            "SELECT event_name FROM information_schema.events"
            " WHERE event_schema = DATABASE() ORDER BY 1",
        )

        with session(self.connection, {_MODE: "''"}):
            made = [s for row in triggers for s in self._in_mode("trigger", row[0])]
            made += [s for row in events for s in self._in_mode("event", row[0])]
            return _without_repeats(made)

    def tables_with_rows(self) -> list[str]:
        """The tables that are not empty."""
        return [
            name
            for name in self._of(*_TABLES)
            if ask(self.connection, f"SELECT 1 FROM {quoted(name)} LIMIT 1")
        ]

    def rows_of(self, table: str) -> list[Statement]:
        """What writes the rows of a table.

        :param table: The table.
        :return: Statements.
        """
        return [*row_statements(self.connection, table), *self._counter(table)]

    def facts(self) -> dict[str, str]:
        """All that is known of the schema, to compare: what it is of, and a text."""
        found: dict[str, str] = {}
        mode = ""

        for statement in (*self.before_rows(), *self.after_rows()):
            if statement.title == _MODE:
                mode = statement.sql
            else:
                is_mode_kept = not statement.title.startswith(("table", "view"))
                found[statement.title] = (
                    f"{statement.sql} {mode if is_mode_kept else ''}"
                )

        return found

    def _of(self, *kinds: str) -> list[str]:
        return [name for name, kind in self._kinds.items() if kind in kinds]

    def _all_routines(self) -> list[Statement]:
        """What makes the functions and procedures."""
        made = [
            statement
            for kind, name in self._routines
            for statement in self._in_mode(kind.lower(), name)
        ]
        # What follows is not of this mode.
        usual = Statement(_MODE, f"SET {_MODE} = {_LOADING[_MODE]}")
        return _without_repeats([*made, usual]) if made else []

    def _in_mode(self, kind: str, name: str) -> list[Statement]:
        """What makes a routine, and the mode of SQL that it is run in."""
        row = self._shown(kind, name)
        return [
            Statement(_MODE, f"SET {_MODE} = {text_literal(row[_MODE])}"),
            Statement(f"{kind} {name}", self._plain(kind, name, row)),
        ]

    def _made(self, kind: str, name: str) -> Statement:
        row = self._shown(kind, name)
        text = self._plain(kind, name, row)
        return Statement(f"{kind} {name}", _COUNTER.sub(r"\1", text))

    def _shown(self, kind: str, name: str) -> t.Mapping[str, t.Any]:
        query = f"SHOW CREATE {kind.upper()} {quoted(name)}"
        return ask_row(self.connection, query)

    def _plain(self, kind: str, name: str, row: t.Mapping[str, t.Any]) -> str:
        """The statement, which is to run in any database, and by any user."""
        key = (
            "SQL Original Statement" if kind == "trigger" else f"Create {kind.title()}"
        )
        # Of a sequence it is called as of a table.
        text = row.get(key, row.get("Create Table"))

        if text is None:
            raise FlaskAlembicError(
                f"The server does not tell what makes the {kind} '{name}'.",
                hint="Give the user the right to see it: SHOW CREATE ROUTINE.",
            )

        text = str(text).replace(f"{quoted(self._database)}.", "")
        return text.replace(f" DEFINER={self._user}", "")

    @cached_property
    def _user(self) -> str:
        name, _, host = str(
            ask(self.connection, "SELECT CURRENT_USER()")[0][0]
        ).rpartition("@")
        return f"{quoted(name)}@{quoted(host)}"

    def _views(self) -> list[Statement]:
        """The views, each after those that it reads."""
        waiting = {name: self._made("view", name) for name in self._of("VIEW")}
        result: list[Statement] = []

        while waiting:
            ready = [
                name
                for name, view in waiting.items()
                if not (names_in(view.sql, "mysql") & waiting.keys()) - {name}
            ]

            # A column may be called as a view that reads this one.
            for name in ready or list(waiting)[:1]:
                result.append(waiting.pop(name))

        return result

    def _counter(self, table: str) -> list[Statement]:
        """Where ``AUTO_INCREMENT`` goes on, as rows may have been deleted."""
        found = _COUNTER.search(self._shown("table", table)["Create Table"])
        what = (
            f"ALTER TABLE {quoted(table)} AUTO_INCREMENT = {found[2] if found else 0}"
        )
        return [Statement(f"counter {table}", what)] if found else []

    def _refuse_grants(self) -> None:
        tables = ("schema_privileges", "table_privileges", "column_privileges")
        found = [
            row[0]
            for name in tables
            for row in ask(
                self.connection,
                f"SELECT grantee FROM information_schema.{name}"
                " WHERE table_schema = DATABASE()",
            )
        ]

        if found:
            raise FlaskAlembicError(
                f"A revision gives rights to {found[0]}, and a snapshot can't hold that"
                " on this kind of database.",
                hint="Give the rights outside of the migrations, or do without a"
                " snapshot.",
            )


def _without_repeats(statements: t.Iterable[Statement]) -> list[Statement]:
    """Leave out modes that hold already."""
    result: list[Statement] = []
    mode = None

    for statement in statements:
        if statement.title != _MODE or statement != mode:
            result.append(statement)

        mode = statement if statement.title == _MODE else mode

    return result


def load(connection: sa.Connection, statements: t.Iterable[Statement]) -> None:
    """Run the statements of a snapshot.

    :param connection: A connection to an empty database.
    :param statements: The statements.
    """
    with session(connection, _LOADING):
        execute_all(connection, (statement.sql for statement in statements))


def drop(connection: sa.Connection, titles: t.Iterable[str]) -> None:
    """Drop what a snapshot makes, as far as it is there.

    :param connection: A connection.
    :param titles: What the statements of the snapshot are called.
    """
    with session(connection, {"foreign_key_checks": "0"}):
        for title in titles:
            kind, _, name = title.partition(" ")

            if kind in ("table", "view", "sequence", "function", "procedure", "event"):
                execute(connection, f"DROP {kind.upper()} IF EXISTS {quoted(name)}")
