"""``flask db repair`` finds what earlier runs left, and mends it after asking."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables
from conftest import tables_and_history
from flask_alembic import Alembic
from flask_alembic import Finding
from servers import Databases

only_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)


def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    for statement in statements:
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(sa.text(statement))


def scalars(url: str, query: str) -> list[t.Any]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        return list(connection.scalars(sa.text(query)))


def edit(path: Path, old: str = "pass", new: str = "op.execute('SELECT 1')") -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def write_two(app: Flask) -> tuple[Path, Path]:
    return write_revision(app, "r1"), write_revision(app, "r2", "r1")


def found(alembic: Alembic, **options: t.Any) -> list[tuple[str, str, str, str]]:
    findings = alembic.repair(**options).findings
    return [(f.kind, f.name, f.detail, f.cure) for f in findings]


def test_nothing(url: str, apps: Apps, db: Cli) -> None:
    """Where nothing is wrong it says so, before the first run and after."""
    app, alembic = apps.plain(url)
    write_two(app)

    for _ in range(2):
        result = db(app, "repair")
        assert (result.output, result.exit_code) == ("Nothing to mend.\n", 0)
        db(app, "upgrade")


def test_accept(url: str, apps: Apps, db: Cli) -> None:
    """An edited revision is accepted as it is now. Its entry keeps the rest."""
    app, alembic = apps.plain(url, ALEMBIC={"changed_revisions": "error"})
    _, second = write_two(app)

    with app.app_context():
        alembic.upgrade()
        before = alembic.applied()["default"]

    edit(second)
    edit(second, "down_revision = 'r1'", "down_revision = None")

    with app.app_context():
        assert found(alembic) == [
            ("moved", "r2", "migrations/r2_.py revises nothing, not r1", "accept"),
            ("edited", "r2", "migrations/r2_.py", "accept"),
        ]
        assert not alembic.repair().ok
        assert before == alembic.applied()["default"]

        report = alembic.repair(apply=True)
        assert report.ok
        assert [finding.mended for finding in report.findings] == [True, True]
        assert alembic.repair().findings == ()
        newest, oldest = alembic.applied()["default"]

    assert oldest == before[1]
    assert newest.parents == ()
    assert newest.checksum != before[0].checksum
    assert newest.applied_at == before[0].applied_at

    with app.app_context():
        alembic.stamp("r2", purge=True)
        alembic.upgrade("r2")


def test_some(apps: Apps, sqlite_url: str) -> None:
    """A function chooses what is mended."""
    app, alembic = apps.plain(sqlite_url)
    first, second = write_two(app)

    with app.app_context():
        alembic.upgrade()
        edit(first)
        edit(second)
        asked: list[Finding] = []

        def choose(finding: Finding) -> bool:
            asked.append(finding)
            return finding.name == "r2"

        report = alembic.repair(apply=choose)
        assert [f.name for f in asked] == ["r1", "r2"]
        assert [f.mended for f in report.findings] == [False, True]
        assert [name for _, name, *_ in found(alembic)] == ["r1"]


def test_forget(url: str, apps: Apps) -> None:
    """Entries are forgotten of revisions that neither a file nor the version table has.
    Those that were undone are no contradiction.
    """
    app, alembic = apps.plain(url)
    first, second = write_two(app)
    third = write_revision(app, "r3", "r2")

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade()
        alembic.stamp("base")
        alembic.stamp("r1")

    second.unlink()
    third.unlink()

    with app.app_context():
        assert found(alembic) == [("forgotten", "r2", "", "forget")]
        assert alembic.repair(apply=True).ok
        names = [entry.revision for entry in alembic.applied()["default"]]
        assert names == ["r1", "base", "r3", "r3", "r1"]
        assert found(alembic) == []


def test_overlap(url: str, apps: Apps) -> None:
    """A version table that holds a revision and one that comes after it."""
    app, alembic = apps.plain(url)
    write_two(app)

    with app.app_context():
        alembic.upgrade()
        execute(url, "INSERT INTO alembic_version VALUES ('r1')")
        assert found(alembic) == [("overlap", "r1", "r2", "remove")]
        assert alembic.repair(apply=True).ok
        assert scalars(url, "SELECT version_num FROM alembic_version") == ["r2"]
        assert not alembic.upgrade().steps


def test_unknown(url: str, apps: Apps, db: Cli) -> None:
    """An id that no file has can't be mended here. The cure is told."""
    app, alembic = apps.plain(url)
    _, second = write_two(app)
    db(app, "upgrade")
    second.unlink()
    result = db(app, "repair", "--yes")
    assert result.exit_code == 1
    assert result.output == (
        "default: is at r2, which no file has.\n"
        "  Restore the file, or deploy the newer code. If it is lost, run 'flask db"
        " stamp --purge' with the revision that the tables match.\n"
    )

    with app.app_context():
        assert found(alembic) == [("unknown", "r2", "", "")]


def make_journal(url: str, *rows: tuple[str, str]) -> None:
    """A journal, with a statement of each of these revisions and directions."""
    execute(
        url,
        # On MariaDB it is there.
        "DROP TABLE IF EXISTS alembic_version_journal",
        "CREATE TABLE alembic_version_journal (revision VARCHAR(255), direction"
        " VARCHAR(16), position INTEGER, sha VARCHAR(64), statement TEXT, state"
        " VARCHAR(16), rowcount INTEGER, lastrowid INTEGER, at TIMESTAMP NULL, run_by"
        " VARCHAR(255))",
        *(
            "INSERT INTO alembic_version_journal (revision, direction, position, sha,"
            f" statement, state) VALUES ('{revision}', '{direction}', {position}, '',"
            " 'x', 'done')"
            for revision, direction in rows
            for position in (1, 2)
        ),
    )


def test_journal(url: str, apps: Apps) -> None:
    """Statements of a revision that is done, or that no file has, are forgotten. Those
    of one that goes on stay.
    """
    app, alembic = apps.plain(url)
    write_two(app)
    write_revision(app, "r3", "r2")

    with app.app_context():
        alembic.upgrade("r2")
        make_journal(
            url,
            ("gone", "upgrade"),
            ("r1", "upgrade"),
            ("r2", "downgrade"),
            ("r2", "upgrade"),
            ("r3", "downgrade"),
            ("r3", "upgrade"),
        )
        assert found(alembic) == [
            ("journal", "gone", "upgrade", "forget"),
            ("journal", "r1", "upgrade", "forget"),
            ("journal", "r2", "upgrade", "forget"),
            ("journal", "r3", "downgrade", "forget"),
        ]
        assert alembic.repair(apply=True).ok
        assert found(alembic) == []

    left = (
        scalars(url, "SELECT concat(revision, direction) FROM alembic_version_journal")
        if "sqlite" not in url
        else scalars(url, "SELECT revision || direction FROM alembic_version_journal")
    )
    assert sorted(left) == ["r2downgrade"] * 2 + ["r3upgrade"] * 2


def break_index(url: str, name: str) -> None:
    """Leave an index behind whose building failed."""
    with pytest.raises(sa.exc.IntegrityError):
        execute(url, f'CREATE UNIQUE INDEX CONCURRENTLY "{name}" ON item (n)')


@only_postgresql
def test_invalid_index(url: str, apps: Apps) -> None:
    """An index that is not valid is dropped where a revision is yet to come, and built
    again where none is.
    """
    app, alembic = apps.plain(url)
    write_two(app)
    execute(url, "CREATE TABLE item (n integer)", "INSERT INTO item VALUES (1), (1)")
    valid = (
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE indrelid = 'item'::regclass AND indisvalid"
    )
    count = "SELECT count(*) FROM pg_index WHERE indrelid = 'item'::regclass"
    break_index(url, 'Odd "" name')

    with app.app_context():
        alembic.upgrade("r1")
        assert found(alembic) == [("invalid index", 'Odd " name', "item", "drop")]
        alembic.upgrade()
        assert found(alembic) == [("invalid index", 'Odd " name', "item", "reindex")]

        (finding,) = alembic.repair(apply=True).findings
        assert not finding.mended
        assert "could not create unique index" in finding.reason
        # That left one of its own.
        kinds = {(name, cure) for _, name, _, cure in found(alembic)}
        assert ('Odd " name_ccnew', "drop") in kinds

        execute(url, "DELETE FROM item")
        assert alembic.repair(apply=True).ok
        assert scalars(url, valid) == ['Odd " name']
        assert found(alembic) == []

    execute(url, 'DROP INDEX "Odd "" name"', "INSERT INTO item VALUES (1), (1)")
    break_index(url, "again")

    with app.app_context():
        alembic.downgrade()
        assert alembic.repair(apply=True).ok
        assert scalars(url, count) == [0]


@only_postgresql
def test_index_in_the_making(url: str, apps: Apps) -> None:
    """An index that somebody builds right now is left alone."""
    app, alembic = apps.plain(url)
    write_two(app)
    execute(url, "CREATE TABLE item (n integer)", "INSERT INTO item VALUES (1)")
    engine = apps.engine(url)

    with engine.connect() as blocker:
        blocker.execute(sa.text("LOCK TABLE item IN ROW EXCLUSIVE MODE"))
        thread = threading.Thread(
            target=execute, args=(url, "CREATE INDEX CONCURRENTLY slow ON item (n)")
        )
        thread.start()

        try:
            waits = "SELECT 1 FROM pg_stat_progress_create_index"

            while not scalars(url, waits):
                pass

            while not scalars(url, "SELECT 1 FROM pg_index WHERE NOT indisvalid"):
                pass

            with app.app_context():
                assert found(alembic) == []
        finally:
            blocker.rollback()
            thread.join()

    with app.app_context():
        assert found(alembic) == []


@only_postgresql
def test_in_a_transaction(url: str, apps: Apps) -> None:
    """In somebody else's transaction, an index can't be mended."""
    app, alembic = apps.plain(url)
    execute(url, "CREATE TABLE item (n integer)", "INSERT INTO item VALUES (1), (1)")
    break_index(url, "broken")

    with app.app_context():
        with alembic.engines["default"].begin() as connection:
            with alembic.use_connection(connection):
                (finding,) = alembic.repair(apply=True).findings

    assert (finding.cure, finding.mended) == ("", False)


def test_temporary_tables(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """What batch mode left is dropped if the table itself is there. Otherwise the rows
    may be in it.
    """
    app, alembic = apps.plain(sqlite_url)
    execute(
        sqlite_url,
        "CREATE TABLE todo (id INTEGER)",
        "CREATE TABLE _alembic_tmp_todo (id INTEGER)",
        'CREATE TABLE "_alembic_tmp_no one" (id INTEGER)',
    )
    result = db(app, "repair", "--yes")
    assert result.exit_code == 1
    assert result.output == (
        "default: the table _alembic_tmp_no one was left when no one was changed.\n"
        '  There is no "no one": the rows may be in this table. If they are, run ALTER'
        ' TABLE "_alembic_tmp_no one" RENAME TO "no one".\n'
        "default: the table _alembic_tmp_todo was left when todo was changed.\n"
        "default: _alembic_tmp_todo dropped.\n"
    )
    assert tables(sqlite_url) == {"todo", "_alembic_tmp_no one"}


def test_databases(databases: Databases, apps: Apps, db: Cli) -> None:
    """Each database is looked at, or those that are named."""
    urls = {"one": databases.make(), "two": databases.make()}
    app, alembic = apps.several(urls)
    path = write_revision(app, "r1", arguments="engine_name")
    db(app, "upgrade")
    edit(path)

    with app.app_context():
        assert [f.database for f in alembic.repair().findings] == ["one", "two"]

    result = db(app, "repair", "--yes", "--database", "two")
    assert result.exit_code == 0
    assert result.output == (
        "two: revision r1 was edited after it was applied: migrations/r1_.py.\n"
        "two: r1 accepted.\n"
    )

    with app.app_context():
        assert [f.database for f in alembic.repair().findings] == ["one"]


def test_no_table(url: str, apps: Apps) -> None:
    """Looking makes no table."""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.repair(apply=True)

    assert tables_and_history(url) == set()


# Asking


def test_no_terminal(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """Without a terminal nothing is asked or changed; the way out is told."""
    app, alembic = apps.plain(sqlite_url)
    _, second = write_two(app)
    db(app, "upgrade")
    edit(second)
    result = db(app, "repair")
    assert result.exit_code == 1
    assert result.output == (
        "default: revision r2 was edited after it was applied: migrations/r2_.py.\n"
        "Error: Nothing was changed: 1 of these can be mended, and there is no terminal"
        " to ask on.\n"
        "Hint: Run 'flask db repair --yes' to mend them.\n"
    )
    assert db(app, "repair", "--yes").exit_code == 0
    assert db(app, "repair").output == "Nothing to mend.\n"


APP: t.Final = """\
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

app = Flask("app", root_path=".", instance_path="/nowhere")
Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine("sqlite:///test.db"))
"""


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_terminal(apps: Apps, tmp_path: Path, db: Cli, answer: str, code: int) -> None:
    """On a terminal each is asked for."""
    app, alembic = apps.plain(f"sqlite:///{tmp_path / 'app1' / 'test.db'}")
    _, second = write_two(app)
    db(app, "upgrade")
    edit(second)
    folder = Path(app.root_path)
    (folder / "app.py").write_text(APP)
    output, exit_code = type_answer(folder, answer)
    assert exit_code == code, output
    assert "r2 was edited after it was applied" in output
    assert "Take the file for what was applied? [y/N]:" in output
    assert ("r2 accepted." in output) is (answer == "y")


def type_answer(folder: Path, answer: str) -> tuple[str, int]:
    """Run ``flask db repair`` on a terminal, and answer what it asks."""
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        [sys.executable, "-m", "flask", "db", "repair"],
        cwd=folder,
        env={**os.environ, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        output = b""

        try:
            while part := os.read(ours, 4096):
                output += part
        except OSError:
            pass  # the other side is closed
        finally:
            os.close(ours)

    return output.decode(), process.returncode
