"""A look at where databases stand: one statement each, and always what the ordinary way
would say.
"""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import ChangedRevisionError
from flask_alembic import ConfigurationError
from flask_alembic import UnknownRevisionError


@pytest.fixture
def two(url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app with two revisions, whose database is at head."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    with app.app_context():
        alembic.upgrade()

    return app, alembic


def engine_of(app: Flask, alembic: Alembic) -> sa.Engine:
    """The engine of the only database."""
    with app.app_context():
        return alembic.databases["default"].engine


def query(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    """Run a statement on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


class Watch:
    """What an engine does: statements, and new connections."""

    def __init__(self, engine: sa.Engine) -> None:
        self.statements: list[str] = []
        self.connects = 0
        sa.event.listen(engine, "before_cursor_execute", self._note)
        sa.event.listen(engine.pool, "connect", self._connected)

    def _note(self, conn: t.Any, cursor: t.Any, statement: str, *_: t.Any) -> None:
        self.statements.append(statement)

    def _connected(self, *_: t.Any) -> None:
        self.connects += 1


def test_health_check(two: tuple[Flask, Alembic]) -> None:
    """A health check sends one statement on a pooled connection, and opens no file."""
    app, alembic = two

    with app.test_request_context():
        assert not alembic.needs_upgrade()

    opened: list[object] = []
    is_over = False

    def note(event: str, args: tuple[t.Any, ...]) -> None:
        if event == "open" and not is_over:
            opened.append(args[0])

    sys.addaudithook(note)
    engine = engine_of(app, alembic)
    watch = Watch(engine)

    for _ in range(3):
        with app.test_request_context():
            assert not alembic.needs_upgrade()

    is_over = True
    names = [str(path) for path in opened]
    assert [n for n in names if n.endswith((".py", ".pyc", ".mako", ".ini"))] == []
    assert len(watch.statements) == 3
    assert watch.connects == 0
    assert t.cast(sa.QueuePool, engine.pool).checkedout() == 0


def test_new_file_is_noticed(two: tuple[Flask, Alembic]) -> None:
    """A file that is added, or taken away, is noticed by the next health check."""
    app, alembic = two

    with app.test_request_context():
        assert not alembic.needs_upgrade()

    path = write_revision(app, "r3", "r2")

    with app.test_request_context():
        assert alembic.needs_upgrade()

    path.unlink()

    with app.test_request_context():
        assert not alembic.needs_upgrade()


def test_changed_arguments_are_noticed(tmp_path: Path) -> None:
    """The dicts that the constructor got may change later: metadata is added, an engine
    takes the place of another.
    """
    first, second = sa.MetaData(), sa.MetaData()
    engines = {name: sa.create_engine(f"sqlite:///{tmp_path}/{name}") for name in "ab"}
    metadatas, used = {"a": [first]}, {"a": engines["a"]}
    app = Flask("app", root_path=str(tmp_path))
    alembic = Alembic(app, metadatas=metadatas, engines=used)

    def found() -> object:
        with app.app_context():
            return alembic.databases["a"].metadata

    assert found() is first
    metadatas["a"].append(second)
    assert found() == [first, second]

    used["a"] = engines["b"]
    metadatas["c"] = [first]

    with app.app_context(), pytest.raises(ConfigurationError, match="no engine.*'c'"):
        alembic.needs_upgrade()

    del metadatas["c"]

    with app.app_context():
        assert alembic.databases["a"].engine is engines["b"]


def test_changed_config_is_noticed(two: tuple[Flask, Alembic]) -> None:
    """The config may change in its place, deep inside."""
    app, alembic = two

    with app.test_request_context():
        assert not alembic.needs_upgrade()

    app.config["ALEMBIC"]["version_locations"].append("more")
    (more := Path(app.root_path, "more")).mkdir()
    write_revision(app, "r3", "r2").rename(more / "r3.py")

    with app.test_request_context():
        assert alembic.needs_upgrade()

    app.config["ALEMBIC"]["version_locations"].clear()

    with app.test_request_context():
        assert not alembic.needs_upgrade()

    app.config["ALEMBIC_CONTEXT"]["databases"] = {"default": {}}
    app.config["ALEMBIC_CONTEXT"]["databases"]["default"]["version_table"] = "other"

    with app.test_request_context():
        assert alembic.needs_upgrade()


def test_changed_file_is_noticed(two: tuple[Flask, Alembic]) -> None:
    """A file that is changed in its place is noticed by the next app context that asks
    for the revisions.
    """
    app, alembic = two
    path = write_revision(app, "r3", "r2")

    with app.app_context():
        assert alembic.revisions.heads == ("r3",)

    content = path.read_text().replace("r3", "x4")

    with path.open("r+") as file:
        file.write(content)

    os.utime(path, ns=(1, 1))

    with app.app_context():
        assert alembic.revisions.heads == ("x4",)
        assert alembic.current_ids() == {"default": ("r2",)}
        assert alembic.needs_upgrade()


def test_files_in_folders(tmp_path: Path, sqlite_url: str, apps: Apps) -> None:
    """So is one in a folder below, where those count."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"recursive_version_locations": True})
    folder = Path(app.root_path, "migrations", "deep")
    folder.mkdir()

    with app.test_request_context():
        assert not alembic.needs_upgrade()

    write_revision(app, "r1").rename(folder / "r1.py")

    with app.test_request_context():
        assert alembic.needs_upgrade()


def test_nothing_to_do(two: tuple[Flask, Alembic]) -> None:
    """An upgrade that finds nothing to do tells where the databases are."""
    app, alembic = two

    with app.app_context():
        for target in ("heads", "head"):
            report = alembic.upgrade(target)
            assert (report.steps, report.databases) == ((), {"default": ("r2",)})
            assert alembic.last_report == report


def test_empty_database(url: str, apps: Apps) -> None:
    """A database without a version table is at no revision."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1")

    with app.app_context():
        assert alembic.current_ids() == {"default": ()}
        assert alembic.needs_upgrade()
        assert [step.revision for step in alembic.upgrade().steps] == ["r1"]


def test_unknown_revision(two: tuple[Flask, Alembic], url: str) -> None:
    """An id that no file has is told by its error, and can be looked at."""
    app, alembic = two
    query(url, "UPDATE alembic_version SET version_num = 'gone'")

    with app.app_context():
        assert alembic.current_ids() == {"default": ("gone",)}

        with pytest.raises(UnknownRevisionError):
            alembic.needs_upgrade()

        with pytest.raises(UnknownRevisionError):
            alembic.upgrade()


@pytest.mark.parametrize("change", ["edited", "missing", "moved"])
def test_edited(two: tuple[Flask, Alembic], change: str) -> None:
    """What changed since it was applied is told, though there is nothing to do."""
    app, alembic = two
    app.config["ALEMBIC"]["changed_revisions"] = "error"
    (path,) = Path(app.root_path, "migrations").glob("r1*.py")

    with app.app_context():
        assert alembic.upgrade().steps == ()

    if change == "edited":
        path.write_text(path.read_text().replace("pass", "print()"))
    elif change == "missing":
        path.unlink()
        (other,) = Path(app.root_path, "migrations").glob("r2*.py")
        other.write_text(other.read_text().replace("'r1'", "None"))
    else:
        write_revision(app, "r0")
        path.write_text(path.read_text().replace("None", "'r0'", 1))

    with app.app_context(), pytest.raises(ChangedRevisionError):
        alembic.upgrade()


def test_operations_before(two: tuple[Flask, Alembic], url: str) -> None:
    """What was done through ``op`` in the same context is committed by an upgrade, also
    by one that has nothing to do.
    """
    app, alembic = two

    with app.app_context():
        alembic.op.execute("CREATE TABLE made (id INTEGER)")
        alembic.op.execute("INSERT INTO made VALUES (1)")
        alembic.upgrade()
        assert query(url, "SELECT * FROM made") == [(1,)]


class Overridden(Alembic):
    """A subclass that has a say in each run."""

    calls: t.ClassVar[list[object]] = []

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any:
        self.calls.append(fn)
        return super().run_migrations(fn, **kwargs)


def test_overridden(sqlite_url: str, apps: Apps) -> None:
    """An override of ``run_migrations`` is called, though there is nothing to do."""
    app, alembic = apps.plain(sqlite_url, extension=Overridden)

    with app.app_context():
        alembic.upgrade()
        alembic.upgrade()

    assert len(Overridden.calls) == 2


def test_hooks(two: tuple[Flask, Alembic]) -> None:
    """A function that prepares connections is called for a look, too."""
    app, alembic = two
    prepared: list[str] = []
    alembic.prepare_connection(lambda connection, db: prepared.append(db.name))

    with app.app_context():
        assert alembic.current_ids() == {"default": ("r2",)}

    assert prepared == ["default"]


def test_version_table_of_another_name(url: str, apps: Apps) -> None:
    """The version table is looked at under the name that it has."""
    app, alembic = apps.plain(url, ALEMBIC_CONTEXT={"version_table": "my versions"})
    write_revision(app, "r1")

    with app.app_context():
        assert alembic.upgrade().steps
        assert not alembic.upgrade().steps
        assert alembic.current_ids() == {"default": ("r1",)}
        assert not alembic.needs_upgrade()


def test_borrowed_connection(two: tuple[Flask, Alembic]) -> None:
    """A look inside somebody's transaction sees what is done there."""
    app, alembic = two
    engine = engine_of(app, alembic)

    with app.app_context(), engine.connect() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))

        with alembic.use_connection(connection):
            assert alembic.current_ids() == {"default": ()}
            assert alembic.needs_upgrade()

        connection.rollback()


def test_in_memory(apps: Apps) -> None:
    """A database in memory is on the app's one connection, which stays as it is."""
    app, alembic = apps.plain("sqlite://")
    write_revision(app, "r1")

    with app.app_context():
        alembic.upgrade()
        assert not alembic.needs_upgrade()
        assert alembic.upgrade().steps == ()
