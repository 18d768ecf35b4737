"""What was applied is noted beside the version table, and edited revisions are told."""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import socket
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from importlib.metadata import version
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables_and_history
from flask_alembic import ChangedRevision
from flask_alembic import ChangedRevisionError
from flask_alembic import HistoryEntry
from flask_alembic import MigrationFailed
from flask_alembic.checksum import checksum
from servers import Databases

TABLE: t.Final = "alembic_version_history"
CREATE: t.Final = "op.create_table('todo', sa.Column('id', sa.Integer))"

with_rights = pytest.mark.parametrize(
    "server", ["postgresql", "mariadb"], indirect=True
)
only_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
only_mariadb = pytest.mark.parametrize("server", ["mariadb"], indirect=True)


def write_three(app: Flask) -> list[Path]:
    """Three revisions, of which the first makes a table."""
    return [
        write_revision(app, "r1", upgrade=CREATE, downgrade="op.drop_table('todo')"),
        write_revision(app, "r2", "r1"),
        write_revision(app, "r3", "r2"),
    ]


def rows(entries: t.Iterable[HistoryEntry]) -> list[tuple[str, str]]:
    return [(entry.revision, entry.direction) for entry in entries]


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def edit(path: Path, old: str = "pass", new: str = "op.execute('SELECT 1')") -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def stock(app: Flask, url: str, command: str, target: str) -> None:
    """Run a command of Alembic's own."""
    folder = Path(app.root_path, "stock")
    folder.mkdir(exist_ok=True)
    (folder / "env.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import context\n"
        f"engine = sa.create_engine({url!r}, poolclass=sa.NullPool)\n"
        "with engine.connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
    )
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_locations", str(Path(app.root_path, "migrations")))
    config.set_main_option("path_separator", "newline")
    getattr(alembic.command, command)(config, target)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> t.Callable[[], list[str]]:
    """What was warned of since it was called last."""

    def messages() -> list[str]:
        found = [r.getMessage() for r in caplog.records if r.name == "flask_alembic"]
        # Whoever may not make this table may not make the other one.
        found = [text for text in found if "_journal of" not in text]
        assert {r.levelno for r in caplog.records if r.name == "flask_alembic"} <= {
            logging.WARNING
        }
        caplog.clear()
        return found

    return messages


Log = t.Callable[[], list[str]]


# What is noted


def test_entries(url: str, apps: Apps) -> None:
    """An entry tells what was run, when, how long, by whom and where, and what the file
    was.
    """
    app, alembic = apps.plain(url)
    first, *_ = write_three(app)
    before = datetime.now(UTC) - timedelta(seconds=1)

    with app.app_context():
        alembic.upgrade("r2")
        alembic.downgrade()
        alembic.stamp("r3")
        found = alembic.applied()

    assert list(found) == ["default"]
    assert rows(found["default"]) == [
        ("r3", "stamp"),
        ("r2", "downgrade"),
        ("r2", "upgrade"),
        ("r1", "upgrade"),
    ]
    entry = found["default"][-1]
    assert entry == HistoryEntry(
        database="default",
        revision="r1",
        direction="upgrade",
        applied_at=entry.applied_at,
        seconds=entry.seconds,
        run_by=getpass.getuser(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=version("Flask-Alembic"),
        parents=(),
        checksum=checksum(first.read_bytes()),
    )
    assert before < entry.applied_at < datetime.now(UTC) + timedelta(seconds=1)
    assert entry.seconds > 0
    assert [e.parents for e in found["default"]] == [("r2",), ("r1",), ("r1",), ()]
    assert all(e.checksum for e in found["default"])


def test_no_table_by_reading(url: str, apps: Apps) -> None:
    """Commands that read make no table, nor does a run without steps."""
    app, alembic = apps.plain(url, sa.MetaData())

    with app.app_context():
        assert alembic.applied() == {"default": ()}
        alembic.upgrade()
        alembic.check()
        alembic.current()
        alembic.ensure_version()
        assert alembic.repair().findings == ()

    assert tables_and_history(url) == {"alembic_version"}


def test_off(url: str, apps: Apps) -> None:
    """With history off nothing is made, written, or read."""
    app, alembic = apps.plain(url, ALEMBIC={"history": False})
    _, second, _ = write_three(app)

    with app.app_context():
        alembic.upgrade()

    assert tables_and_history(url) == {"alembic_version", "todo"}
    app.config["ALEMBIC"]["history"] = True

    with app.app_context():
        alembic.downgrade()
        alembic.upgrade()
        assert rows(alembic.applied()["default"]) == [
            ("r3", "upgrade"),
            ("r3", "downgrade"),
        ]

    app.config["ALEMBIC"] |= {"history": False, "changed_revisions": "error"}
    edit(Path(app.root_path, "migrations", "r3_.py"))

    with app.app_context():
        alembic.upgrade()
        assert alembic.applied() == {"default": ()}
        assert alembic.repair().findings == ()


def test_stamps(apps: Apps, sqlite_url: str) -> None:
    """A stamp is an entry for each id that it leads to; to base, it is one."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1")
    write_revision(app, "b1")
    write_revision(app, "m1", ("a1", "b1"))

    with app.app_context():
        alembic.stamp("heads")
        alembic.stamp("base")
        alembic.stamp(["a1", "b1"], purge=True)
        entries = alembic.applied()["default"]

    assert sorted(rows(entries[:2])) == [("a1", "stamp"), ("b1", "stamp")]
    assert rows(entries[2:]) == [("base", "stamp"), ("m1", "stamp")]
    assert set(entries[-1].parents) == {"a1", "b1"}
    assert entries[-1].checksum
    assert (entries[2].checksum, entries[2].parents) == (None, ())


def test_failed_revision(url: str, apps: Apps) -> None:
    """A revision that is rolled back leaves no entry; those before it keep theirs."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=CREATE)
    write_revision(app, "r2", "r1", upgrade="op.execute('INSERT INTO nowhere')")

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic.upgrade()

        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]


def test_one_transaction(databases: Databases, apps: Apps) -> None:
    """Where a run is one transaction, its entries are a part of it."""
    app, alembic = apps.plain(
        databases.make(), ALEMBIC_CONTEXT={"transaction_per_migration": False}
    )
    write_revision(app, "r1")
    write_revision(app, "r2", "r1", upgrade="1 / 0")

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic.upgrade()

        # What can't roll back DDL commits each revision.
        kept = [("r1", "upgrade")] if databases.server.name == "mariadb" else []
        assert rows(alembic.applied()["default"]) == kept


def test_autocommit_block(url: str, apps: Apps) -> None:
    """A revision that leaves its transaction for a while is noted too."""
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "r1",
        upgrade="with op.get_context().autocommit_block():\n    op.execute('SELECT 1')",
    )

    with app.app_context():
        alembic.upgrade()
        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]


def test_several_databases(databases: Databases, apps: Apps) -> None:
    """Each database has its own history."""
    app, alembic = apps.several({"one": databases.make(), "two": databases.make()})
    write_revision(app, "r1", arguments="engine_name")
    write_revision(app, "r2", "r1", arguments="engine_name")

    with app.app_context():
        alembic.upgrade("r1")
        alembic.upgrade(databases=["two"])
        found = alembic.applied()
        assert rows(found["one"]) == [("r1", "upgrade")]
        assert rows(found["two"]) == [("r2", "upgrade"), ("r1", "upgrade")]
        assert list(alembic.applied(databases=["two"])) == ["two"]


def test_version_table(url: str, apps: Apps) -> None:
    """It is called like the version table."""
    app, alembic = apps.plain(
        url, ALEMBIC_CONTEXT={"version_table": "Our Versions", "include_schemas": False}
    )
    write_revision(app, "r1", upgrade="pass")

    with app.app_context():
        alembic.upgrade()
        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]
        (change,) = alembic.check().databases[0].changes
        assert change.text == "add table todo"

    assert tables_and_history(url) == {"Our Versions", "Our Versions_history"}


@with_rights
def test_version_table_schema(databases: Databases, apps: Apps) -> None:
    """It is in the schema of the version table."""
    url, other = databases.make(), databases.make()
    is_postgresql = databases.server.name == "postgresql"
    schema = "meta" if is_postgresql else str(sa.make_url(other).database)

    if is_postgresql:
        execute(url, "CREATE SCHEMA meta")

    app, alembic = apps.plain(url, ALEMBIC_CONTEXT={"version_table_schema": schema})
    write_revision(app, "r1", upgrade=CREATE)

    with app.app_context():
        alembic.upgrade()
        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]

    engine = apps.engine(url)
    names = sa.inspect(engine).get_table_names(schema)
    assert set(names) - {"alembic_version_journal"} == {"alembic_version", TABLE}
    assert tables_and_history(url) == {"todo"}


@only_postgresql
def test_tenants(databases: Databases, apps: Apps) -> None:
    """A tenant's history is where the tenant's version table is, also if another
    schema of the search path has one.
    """
    url = databases.make()
    app, alembic = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    @alembic.prepare_connection
    def enter(connection: sa.Connection, database: t.Any) -> None:
        x = alembic.env.get_x_argument(as_dictionary=True)
        assert isinstance(x, dict)

        if tenant := x.get("tenant"):
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {tenant}"))
            connection.execute(sa.text(f"SET search_path TO {tenant}, public"))

    with app.app_context(), alembic.using(x={"tenant": "a"}):
        alembic.upgrade("r1")

    # Made by Alembic, with no history.
    execute(url, "CREATE SCHEMA b", "CREATE TABLE b.alembic_version (version_num text)")

    with app.app_context():
        alembic.upgrade("r1")

        with alembic.using(x={"tenant": "b"}):
            alembic.upgrade("r2")
            assert rows(alembic.applied()["default"]) == [
                ("r2", "upgrade"),
                ("r1", "upgrade"),
            ]

        with alembic.using(x={"tenant": "a"}):
            assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]

        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]


@only_postgresql
def test_schema_translate_map(databases: Databases, apps: Apps) -> None:
    """A map of schemas does not lead it astray."""
    url = databases.make()
    execute(url, "CREATE SCHEMA tenant")
    app, alembic = apps.plain(url, ALEMBIC_CONTEXT={"version_table_schema": "tenant"})
    write_revision(app, "r1")

    @alembic.prepare_connection
    def prepare(connection: sa.Connection, database: t.Any) -> None:
        connection.execution_options(schema_translate_map={None: "tenant"})

    with app.app_context():
        alembic.upgrade()
        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]

    assert set(sa.inspect(apps.engine(url)).get_table_names("tenant")) == {
        "alembic_version",
        TABLE,
    }


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_innodb(url: str, apps: Apps) -> None:
    """On MariaDB it can be rolled back, whatever engine is the default."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1")

    @alembic.prepare_connection
    def prepare(connection: sa.Connection, database: t.Any) -> None:
        connection.execute(sa.text("SET default_storage_engine = 'MyISAM'"))

    with app.app_context():
        alembic.upgrade()

    query = "SELECT engine FROM information_schema.tables WHERE table_name = :name"
    query += " AND table_schema = DATABASE()"

    with apps.engine(url).connect() as connection:
        assert connection.scalar(sa.text(query), {"name": TABLE}) == "InnoDB"


def test_offline(url: str, apps: Apps) -> None:
    """A script has no history in it."""
    app, alembic = apps.plain(url)
    write_three(app)

    with app.app_context():
        assert "history" not in alembic.sql("heads")["default"]


def test_file_changed_while_it_ran(url: str, apps: Apps) -> None:
    """What is noted of a file is of what ran, not of what the file became meanwhile."""
    app, alembic = apps.plain(url)
    edit_itself = "from pathlib import Path\nPath(__file__).write_text('edited')"
    path = write_revision(app, "r1", upgrade=edit_itself)
    ran = path.read_bytes()

    with app.app_context():
        alembic.upgrade()

    with apps.engine(url).connect() as connection:
        noted = connection.scalar(sa.text(f"SELECT file_hash FROM {TABLE}"))

    assert path.read_text() == "edited"
    assert noted == hashlib.sha256(ran).hexdigest()


def test_no_secret(databases: Databases, apps: Apps) -> None:
    """No password is in the table."""
    url = databases.make()
    app, alembic = apps.plain(url)
    write_revision(app, "r1")

    with app.app_context():
        alembic.upgrade()

    with apps.engine(url).connect() as connection:
        columns = connection.execute(sa.text(f"SELECT * FROM {TABLE}")).mappings().one()

    assert set(columns) == {
        *("id", "revision", "direction", "applied_at", "seconds", "run_by", "host"),
        *("pid", "version", "parents", "checksum", "file_hash"),
    }


def test_cost(url: str, apps: Apps) -> None:
    """It costs one statement a revision."""
    counts = {}

    for is_on in (True, False):
        app, alembic = apps.plain(url, ALEMBIC={"history": is_on})
        engine = alembic.engines["default"]
        statements: list[str] = []

        def note(
            *args: t.Any,
            statements: list[str] = statements,
        ) -> None:
            statements.append(args[2])

        sa.event.listen(engine, "before_cursor_execute", note)
        write_revision(app, "r0")

        for number in range(1, 6):
            write_revision(app, f"r{number}", f"r{number - 1}")

        with app.app_context():
            alembic.stamp("base")
            alembic.upgrade("r0")
            statements.clear()
            alembic.upgrade("r1")
            one = len(statements)
            alembic.upgrade()
            counts[is_on] = len(statements) - one - one

    # The second run has three revisions more than the first.
    assert counts[True] - counts[False] == 3


def test_borrowed(databases: Databases, apps: Apps) -> None:
    """Inside somebody else's transaction it is a part of that. Where making the table
    would commit, there is no history.
    """
    url = databases.make()
    app, alembic = apps.plain(url)
    write_revision(app, "r1")
    engine = alembic.engines["default"]
    is_mariadb = databases.server.name == "mariadb"

    with app.app_context():
        with engine.connect() as connection, connection.begin() as transaction:
            with alembic.use_connection(connection):
                alembic.upgrade()
                found = rows(alembic.applied()["default"])
                assert found == ([] if is_mariadb else [("r1", "upgrade")])

            transaction.rollback()

        assert alembic.applied() == {"default": ()}

    assert TABLE not in tables_and_history(url)


def test_borrowed_later(url: str, apps: Apps) -> None:
    """Where the table is there, entries go with the transaction."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")
    engine = alembic.engines["default"]

    with app.app_context():
        alembic.upgrade("r1")

        for end in ("rollback", "commit"):
            with engine.connect() as connection, connection.begin() as transaction:
                with alembic.use_connection(connection):
                    alembic.upgrade("r2")

                getattr(transaction, end)()

            entries = alembic.applied()["default"]
            assert len(entries) == (1 if end == "rollback" else 2)


def test_async(async_url: str, apps: Apps, log: Log) -> None:
    """It is the same with async engines."""
    app, alembic, _ = apps.plain_async(async_url)
    first, *_ = write_three(app)

    with app.app_context():
        alembic.upgrade("r2")
        edit(first, "'id'", "'key'")
        alembic.upgrade()
        assert [entry.revision for entry in alembic.applied()["default"]] == [
            *("r3", "r2", "r1")
        ]
        assert alembic.repair(apply=True).ok
        alembic.upgrade()

    (message,) = log()
    assert "Revision r1 was edited" in message


# Without rights


def make_user(databases: Databases, url: str) -> str:
    """The URL of a user who may do little."""
    name = str(sa.make_url(url).database)[-16:]

    if databases.server.name == "postgresql":
        execute(
            url,
            f"CREATE ROLE {name} LOGIN PASSWORD 'secret-word'",
            f"GRANT CONNECT ON DATABASE {sa.make_url(url).database} TO {name}",
        )
    else:
        execute(url, f"CREATE USER {name} IDENTIFIED BY 'secret-word'")

    made = sa.make_url(url).set(username=name, password="secret-word")
    return made.render_as_string(hide_password=False)


@pytest.fixture
def limited(databases: Databases, apps: Apps) -> t.Iterator[tuple[str, str, str]]:
    """The URL of a database, that of a user who may do little in it, and the user."""
    url = databases.make()
    users = make_user(databases, url)
    user = str(sa.make_url(users).username)
    yield url, users, user
    apps.close()

    if databases.server.name == "postgresql":
        execute(url, f"DROP OWNED BY {user}", f"DROP ROLE {user}")
    else:
        execute(url, f"DROP USER {user}")


@with_rights
def test_no_right_to_create(
    databases: Databases, apps: Apps, limited: tuple[str, str, str], log: Log
) -> None:
    """A user who may not create tables migrates all the same, and is told once."""
    url, users, user = limited
    execute(url, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version TO {user}")
    app, alembic = apps.plain(users)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    with app.app_context():
        assert len(alembic.upgrade().steps) == 2
        assert alembic.applied() == {"default": ()}

    (message,) = log()
    assert "'default' is not noted in its history" in message
    assert "denied" in message
    assert "secret-word" not in message


@with_rights
@pytest.mark.parametrize("is_borrowed", [False, True])
def test_no_right_to_insert(
    databases: Databases,
    apps: Apps,
    limited: tuple[str, str, str],
    log: Log,
    is_borrowed: bool,
) -> None:
    """One who may not write to the table, neither: the revision is not rolled back for
    that.
    """
    url, users, user = limited
    app, alembic = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    with app.app_context():
        alembic.upgrade("r1")

    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version TO {user}")
    app, alembic = apps.plain(users, name="app1")
    engine = alembic.engines["default"]

    with app.app_context():
        if is_borrowed:
            with engine.begin() as connection, alembic.use_connection(connection):
                alembic.upgrade("r2")
        else:
            alembic.upgrade("r2")

        assert alembic.current()[0].revision == "r2"

    (message,) = log()
    # MariaDB does not tell whether the table is there.
    is_hidden = is_borrowed and databases.server.name == "mariadb"
    assert ("would commit" if is_hidden else "denied") in message

    execute(url, f"GRANT SELECT ON {TABLE} TO {user}")

    with app.app_context():
        alembic.downgrade()
        assert rows(alembic.applied()["default"]) == [("r1", "upgrade")]

    (message,) = log()
    assert "denied" in message


def test_another_programs_table(url: str, apps: Apps, log: Log) -> None:
    """A table of that name with other columns is left alone."""
    execute(url, f"CREATE TABLE {TABLE} (id INTEGER)")
    app, alembic = apps.plain(url)
    write_revision(app, "r1")

    with app.app_context():
        alembic.upgrade()
        assert "is not noted in its history" in log()[0]
        alembic.upgrade()
        assert alembic.repair().findings == ()

    assert log() == []


def test_a_model(url: str, apps: Apps, log: Log) -> None:
    """A model of that name is the user's: it is compared, made and left alone."""
    metadata = sa.MetaData()
    sa.Table(TABLE, metadata, sa.Column("id", sa.Integer, primary_key=True))
    app, alembic = apps.plain(url, metadata)

    with app.app_context():
        alembic.revision("models")
        alembic.upgrade()
        assert log() == [
            "What is applied to the database 'default' is not noted in its history: the"
            f" models have a table '{TABLE}'."
        ]
        assert alembic.check().ok
        assert alembic.applied() == {"default": ()}
        alembic.upgrade()
        alembic.downgrade()

    assert tables_and_history(url) == {"alembic_version"}


# Edited revisions


def test_edited(url: str, apps: Apps, log: Log) -> None:
    """A revision that was edited after it was applied is told on each upgrade, also
    when there is nothing to do. Formatting is no edit.
    """
    app, alembic = apps.plain(url)
    first, second, third = write_three(app)

    with app.app_context():
        alembic.upgrade("r2")

    edit(second, "pass", "(pass_ := 1)\n    # more\n")
    edit(first, "'todo', sa", '\n        "todo",\n  sa')
    edit(third)
    message = (
        "Revision r2 was edited after it was applied to the database 'default':"
        " migrations/r2_.py."
    )

    with app.app_context():
        alembic.upgrade("r2")
        assert log() == [message]
        alembic.upgrade()
        assert log() == [message]
        alembic.downgrade("r2")
        assert log() == []

    edit(second, "(pass_ := 1)", "pass")

    with app.app_context():
        alembic.upgrade()

    assert log() == []


def test_error(url: str, apps: Apps) -> None:
    """It can be an error, before anything runs."""
    app, alembic = apps.plain(url, ALEMBIC={"changed_revisions": "error"})
    first, second, third = write_three(app)

    with app.app_context():
        alembic.upgrade("r2")

    edit(second)

    with app.app_context():
        with pytest.raises(ChangedRevisionError) as raised:
            alembic.upgrade()

        assert alembic.current()[0].revision == "r2"

    error = raised.value
    assert error.changes == (
        ChangedRevision(
            "default", "r2", "edited", "migrations/r2_.py", ("r1",), ("r1",)
        ),
    )
    assert "r2 was edited after it was applied" in str(error)
    assert "Nothing was run." in str(error)
    assert error.hint and "git checkout" in error.hint and "repair" in error.hint


def test_error_on_one(tmp_path: Path, apps: Apps) -> None:
    """Then nothing is run on any database."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")}
    app, alembic = apps.several(urls, ALEMBIC={"changed_revisions": "error"})
    path = write_revision(app, "r1", arguments="engine_name")

    with app.app_context():
        alembic.upgrade(databases=["two"])
        edit(path)

        with pytest.raises(ChangedRevisionError):
            alembic.upgrade()

        assert alembic.current_by_database() == {
            "one": (),
            "two": (alembic.show("r1")[0],),
        }


def test_ignore(url: str, apps: Apps, log: Log) -> None:
    """It can be ignored; then nothing is read for it."""
    app, alembic = apps.plain(url, ALEMBIC={"changed_revisions": "ignore"})
    _, second, _ = write_three(app)
    statements: list[str] = []
    sa.event.listen(
        alembic.engines["default"],
        "before_cursor_execute",
        lambda *args: statements.append(args[2]),
    )

    with app.app_context():
        alembic.upgrade()
        edit(second)
        statements.clear()
        alembic.upgrade()

    assert log() == []
    assert not any(TABLE in statement for statement in statements)


def test_moved_and_missing(url: str, apps: Apps, log: Log) -> None:
    """A revision that revises another one now is told, and one whose file is gone."""
    app, alembic = apps.plain(url)
    _, second, third = write_three(app)

    with app.app_context():
        alembic.upgrade()

    second.unlink()
    edit(third, "down_revision = 'r2'", "down_revision = 'r1'")
    write_revision(app, "r4", "r3")

    with app.app_context():
        alembic.upgrade()

    assert log() == [
        "Revision r2 was applied to the database 'default', and no file has it now.",
        "Revision r3 revises r1 now, and revised r2 when it was applied to the database"
        " 'default': migrations/r3_.py.",
    ]


def test_newest_counts(apps: Apps, sqlite_url: str, log: Log) -> None:
    """A revision that was undone may be edited; after it was applied again the newer
    file counts.
    """
    app, alembic = apps.plain(sqlite_url)
    *_, third = write_three(app)

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade()

    edit(third)

    with app.app_context():
        alembic.upgrade("r2")
        assert log() == []
        alembic.upgrade()
        alembic.upgrade()
        assert log() == []

    edit(third, "SELECT 1", "SELECT 2")

    with app.app_context():
        alembic.upgrade()

    assert len(log()) == 1


def test_branches(apps: Apps, sqlite_url: str, log: Log) -> None:
    """What is applied is found through merges and dependencies, also by a label."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1", branch_labels=("left",))
    write_revision(app, "b1", depends_on=("left",))
    edited = write_revision(app, "c1", branch_labels=("right",))
    write_revision(app, "m1", ("b1", "c1"))

    with app.app_context():
        alembic.upgrade()
        edit(Path(app.root_path, "migrations", "a1_.py"))
        edit(edited)
        alembic.upgrade()

    assert sorted(message.split()[1] for message in log()) == ["a1", "c1"]


def test_by_alembic(url: str, apps: Apps, log: Log) -> None:
    """Of what Alembic applied nothing is known, and what it undid does not count."""
    app, alembic = apps.plain(url)
    first, second, third = write_three(app)
    stock(app, url, "upgrade", "r1")

    with app.app_context():
        edit(first, "pass", "'pass'") if "pass" in first.read_text() else None
        alembic.upgrade()
        assert log() == []
        assert rows(alembic.applied()["default"]) == [
            ("r3", "upgrade"),
            ("r2", "upgrade"),
        ]

    stock(app, url, "downgrade", "r2")
    third.unlink()
    write_revision(app, "r5", "r2")

    with app.app_context():
        alembic.upgrade("r2")
        assert log() == []

    stock(app, url, "upgrade", "head")
    edit(second)

    with app.app_context():
        alembic.upgrade()
        assert [message.split()[1] for message in log()] == ["r2"]
        assert alembic.current()[0].revision == "r5"


def test_applied_again_by_alembic(sqlite_url: str, apps: Apps, log: Log) -> None:
    """Of a revision that we undid and Alembic applied again nothing is known."""
    app, alembic = apps.plain(sqlite_url)
    *_, third = write_three(app)

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade()

    edit(third)
    stock(app, sqlite_url, "upgrade", "head")

    with app.app_context():
        alembic.upgrade()
        assert log() == []
        assert alembic.repair().findings == ()


def test_skip_missing(apps: Apps, sqlite_url: str, log: Log) -> None:
    """What is to be left alone is not told."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1")
    other = write_revision(app, "b1")

    with app.app_context():
        alembic.upgrade()

    other.unlink()

    with app.app_context():
        assert alembic.upgrade(skip_missing=True).skipped

    assert log() == []


# Comparing


@pytest.mark.parametrize("include_schemas", [False, True])
def test_hidden(databases: Databases, apps: Apps, include_schemas: bool) -> None:
    """Comparing never sees the two tables, and leaves out what the user does too."""
    url = databases.make()
    own = {sa.make_url(url).database, None}

    def include_name(name: str | None, kind: str, parents: t.Any) -> bool:
        # A server of MariaDB has the databases of other tests.
        if kind == "schema":
            return name in own | {"main", "public"}

        return name != "left_out"

    app, alembic = apps.plain(
        url,
        ALEMBIC_CONTEXT={
            "include_name": include_name,
            "include_schemas": include_schemas,
        },
    )

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        names = ("alembic_version_journal", "left_out", "other_history")
        execute(
            url, *(f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER)" for name in names)
        )
        (change,) = alembic.check().databases[0].changes
        assert change.text == "drop table other_history"
        assert len(alembic.compare_metadata()) == 1


@only_postgresql
def test_hidden_in_schema(databases: Databases, apps: Apps) -> None:
    """They are hidden in the schema of the version table only, which may be the
    default one by its name.
    """
    url = databases.make()
    execute(url, "CREATE SCHEMA meta")

    for schema, other in (("meta", "public"), ("public", "meta")):
        app, alembic = apps.plain(
            url,
            sa.MetaData(),
            ALEMBIC_CONTEXT={
                "version_table_schema": schema,
                "include_schemas": True,
                "include_name": lambda name, kind, parents: name != "alembic_version",
            },
        )
        write_revision(app, "r1")

        with app.app_context():
            alembic.upgrade()
            assert alembic.check().ok
            execute(url, f"CREATE TABLE {other}.{TABLE} (id INTEGER)")
            assert not alembic.check().ok

        execute(url, f"DROP TABLE meta.{TABLE}, public.{TABLE}")


def test_adopt(url: str, apps: Apps) -> None:
    """They are no tables that make a database one without migrations."""
    app, alembic = apps.plain(url)
    write_three(app)

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade("base")
        (database,) = alembic.adopt().databases
        assert (database.tables, database.current) == (0, ())


def test_verify(url: str, apps: Apps) -> None:
    """A stamp that is verified does not see them."""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        alembic.stamp("base")
        assert alembic.stamp(verify=True).steps


# The command


def test_log_applied(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """The command shows what was applied, newest first, and fits in 80 columns."""
    app, alembic = apps.plain(sqlite_url)
    write_three(app)
    assert db(app, "log", "--applied").output == "default: nothing is noted.\n"

    db(app, "upgrade")
    db(app, "downgrade")
    lines = db(app, "log", "--applied").output.splitlines()
    assert [line.split()[2:4] for line in lines] == [
        ["r3", "downgrade"],
        ["r3", "upgrade"],
        ["r2", "upgrade"],
        ["r1", "upgrade"],
    ]
    assert all(len(line) <= 80 for line in lines)
    assert datetime.fromisoformat(lines[0][:19])
    assert getpass.getuser() in lines[0]

    verbose = db(app, "log", "--applied", "-v").output
    assert "Rev: r3\nDirection: downgrade\nParent: r2\nApplied: " in verbose
    assert db(app, "history", "--applied", "--ids").output == "r3\nr2\nr1\n"

    document = json.loads(db(app, "log", "--applied", "--json").output)
    (database,) = document["databases"]
    assert database["name"] == "default"
    assert set(database["applied"][0]) == {
        *("revision", "direction", "applied_at", "seconds", "run_by", "host", "pid"),
        *("version", "parents", "checksum"),
    }
    assert datetime.fromisoformat(database["applied"][0]["applied_at"]).tzinfo is UTC

    for option in (["-r", "r1:"], ["-i"], ["--start", "r1"]):
        result = db(app, "log", "--applied", *option)
        assert (result.exit_code, "--applied shows all" in result.output) == (2, True)


def test_log_several(apps: Apps, tmp_path: Path, db: Cli) -> None:
    """Several databases are named."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")}
    app, alembic = apps.several(urls)
    write_revision(app, "r1", arguments="engine_name")
    db(app, "upgrade", "--database", "one")
    lines = db(app, "log", "--applied").output.splitlines()
    assert (lines[0], lines[2]) == ("one:", "two: nothing is noted.")


def test_upgrade_tells(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """``flask db upgrade`` exits with 1 where an edited revision is an error."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"changed_revisions": "error"})
    _, second, _ = write_three(app)
    db(app, "upgrade")
    edit(second)
    result = db(app, "upgrade")
    assert result.exit_code == 1
    assert result.output == (
        "Error: Revision r2 was edited after it was applied to the database 'default':"
        " migrations/r2_.py. Nothing was run.\n"
        "Hint: Restore the file, such as by 'git checkout', and write what changed as a"
        " new revision. If the database is as the file says, run 'flask db repair'.\n"
    )
