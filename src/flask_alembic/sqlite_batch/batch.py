"""Batch mode on SQLite: Alembic gathers what a revision does to a table, and the table
is made anew from its own text. Alembic reads it by reflection, which does not see all.
"""

from __future__ import annotations

import logging
import typing as t
import warnings

import sqlalchemy as sa

from ..sql_words import quoted
from ..sqlite_ddl.clauses import GENERATED
from ..sqlite_ddl.reading import read_table
from ..sqlite_ddl.tokens import expressions_of_index
from ..sqlite_ddl.tokens import folded
from ..sqlite_ddl.tokens import mentioned
from ..sqlite_ddl.tokens import UnreadableSQL
from .changes import Changes
from .guards import clear_leftover
from .guards import refuse_cascade
from .guards import refuse_use
from .inspection import find
from .inspection import prefix
from .rebuild import all_or_nothing
from .rebuild import check_others
from .rebuild import rename_columns
from .rebuild import renaming_tables
from .rebuild import replace_table
from .rebuild import restore
from .rebuild import rowid
from .rendering import add_arguments
from .rendering import add_options
from .rendering import give_names
from .restored import note_restored

if t.TYPE_CHECKING:
    from ..alembic_batch import Batch
    from ..alembic_batch import Step
    from ..sqlite_ddl.tables import TableText
    from .inspection import Found

_log = logging.getLogger("flask_alembic")


def make_anew(batch: Batch) -> None:
    """Do what a batch asks for.

    :param batch: The batch, which takes a new table.
    :raises FlaskAlembicError: If something would be lost.
    """
    connection = t.cast(sa.Connection, batch.impl.connection)
    schema, table = batch.options["schema"], batch.options["table_name"]

    with all_or_nothing(connection):
        found = find(connection, schema, table)
        clear_leftover(connection, schema, table, found)

        if found is None:
            # A table of this connection alone, or none: Alembic knows, or raises.
            batch.by_alembic()
        else:
            _Work(batch, found).do()


class _Work:
    """What a batch does to a table that is there.

    :param batch: The batch.
    :param found: The table.
    """

    def __init__(self, batch: Batch, found: Found) -> None:
        self.batch = batch
        self.found = found
        self.renames: dict[str, str] = {}
        self.dropped_columns: set[str] = set()
        self.dropped_indexes: set[str] = set()
        self.new_indexes: list[tuple[sa.Index, dict[str, t.Any]]] = []

    def do(self) -> None:
        """Make the table anew, then rename columns: SQLite does that itself, wherever
        they are used.
        """
        # Alembic's way, if it is taken, shall not rename them.
        self.batch.steps[:] = [s for step in self.batch.steps for s in self.take(step)]

        for column in sorted(self.dropped_columns):
            refuse_use(self.found, column)

        if self.batch.steps or self.batch.options["recreate"] == "always":
            refuse_cascade(self.found)

            with renaming_tables(self.found.connection, alone=True):
                self.make_anew()

        with renaming_tables(self.found.connection, alone=False):
            rename_columns(self.found, self.renames)

        check_others(self.found)

    def take(self, step: Step) -> list[Step]:
        """Note what an operation does beside the table, and give what it does to it."""
        name, args, kwargs = step

        if name == "alter_column":
            return self.take_rename(step)

        if name == "drop_column":
            self.dropped_columns.add(str(args[1].name))
        elif name == "drop_index":
            self.dropped_indexes.add(str(args[0].name))
        elif name == "create_index":
            self.new_indexes.append((args[0], kwargs))

        return [step]

    def take_rename(self, step: Step) -> list[Step]:
        name, args, kwargs = step
        old, new = str(args[1]), kwargs.get("name")

        if new is None or new == old:
            return [step]

        self.renames[old] = str(new)
        left = {key: value for key, value in kwargs.items() if key != "name"}
        changes = [left.get(key) is not None for key in ("nullable", "type_")]
        changes += [left.get("server_default", False) is not False]
        return [(name, args, left)] if any(changes) else []

    def make_anew(self) -> None:
        text = self.read()
        is_by_text = text is not None and not self.is_described()
        new_names: set[str] = set()

        if text is None or self.batch.options["copy_from"] is not None:
            self.batch.by_alembic()
        elif self.is_described():
            self.by_alembic(text)
        else:
            self.by_text(text)
            new_names = {str(index.name) for index, _ in self.new_indexes}

        kept = self.indexes_to_keep(new_names)
        restore(self.found, kept)
        note_restored(self.found, kept)

        for index, kwargs in self.new_indexes if is_by_text else ():
            self.batch.impl.create_index(index, **kwargs)

    def by_text(self, text: TableText) -> None:
        found, options = self.found, self.batch.options
        before = read_table(found.sql)
        dialect = self.batch.impl.dialect

        if options["naming_convention"]:
            give_names(text, found.name, options["naming_convention"])

        changes = Changes(found.name, text, dialect, self.renames, found.indexes)
        changes.apply(self.batch.steps)
        add_arguments(text, found.name, options["table_args"], dialect)
        add_options(text, options["table_kwargs"])
        text.order(options["partial_reordering"] or ())
        copied = [*rowid(before, text), *changes.copied.items()]
        replace_table(found, text, copied)

    def by_alembic(self, text: TableText) -> None:
        """Let Alembic make the table, then anew with what it has lost."""
        found = self.found
        changes = Changes(found.name, text, self.batch.impl.dialect, self.renames)
        changes.apply(
            (name, args, {**kwargs, "if_exists": True})
            for name, args, kwargs in self.batch.steps
            if name in {"drop_column", "drop_constraint"}
        )

        with warnings.catch_warnings():
            # Of CHECK constraints and indexes that Alembic loses, and that are kept.
            warnings.filterwarnings("ignore", "Unnamed CHECK|Skipped unsupported refl")
            self.batch.by_alembic()

        new = read_table(found.made())
        before = new.create("")

        if new.take_over(text).create("") != before:
            stored = [column for column in new.columns if not column.has(GENERATED)]
            copied = [(column.name, quoted(column.name)) for column in stored]
            replace_table(found, new, [*rowid(text, new), *copied])

    def is_described(self) -> bool:
        """Whether the revision says what the table is like."""
        options = self.batch.options
        reflect = dict(options["reflect_kwargs"])
        # One of the listeners is Alembic's.
        listeners = reflect.pop("listeners", ())
        return bool(
            options["copy_from"] is not None
            or options["reflect_args"]
            or reflect
            or len(listeners) > 1
            or not all(isinstance(a, sa.Constraint) for a in options["table_args"])
        )

    def read(self) -> TableText | None:
        """Read what made the table, if that can be read."""
        pragma = f"PRAGMA {prefix(self.found.schema)}table_xinfo"
        rows = self.found.run(f"{pragma}({quoted(self.found.name)})")

        try:
            text = read_table(self.found.sql)
        except UnreadableSQL:
            text = None

        if text is None or text.names != [row[1] for row in rows]:
            _log.warning(
                "What made the table '%s' can't be read, so batch mode may lose CHECK"
                " constraints and collations: %s",
                self.found.name,
                self.found.sql,
            )
            return None

        return text

    def indexes_to_keep(self, new_names: t.Collection[str]) -> list[str]:
        """All but those that the batch drops or makes, and those of dropped columns."""
        taken = {folded(name) for name in (*self.dropped_indexes, *new_names)}
        return [
            name
            for name, sql in self.found.indexes.items()
            if folded(name) not in taken
            and not mentioned(expressions_of_index(sql), self.dropped_columns)
        ]
