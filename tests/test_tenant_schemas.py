"""Tenants in schemas of one database, and what else a tenant may be."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa

from apps import Apps
from apps import write_revision
from conftest import _server
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import Tenant
from fleets import ADD
from fleets import ask
from fleets import CREATE
from fleets import errors
from fleets import replayed
from fleets import states
from fleets import Tenants
from servers import Databases

NAMES: t.Final = ["ada", "Grace Hopper", "mary"]


@pytest.fixture
def databases(request: t.Any, tmp_path: t.Any) -> t.Iterator[Databases]:
    """PostgreSQL, unless a test asks for another server."""
    name = getattr(request, "param", "postgresql")
    made = Databases(_server(name), tmp_path)
    yield made
    made.drop_all()


@pytest.fixture
def fleet(databases: Databases, apps: Apps) -> Tenants:
    """An app whose database has three schemas, and two revisions."""
    app, alembic = apps.plain(databases.make())
    made = Tenants(app, alembic, NAMES)
    made.write(CREATE, ADD)

    with alembic.engines["default"].begin() as connection:
        for name in NAMES:
            connection.exec_driver_sql(f'CREATE SCHEMA "{name}"')

    return made


def tables_in(fleet: Tenants, schema: str) -> set[str]:
    """The tables of a schema."""
    return set(sa.inspect(fleet.alembic.engines["default"]).get_table_names(schema))


ALL: t.Final = {"alembic_version", "alembic_version_history", "todo"}


def test_schemas(fleet: Tenants) -> None:
    """Each schema has the tables, and a version table of its own. The app's connections
    keep their search path.
    """
    engine = fleet.alembic.engines["default"]

    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")

    report = fleet.upgrade(workers=1)
    assert errors(report) == [None] * 3
    assert replayed(report) == [0, 2, 2]
    assert [result.tenant for result in report.tenants] == NAMES
    assert [tables_in(fleet, name) for name in NAMES] == [ALL] * 3
    assert tables_in(fleet, "public") == set()

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_schema()").scalar() == (
            "public"
        )

    assert states(fleet.upgrade()) == ["already there"] * 3


def test_schemas_at_once(fleet: Tenants) -> None:
    """Schemas of one database do not wait for each other."""
    report = fleet.upgrade(workers=3)
    assert states(report) == ["done"] * 3
    assert [tables_in(fleet, name) for name in NAMES] == [ALL] * 3


def test_missing_schema(fleet: Tenants) -> None:
    """A schema that is not there is told of, and not made."""
    report = fleet.upgrade(["ada", "nobody"])
    assert states(report) == ["done", "failed"]
    assert errors(report)[1] == "There is no schema 'nobody'."
    assert report.tenants[1].hint == 'Create it first: CREATE SCHEMA "nobody".'


def test_session_is_left(fleet: Tenants) -> None:
    """What a revision sets for its session, the next tenant does not find."""
    write_revision(fleet.app, "0003aa", "0002aa", upgrade="op.execute('SET jit = off')")
    show = "op.execute(\"INSERT INTO todo (text) VALUES (current_setting('jit'))\")"
    fleet.upgrade()
    write_revision(fleet.app, "0004aa", "0003aa", upgrade=show)
    write_revision(fleet.app, "0005aa", "0004aa", upgrade="op.execute('SET jit = off')")
    assert states(fleet.upgrade(workers=1)) == ["done"] * 3
    engine = fleet.alembic.engines["default"]

    with engine.connect() as connection:
        for name in NAMES:
            rows = connection.exec_driver_sql(f'SELECT text FROM "{name}".todo').all()
            assert [tuple(row) for row in rows] == [("on",)]


def test_translated(databases: Databases, apps: Apps) -> None:
    """A map of schemas holds for the revisions, and the version table follows it."""
    app, alembic = apps.plain(databases.make())
    fleet = Tenants(app, alembic, [])
    fleet.write("op.create_table('todo', sa.Column('id', sa.Integer), schema='each')")
    engine = alembic.engines["default"]

    with engine.begin() as connection:
        for name in NAMES:
            connection.exec_driver_sql(f'CREATE SCHEMA "{name}"')

    tenants = [
        Tenant(name=name, schema_translate_map={None: name, "each": name})
        for name in NAMES
    ]
    assert errors(fleet.upgrade(tenants)) == [None] * 3
    assert [tables_in(fleet, name) for name in NAMES] == [ALL] * 3
    assert tables_in(fleet, "public") == set()
    assert states(fleet.upgrade(tenants)) == ["already there"] * 3


@pytest.mark.parametrize("databases", ["mariadb"], indirect=True)
def test_mariadb_schemas(databases: Databases, apps: Apps) -> None:
    """On MariaDB a schema is another database of the server."""
    app, alembic = apps.plain(databases.make())
    urls = [databases.make() for _ in range(2)]
    names = [str(sa.make_url(url).database) for url in urls]
    fleet = Tenants(app, alembic, names)
    fleet.write(CREATE)
    assert errors(fleet.upgrade()) == [None] * 2
    assert [ask(url, "SELECT * FROM todo") for url in urls] == [[], []]
    assert sa.inspect(alembic.engines["default"]).get_table_names() == []


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_sqlite_schemas(databases: Databases, apps: Apps) -> None:
    """SQLite has no schemas."""
    app, alembic = apps.plain(databases.make())
    fleet = Tenants(app, alembic, ["ada"])
    fleet.write(CREATE)
    (error,) = errors(fleet.upgrade())
    assert error == "The tenant 'ada' is in the schema 'ada', but sqlite has none."


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_kinds(databases: Databases, apps: Apps) -> None:
    """Engines, async ones too, URLs as objects and as texts may be mixed."""
    app, alembic = apps.plain(databases.make())
    fleet = Tenants(app, alembic, [databases.make() for _ in range(5)])
    fleet.write(CREATE)
    texts = fleet.urls
    tenants = [
        texts[0],
        sa.make_url(texts[1]),
        apps.engine(texts[2]),
        apps.async_engine(texts[3].replace("sqlite:", "sqlite+aiosqlite:")),
        texts[4].replace("sqlite:", "sqlite+aiosqlite:"),
    ]
    assert errors(fleet.upgrade(tenants)) == [None] * 5
    assert [ask(url, "SELECT * FROM todo") for url in texts] == [[]] * 5


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_one_of_several(databases: Databases, apps: Apps) -> None:
    """Of several databases a tenant stands in for the one that is named."""
    urls = {name: databases.make() for name in ("default", "auth")}
    app, alembic = apps.several(urls)
    header = (
        "def upgrade_default():\n    pass\n\n"
        "def upgrade_auth():\n"
        "    op.create_table('user', sa.Column('id', sa.Integer))\n"
    )
    write_revision(
        app,
        "0001aa",
        upgrade="globals()[f'upgrade_{engine_name}']()",
        arguments="engine_name",
        header=header,
    )
    tenants = [databases.make() for _ in range(2)]

    with app.app_context():
        with alembic.using(databases="auth"):
            assert errors(alembic.upgrade_all(tenants)) == [None] * 2

        with alembic.using(databases=["auth", "default"]):
            with pytest.raises(ConfigurationError, match="stands in for one database"):
                alembic.upgrade_all(tenants)

    query = "SELECT name FROM sqlite_master WHERE name = 'user'"
    assert [ask(url, query) for url in tenants] == [[("user",)]] * 2
    assert ask(urls["auth"], query) == []


@pytest.mark.parametrize("wrong", [1, [1], [None], [""], [object()], None, ["a", "a"]])
def test_wrong_tenants(sqlite_url: str, apps: Apps, wrong: t.Any) -> None:
    """What is no tenant is refused."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"tenants": wrong})

    with app.app_context():
        if wrong is None:
            assert alembic.upgrade_all().tenants == ()
            return

        with pytest.raises(ConfigurationError, match="tenant"):
            alembic.upgrade_all()


def test_url_and_engine(sqlite_url: str, apps: Apps) -> None:
    """A tenant is in one place."""
    app, alembic = apps.plain(sqlite_url)
    tenant = Tenant(name="ada", url=sqlite_url, engine=apps.engine(sqlite_url))

    with app.app_context(), pytest.raises(ConfigurationError, match="a URL and an"):
        alembic.upgrade_all([tenant])


def test_arguments_for_revisions(sqlite_url: str, apps: Apps, tmp_path: t.Any) -> None:
    """What holds in ``using()`` holds for tenants too."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(
        app,
        "0001aa",
        header="from alembic import context",
        upgrade="op.create_table(context.get_x_argument(as_dictionary=True)['name'],"
        " sa.Column('id', sa.Integer))",
    )
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]

    with app.app_context(), alembic.using(x={"name": "given"}):
        assert errors(alembic.upgrade_all(urls)) == [None] * 2

    assert [ask(url, "SELECT * FROM given") for url in urls] == [[], []]


def test_status_all(sqlite_url: str, apps: Apps, tmp_path: t.Any) -> None:
    """The status is data: tenants by revision."""
    app, alembic = apps.plain(sqlite_url)
    fleet = Tenants(app, alembic, [f"sqlite:///{tmp_path}/{name}.db" for name in "abc"])
    fleet.write(CREATE, ADD)
    fleet.upgrade(fleet.urls[:1])

    with app.app_context():
        status = alembic.status_all(fleet.urls)

    assert status.heads == ("0002aa",)
    assert status.by_revision == {(): 2, ("0002aa",): 1}
    assert not status.ok
    assert isinstance(alembic, Alembic)
    fleet.upgrade()

    with app.app_context():
        assert alembic.status_all(fleet.urls).ok
