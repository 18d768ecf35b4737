"""A database's password is shown to nobody: not in part, not in another spelling."""

from __future__ import annotations

import logging
import typing as t
from pathlib import Path

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationFailed
from flask_alembic.errors import ConnectionFailed
from servers import Databases
from servers import Server

PASSWORDS: t.Final = {
    "plain": "alphaomega",
    "at": "alpha@omega",
    "hash": "alpha#omega",
    "percent": "alpha%omega",
    "percent code": "alpha%40omega",
    "slash": "alpha/omega",
    "colon": "alpha:omega",
    "plus": "alpha+ omega",
    "quote": "alpha'\"omega",
    "backslash": "alpha\\omega",
    "question mark": "alpha?omega&x=1",
    "space": " alpha omega ",
    "url": "alpha://alpha:alpha@omega/omega",
    "unicode": "alphažluť💥omega",
}
"""Each begins and ends so that a part of it is found too."""

COMMANDS: t.Final = (
    ("upgrade", "-v"),
    ("downgrade", "-v"),
    ("stamp", "-v"),
    ("revision", "x", "-v"),
    ("check", "-v"),
    ("current", "-v"),
)

passwords = pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
tracebacks = pytest.mark.parametrize("traceback", [False, True])


def assert_hidden(text: str) -> None:
    """No part of a password is in a text."""
    assert "alpha" not in text
    assert "omega" not in text


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged. What SQLAlchemy echoes is not ours."""
    for name in ("alembic", "flask_alembic", "app"):
        caplog.set_level(logging.DEBUG, name)

    return caplog


def show_tracebacks(monkeypatch: pytest.MonkeyPatch, on: bool) -> None:
    """Whether whole tracebacks are shown."""
    if on:
        monkeypatch.setenv("FLASK_ALEMBIC_TRACEBACK", "1")


def assert_files_hide(app: Flask) -> None:
    """No file of the app holds a password."""
    for path in Path(app.root_path).rglob("*"):
        if path.suffix in {".py", ".mako"}:
            assert_hidden(path.read_text())


def unreachable(password: str | None) -> sa.URL:
    """The URL of a server that does not answer."""
    return sa.URL.create(
        "postgresql+psycopg", "user", password, "127.0.0.1", 1, "database"
    )


def check_unreachable(url: sa.URL | str, apps: Apps, db: Cli) -> str:
    """Run all commands. What the first one said."""
    if isinstance(url, sa.URL):
        url = url.render_as_string(hide_password=False)

    app, alembic = apps.plain(url)
    results = [db(app, *args) for args in COMMANDS]

    for result in results:
        assert result.exit_code == 1
        assert "Error: Can't connect to the database 'default' at " in result.output
        assert_hidden(result.output)

    with app.app_context(), pytest.raises(ConnectionFailed) as caught:
        alembic.upgrade()

    for text in (str(caught.value), repr(caught.value), str(caught.value.hint)):
        assert_hidden(text)

    assert_files_hide(app)
    return str(results[0].output)


@passwords
@tracebacks
def test_server_is_down(
    password: str,
    traceback: bool,
    apps: Apps,
    db: Cli,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that does not answer is named without the password."""
    show_tracebacks(monkeypatch, traceback)
    output = check_unreachable(unreachable(password), apps, db)
    assert "postgresql+psycopg://user:***@127.0.0.1:1/database" in output
    assert ("Traceback" in output) == traceback
    assert_hidden(log.text)


@tracebacks
@pytest.mark.parametrize(
    "query",
    [
        "password=alphaomega",
        "sslpassword=alphaomega",
        "service=nosuch&password=alphaomega",
        "passfile=/nowhere&password=alphaomega",
        "password=alpha&password=omega",
    ],
)
def test_password_in_the_query(
    query: str, traceback: bool, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password may be given as a parameter of the URL too."""
    show_tracebacks(monkeypatch, traceback)
    url = unreachable(None).update_query_string(query)
    check_unreachable(url, apps, db)


@tracebacks
@pytest.mark.parametrize("key", ["password", "pwd", "odbc_connect"])
def test_password_in_the_query_for_mysql(
    key: str, traceback: bool, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the driver calls it, and whether or not it knows it."""
    show_tracebacks(monkeypatch, traceback)
    url = f"mysql+pymysql://user@127.0.0.1:1/database?{key}=alphaomega"
    check_unreachable(url, apps, db)


@tracebacks
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
@pytest.mark.parametrize(
    "password",
    [
        "alpha@omega",
        "alpha@alpha@omega",
        "alpha@x/omega",
        "alpha@alpha/omega/alpha",
        "alpha@alpha?omega=alpha",
        "alpha/omega",
        "alpha?omega",
        "alpha#omega",
        "alpha%zzomega",
        "alpha:omega",
    ],
)
def test_unquoted_password(
    password: str,
    driver: str,
    traceback: bool,
    apps: Apps,
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A password that was not quoted ends where the user did not mean it to end. The
    rest, which is taken for the host, the database or a parameter, is hidden too.
    """
    show_tracebacks(monkeypatch, traceback)
    url = f"{driver}://user:{password}@127.0.0.1:1/database"
    check_unreachable(url, apps, db)


def check_engine(engine: sa.Engine, apps: Apps, db: Cli) -> str:
    """Run a command on an engine that can't connect. What it said."""
    app = apps.flask()
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    result = db(app, "upgrade", "-v")
    assert result.exit_code == 1
    assert "Error: Can't connect to the database 'default'" in result.output
    assert_hidden(result.output)

    with app.app_context(), pytest.raises(ConnectionFailed) as caught:
        alembic.upgrade()

    assert_hidden(f"{caught.value!r} {caught.value} {caught.value.hint}")
    return str(result.output)


@tracebacks
@pytest.mark.parametrize(
    "text",
    [
        "host=127.0.0.1 port=1 password=alpha omega",
        "host=127.0.0.1 port=1 password='alphaomega",
        "host=127.0.0.1 port=1 password=alphaomega",
        "postgresql://user:alphaomega@127.0.0.1:1/x",
        "postgresql://user:alpha@omega@127.0.0.1:1/x",
        "postgresql://user:alpha%zzomega@127.0.0.1:1/x",
        "postgresql://user@127.0.0.1:1/x?password=alpha omega",
        "postgresql://user@127.0.0.1:1/x?alphaomega",
    ],
)
def test_password_of_a_creator(
    text: str, traceback: bool, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a function of the user's connects, the password is not in the engine's URL.
    PostgreSQL's library quotes it if it can't read what it got.
    """
    show_tracebacks(monkeypatch, traceback)
    url = "postgresql+psycopg://"
    engine = apps.engine(url, creator=lambda: psycopg.connect(text))

    if "'alpha" in text:
        # It is an error of the driver's that holds no secret.
        app = apps.flask()
        Alembic(app, metadatas=sa.MetaData(), engines=engine)
        assert_hidden(db(app, "upgrade").output)
    else:
        check_engine(engine, apps, db)


def test_password_of_a_creator_for_mysql(apps: Apps, db: Cli) -> None:
    """So it is for another server."""

    def connect() -> t.Any:
        return pymysql.connect(host="127.0.0.1", port=1, password="alphaomega")

    check_engine(apps.engine("mysql+pymysql://", creator=connect), apps, db)


@pytest.mark.parametrize("password", ["alphaomega", "alpha\0omega", "alpha\udc80omega"])
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
@tracebacks
def test_password_in_connect_args(
    password: str,
    driver: str,
    traceback: bool,
    apps: Apps,
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arguments of the driver's, of which the URL knows nothing, are not shown."""
    show_tracebacks(monkeypatch, traceback)
    url = f"{driver}://user@127.0.0.1:1/database"
    check_engine(apps.engine(url, connect_args={"password": password}), apps, db)


URL: t.Final = "postgresql://user:alpha@omega@127.0.0.1/x"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("ALEMBIC_CONTEXT", "url"),
        ("ALEMBIC_CONTEXT", "version_tabel"),
        ("ALEMBIC_CONTEXT", "compare_type"),
        ("ALEMBIC", "script_locatio"),
        ("ALEMBIC", "lock_timeout"),
        ("ALEMBIC", "timezone"),
    ],
)
def test_url_in_the_config(section: str, key: str, apps: Apps) -> None:
    """A URL that stands where there should be none is quoted without the password."""
    config: dict[str, t.Any] = {section: {key: URL}}

    with pytest.raises(ConfigurationError) as caught:
        app, alembic = apps.plain("sqlite://", **config)

        with app.app_context():
            alembic.current()

    assert "'postgresql://user:***@127.0.0.1/x'" in str(caught.value)
    assert_hidden(f"{caught.value!r} {caught.value} {caught.value.hint}")


@pytest.mark.parametrize("argument", ["engines", "metadatas"])
@pytest.mark.parametrize("value", [URL, {"default": URL}])
def test_url_instead_of_an_engine(argument: str, value: t.Any) -> None:
    """So is one that is passed instead of an engine."""
    with pytest.raises(ConfigurationError) as caught:
        Alembic(**{argument: value})

    assert "'postgresql://user:***@127.0.0.1/x'" in str(caught.value)
    assert_hidden(f"{caught.value!r} {caught.value} {caught.value.hint}")


def test_url_of_no_engine(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A revision may tell a URL that is no engine's of ours."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade=f"raise RuntimeError('no answer from {URL}')")
    output = db(app, "upgrade").output
    assert "RuntimeError: no answer from postgresql://user:***@127.0.0.1/x" in output
    assert_hidden(output)


def test_password_like_other_words(apps: Apps, db: Cli) -> None:
    """A password that is the user's name, as on many a developer's machine, does not
    make the message unreadable.
    """
    url = "postgresql+psycopg://postgres:postgres@127.0.0.1:1/postgres"
    app, _ = apps.plain(url)
    result = db(app, "upgrade")
    assert result.output.startswith(
        "Error: Can't connect to the database 'default' at"
        " postgresql+psycopg://postgres:***@127.0.0.1:1/postgres: connection failed: "
    )


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
@passwords
def test_wrong_password(password: str, server: Server, apps: Apps, db: Cli) -> None:
    """A password that the server refuses is not shown."""
    assert server.url is not None
    check_unreachable(server.url.set(password=password), apps, db)


class LazyEngines:
    """An extension that makes its engines when they are asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.metadata = sa.MetaData()

    @property
    def engines(self) -> dict[str, sa.Engine]:
        """The engine of the URL."""
        return {"default": sa.create_engine(self.url)}


@tracebacks
@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:alpha@omega:alpha@127.0.0.1/x",
        "postgresql+psycopg://user:alphaomega@127.0.0.1:port/x",
        "nosuch://user:alphaomega@127.0.0.1/x",
        "user:alphaomega@127.0.0.1/x",
    ],
    ids=["unquoted", "port", "driver", "nonsense"],
)
def test_bad_url(
    url: str, traceback: bool, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that no engine can be made of is not shown."""
    show_tracebacks(monkeypatch, traceback)
    app = apps.flask()
    app.extensions["sqlalchemy"] = LazyEngines(url)
    Alembic(app)
    result = db(app, "upgrade")
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert_hidden(result.output)


LEAK: t.Final = """
from urllib.parse import quote, quote_plus
url = op.get_bind().engine.url
forms = [
    url.password,
    url.render_as_string(hide_password=False),
    quote(url.password, safe=""),
    quote_plus(url.password),
    repr(url.password),
]
raise RuntimeError(" and ".join(forms))
""".strip()
"""A revision that tells the password in each spelling."""


def with_password(databases: Databases, password: str) -> str:
    """A PostgreSQL database, which takes any password here."""
    url = sa.make_url(databases.make()).set(password=password)
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
@tracebacks
def test_revision_tells_the_password(
    password: str,
    traceback: bool,
    databases: Databases,
    apps: Apps,
    db: Cli,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a revision raises is shown without the password, however it is spelt."""
    show_tracebacks(monkeypatch, traceback)
    app, alembic = apps.plain(with_password(databases, password))
    path = write_revision(app, "r1", upgrade=LEAK)
    result = db(app, "upgrade", "-v")
    assert "Error: Revision r1 failed on the database 'default': RuntimeError: " in (
        result.output
    )
    assert str(path) in result.output
    assert result.exit_code == 1
    assert_hidden(result.output)
    assert_hidden(log.text)

    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.upgrade()

    for text in (str(caught.value), repr(caught.value), str(caught.value.hint)):
        assert_hidden(text)


LITERAL: t.Final = (
    "password = op.get_bind().engine.url.password\n"
    "literal = password.replace(\"'\", \"''\").replace('%', '%%')\n"
)
"""What may stand in quotes in SQL, in a revision."""


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
def test_sql_holds_the_password(
    password: str, databases: Databases, apps: Apps, db: Cli
) -> None:
    """Nor is it shown where a revision puts it into its SQL."""
    app, alembic = apps.plain(with_password(databases, password))
    write_revision(
        app,
        "r1",
        upgrade=(
            f"{LITERAL}"
            "op.get_bind().exec_driver_sql(f\"SELECT '{literal}' FROM missing\")"
        ),
    )
    result = db(app, "upgrade")
    assert "\nSQL: SELECT " in result.output
    assert result.exit_code == 1
    assert_hidden(result.output)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
def test_kept_statement_holds_the_password(
    password: str, databases: Databases, apps: Apps, db: Cli
) -> None:
    """Nor where the statement is told because it can't be rolled back."""
    app, _ = apps.plain(with_password(databases, password))
    write_revision(
        app,
        "r1",
        upgrade=(
            f"{LITERAL}"
            "with op.get_context().autocommit_block():\n"
            "    op.get_bind().exec_driver_sql(\n"
            "        f\"CREATE TABLE kept AS SELECT '{literal}' AS x\")\n"
            "raise RuntimeError"
        ),
    )
    result = db(app, "upgrade")
    assert "Kept on default of r1:\n  CREATE TABLE kept AS SELECT " in result.output
    assert_hidden(result.output)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
def test_script_does_not_hold_the_password(
    password: str, databases: Databases, apps: Apps, db: Cli
) -> None:
    """A script needs no connection, and no password stands in it."""
    app, _ = apps.plain(with_password(databases, password))
    assert db(app, "revision", "first").exit_code == 0
    result = db(app, "upgrade", "--sql", "-v")
    assert "CREATE TABLE todo" in result.output
    assert_hidden(result.output)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
def test_everything_is_logged(
    password: str,
    databases: Databases,
    apps: Apps,
    db: Cli,
    log: pytest.LogCaptureFixture,
) -> None:
    """Where all that can be logged is logged, the password is not, also after an
    error.
    """
    app = apps.flask()
    url = with_password(databases, password)
    engine = apps.engine(url, echo="debug", echo_pool="debug")
    Alembic(app, metadatas=sa.MetaData(), engines=engine)
    log.set_level(logging.DEBUG)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1", upgrade="op.execute('SELECT nonsense')")
    assert db(app, "upgrade", "r1").exit_code == 0
    assert db(app, "upgrade").exit_code == 1
    assert db(app, "downgrade", "base").exit_code == 0
    assert "SELECT nonsense" in log.text
    assert "alembic_version" in log.text
    assert_hidden(log.text)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_password_of_another_database(
    databases: Databases, apps: Apps, db: Cli
) -> None:
    """A revision that copies between databases may tell the password of the other."""
    app, alembic = apps.several(
        {
            "first": databases.make(),
            "second": with_password(databases, "alphaomega"),
        }
    )
    write_revision(
        app,
        "r1",
        header="from flask import current_app",
        arguments="engine_name",
        upgrade=(
            "engines = current_app.extensions['alembic'].engines\n"
            "raise RuntimeError(engines['second'].url.password)"
        ),
    )
    assert_hidden(db(app, "upgrade").output)

    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.upgrade()

    assert caught.value.database == "first"
    assert_hidden(str(caught.value))


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@passwords
def test_all_went_well(
    password: str,
    databases: Databases,
    apps: Apps,
    db: Cli,
    log: pytest.LogCaptureFixture,
) -> None:
    """Where nothing fails, no output, log or file holds the password either."""
    app, _ = apps.plain(with_password(databases, password))
    commands = [
        ("revision", "first", "-v"),
        ("upgrade", "-v"),
        ("check", "-v"),
        ("current", "-v"),
        ("show",),
        ("log", "-v"),
        ("stamp", "-v"),
        ("downgrade", "-v"),
    ]

    for args in commands:
        result = db(app, *args)
        assert result.exit_code == 0
        assert_hidden(result.output)

    assert_hidden(log.text)
    assert_files_hide(app)
