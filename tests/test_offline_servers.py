"""Scripts on real databases, by the databases' own clients: they leave what an upgrade
that connects leaves.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from clients import require_client
from clients import run_script
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from servers import Databases
from servers import Server

TABLES = """
op.create_table(
    "owner",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(60), nullable=False, comment="100% the owner's; name"),
    sa.UniqueConstraint("name", name="uq_owner_name"),
    comment="who: 50% -- of all",
)
op.create_table(
    "todo",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner_id", sa.Integer, nullable=True),
    sa.Column("text", sa.String(99), server_default="100%;\\\\ 'x'\\t--"),
    sa.Column("rate", sa.Numeric(10, 2), server_default="1.50", nullable=False),
    sa.Column("kind", sa.Enum("a b", "c", name="kind"), server_default="a b"),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
    sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False),
    sa.Column("data", sa.LargeBinary),
    sa.Column("old", sa.Integer),
    sa.CheckConstraint("text NOT LIKE '%;%%x'", name="ck_text"),
    sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name="fk_owner"),
)
op.create_index("ix_todo_text", "todo", ["text", "rate"])
"""

ROWS = """
import datetime
owner = sa.table("owner", sa.column("id"), sa.column("name"))
todo = sa.table(
    "todo",
    sa.column("id", sa.Integer),
    sa.column("owner_id"),
    sa.column("text"),
    sa.column("rate"),
    sa.column("made", sa.DateTime),
    sa.column("done", sa.Boolean),
    sa.column("data", sa.LargeBinary),
)
op.bulk_insert(
    owner,
    [
        {"id": 1, "name": "5% o'clock; \\\\n \\t tab"},
        {"id": 2, "name": "Zoë 雪 🎿\\nnext: line -- no comment"},
    ],
)
op.execute(
    todo.insert().values(
        id=1,
        owner_id=None,
        text=":x %s %(y)s",
        rate=2.25,
        made=datetime.datetime(2026, 1, 2, 3, 4, 5),
        done=True,
        data=b"\\x00'\\xff%\\\\",
    )
)
op.execute("INSERT INTO todo (id, owner_id, made) VALUES (2, 1, '2026-01-02 03:04');")
op.execute("UPDATE todo SET rate = rate * 2 -- twice, isn't it; yes")
op.execute("UPDATE owner SET name = name WHERE name LIKE '%;%'; -- as it was\\n")
op.execute("-- nothing but a comment") if context.is_offline_mode() else None
op.get_bind().execute(
    sa.text("UPDATE todo SET text = :text WHERE id = :id"), {"text": "7% a:b", "id": 2}
)
is_sqlite = op.get_bind().dialect.name == "sqlite"
percent = "%" if is_sqlite else "%%"  # as the driver wants it
op.get_bind().exec_driver_sql(
    f"UPDATE todo SET owner_id = 2, text = '7{percent} a:b;' WHERE id = 2"
)
"""

ALTER = """
old = sa.Table(
    "todo",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner_id", sa.Integer, nullable=True),
    sa.Column("text", sa.String(99), server_default="100%;\\\\ 'x'\\t--"),
    sa.Column("rate", sa.Numeric(10, 2), server_default="1.50", nullable=False),
    sa.Column("kind", sa.Enum("a b", "c", name="kind"), server_default="a b"),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
    sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False),
    sa.Column("data", sa.LargeBinary),
    sa.Column("old", sa.Integer),
    sa.CheckConstraint("text NOT LIKE '%;%%x'", name="ck_text"),
    sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name="fk_owner"),
    sa.Index("ix_todo_text", "text", "rate"),
)
with op.batch_alter_table("todo", copy_from=old) as batch_op:
    batch_op.add_column(sa.Column("place", sa.String(20), server_default="9%"))
    batch_op.drop_column("old")
    batch_op.alter_column("rate", new_column_name="price", existing_nullable=False,
        existing_type=sa.Numeric(10, 2), existing_server_default="1.50")
with op.get_context().autocommit_block():
    options = {"postgresql_concurrently": True}
    op.create_index("ix_todo_place", "todo", ["place"], **options)
op.execute("UPDATE todo SET place = 'here'")
"""

TRIGGER = """
name = op.get_bind().dialect.name
if name == "postgresql":
    op.execute('''
        CREATE FUNCTION grow() RETURNS trigger AS $body$
        BEGIN
            NEW.text := 'grown; ' || NEW.text;  -- a comment; with one
            RETURN NEW;
        END;
        $body$ LANGUAGE plpgsql;
    ''')
    op.execute("CREATE TRIGGER grow BEFORE UPDATE ON todo"
        " FOR EACH ROW EXECUTE FUNCTION grow()")
elif name == "sqlite":
    op.execute('''
        CREATE TRIGGER grow AFTER UPDATE OF done ON todo BEGIN
            UPDATE todo SET text = 'grown; ' || text WHERE id = NEW.id;
        END;
    ''')
else:
    op.execute('''
        CREATE TRIGGER grow BEFORE UPDATE ON todo FOR EACH ROW
        BEGIN
            SET NEW.text = CONCAT('grown; ', NEW.text);
            SET NEW.place = '//';
        END
    ''')
op.execute("UPDATE todo SET done = (1 = 1) WHERE id = 2")
"""

REVISIONS: t.Final = {
    "tables": (None, TABLES, "op.drop_table('todo')\nop.drop_table('owner')"),
    "rows": ("tables", ROWS, "op.execute('DELETE FROM todo;')"),
    "alter": ("rows", ALTER, "op.drop_index('ix_todo_place', 'todo')"),
    "trigger": ("alter", TRIGGER, "op.execute('DROP TRIGGER grow')"),
    "left": ("trigger", "op.create_table('l', sa.Column('x', sa.Integer))", "pass"),
    "right": ("trigger", "op.create_table('r', sa.Column('x', sa.Integer))", "pass"),
    "both": (("left", "right"), "op.execute('INSERT INTO l VALUES (1)')", "pass"),
}


@pytest.fixture(autouse=True)
def client(server: Server) -> None:
    """The client of the server."""
    require_client(server.name)


@pytest.fixture
def two(databases: Databases, apps: Apps) -> list[str]:
    """Two empty databases: one to connect to, one for scripts."""
    # "apps" is asked for so that its connections are closed before the databases go.
    return [databases.make(), databases.make()]


def make(apps: Apps, urls: list[str], **config: t.Any) -> tuple[Alembic, Flask, Flask]:
    """An app for each database, with the same revisions."""
    online, alembic = apps.plain(urls[0], name="app", **config)
    offline, _ = apps.plain(urls[1], name="app", extension=SameAlembic, **config)
    return alembic, online, offline


class SameAlembic(Alembic):
    """A second extension, of a second app."""


def sql(
    app: Flask,
    target: str = "heads",
    command: str = "upgrade",
    dialect: str | None = None,
) -> str:
    """The script of an app."""
    extension: Alembic = app.extensions["alembic"]

    with app.app_context():
        return extension.sql(target, command=command, dialect=dialect)["default"]


def write_all(app: Flask) -> None:
    """Write the revisions above."""
    for revision, (parent, upgrade, downgrade) in REVISIONS.items():
        write_revision(
            app,
            revision,
            parent,
            upgrade=upgrade,
            downgrade=downgrade.replace(
                "DROP TRIGGER grow", "DROP TRIGGER grow ON todo"
            )
            if app.extensions["alembic"].engines["default"].dialect.name == "postgresql"
            else downgrade,
            header="from alembic import context",
        )


def state(url: str) -> dict[str, t.Any]:
    """All that a database holds, but for the journal, which a script has no use for."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    metadata = sa.MetaData()
    # A script notes nothing in the history and the journal.
    own = ("_history", "_journal")
    metadata.reflect(engine, only=lambda name, _: not name.endswith(own))

    with engine.connect() as connection:
        rows = {
            name: sorted(map(repr, connection.execute(sa.select(table))))
            for name, table in metadata.tables.items()
        }

        return {
            "columns": {
                name: [
                    {**column, "type": repr(column["type"])}
                    for column in inspector.get_columns(name)
                ]
                for name in metadata.tables
            },
            **{
                kind: {
                    name: found(getattr(inspector, f"get_{kind}"), name)
                    for name in metadata.tables
                }
                for kind in (
                    "pk_constraint",
                    "foreign_keys",
                    "unique_constraints",
                    "check_constraints",
                    "indexes",
                    "table_comment",
                )
            },
            "rows": rows,
            "sources": sources(connection),
        }


def found(get: t.Callable[[str], t.Any], name: str) -> t.Any:
    """What an inspector has, in an order of its own."""
    try:
        items = get(name)
    except NotImplementedError:
        return None

    return sorted(map(repr, items)) if isinstance(items, list) else repr(items)


def sources(connection: sa.Connection) -> list[str]:
    """The sources of triggers, and on SQLite of everything."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND tbl_name NOT LIKE '%_history' AND tbl_name NOT LIKE '%_journal'",
        "postgresql": "SELECT prosrc FROM pg_proc WHERE proname = 'grow'",
        "mysql": "SELECT action_statement FROM information_schema.triggers"
        " WHERE trigger_schema = database()",
    }[connection.dialect.name]
    # Alembic's batch mode puts constraints in an order of chance, and its own spaces
    # and quotes.
    texts = connection.scalars(sa.text(query))
    words = re.compile(r"[()]|[^\s,()\"]+")
    return sorted(" ".join(sorted(words.findall(text))) for text in texts)


def test_upgrade_and_back(two: list[str], apps: Apps, tmp_path: Path) -> None:
    """A script makes the same schema, rows and version as connecting does, and another
    one takes all back.
    """
    alembic, online, offline = make(apps, two)
    write_all(online)

    with online.app_context():
        alembic.upgrade()

    run_script(two[1], sql(offline), tmp_path)
    assert state(two[1]) == state(two[0])
    assert state(two[1])["rows"]["alembic_version"] == ["('both',)"]

    with online.app_context():
        alembic.downgrade("tables")

    run_script(two[1], sql(offline, "heads:tables", "downgrade"), tmp_path)
    assert state(two[1]) == state(two[0])


def test_piece_by_piece(two: list[str], apps: Apps, tmp_path: Path) -> None:
    """Scripts of ranges can be run one after the other, also through branches and
    below a merge. The version table may have been made before.
    """
    alembic, online, offline = make(apps, two)
    write_all(online)

    with online.app_context():
        alembic.upgrade()

    for target, command in [
        ("heads", "ensure_version"),
        ("base:alter", "upgrade"),
        ("alter:left", "upgrade"),
        ("left:right", "upgrade"),
        ("left,right:heads", "upgrade"),
    ]:
        run_script(two[1], sql(offline, target, command), tmp_path)

    assert state(two[1]) == state(two[0])

    with online.app_context():
        alembic.downgrade(-1)

    run_script(two[1], sql(offline, "both:-1", "downgrade"), tmp_path)
    assert state(two[1]) == state(two[0])
    assert len(state(two[1])["rows"]["alembic_version"]) == 2

    with online.app_context():
        alembic.stamp("tables")

    run_script(two[1], sql(offline, "left,right:tables", "stamp"), tmp_path)
    assert state(two[1]) == state(two[0])

    with online.app_context():
        alembic.stamp("base")

    run_script(two[1], sql(offline, "tables:base", "stamp"), tmp_path)
    run_script(two[1], sql(offline, "both", "stamp"), tmp_path)
    run_script(two[1], sql(offline, "both:base", "stamp"), tmp_path)
    assert state(two[1]) == state(two[0])


def test_other_kind(two: list[str], server: Server, apps: Apps, tmp_path: Path) -> None:
    """An app with another kind of engine writes a script for the server."""
    alembic, online, _ = make(apps, two)
    write_all(online)
    other = "sqlite:///no/such.db"

    if server.name == "sqlite":
        other = "postgresql+psycopg://nowhere.invalid/x"

    offline, _ = apps.plain(other, name="app")

    with online.app_context():
        alembic.upgrade()

    script = sql(offline, dialect=server.name)

    if server.name != "sqlite":
        # The one statement that was written for a driver, which halves this.
        script = script.replace("7%% a:b;", "7% a:b;")

    run_script(two[1], script, tmp_path)
    assert state(two[1]) == state(two[0])


def test_failure(two: list[str], server: Server, apps: Apps, tmp_path: Path) -> None:
    """A script that fails stops, and leaves nothing of the revision that failed where
    the database can roll back.
    """
    _, _, offline = make(apps, two)
    create = "op.create_table('t', sa.Column('a', sa.Integer))"
    insert = "op.execute('INSERT INTO t VALUES (1)')\nop.execute('NONSENSE')"
    write_revision(offline, "a1", upgrade=create)
    write_revision(offline, "b2", "a1", upgrade=insert)

    with pytest.raises(AssertionError):
        run_script(two[1], sql(offline), tmp_path)

    found = state(two[1])["rows"]
    assert found == {"alembic_version": ["('a1',)"], "t": []}


def test_several(databases: Databases, apps: Apps, db: Cli, tmp_path: Path) -> None:
    """The file of each database is for that database."""
    urls = {"one": databases.make(), "two": databases.make()}
    app, _ = apps.several(urls)
    write_revision(
        app,
        "a1",
        arguments="engine_name",
        upgrade="op.create_table(engine_name, sa.Column('a', sa.Integer))",
    )
    folder = tmp_path / "out"
    assert db(app, "upgrade", "--sql", "--output", str(folder)).exit_code == 0

    for name, url in urls.items():
        run_script(url, (folder / f"{name}.sql").read_text(), tmp_path)
        assert tables(url) == {"alembic_version", name}
