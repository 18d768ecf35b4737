"""The lock on PostgreSQL: what it must not disturb, and what must not disturb it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from apps import Apps
from apps import write_revision
from conftest import tables
from flask_alembic import Alembic
from flask_alembic.run_errors import RunLocked
from racers import Race
from servers import Databases
from servers import Server
from servers import with_driver

pytestmark = pytest.mark.faults

PGBOUNCER: t.Final = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")

CONCURRENTLY: t.Final = """
with op.get_context().autocommit_block():
    op.execute("SET statement_timeout = '20s'")
    op.create_index("i_{0}", "a", ["n"], postgresql_concurrently=True)
"""

# What makes a session keep rows that others have deleted.
XMIN: t.Final = """
found = op.get_bind().exec_driver_sql(
    "SELECT a.backend_xmin, a.backend_xid, a.application_name"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
).all()
assert [tuple(row[:2]) for row in found] == [(None, None)], found
"""


@pytest.fixture
def server() -> Server:
    """PostgreSQL only."""
    from conftest import _server

    return _server("postgresql")


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_concurrent_index(url: str, apps: Apps, tmp_path: Path, driver: str) -> None:
    """An index that is made concurrently, for which PostgreSQL waits for all who might
    see older rows, is made while others wait for the lock: neither theirs nor that of
    the run itself is in the way.
    """
    app, _ = apps.plain(url)
    code = "op.create_table('a', sa.Column('n', sa.Integer))\nimport time"
    write_revision(app, "r1", upgrade=f"{code}; time.sleep(0.5)")
    write_revision(app, "r2", "r1", upgrade=f"{XMIN}{CONCURRENTLY.format(1)}")
    write_revision(app, "r3", "r2", upgrade=f"{CONCURRENTLY.format(2)}{XMIN}")

    with Race(tmp_path) as race:
        for _ in range(4):
            race.start(app.root_path, with_driver(url, driver))

        racers = race.finish()

    texts = [racer.text for racer in racers]
    assert [racer.code for racer in racers] == [0] * 4, "\n".join(texts)
    assert sum("3 revisions applied to default." in text for text in texts) == 1


def test_idle_timeout(url: str, databases: Databases, apps: Apps) -> None:
    """A server that ends idle transactions does not end that of the lock."""
    app, alembic = apps.plain(url)
    name = sa.make_url(url).database
    engine = apps.engine(url)

    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '200ms'"
        )

    write_revision(app, "r1", upgrade="op.execute('SELECT pg_sleep(0.6)')")
    write_revision(app, "r2", "r1")

    with app.app_context():
        assert len(alembic.upgrade().steps) == 2


def test_isolation_level(url: str, apps: Apps) -> None:
    """An engine whose transactions keep a snapshot has a lock that doesn't."""
    app = apps.flask()
    engine = apps.engine(url, isolation_level="REPEATABLE READ")
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(app, "r1", upgrade=XMIN)

    with app.app_context():
        assert len(alembic.upgrade().steps) == 1


def test_one_connection_for_all(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine that has only one connection, such as that of a test suite, is given
    none for the lock, and keeps its own.
    """
    app = apps.flask()
    connection = apps.engine(url).connect()
    shared = connection.connection.dbapi_connection
    engine = apps.engine(
        url, creator=lambda: shared, poolclass=sa.StaticPool, pool_reset_on_return=None
    )
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(app, "r1")

    with app.test_request_context():
        assert len(alembic.upgrade().steps) == 1

    assert "one connection for all" in caplog.text

    with engine.connect() as used:
        assert used.scalar(sa.text("SELECT version_num FROM alembic_version")) == "r1"

    connection.close()


def test_transaction_of_somebody_else(url: str, apps: Apps) -> None:
    """Where migrations run inside a transaction of somebody else's, the lock lasts
    until that one ends.
    """
    app, alembic = apps.plain(url)
    other, other_alembic = apps.plain(url)
    write_revision(
        app, "r1", upgrade="op.create_table('a', sa.Column('n', sa.Integer))"
    )
    write_revision(other, "r1")

    def waits() -> bool:
        with other.app_context(), other_alembic.using(lock_timeout=0):
            try:
                other_alembic.stamp("r1")
            except RunLocked as error:
                assert error.holder is not None
                assert error.holder.session is not None
                return True

        return False

    with app.app_context(), apps.engine(url).connect() as connection:
        transaction = connection.begin()

        with alembic.use_connection(connection):
            assert len(alembic.upgrade().steps) == 1
            # A second run in the same transaction has the lock already.
            assert len(alembic.downgrade().steps) == 1

        assert waits()
        transaction.rollback()

    assert not waits()
    assert tables(url) == {"alembic_version"}


def test_no_second_connection(url: str, apps: Apps) -> None:
    """Where the server gives no connection for the lock, the error says what it was
    for. A password is not in it.
    """
    name = sa.make_url(url).database
    role = f"{name}_role"
    engine = apps.engine(url, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE ROLE {role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 1"
        )
        connection.exec_driver_sql(f"GRANT ALL ON SCHEMA public TO {role}")

    try:
        limited = sa.make_url(url).set(username=role, password="secret")
        app, alembic = apps.plain(limited.render_as_string(hide_password=False))
        write_revision(app, "r1")
        result = app.test_cli_runner().invoke(args=["db", "upgrade"])
        assert result.exit_code == 1
        assert "The connection that holds the lock on the database" in result.output
        assert f'too many connections for role "{role}"' in result.output
        assert "ALEMBIC['lock']" in result.output
        assert "secret" not in result.output
        again = app.test_cli_runner().invoke(args=["db", "upgrade", "--no-lock"])
        assert again.exit_code == 0, again.output
    finally:
        apps.close()

        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def pooler(url: str, folder: Path) -> t.Iterator[str]:
    """A PgBouncer that lends connections for one transaction: the URL of the database
    behind it.
    """
    behind, port = sa.make_url(url), free_port()
    path = folder / "pgbouncer.ini"
    path.write_text(
        "[databases]\n"
        f"* = host={behind.host} port={behind.port or 5432} user={behind.username}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 6\n"
    )
    # It refuses to be root.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [str(PGBOUNCER), "-q", *user, str(path)], stderr=subprocess.DEVNULL
    )

    try:
        _wait_for_port(process, port)
        made = behind.set(port=port)
        yield made.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(500):
        assert process.poll() is None, "pgbouncer has ended"

        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return

        time.sleep(0.02)

    raise AssertionError("pgbouncer does not listen")


@pytest.mark.skipif(PGBOUNCER is None, reason="the program pgbouncer is not installed")
def test_pgbouncer(url: str, apps: Apps, tmp_path: Path) -> None:
    """The lock holds behind a pooler that lends connections for a transaction, and
    nothing of it stays behind on the server.
    """
    app, _ = apps.plain(url)
    marks = tmp_path / "marks"
    mark = f"with open({str(marks)!r}, 'a') as file: file.write('x')"
    write_revision(app, "r1", upgrade=f"{mark}\nimport time; time.sleep(0.5)")
    write_revision(app, "r2", "r1", upgrade=mark)
    engine = {"connect_args": {"prepare_threshold": None}}

    with pooler(url, tmp_path) as pooled, Race(tmp_path) as race:
        for _ in range(6):
            race.start(app.root_path, pooled, engine=engine)

        racers = race.finish()
        texts = [racer.text for racer in racers]
        assert [racer.code for racer in racers] == [0] * 6, "\n".join(texts)
        assert marks.read_text() == "xx"

        with apps.engine(url).connect() as connection:
            count = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks l JOIN pg_database d"
                " ON d.oid = l.database WHERE l.locktype = 'advisory'"
                f" AND d.datname = '{sa.make_url(url).database}'"
            )
            assert count.scalar() == 0
