"""Makes models: any number of tables, all of one kind."""

from __future__ import annotations

import sqlalchemy as sa


def make_metadata(tables: int) -> sa.MetaData:
    """Tables of 8 columns, 4 of them with a default of the server, with 2 indexes and a
    foreign key.

    :param tables: How many.
    """
    metadata = sa.MetaData()

    for number in range(tables):
        _make_table(metadata, number)

    return metadata


def _make_table(metadata: sa.MetaData, number: int) -> None:
    name = f"t{number}"
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False, server_default="x"),
        sa.Column("amount", sa.Numeric(10, 2), nullable=False, server_default="0"),
        sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("made", sa.DateTime(), nullable=False, server_default=sa.func.now()),
        sa.Column("code", sa.String(20)),
        sa.Column("note", sa.Text()),
        sa.Column("parent_id", sa.ForeignKey(f"t{max(number - 1, 0)}.id")),
        sa.Index(f"ix_{name}_name", "name"),
        sa.Index(f"ix_{name}_code", "code", unique=True),
    )
