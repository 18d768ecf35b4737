"""Autogenerate's operations in words: ``add column todo.text``."""

from __future__ import annotations

import typing as t

from alembic.operations import ops

from ..reports import Change


def describe(operations: ops.UpgradeOps, database: str) -> list[Change]:
    """Say what a revision would do.

    :param operations: What autogenerate found.
    :param database: Name of the database.
    :return: One change an operation.
    """
    return [Change(database, _words(op)) for op in _flat(operations)]


def summary(changes: t.Sequence[Change]) -> str | None:
    """What to call a revision that was given no message.

    :param changes: What it does.
    :return: Such as ``add table todo and 2 more``, or ``None`` if it does nothing.
    """
    if not changes:
        return None

    # Two databases may have the same change.
    first, *others = dict.fromkeys(change.text for change in changes)
    return f"{first} and {len(others)} more" if others else first


def dropped_tables(operations: ops.UpgradeOps) -> list[str]:
    """The tables that a revision would drop.

    :param operations: What autogenerate found.
    :return: Their names.
    """
    return [_table(op) for op in _flat(operations) if isinstance(op, ops.DropTableOp)]


def _flat(container: ops.OpContainer) -> t.Iterator[ops.MigrateOperation]:
    for op in container.ops:
        if isinstance(op, ops.OpContainer):
            yield from _flat(op)
        else:
            yield op


def _words(op: ops.MigrateOperation) -> str:
    for kind, words in _SENTENCES.items():
        if isinstance(op, kind):
            return words(op)

    name = type(op).__name__.removesuffix("Op")
    return "".join(
        f" {char.lower()}" if char.isupper() else char for char in name
    ).strip()


def _table(op: t.Any) -> str:
    return f"{op.schema}.{op.table_name}" if op.schema else str(op.table_name)


def _alter_column(op: ops.AlterColumnOp) -> str:
    parts = []

    if op.modify_type is not None:
        parts.append(f"type to {op.modify_type!r}")

    if op.modify_nullable is not None:
        parts.append("nullable" if op.modify_nullable else "not nullable")

    if op.modify_server_default is not False:
        parts.append("server default")

    if op.modify_comment is not False:
        parts.append("comment")

    if op.modify_name is not None:
        parts.append(f"name to {op.modify_name}")

    what = ", ".join(parts)
    return f"change column {_table(op)}.{op.column_name}" + (
        f": {what}" if what else ""
    )


def _index(op: ops.CreateIndexOp) -> str:
    columns = ", ".join(getattr(c, "name", None) or str(c) for c in op.columns)
    unique = "unique " if op.unique else ""
    return f"add {unique}index {op.index_name} on {_table(op)} ({columns})"


def _constraint(op: t.Any) -> str:
    kind = op.constraint_type.replace("_", " ").replace("foreignkey", "foreign key")
    return f"drop {kind} {op.constraint_name or '(unnamed)'} of {_table(op)}"


def _foreign_key(op: ops.CreateForeignKeyOp) -> str:
    columns = ", ".join(op.local_cols)
    return f"add foreign key {op.source_table} ({columns}) to {op.referent_table}"


_SENTENCES: t.Final[dict[type, t.Callable[[t.Any], str]]] = {
    ops.CreateTableOp: lambda op: f"add table {_table(op)}",
    ops.DropTableOp: lambda op: f"drop table {_table(op)}",
    ops.RenameTableOp: lambda op: f"rename table {_table(op)} to {op.new_table_name}",
    ops.AddColumnOp: lambda op: f"add column {_table(op)}.{op.column.name}",
    ops.DropColumnOp: lambda op: f"drop column {_table(op)}.{op.column_name}",
    ops.AlterColumnOp: _alter_column,
    ops.CreateIndexOp: _index,
    ops.DropIndexOp: lambda op: f"drop index {op.index_name}",
    ops.CreateForeignKeyOp: _foreign_key,
    ops.CreateUniqueConstraintOp: lambda op: (
        f"add unique constraint on {_table(op)} ({', '.join(op.columns)})"
    ),
    ops.CreateCheckConstraintOp: lambda op: f"add check constraint on {_table(op)}",
    ops.CreatePrimaryKeyOp: lambda op: f"add primary key of {_table(op)}",
    ops.DropConstraintOp: _constraint,
    ops.CreateTableCommentOp: lambda op: f"change comment of table {_table(op)}",
    ops.DropTableCommentOp: lambda op: f"drop comment of table {_table(op)}",
    ops.ExecuteSQLOp: lambda op: "execute SQL",
}
