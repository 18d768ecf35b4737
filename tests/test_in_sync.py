"""A schema that our own migrations made is in sync with the models."""

from __future__ import annotations

import enum

import pytest
import sqlalchemy as sa

from apps import Apps


class Color(enum.Enum):
    red = 1
    blue = 2


def _metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("parent", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "everything",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("big", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("small", sa.SmallInteger, server_default=sa.text("-1")),
        sa.Column("zero", sa.Integer, server_default=sa.text("0")),
        sa.Column("quoted_zero", sa.Integer, server_default="0"),
        sa.Column("text_zero", sa.String(5), server_default="0"),
        sa.Column("empty", sa.String(5), server_default=""),
        sa.Column("hello", sa.String(50), server_default="hello world"),
        sa.Column("quote", sa.String(50), server_default="it's 'so' it is"),
        sa.Column("backslash", sa.String(50), server_default="a\\b"),
        sa.Column("percent", sa.String(50), server_default="100%"),
        sa.Column("doubled", sa.String(50), server_default="100%% sure (yes)"),
        sa.Column("unicode", sa.String(50), server_default="žluťoučký"),
        sa.Column("quoted", sa.String(50), server_default=sa.text("'quoted'")),
        sa.Column("cast", sa.String(50), server_default="a::text"),
        sa.Column("upper", sa.String(50), server_default="TRUE"),
        sa.Column("yes", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("no", sa.Boolean, server_default=sa.false()),
        sa.Column("no_text", sa.Boolean, server_default=sa.text("false")),
        sa.Column("plain_bool", sa.Boolean),
        sa.Column("money", sa.Numeric(10, 2), server_default="0"),
        sa.Column("price", sa.Numeric(10, 2), server_default=sa.text("1.50")),
        sa.Column("ratio", sa.Float, server_default=sa.text("0.5")),
        sa.Column("double", sa.Double, server_default="1.25"),
        sa.Column("created", sa.DateTime, server_default=sa.func.now()),
        sa.Column("stamp", sa.TIMESTAMP, server_default=sa.text("CURRENT_TIMESTAMP")),
        sa.Column("zoned", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("day", sa.Date, server_default="2020-01-01"),
        sa.Column("clock", sa.Time, server_default="12:00:00"),
        sa.Column("color", sa.Enum(Color), server_default="red"),
        sa.Column(
            "native", sa.Enum("a", "b", name="letters", native_enum=False), default="a"
        ),
        sa.Column("uuid", sa.Uuid),
        sa.Column("blob", sa.LargeBinary),
        sa.Column("long", sa.Text),
        sa.Column("json", sa.JSON),
        sa.Column("interval", sa.Interval),
        sa.Column("sum", sa.Integer, server_default=sa.text("(1 + 2)")),
        sa.Column("computed", sa.Integer, sa.Computed("zero + 1", persisted=True)),
        sa.Column("parent_id", sa.ForeignKey("parent.id"), index=True),
        sa.Column("code", sa.String(10), unique=True),
        sa.CheckConstraint("zero >= 0", name="zero_positive"),
        sa.UniqueConstraint("big", "small", name="uq_big_small"),
        sa.Index("ix_hello_quote", "hello", "quote"),
        comment="with everything",
    )
    return metadata


def test_own_schema_is_in_sync(url: str, apps: Apps) -> None:
    """After revision and upgrade nothing differs, defaults included."""
    app, alembic = apps.plain(url, _metadata())

    with app.app_context():
        alembic.revision("everything")
        alembic.upgrade()

    with app.app_context():
        assert alembic.compare_metadata() == []
        assert not alembic.needs_revision()
        assert alembic.check().ok


@pytest.mark.parametrize(
    ("type_", "before", "after"),
    [
        (sa.Integer, "0", "1"),
        (sa.Integer, None, "1"),
        (sa.Integer, "1", None),
        (sa.String(20), "a", "A"),
        (sa.String(20), "0", ""),
        (sa.String(20), "now()", "current_timestamp"),
        (sa.Boolean, sa.false(), sa.true()),
        (sa.Numeric(10, 2), "1.5", "1.25"),
        (sa.DateTime, None, sa.func.now()),
    ],
)
def test_changed_default_is_found(
    url: str, apps: Apps, type_: sa.types.TypeEngine[object], before: str, after: str
) -> None:
    """What is not the same is told."""

    def metadata(default: str) -> sa.MetaData:
        result = sa.MetaData()
        column = sa.Column("c", type_, server_default=default)
        sa.Table("t", result, sa.Column("id", sa.Integer, primary_key=True), column)
        return result

    app, alembic = apps.plain(url, metadata(before))

    with app.app_context():
        alembic.revision("before")
        alembic.upgrade()
        alembic.metadatas = {"default": metadata(after)}

    with app.app_context():
        (change,) = alembic.check().databases[0].changes
        assert change.text == "change column t.c: server default"
        alembic.revision("after")
        alembic.upgrade()

    with app.app_context():
        assert alembic.compare_metadata() == []
