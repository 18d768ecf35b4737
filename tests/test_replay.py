"""Which revisions are replayed on other tenants, and which run there: those run that
may do something else there.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from apps import Apps
from apps import write_revision
from conftest import _server
from flask_alembic import Alembic
from flask_alembic import MigrationReport
from fleets import ask
from fleets import CREATE
from fleets import errors
from fleets import make_tenants
from fleets import replayed
from fleets import states
from fleets import Tenants
from servers import Databases

INSERT: t.Final = (
    "op.execute(\"INSERT INTO todo (id, text) VALUES (1, '{}')\".format({}))"
)
TABLE: t.Final = (
    "todo = sa.table('todo', sa.column('id', sa.Integer), sa.column('text'))"
)

# The header of the file, and what upgrade() does. A table "todo" with "id" and "text"
# is there.
SAME: t.Final = {
    "ddl": ("", "op.create_index('ix', 'todo', ['text'])"),
    "constant": ("NAME = 'ada'", INSERT.format("{}", "NAME")),
    "collection": (
        "ROWS = [{'id': 1, 'text': 'a'}]",
        f"{TABLE}\nop.bulk_insert(todo, ROWS)",
    ),
    "table": (TABLE, "op.execute(todo.insert().values(id=1, text='a'))"),
    "type": (
        "from sqlalchemy.dialects import postgresql",
        "op.add_column('todo', sa.Column('data', sa.JSON().with_variant("
        "postgresql.JSONB(), 'postgresql')))",
    ),
    "helper": (
        "def name():\n    return 'ada'\n",
        INSERT.format("{}", "name()"),
    ),
    "comprehension": (
        "",
        "for name in [f'c{n}' for n in range(2)]:\n"
        "    op.add_column('todo', sa.Column(name, sa.Integer))",
    ),
    "imported": (
        "",
        "import sqlalchemy\nop.execute(sqlalchemy.text('DELETE FROM todo'))",
    ),
    "unread": ("", "op.execute('SELECT 1')"),
    "server side": (
        TABLE,
        "op.execute(todo.insert().values(id=1, text=sa.func.lower('A')))",
    ),
    "comment": ("", "op.execute('DELETE FROM todo -- all of them')"),
    "percent": ("", "op.execute(\"DELETE FROM todo WHERE text LIKE '%a%%'\")"),
    "nothing": ("", "pass"),
    "vouched for": (
        "import uuid\nreplayable = True",
        INSERT.format("{}", "uuid.UUID(int=1)"),
    ),
}
OTHER: t.Final = {
    "chance": ("import uuid", INSERT.format("{}", "uuid.uuid4()")),
    "clock": ("from datetime import datetime", INSERT.format("{}", "datetime.now()")),
    "module": ("import os", INSERT.format("{}", "os.name")),
    "local import": ("", "import os\n" + INSERT.format("{}", "os.name")),
    "app": (
        "from flask import current_app",
        INSERT.format("{}", "current_app.name"),
    ),
    "argument": (
        "from alembic import context",
        INSERT.format("{}", "context.get_x_argument()"),
    ),
    "bind": ("", "op.get_bind().exec_driver_sql('DELETE FROM todo')"),
    "context": ("", INSERT.format("{}", "op.get_context().dialect.name")),
    "counter": (
        "COUNT = 0",
        "global COUNT\nCOUNT += 1\n" + INSERT.format("{}", "COUNT"),
    ),
    "hash": ("", INSERT.format("{}", "hash('a')")),
    "object": ("COUNTER = object()", INSERT.format("{}", "id(COUNTER)")),
    "helper of others": (
        "from textwrap import dedent",
        INSERT.format("{}", "dedent(' a')"),
    ),
    "helper": (
        "import os\ndef name():\n    return os.name\n",
        INSERT.format("{}", "name()"),
    ),
    "in a list": ("import os\nNAMES = [os]", INSERT.format("{}", "len(NAMES)")),
    "commit": ("", "op.execute('COMMIT')\nop.execute('BEGIN')"),
    "autocommit": (
        "replayable = True",
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('ix', 'todo', ['text'])",
    ),
    "declared": ("replayable = False", "op.create_index('ix', 'todo', ['text'])"),
}


def tenants_on(name: str, tmp_path: Path) -> Databases:
    return Databases(_server(name), tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Databases]:
    """The servers on which revisions are replayed."""
    made = tenants_on(request.param, tmp_path)
    yield made
    made.drop_all()


@pytest.fixture
def fleet(databases: Databases, apps: Apps) -> Tenants:
    """Three tenants, which have a table."""
    made = make_tenants(databases, apps, 3)
    made.write(CREATE.replace("))", "), sa.Column('text', sa.String(100)))"))
    return made


@pytest.mark.parametrize("header, body", SAME.values(), ids=SAME)
def test_same(fleet: Tenants, header: str, body: str) -> None:
    """A revision is replayed that can do nothing else on another tenant."""
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body, header=header)
    report = fleet.upgrade(workers=1)
    assert errors(report) == [None] * 3
    assert replayed(report) == [0, 2, 2]


@pytest.mark.parametrize("header, body", OTHER.values(), ids=OTHER)
def test_other(fleet: Tenants, header: str, body: str) -> None:
    """A revision runs on each tenant that may do something else there. What comes
    before and after it is replayed all the same.
    """
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body, header=header)
    write_revision(fleet.app, "0003aa", "0002aa", upgrade="op.execute('SELECT 2')")
    report = fleet.upgrade(workers=1)
    assert errors(report) == [None] * 3
    assert replayed(report) == [0, 2, 2]
    assert [[s.revision for s in r.steps] for r in report.tenants] == [
        ["0001aa", "0002aa", "0003aa"]
    ] * 3


def test_wrong_declaration(fleet: Tenants) -> None:
    """What a revision says of itself is True or False."""
    path = write_revision(fleet.app, "0002aa", "0001aa", header="replayable = 'no'")
    report = fleet.upgrade()
    assert states(report) == ["failed"] * 3
    assert f"{path}: replayable = 'no' can't be used." in str(errors(report)[0])


def test_uuids_differ(fleet: Tenants) -> None:
    """So tenants get what chance gives to each."""
    header, body = OTHER["chance"]
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body, header=header)
    fleet.upgrade()
    found = {ask(url, "SELECT text FROM todo")[0] for url in fleet.urls}
    assert len(found) == 3


BATCH: t.Final = (
    "with op.batch_alter_table('todo') as batch:\n"
    "    batch.alter_column('text', nullable=False, server_default='')"
)


def test_answers(fleet: Tenants, databases: Databases) -> None:
    """Batch mode on SQLite looks at the table. It is replayed where it sees the same,
    and runs where it does not.
    """
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=BATCH)
    fleet.upgrade(fleet.urls, "0001aa")
    engine = sa.create_engine(fleet.urls[2], poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE todo ADD COLUMN mine INTEGER")

    report = fleet.upgrade(workers=1)
    assert errors(report) == [None] * 3
    assert replayed(report) == [0, 1, 0 if databases.server.name == "sqlite" else 1]

    for url, more in zip(fleet.urls, ([], [], ["mine"]), strict=True):
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        columns = sa.inspect(engine).get_columns("todo")
        assert [column["name"] for column in columns] == ["id", "text", *more]
        assert [column["nullable"] for column in columns][:2] == [True, False]


def test_failed_replay(fleet: Tenants) -> None:
    """On a tenant where a replay fails the revision runs, so that the error is that of
    a run. After it is mended, the same call does the rest.
    """
    body = "op.create_index('ix', 'todo', ['id'], unique=True)"
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body)
    fleet.upgrade(fleet.urls, "0001aa")
    engine = sa.create_engine(fleet.urls[1], poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO todo (id) VALUES (1), (1)")

    report = fleet.upgrade(workers=1)
    assert states(report) == ["done", "failed", "done"]
    assert report.tenants[1].error_type == "MigrationFailed"
    assert "Revision 0002aa" in str(errors(report)[1])
    assert ask(fleet.urls[1], "SELECT version_num FROM alembic_version") == [
        ("0001aa",)
    ]

    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM todo")

    assert states(fleet.upgrade()) == ["already there", "done", "already there"]


# What an app may add


class Overriding(Alembic):
    """An app's own way to run revisions."""

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> MigrationReport:
        return super().run_migrations(fn, **kwargs)


def test_overridden(databases: Databases, apps: Apps) -> None:
    """An app that overrides how revisions run wants to run them."""
    app, alembic = apps.plain(databases.make(), extension=Overriding)
    fleet = Tenants(app, alembic, [databases.make() for _ in range(2)])
    fleet.write(CREATE)
    report = fleet.upgrade(workers=1)
    assert states(report) == ["done"] * 2
    assert replayed(report) == [0, 0]


def test_callback(fleet: Tenants) -> None:
    """A function that is to be told of each revision is told."""
    told: list[str] = []
    fleet.app.config["ALEMBIC_CONTEXT"]["on_version_apply"] = (
        lambda ctx, step, heads, run_args: told.append(
            str(ctx.bind.engine.url.database)
        )
    )
    report = fleet.upgrade(workers=1)
    assert replayed(report) == [0, 0, 0]
    assert told == [sa.make_url(url).database for url in fleet.urls]


def test_listener(fleet: Tenants) -> None:
    """Who listens to statements sees them, and may change them."""
    seen: list[str] = []

    @event.listens_for(sa.Engine, "before_cursor_execute")
    def see(connection: t.Any, cursor: t.Any, statement: str, *args: t.Any) -> None:
        if "CREATE TABLE todo" in statement:
            seen.append(connection.engine.url.database)

    try:
        report = fleet.upgrade(workers=1)
    finally:
        event.remove(sa.Engine, "before_cursor_execute", see)

    assert replayed(report) == [0, 0, 0]
    assert seen == [sa.make_url(url).database for url in fleet.urls]


def test_prepared(fleet: Tenants) -> None:
    """Connections are prepared for replays too."""
    prepared: list[str] = []

    @fleet.alembic.prepare_connection
    def prepare(connection: sa.Connection, database: t.Any) -> None:
        assert database.name == "default"
        prepared.append(str(connection.engine.url.database))

    report = fleet.upgrade(workers=1)
    assert replayed(report) == [0, 1, 1]
    assert prepared == [sa.make_url(url).database for url in fleet.urls]


def test_half_done(fleet: Tenants, databases: Databases) -> None:
    """What an earlier run left half done is completed, not begun anew."""
    folder = Path(fleet.app.root_path)
    body = (
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('one', 'todo', ['id'])\n"
        f"    if not __import__('os').path.exists({str(folder / 'mended')!r}):\n"
        "        raise ZeroDivisionError\n"
        "    op.create_index('two', 'todo', ['id'])"
    )
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body)
    assert states(fleet.upgrade(workers=1)) == ["failed"] * 3
    (folder / "mended").touch()
    report = fleet.upgrade(workers=1)
    assert states(report) == ["done"] * 3
    assert [result.steps[0].continued for result in report.tenants] == [1, 1, 1]


def test_branches(fleet: Tenants) -> None:
    """Branches, merges and dependencies lead to the same rows in the version table."""
    write_revision(fleet.app, "0002aa", "0001aa")
    write_revision(fleet.app, "0002bb", "0001aa")
    write_revision(fleet.app, "0003aa", ("0002aa", "0002bb"))
    write_revision(fleet.app, "0001cc", depends_on=["0002aa"])
    write_revision(fleet.app, "0004aa", "0003aa")
    write_revision(fleet.app, "0004bb", "0003aa")
    targets = ["0002bb", "0003aa", "heads"]
    rows = []

    for target in targets:
        report = fleet.upgrade(fleet.urls, target, workers=1)
        assert errors(report) == [None] * 3
        count = len(report.tenants[0].steps)
        assert replayed(report) == [0, count, count]
        found = [
            sorted(ask(url, "SELECT version_num FROM alembic_version"))
            for url in fleet.urls
        ]
        assert found[1:] == found[:1] * 2
        rows.append(found[0])

    assert rows == [
        [("0002bb",)],
        [("0003aa",)],
        [("0001cc",), ("0004aa",), ("0004bb",)],
    ]


def test_changed_meanwhile(fleet: Tenants, databases: Databases) -> None:
    """A version table that somebody changes who takes no lock is noticed in the
    transaction of the revision.
    """
    table = "UPDATE alembic_version SET version_num = '0001aa' || 'x'"
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=f'op.execute("{table}")')
    report = fleet.upgrade(workers=1)
    assert states(report) == ["failed"] * 3
    assert [r.steps[-1].revision for r in report.tenants] == ["0001aa"] * 3
    query = "SELECT version_num FROM alembic_version"
    assert [ask(url, query) for url in fleet.urls] == [[("0001aa",)]] * 3


def test_table_is_locked(fleet: Tenants, databases: Databases) -> None:
    """A replay that waits for a table gives up, and the revision is tried again as any
    other is.
    """
    if databases.server.name == "sqlite":
        pytest.skip("it has one lock for all")

    body = "op.add_column('todo', sa.Column('more', sa.Integer))"
    write_revision(fleet.app, "0002aa", "0001aa", upgrade=body)
    fleet.upgrade(fleet.urls, "0001aa")
    fleet.app.config["ALEMBIC"] |= {"ddl_lock_timeout": 0.2, "ddl_lock_retries": 0}
    engine = sa.create_engine(fleet.urls[1], poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE todo")
        report = fleet.upgrade(workers=1)

    assert states(report) == ["done", "failed", "done"]
    assert report.tenants[1].error_type == "TableLocked"
    assert report.only_locked
    assert replayed(fleet.upgrade(workers=1)) == [0, 1, 0]


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_other_timeout(databases: Databases, apps: Apps) -> None:
    """A setting that was changed since another tenant was upgraded holds."""
    fleet = make_tenants(databases, apps)
    shown = "SELECT current_setting('lock_timeout') AS waits"
    fleet.write(f'op.execute("CREATE TABLE seen AS {shown}")')
    waits = []

    for url, seconds in zip(fleet.urls, (3, 3, 4), strict=False):
        fleet.app.config["ALEMBIC"] = {"ddl_lock_timeout": seconds}
        report = fleet.upgrade([url])
        waits += [(*row, *replayed(report)) for row in ask(url, "SELECT * FROM seen")]

    assert waits == [("3s", 0), ("3s", 1), ("4s", 1)]
