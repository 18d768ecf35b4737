"""Preparing the environment: hooks, options of one database, a connection given."""

import typing as t

import pytest
import sqlalchemy as sa
from alembic.config import Config
from flask import Flask

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationFailed
from servers import Databases
from servers import Server

Options = dict[str, dict[str, t.Any]]


@pytest.fixture
def urls(tmp_path: t.Any) -> dict[str, str]:
    """Two SQLite databases."""
    return {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "users")}


# configure


def test_configure_the_config(apps: Apps, sqlite_url: str) -> None:
    """A function of one parameter changes Alembic's config, or returns another one."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "b1", folder="others")

    @alembic.configure
    def move(config: Config) -> None:
        config.set_main_option("version_locations", f"{app.root_path}/others")

    @alembic.configure
    def replace(config: Config) -> Config:
        config.set_main_option("mine", "yes")
        return config

    with app.app_context():
        assert [s.revision for s in alembic.heads()] == ["b1"]
        assert alembic.config.get_main_option("mine") == "yes"


def test_configure_options(apps: Apps, urls: dict[str, str]) -> None:
    """A function of two parameters changes the options of one database, before its
    context is made, once in an app context.
    """
    app, alembic = apps.several(urls)
    calls = []

    @alembic.configure
    def rename(config: Config, options: Options) -> None:
        calls.append(sorted(options))
        assert isinstance(config, Config)
        options["users"]["version_table"] = "users_version"

    with app.app_context():
        alembic.revision("first")
        alembic.upgrade()
        assert calls == [["default", "users"]]

    with app.app_context():
        assert not alembic.needs_upgrade()

    assert len(calls) == 2
    assert tables(urls["default"]) == {"alembic_version", "todo"}
    assert tables(urls["users"]) == {"users_version", "todo"}


def test_configure_target_metadata(apps: Apps, sqlite_url: str) -> None:
    """It may replace the metadata too."""
    app, alembic = apps.plain(sqlite_url)

    @alembic.configure
    def nothing(config: Config, options: Options) -> None:
        options["default"]["target_metadata"] = sa.MetaData()

    with app.app_context():
        assert not alembic.needs_revision()


def test_configure_is_a_decorator(apps: Apps, sqlite_url: str) -> None:
    """The function stays what it is."""
    _, alembic = apps.plain(sqlite_url)

    def function(config: Config) -> None:
        raise AssertionError

    assert alembic.configure(function) is function


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "compare_typ",
            True,
            "ALEMBIC_CONTEXT['compare_typ'] = True is not an option: did you mean"
            " 'compare_type'?",
        ),
        ("version_table", 5, "ALEMBIC_CONTEXT['version_table'] = 5 must be a str."),
        (
            "url",
            "sqlite://",
            "ALEMBIC_CONTEXT['url'] = 'sqlite://' is set by the extension.",
        ),
    ],
)
def test_configure_with_bad_options(
    apps: Apps, sqlite_url: str, key: str, value: object, message: str
) -> None:
    """What a function sets is checked like what the config sets."""
    app, alembic = apps.plain(sqlite_url)

    @alembic.configure
    def spoil(config: Config, options: Options) -> None:
        options["default"][key] = value

    with app.app_context(), pytest.raises(ConfigurationError) as raised:
        alembic.current()

    assert str(raised.value) == message


def test_options_follow_the_arguments(apps: Apps, sqlite_url: str) -> None:
    """A function that reads ``-x`` is asked again where another argument is given,
    also if a connection is open.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1")

    @alembic.configure
    def tenant(config: Config, options: Options) -> None:
        x = alembic.env.get_x_argument(as_dictionary=True)
        assert isinstance(x, dict)
        options["default"]["version_table"] = f"version_{x.get('tenant', 'none')}"

    with app.app_context():
        assert alembic.context.get_current_revision() is None

        for name in ("a", "b"):
            alembic.upgrade(x={"tenant": name})

        assert alembic.context.get_current_revision() is None

        with alembic.using(x={"tenant": "b"}):
            assert [s.revision for s in alembic.current()] == ["a1"]

    assert tables(sqlite_url) == {"version_a", "version_b"}


# ALEMBIC_CONTEXT["databases"]


def test_options_of_one_database(apps: Apps, urls: dict[str, str]) -> None:
    """A dict for each database goes on top of the options for all."""

    def only_todo(name: str | None, type_: str, parents: object) -> bool:
        return type_ != "table" or name == "todo"

    app, alembic = apps.several(
        urls,
        ALEMBIC_CONTEXT={
            "version_table": "everywhere",
            "databases": {
                "users": {"version_table": "here", "include_name": only_todo}
            },
        },
    )

    with app.app_context():
        alembic.revision("first")
        alembic.upgrade()

        for name in urls:
            with alembic.databases[name].engine.begin() as connection:
                connection.execute(sa.text("CREATE TABLE foreign_table (id INTEGER)"))

        found = alembic.compare_metadata().by_database

    assert [diff[0] for diff in found["default"]] == ["remove_table"]
    assert found["users"] == []
    assert tables(urls["default"]) == {"everywhere", "todo", "foreign_table"}
    assert tables(urls["users"]) == {"here", "todo", "foreign_table"}


def test_flask_sqlalchemys_name_of_the_default(
    apps: Apps, urls: dict[str, str]
) -> None:
    """``None`` is the default database, as in Flask-SQLAlchemy."""
    app, alembic = apps.several(
        urls, ALEMBIC_CONTEXT={"databases": {None: {"version_table": "here"}}}
    )
    write_revision(app, "a1")

    with app.app_context():
        alembic.upgrade()

    assert tables(urls["default"]) == {"here"}
    assert tables(urls["users"]) == {"alembic_version"}


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (
            ["users"],
            "ALEMBIC_CONTEXT['databases'] = ['users'] must be a dict of name to dict.",
            None,
        ),
        (
            {"users": True},
            "ALEMBIC_CONTEXT['databases'] = {'users': True} must be a dict of name to"
            " dict.",
            None,
        ),
        (
            {"user": {}},
            "ALEMBIC_CONTEXT['databases'] has options for 'user', which is not a"
            " database.",
            "There are: default, users.",
        ),
        (
            {"users": {"compare_typ": True}},
            "ALEMBIC_CONTEXT['compare_typ'] = True is not an option: did you mean"
            " 'compare_type'?",
            None,
        ),
    ],
)
def test_bad_options_of_one_database(
    apps: Apps, urls: dict[str, str], value: object, message: str, hint: str | None
) -> None:
    """They are checked, and nothing is connected to."""
    app, alembic = apps.several(urls, ALEMBIC_CONTEXT={"databases": value})

    with app.app_context(), pytest.raises(ConfigurationError) as raised:
        alembic.current()

    assert (str(raised.value), raised.value.hint) == (message, hint)


# process_revision_directives


def add_table(name: str) -> t.Callable[..., None]:
    """A hook that adds a table to what a revision makes."""
    from alembic.operations import ops

    def hook(context: t.Any, revision: t.Any, directives: t.Any) -> None:
        column = sa.Column("id", sa.Integer)
        for script in directives:
            script.upgrade_ops.ops.append(ops.CreateTableOp(name, [column]))
            script.downgrade_ops.ops.append(ops.DropTableOp(name))

    return hook


def empty(context: t.Any, revision: t.Any, directives: t.Any) -> None:
    """A hook that leaves no revision."""
    directives[:] = []


def test_directives_count_in_comparisons(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """Hooks change what check and compare find, as they change what a new revision
    holds; a list of them is run in order.
    """
    hooks = [add_table("one"), add_table("two")]
    app, alembic = apps.plain(
        sqlite_url, ALEMBIC_CONTEXT={"process_revision_directives": hooks}
    )

    with app.app_context():
        diffs = alembic.compare_metadata()
        assert [diff[1].name for diff in diffs] == ["todo", "one", "two"]
        script = alembic.produce_migrations()
        assert script.upgrade_ops is not None
        assert len(script.upgrade_ops.ops) == 3
        written = alembic.revision("first")
        assert [c.text for c in written.changes] == [
            "add table todo",
            "add table one",
            "add table two",
        ]

    assert db(app, "upgrade").exit_code == 0
    assert tables(sqlite_url) == {"alembic_version", "todo", "one", "two"}


def test_directives_that_leave_nothing(url: str, apps: Apps) -> None:
    """A hook that empties the list means that there is nothing to write."""
    app, alembic = apps.plain(
        url, ALEMBIC_CONTEXT={"process_revision_directives": empty}
    )

    with app.app_context():
        assert alembic.check().ok
        assert not alembic.needs_revision()
        assert alembic.compare_metadata() == []
        script = alembic.produce_migrations()
        assert script.upgrade_ops is not None and script.upgrade_ops.is_empty()
        assert alembic.revision("first") == []


def test_directives_of_one_database(apps: Apps, urls: dict[str, str]) -> None:
    """They count for their database only."""
    options = {"users": {"process_revision_directives": [empty]}}
    app, alembic = apps.several(urls, ALEMBIC_CONTEXT={"databases": options})

    with app.app_context():
        found = alembic.compare_metadata().by_database
        assert len(found["default"]) == 1
        assert found["users"] == []


# prepare_connection


@pytest.fixture
def postgresql(databases: Databases) -> str:
    """A PostgreSQL database."""
    if databases.server.name != "postgresql":
        pytest.skip("schemas and roles are PostgreSQL's")

    return databases.make()


only_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)


@only_postgresql
def test_search_path(postgresql: str, apps: Apps, server: Server) -> None:
    """A function sets the search path, by an argument; the app's connections keep
    theirs, also in a request.
    """
    app, alembic = apps.plain(postgresql)
    engine = alembic.engines["default"]

    @alembic.prepare_connection
    def enter(connection: sa.Connection, database: t.Any) -> None:
        assert database.name == "default"
        x = alembic.env.get_x_argument(as_dictionary=True)
        assert isinstance(x, dict)
        tenant = x.get("tenant", "public")
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {tenant}"))
        connection.execute(sa.text(f"SET search_path TO {tenant}"))

    @app.get("/upgrade/<tenant>")
    def upgrade(tenant: str) -> str:
        report = alembic.upgrade(x={"tenant": tenant})
        return str(len(report.steps))

    with app.app_context():
        alembic.revision("first")

    client = app.test_client()
    assert [client.get(f"/upgrade/{n}").text for n in ("a", "b", "a")] == list("110")
    inspector = sa.inspect(engine)
    made = {"todo", "alembic_version", "alembic_version_history"}
    assert set(inspector.get_table_names("a")) == made
    assert set(inspector.get_table_names("b")) == made
    assert inspector.get_table_names("public") == []

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW search_path")) == '"$user", public'


@only_postgresql
def test_role(postgresql: str, apps: Apps, server: Server) -> None:
    """A function sets the role that owns what revisions make. It lasts for the run,
    also after a revision that fails.
    """
    app, alembic = apps.plain(postgresql)
    engine = alembic.engines["default"]

    with engine.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS flask_alembic_test_owner"))
        connection.execute(sa.text("CREATE ROLE flask_alembic_test_owner"))
        connection.execute(
            sa.text("GRANT ALL ON SCHEMA public TO flask_alembic_test_owner")
        )

    @alembic.prepare_connection
    def become(connection: sa.Connection, database: t.Any) -> None:
        connection.execute(sa.text("SET ROLE flask_alembic_test_owner"))

    with app.app_context():
        alembic.revision("first")
        alembic.upgrade()

    with engine.begin() as connection:
        owners = connection.execute(
            sa.text("SELECT tablename, tableowner FROM pg_tables")
        ).all()
        assert ("todo", "flask_alembic_test_owner") in [tuple(o) for o in owners]
        connection.execute(sa.text("DROP OWNED BY flask_alembic_test_owner"))
        connection.execute(sa.text("DROP ROLE flask_alembic_test_owner"))


@only_postgresql
def test_schema_translate_map(postgresql: str, apps: Apps, server: Server) -> None:
    """A function sets execution options, such as a map of schemas."""
    app, alembic = apps.plain(
        postgresql, ALEMBIC_CONTEXT={"version_table_schema": "tenant"}
    )
    engine = alembic.engines["default"]
    write_revision(
        app, "a1", upgrade="op.create_table('made', sa.Column('id', sa.Integer))"
    )

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA tenant"))

    @alembic.prepare_connection
    def translate(connection: sa.Connection, database: t.Any) -> None:
        connection.execution_options(schema_translate_map={None: "tenant"})

    with app.app_context():
        alembic.upgrade()
        assert [s.revision for s in alembic.current()] == ["a1"]

    names = sa.inspect(engine).get_table_names("tenant")
    assert set(names) == {"made", "alembic_version", "alembic_version_history"}


def test_each_connection_is_prepared(apps: Apps, urls: dict[str, str]) -> None:
    """Each connection is, once, with its database; and an error gives it back."""
    app, alembic = apps.several(urls)
    prepared: list[str] = []

    @alembic.prepare_connection
    def note(connection: sa.Connection, database: t.Any) -> None:
        prepared.append(database.name)
        connection.execute(sa.text("SELECT 1"))

        if len(prepared) > 4:
            raise RuntimeError("no more")

    with app.app_context():
        alembic.current()
        assert prepared == ["default", "users"]
        assert not alembic.context.connection.in_transaction()  # type: ignore[union-attr]
        alembic.needs_upgrade()

    assert prepared == ["default", "users"] * 2

    with app.app_context(), pytest.raises(RuntimeError, match="no more"):
        alembic.current()

    for name in urls:
        pool = alembic.engines[name].pool
        assert isinstance(pool, sa.pool.QueuePool)
        assert pool.checkedout() == 0


# use_connection


def has_table(connection: sa.Connection, name: str) -> bool:
    """Whether a table is there, as the connection sees it."""
    return sa.inspect(connection).has_table(name)


def test_use_a_connection(url: str, apps: Apps) -> None:
    """Migrations run on a given connection, are committed, and leave it open."""
    app, alembic = apps.plain(url)
    engine = alembic.engines["default"]

    with app.app_context():
        alembic.revision("first")

        with engine.connect() as connection:
            with alembic.use_connection(connection):
                alembic.upgrade()
                is_used = alembic.context.connection is connection

            assert is_used
            assert not connection.closed
            assert not connection.in_transaction()
            assert connection.scalar(sa.text("SELECT count(*) FROM todo")) == 0

        assert not alembic.needs_upgrade()


@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
def test_roll_a_transaction_back(url: str, apps: Apps, server: Server) -> None:
    """Inside a transaction that a test began, all is undone by its end: DDL too."""
    app, alembic = apps.plain(url)
    engine = alembic.engines["default"]

    with app.app_context():
        alembic.revision("first")

        with engine.connect() as connection:
            transaction = connection.begin()

            with alembic.use_connection(connection):
                report = alembic.upgrade()
                assert len(report.steps) == 1
                assert alembic.check().ok
                alembic.op.create_table("by_hand", sa.Column("id", sa.Integer))
                alembic.downgrade()
                alembic.upgrade()

            assert transaction.is_active
            assert has_table(connection, "todo")
            assert has_table(connection, "by_hand")
            transaction.rollback()

        assert alembic.needs_upgrade()

    assert tables(url) == set()


def test_a_failure_on_a_connection_of_ones_own(url: str, apps: Apps) -> None:
    """A revision that fails is rolled back, and the connection can be used."""
    app, alembic = apps.plain(url)
    engine = alembic.engines["default"]
    write_revision(
        app, "a1", upgrade="op.execute('INSERT INTO kept VALUES (1)')\n1 / 0"
    )

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE kept (id INTEGER)"))

    with app.app_context(), engine.connect() as connection:
        with pytest.raises(MigrationFailed), alembic.use_connection(connection):
            alembic.upgrade()

        assert connection.scalar(sa.text("SELECT count(*) FROM kept")) == 0


def test_use_connections_of_some_databases(apps: Apps, urls: dict[str, str]) -> None:
    """A dict names their databases; the others are connected to as usual."""
    app, alembic = apps.several(urls)

    with app.app_context():
        alembic.revision("first")

        with alembic.engines["users"].connect() as connection:
            transaction = connection.begin()

            with alembic.use_connection({"users": connection}):
                alembic.upgrade()

            transaction.rollback()

    assert tables(urls["default"]) == {"alembic_version", "todo"}
    assert tables(urls["users"]) == set()


def test_the_block_ends_with_what_was_before(apps: Apps, sqlite_url: str) -> None:
    """After the block the extension connects by itself, also after an error."""
    app, alembic = apps.plain(sqlite_url)
    engine = alembic.engines["default"]

    with app.app_context():
        before = alembic.context

        with engine.connect() as connection:
            with pytest.raises(ZeroDivisionError), alembic.use_connection(connection):
                assert alembic.context is not before
                raise ZeroDivisionError

        assert alembic.context is before


def test_use_a_connection_with_arguments(apps: Apps, sqlite_url: str) -> None:
    """Arguments for the revisions do not lead away from the connection."""
    app, alembic = apps.plain(sqlite_url)

    @alembic.prepare_connection
    def prepare(connection: sa.Connection, database: t.Any) -> None:
        used.append(connection)

    used: list[sa.Connection] = []

    with app.app_context(), alembic.engines["default"].connect() as connection:
        with alembic.use_connection(connection):
            alembic.current()

            with alembic.using(x={"tenant": "a"}, directory="migrations"):
                alembic.upgrade(x={"more": "b"})

        assert used == [connection, connection]


def test_a_nested_context_does_not_see_it(apps: Apps, sqlite_url: str) -> None:
    """It holds in one app context, like all connections."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context(), alembic.engines["default"].connect() as connection:
        with alembic.use_connection(connection):
            with app.app_context():
                assert alembic.context.connection is not connection


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (
            "sqlite://",
            "use_connection() got 'sqlite://', which is not a Connection.",
            "Pass what engine.connect() returns.",
        ),
        (
            {"default": None},
            "use_connection() got None, which is not a Connection.",
            "Pass what engine.connect() returns.",
        ),
    ],
)
def test_what_is_no_connection(
    apps: Apps, sqlite_url: str, value: t.Any, message: str, hint: str
) -> None:
    """Something else is an error."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context(), pytest.raises(ConfigurationError) as raised:
        with alembic.use_connection(value):
            raise AssertionError

    assert (str(raised.value), raised.value.hint) == (message, hint)


def test_a_connection_of_an_unknown_database(apps: Apps, sqlite_url: str) -> None:
    """So is a name that is no database's."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context(), alembic.engines["default"].connect() as connection:
        with pytest.raises(ConfigurationError, match="There is no database 'users'"):
            with alembic.use_connection({"users": connection}):
                raise AssertionError


def test_hooks_of_two_apps(apps: Apps, sqlite_url: str) -> None:
    """One extension serves two apps, with the same hooks."""
    alembic = Alembic(metadatas=todo_metadata(), engines=apps.engine(sqlite_url))
    called: list[Flask] = []
    made = [apps.flask(), apps.flask()]

    @alembic.configure
    def note(config: Config) -> None:
        from flask import current_app

        called.append(current_app._get_current_object())  # type: ignore[attr-defined]

    for app in made:
        alembic.init_app(app)

        with app.app_context():
            alembic.heads()

    assert called == made
