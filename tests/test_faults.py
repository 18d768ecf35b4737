"""Faults of the machine: a full disk, a file system that can't be written to, a clock
that goes backwards. They are real where the tests may mount file systems.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import MigrationFailed
from servers import Databases

pytestmark = pytest.mark.faults

# What fills a small disk: 8 MB of rows.
FILL = {
    "sqlite": "INSERT INTO filled (id, x) WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)"
    " SELECT i, hex(randomblob(500)) FROM n",
    "postgresql": "INSERT INTO filled (id, x)"
    " SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 80000) AS i",
    "mariadb": "INSERT INTO filled (id, x)"
    " SELECT seq, repeat('x', 1000) FROM seq_1_to_20000",
}


class Disk(t.NamedTuple):
    """A small file system of our own."""

    path: Path

    def free(self, megabytes: int) -> None:
        """Let it be larger."""
        mount("-o", f"remount,size={megabytes}m", str(self.path))

    def protect(self, mode: str) -> None:
        """Let it be written to, ``rw``, or not, ``ro``."""
        mount("-o", f"remount,{mode}", str(self.path))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk() -> t.Iterator[Disk]:
    """A file system of 4 MB. It can be mounted by root only."""
    # Not in tmp_path, which the servers' users may not enter.
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)

    try:
        mount("-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        path.rmdir()
        pytest.skip(f"no file system can be mounted here: {error}")

    yield Disk(path)
    subprocess.run(["umount", str(path)], check=True)
    path.rmdir()


@pytest.fixture
def tablespace(disk: Disk, databases: Databases) -> t.Iterator[str]:
    """A place of PostgreSQL's on the small disk."""
    assert databases.server.url is not None
    name = f"small_{os.urandom(4).hex()}"
    shutil.chown(disk.path, "postgres")
    disk.free(40)
    engine = sa.create_engine(
        databases.server.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )

    def execute(sql: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)

    try:
        execute(f"CREATE TABLESPACE {name} LOCATION '{disk.path}'")
    except sa.exc.OperationalError as error:
        pytest.skip(f"the server can't use this disk: {error.orig}")

    yield name
    databases.drop_all()
    execute(f"DROP TABLESPACE {name}")


def add_revisions(app: t.Any, kind: str, place: str = "") -> None:
    """Three revisions, of which the second needs more room than there is."""
    write_revision(
        app,
        "r1",
        upgrade=f"op.execute('CREATE TABLE filled (id INT PRIMARY KEY,"
        f" x VARCHAR(2000)){place}')\nop.execute('INSERT INTO filled VALUES (0, 1)')",
    )
    write_revision(
        app,
        "r2",
        "r1",
        upgrade=f"op.add_column('filled', sa.Column('y', sa.Integer))\n"
        f"op.execute({FILL[kind]!r})",
    )
    write_revision(
        app, "r3", "r2", upgrade="op.create_table('last', sa.Column('id', sa.Integer))"
    )


def count(url: str) -> int:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        return int(
            connection.exec_driver_sql("SELECT count(*) FROM filled").scalar_one()
        )


def columns(url: str) -> set[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return {column["name"] for column in sa.inspect(engine).get_columns("filled")}


def test_full_disk_on_sqlite(apps: Apps, disk: Disk) -> None:
    """A full disk fails the revision, whole. With more room the rerun completes it."""
    url = f"sqlite:///{disk.path / 'test.db'}"
    app, alembic = apps.plain(url)
    add_revisions(app, "sqlite")

    with app.app_context():
        with pytest.raises(MigrationFailed, match="full") as caught:
            alembic.upgrade()

        assert caught.value.revision == "r2"
        assert caught.value.standing == {"default": ("r1",)}

    assert (count(url), columns(url)) == (1, {"id", "x"})
    disk.free(64)

    with app.app_context():
        assert [step.revision for step in alembic.upgrade().steps] == ["r2", "r3"]

    assert count(url) == 8001


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_full_disk_on_postgresql(
    databases: Databases, tablespace: str, disk: Disk, apps: Apps
) -> None:
    """A full disk fails the revision, whole. With more room the rerun completes it."""
    url = databases.make()
    app, alembic = apps.plain(url)
    add_revisions(app, "postgresql", f" TABLESPACE {tablespace}")

    with app.app_context():
        with pytest.raises(MigrationFailed, match="DiskFull") as caught:
            alembic.upgrade()

        assert caught.value.standing == {"default": ("r1",)}

    assert (count(url), columns(url)) == (1, {"id", "x"})
    disk.free(400)

    with app.app_context():
        assert [step.revision for step in alembic.upgrade().steps] == ["r2", "r3"]

    assert count(url) == 80001


def test_read_only_file_system(apps: Apps, disk: Disk, db: Cli) -> None:
    """Where the database can't be written to, the error says so, and nothing changes.
    What only reads goes on to work, and so does an upgrade that has nothing to do.
    """
    url = f"sqlite:///{disk.path / 'test.db'}"
    app, alembic = apps.plain(url)
    write_revision(
        app, "r1", upgrade="op.create_table('a', sa.Column('id', sa.Integer))"
    )

    with app.app_context():
        alembic.upgrade()

    disk.protect("ro")
    assert db(app, "upgrade").exit_code == 0
    assert db(app, "current").exit_code == 0

    write_revision(
        app, "r2", "r1", upgrade="op.create_table('b', sa.Column('id', sa.Integer))"
    )
    result = db(app, "upgrade")
    assert result.exit_code == 1
    assert "readonly database" in result.stderr
    assert tables(url) == {"a", "alembic_version"}

    disk.protect("rw")
    assert db(app, "upgrade").exit_code == 0
    assert tables(url) == {"a", "b", "alembic_version"}


def test_clock_goes_backwards(url: str, apps: Apps, db: Cli) -> None:
    """Revisions run in their order, whatever the clock says, and durations are none of
    its business.
    """
    app, alembic = apps.plain(url)

    clock = iter(range(2_000_000_000, 0, -1_000_000))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: float(next(clock)))

        for number in range(1, 4):
            write_revision(app, f"r{number}", f"r{number - 1}" if number > 1 else None)

            with app.app_context():
                (step,) = alembic.upgrade().steps

            assert step.revision == f"r{number}"
            assert 0 <= step.seconds < 60

    with app.app_context():
        assert alembic.downgrade("base").databases == {"default": ()}


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_full_disk_on_mariadb(disk: Disk, databases: Databases, apps: Apps) -> None:
    """A full disk fails the revision; its DDL is kept. With more room the rerun goes on
    at the statement that failed.
    """
    url = databases.make()
    app, alembic = apps.plain(url)
    add_revisions(app, "mariadb", f' DATA DIRECTORY "{disk.path}"')

    with app.app_context():
        with pytest.raises(MigrationFailed, match="full") as caught:
            alembic.upgrade()

        assert caught.value.standing == {"default": ("r1",)}

    assert (count(url), columns(url)) == (1, {"id", "x", "y"})
    disk.free(64)

    with app.app_context():
        assert [step.revision for step in alembic.upgrade().steps] == ["r2", "r3"]

    assert count(url) == 20001
