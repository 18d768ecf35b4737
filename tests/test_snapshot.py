"""Snapshots: what is in them, how they are written, and what proves them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables_and_history
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import FlaskAlembicError
from flask_alembic.scratch.servers import PREFIX
from servers import Databases
from servers import Server
from servers import with_driver
from snapshot_schemas import as_revision
from snapshot_schemas import SCHEMAS

CREATE_TODO: t.Final = (
    "op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('text', sa.String(50)))"
)
INSERT: t.Final = (
    "op.bulk_insert(sa.table('todo', sa.column('text')), [{'text': '5%'}])"
)


def snapshots(app: Flask) -> dict[str, str]:
    """The files that there are, and what they hold."""
    folder = Path(app.root_path, "migrations", "snapshots")
    return {path.name: path.read_text() for path in sorted(folder.glob("*"))}


def the_snapshot(app: Flask) -> Path:
    (path,) = Path(app.root_path, "migrations", "snapshots").iterdir()
    return path


@pytest.fixture
def app(apps: Apps, url: str) -> Flask:
    """An app with two revisions: one makes a table, the other a row in it."""
    return with_two_revisions(apps, url)


@pytest.fixture
def sqlite_app(apps: Apps, sqlite_url: str) -> Flask:
    """The same, on SQLite only."""
    return with_two_revisions(apps, sqlite_url)


def with_two_revisions(apps: Apps, url: str) -> Flask:
    app, _ = apps.plain(url)
    write_revision(app, "a1", upgrade=CREATE_TODO)
    write_revision(app, "b2", "a1", upgrade=INSERT)
    return app


def extension(app: Flask) -> Alembic:
    found: Alembic = app.extensions["alembic"]
    return found


# What is in them


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_everything(databases: Databases, apps: Apps, server: Server) -> None:
    """A schema with something of everything is written, proved and loaded."""
    loaded, upgraded = databases.make(), databases.make()
    app, alembic = apps.plain(loaded, name="same")
    write_revision(app, "a1", upgrade=as_revision(SCHEMAS[server.name]))

    with app.app_context():
        report = alembic.snapshot(rows=True)
        assert report.databases[0].rows
        assert report.databases[0].left_out == ()
        assert alembic.verify_snapshot().ok
        assert alembic.snapshot().databases[0].written is False
        assert alembic.prepare().databases[0].snapshot == the_snapshot(app)

    other, alembic = apps.plain(upgraded, name="same")

    with other.app_context():
        alembic.upgrade()

    assert schema_of(loaded) == schema_of(upgraded)


def schema_of(url: str) -> dict[str, t.Any]:
    """What SQLAlchemy sees of a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        tables = {
            name: table_of(connection, name)
            for name in inspector.get_table_names()
            if not name.startswith("alembic_version_")
        }
        return {**tables, "": sorted(inspector.get_view_names())}


def table_of(connection: sa.Connection, name: str) -> dict[str, t.Any]:
    """A table; of SQLite, whose tables SQLAlchemy 2.0 can't all read, its text and that
    of all that is on it.
    """
    if connection.dialect.name == "sqlite":
        columns = sa.text("SELECT * FROM pragma_table_xinfo(:name)")
        texts = sa.text("SELECT name, sql FROM sqlite_master WHERE tbl_name = :name")
        return {
            "columns": [*map(tuple, connection.execute(columns, {"name": name}))],
            "texts": sorted(map(tuple, connection.execute(texts, {"name": name}))),
        }

    inspector = sa.inspect(connection)
    return {
        "columns": [
            (c["name"], str(c["type"]), c["nullable"], c["default"])
            for c in inspector.get_columns(name)
        ],
        "key": inspector.get_pk_constraint(name),
        "foreign keys": inspector.get_foreign_keys(name),
        "checks": inspector.get_check_constraints(name),
        "indexes": sorted(map(str, inspector.get_indexes(name))),
    }


def test_rows(app: Flask) -> None:
    """Rows are left out, and told of, until they are asked for; then they stay in."""
    alembic = extension(app)

    def rows(**arguments: t.Any) -> tuple[t.Any, ...]:
        with app.app_context():
            (found,) = alembic.snapshot(**arguments).databases

        text = the_snapshot(app).read_text()
        assert ("INSERT INTO" in text) == bool(found.rows)
        names = (
            tuple(n.removeprefix("public.") for n in names)
            for names in (found.rows, found.left_out)
        )
        return tuple(names)

    assert rows() == ((), ("todo",))
    assert rows(rows="todo") == (("todo",), ())
    assert rows() == (("todo",), ())
    assert rows(rows=False) == ((), ("todo",))
    assert rows(rows=True) == (("todo",), ())
    assert rows(rows=["todo"]) == (("todo",), ())


def test_rows_of_no_table(sqlite_app: Flask) -> None:
    """A table whose rows are wanted has to be there."""
    with sqlite_app.app_context():
        with pytest.raises(FlaskAlembicError, match="no table 'nope'"):
            extension(sqlite_app).snapshot(rows=["nope"])

    assert snapshots(sqlite_app) == {}


def test_no_times(app: Flask) -> None:
    """The same revisions give the same file, to the letter."""
    with app.app_context():
        extension(app).snapshot(rows=True)

    (before,) = snapshots(app).values()
    the_snapshot(app).unlink()

    with app.app_context():
        extension(app).snapshot(rows=True)

    assert list(snapshots(app).values()) == [before]


def test_altered_version_table(apps: Apps, url: str) -> None:
    """A revision may change the version table."""
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "a1",
        upgrade="with op.batch_alter_table('alembic_version') as batch:\n"
        "    batch.alter_column('version_num', type_=sa.String(200),"
        " existing_type=sa.String(32), existing_nullable=False)",
    )

    with app.app_context():
        alembic.snapshot()
        alembic.prepare()

    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        (column,) = sa.inspect(connection).get_columns("alembic_version")
        assert getattr(column["type"], "length", None) == 200


def test_no_tables_of_ours(app: Flask) -> None:
    """The version table is there already, and the history is the database's own."""
    with app.app_context():
        extension(app).snapshot()

    (text,) = snapshots(app).values()
    assert "alembic_version" not in text


# What can't be in them


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (
            "CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int)",
            "function public.total",
        ),
        (
            "CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)",
            "===",
        ),
        ("CREATE PUBLICATION published", "publication published"),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "default"),
    ],
)
def test_nothing_is_lost(apps: Apps, url: str, statement: str, name: str) -> None:
    """What a snapshot can't hold is an error that names it, and no file."""
    app, alembic = apps.plain(url)
    write_revision(app, "a1", upgrade=f"op.execute({statement!r})")

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="can't hold") as raised:
            alembic.snapshot()

    assert name in str(raised.value)
    assert snapshots(app) == {}


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_rights_on_mariadb(apps: Apps, url: str) -> None:
    """Rights are the server's there, and not of the schema."""
    app, alembic = apps.plain(url)
    grant = "op.execute(f'GRANT SELECT ON {name}.* TO PUBLIC')"
    name = "name = op.get_bind().exec_driver_sql('SELECT DATABASE()').scalar()"
    write_revision(app, "a1", upgrade=f"{name}\n{grant}")

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="gives rights to"):
            alembic.snapshot()


def test_no_revisions(apps: Apps, sqlite_url: str) -> None:
    """There has to be something to write."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="no revisions yet"):
            alembic.snapshot()


# Throw-away databases


def scratch_databases(server: Server) -> list[str]:
    """Those that are there."""
    assert server.url is not None
    query = {
        "postgresql": "SELECT datname FROM pg_database",
        "mariadb": "SELECT schema_name FROM information_schema.schemata",
    }[server.name]
    engine = sa.create_engine(server.url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        names = connection.scalars(sa.text(query)).all()

    return [name for name in names if name.startswith(PREFIX)]


def test_the_app_is_left_alone(app: Flask, url: str) -> None:
    """The database of the app is not touched."""
    with app.app_context():
        extension(app).snapshot()
        assert extension(app).verify_snapshot().ok

    assert tables_and_history(url) == set()


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_nothing_is_left(apps: Apps, url: str, server: Server) -> None:
    """A throw-away database is dropped at the end, whatever happens."""
    app, alembic = apps.plain(url)
    write_revision(app, "a1", upgrade=f"{CREATE_TODO}\nraise ValueError")
    before = set(scratch_databases(server))

    with app.app_context(), pytest.raises(FlaskAlembicError, match="ValueError"):
        alembic.snapshot()

    # Other tests may have theirs meanwhile.
    mine = {name for name in scratch_databases(server) if name not in before}
    engine = sa.create_engine(str_url(server), poolclass=sa.NullPool)

    with engine.connect() as connection:
        assert not [name for name in mine if has_todo(connection, name)]


def str_url(server: Server) -> str:
    assert server.url is not None
    return server.url.render_as_string(hide_password=False)


def has_todo(connection: sa.Connection, database: str) -> bool:
    if connection.dialect.name == "postgresql":
        return False

    return sa.inspect(connection).has_table("todo", schema=database)


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_what_was_left_is_dropped(app: Flask, server: Server) -> None:
    """A process that was killed leaves its database, and the next one drops it."""
    engine = sa.create_engine(
        str_url(server), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    name = f"{PREFIX}{'0' * 12}"

    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")

    with app.app_context():
        extension(app).snapshot()

    assert name not in scratch_databases(server)


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_one_of_the_users(app: Flask, databases: Databases) -> None:
    """Who may make no database names one, which is emptied at the end."""
    scratch = databases.make()
    alembic = extension(app)

    with app.app_context():
        alembic.snapshot(rows=True, scratch_url=scratch)
        assert alembic.verify_snapshot(scratch_url=scratch).ok
        assert tables_and_history(scratch) == set()

    app.config["ALEMBIC"]["scratch_url"] = {"default": scratch}

    with app.app_context():
        assert alembic.verify_snapshot().ok


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_everything_is_emptied(
    apps: Apps, server: Server, databases: Databases
) -> None:
    """Whatever the revisions make, the user's throw-away database is empty again."""
    app, alembic = apps.plain(databases.make())
    write_revision(app, "a1", upgrade=as_revision(SCHEMAS[server.name]))
    scratch = databases.make()

    with app.app_context():
        alembic.snapshot(scratch_url=scratch)
        assert alembic.verify_snapshot(scratch_url=scratch).ok


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_one_that_is_not_empty(app: Flask, databases: Databases) -> None:
    """What is in a database that was named by mistake is not lost."""
    scratch = databases.make()
    engine = sa.create_engine(scratch, poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE precious (id int)")

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="is not empty"):
            extension(app).snapshot(scratch_url=scratch)

    assert tables_and_history(scratch) == {"precious"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("mysql+pymysql://root:secret@nowhere/x", "needs no throw-away database"),
        (5, "must be a URL"),
        ({"default": 5}, "must be a URL"),
    ],
)
def test_wrong_urls(sqlite_app: Flask, value: object, message: str) -> None:
    """A URL that can't be used is told, without its password."""
    sqlite_app.config["ALEMBIC"]["scratch_url"] = value

    with sqlite_app.app_context():
        with pytest.raises(FlaskAlembicError, match=message) as raised:
            extension(sqlite_app).snapshot()

    assert "secret" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("scratch", "message"),
    [
        ("mysql+pymysql://root:secret@nowhere/x", "of another kind"),
        ("postgresql://u:secret@h:port/x", "can't be read"),
    ],
)
def test_wrong_urls_of_a_server(app: Flask, scratch: str, message: str) -> None:
    """So is one of another kind, or no URL."""
    with app.app_context():
        with pytest.raises(FlaskAlembicError, match=message) as raised:
            extension(app).snapshot(scratch_url=scratch)

    assert "secret" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_one_that_is_not_there(app: Flask, url: str) -> None:
    """A throw-away database that can't be reached is told, without the password."""
    place = sa.make_url(url).set(username="nobody", password="secret", port=1)

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="Can't connect to") as raised:
            extension(app).snapshot(
                scratch_url=place.render_as_string(hide_password=False)
            )

    assert "secret" not in f"{raised.value} {raised.value.hint}"


def test_one_url_for_two(apps: Apps, tmp_path: Path) -> None:
    """One throw-away database can't stand for two databases."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app, alembic = apps.several(urls)

    with app.app_context():
        with pytest.raises(ConfigurationError, match="one throw-away database"):
            alembic.snapshot(scratch_url="sqlite://")


def test_an_engine_that_can_not_be_led(databases: Databases, apps: Apps) -> None:
    """An engine with a function that connects always leads to the app's database, and
    that is noticed in time.
    """
    url = databases.make()
    inner = sa.create_engine(url, poolclass=sa.NullPool)

    def connect() -> t.Any:
        opened = inner.raw_connection()
        opened.detach()
        return opened.dbapi_connection

    app = apps.flask()
    engine = apps.engine(url, creator=connect)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="connects by a function"):
            alembic.snapshot()

    assert tables_and_history(url) == set()


def test_hooks_of_the_engine(apps: Apps, sqlite_url: str) -> None:
    """The throw-away database is connected to as the app's is, with all hooks."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(
        app,
        "a1",
        upgrade="op.execute('CREATE TABLE t (x INTEGER DEFAULT (1))')"
        "\nassert op.get_bind().exec_driver_sql('SELECT doubled(2)').scalar() == 4",
    )

    with app.app_context():
        engine = alembic.databases["default"].engine

        @sa.event.listens_for(engine, "connect")
        def connect(connection: t.Any, record: object) -> None:
            connection.create_function("doubled", 1, lambda x: 2 * x)

        alembic.snapshot()
        assert alembic.verify_snapshot().ok


def test_rows_that_refer_to_later_ones(apps: Apps, server: Server, url: str) -> None:
    """Rows may refer to those of a table that comes later, or to each other."""
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "a1",
        upgrade="op.create_table('z', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('other', sa.Integer, sa.ForeignKey('z.id')))\n"
        "op.create_table('a', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('z_id', sa.Integer, sa.ForeignKey('z.id')))\n"
        "op.execute('INSERT INTO z (id, other) VALUES (2, 2), (1, 2)')\n"
        "op.execute('INSERT INTO a (id, z_id) VALUES (1, 1)')",
    )

    with app.app_context():
        engine = alembic.databases["default"].engine

        if server.name == "sqlite":

            @sa.event.listens_for(engine, "connect")
            def connect(connection: t.Any, record: object) -> None:
                connection.execute("PRAGMA foreign_keys = ON")

        alembic.snapshot(rows=True)
        assert alembic.verify_snapshot().ok
        assert alembic.prepare().databases[0].snapshot is not None


def test_async(apps: Apps, async_url: str) -> None:
    """An async engine has snapshots, too."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "a1", upgrade=CREATE_TODO)
    write_revision(app, "b2", "a1", upgrade=INSERT)

    with app.app_context():
        alembic.snapshot(rows=True)
        assert alembic.verify_snapshot().ok
        assert alembic.prepare().databases[0].snapshot is not None
        assert alembic.prepare().run.steps == ()


def test_in_memory(apps: Apps) -> None:
    """An app whose database is in memory has one in a file as throw-away database."""
    app, alembic = apps.plain("sqlite://")
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        alembic.snapshot()
        assert alembic.verify_snapshot().ok
        assert alembic.current() == ()
        assert alembic.prepare().databases[0].snapshot is not None


def test_another_driver(apps: Apps, async_url: str, driver: str) -> None:
    """A driver that runs one statement at a time loads the same."""
    if driver != "asyncpg":
        pytest.skip("the others do both")

    app, alembic = apps.plain(with_driver(async_url, "psycopg"))
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        alembic.snapshot()

    (text,) = snapshots(app).values()
    other, alembic, _ = apps.plain_async(async_url)
    write_revision(other, "a1", upgrade=CREATE_TODO)

    with other.app_context():
        alembic.snapshot()

    assert list(snapshots(other).values()) == [text]


# Several databases


def test_several(apps: Apps, tmp_path: Path) -> None:
    """Each database has its file, and each can be left alone."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app, alembic = apps.several(urls)
    write_revision(
        app,
        "a1",
        arguments="engine_name",
        header="",
        upgrade="globals()[f'upgrade_{engine_name}']()",
    )
    path = Path(app.root_path, "migrations", "a1_.py")
    path.write_text(
        path.read_text()
        + "\ndef upgrade_default():\n    op.create_table('todo', sa.Column('id',"
        " sa.Integer))\n\ndef upgrade_auth():\n    op.create_table('user',"
        " sa.Column('id', sa.Integer))\n"
    )

    with app.app_context():
        alembic.snapshot(databases="auth")
        assert list(snapshots(app)) == ["auth.sqlite.sql"]
        assert [d.ok for d in alembic.verify_snapshot().databases] == [False, True]
        alembic.snapshot()
        assert alembic.verify_snapshot().ok

    found = snapshots(app)
    assert list(found) == ["auth.sqlite.sql", "default.sqlite.sql"]
    assert "CREATE TABLE user" in found["auth.sqlite.sql"]
    assert "CREATE TABLE todo" in found["default.sqlite.sql"]

    with app.app_context():
        report = alembic.prepare()
        assert all(database.snapshot for database in report.databases)
        assert {n: ids for n, ids in report.run.databases.items()} == {
            "default": ("a1",),
            "auth": ("a1",),
        }


# Verifying


def problems(app: Flask) -> tuple[str, ...]:
    with app.app_context():
        (found,) = extension(app).verify_snapshot().databases

    return found.problems


def test_a_file_that_was_changed(app: Flask) -> None:
    """What differs is told, though the revisions are the same."""
    with app.app_context():
        extension(app).snapshot(rows=True)

    path = the_snapshot(app)
    text = path.read_text()
    path.write_text(text.replace("(50)", "(60)"))
    (problem,) = problems(app)
    assert "todo" in problem

    path.write_text(text.replace("5%", "6%"))
    (problem,) = problems(app)
    assert problem.startswith("The rows of")

    path.write_text(text.replace("CREATE TABLE", "CREATE TABEL", 1))
    (problem,) = problems(app)
    assert problem.startswith("It can't be loaded: ")


def test_missing_and_superfluous(sqlite_app: Flask) -> None:
    """A table too few or too many is told."""
    with sqlite_app.app_context():
        extension(sqlite_app).snapshot()

    path = the_snapshot(sqlite_app)
    path.write_text(path.read_text().replace("TABLE todo", "TABLE tada"))
    assert problems(sqlite_app) == (
        "It has table tada, which the revisions don't make.",
        "It lacks table todo.",
    )


def test_revisions_after_it(app: Flask) -> None:
    """A snapshot need not be of the newest revision to be right."""
    with app.app_context():
        extension(app).snapshot()

    write_revision(app, "c3", "b2", upgrade="op.drop_table('todo')")
    assert problems(app) == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("edit", "Revision a1 was edited since: migrations/a1_.py."),
        ("remove", "Revision b2 is in it, and no file has it."),
        ("move", "Revision b2 was moved since: migrations/b2_.py."),
        ("insert", "Revision a0 is not in it."),
    ],
)
def test_stale(sqlite_app: Flask, change: str, problem: str) -> None:
    """A snapshot whose revisions changed is not what they make, and says which."""
    with sqlite_app.app_context():
        extension(sqlite_app).snapshot()

    if change == "edit":
        write_revision(sqlite_app, "a1", upgrade=CREATE_TODO.replace("50", "60"))
    elif change == "remove":
        Path(sqlite_app.root_path, "migrations", "b2_.py").unlink()
    elif change == "move":
        write_revision(sqlite_app, "b2", upgrade=INSERT)
        write_revision(sqlite_app, "c3", ("a1", "b2"))
    else:
        write_revision(sqlite_app, "a0")
        write_revision(sqlite_app, "a1", "a0", upgrade=CREATE_TODO)

    assert problem in problems(sqlite_app)


def test_formatting_is_no_change(sqlite_app: Flask) -> None:
    """A revision that was formatted does the same."""
    with sqlite_app.app_context():
        extension(sqlite_app).snapshot()

    path = Path(sqlite_app.root_path, "migrations", "a1_.py")
    path.write_text(path.read_text() + "\n\n# formatted\n")
    assert problems(sqlite_app) == ()


def test_garbled(sqlite_app: Flask) -> None:
    """A file that can't be read is told, and one that is not there."""
    assert problems(sqlite_app) == ("There is no such file.",)
    path = Path(sqlite_app.root_path, "migrations", "snapshots", "default.sqlite.sql")
    path.parent.mkdir()
    path.write_text("<<<<<<< ours")
    assert problems(sqlite_app)[0].startswith("It can't be read: ")
    path.write_bytes(b"\xff")
    assert problems(sqlite_app)[0].startswith("It can't be read: ")


# The commands


def test_commands(sqlite_app: Flask, db: Cli) -> None:
    """They say what they did, and verify-snapshot exits with 1 where it has to."""
    result = db(sqlite_app, "snapshot")
    assert result.output == (
        "default: wrote migrations/snapshots/default.sqlite.sql, which is at b2.\n"
        "  Without the rows of todo: add --rows, or --rows-of TABLE.\n"
    )
    assert db(sqlite_app, "snapshot", "--rows-of", "todo").output == (
        "default: wrote migrations/snapshots/default.sqlite.sql, which is at b2.\n"
        "  With the rows of todo.\n"
    )
    assert db(sqlite_app, "snapshot").output == (
        "default: nothing changed in migrations/snapshots/default.sqlite.sql, which is"
        " at b2.\n  With the rows of todo.\n"
    )
    assert "Without the rows" in db(sqlite_app, "snapshot", "--no-rows").output
    result = db(sqlite_app, "verify-snapshot")
    assert (result.exit_code, result.output) == (
        0,
        "default: migrations/snapshots/default.sqlite.sql is what its revisions"
        " make.\n",
    )
    write_revision(sqlite_app, "a1", upgrade=CREATE_TODO.replace("50", "60"))
    result = db(sqlite_app, "verify-snapshot")
    assert (result.exit_code, result.output) == (
        1,
        "default: migrations/snapshots/default.sqlite.sql is not what its revisions"
        " make:\n  Revision a1 was edited since: migrations/a1_.py.\n"
        "Hint: Run 'flask db snapshot'.\n",
    )


def test_json(sqlite_app: Flask, db: Cli) -> None:
    """All three answer in JSON."""
    (found,) = json.loads(db(sqlite_app, "snapshot", "--json").output)["databases"]
    assert (found["name"], found["revisions"]) == ("default", ["b2"])
    assert (found["left_out"], found["written"]) == (["todo"], True)
    found = json.loads(db(sqlite_app, "verify-snapshot", "--json").output)
    assert (found["ok"], found["databases"][0]["problems"]) == (True, [])
    (found,) = json.loads(db(sqlite_app, "prepare", "--json").output)["databases"]
    assert (found["current"], found["applied"]) == (["b2"], [])
    assert found["snapshot"].endswith("default.sqlite.sql")


def test_options_that_contradict(sqlite_app: Flask, db: Cli) -> None:
    """All rows and those of one table is one wish too many."""
    result = db(sqlite_app, "snapshot", "--rows", "--rows-of", "todo")
    assert result.exit_code == 2
