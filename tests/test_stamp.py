"""Databases that other hands made: stamp them, whatever is in their version table."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import FlaskAlembicError
from flask_alembic import SchemaMismatchError
from flask_alembic import TargetError
from flask_alembic import UnknownRevisionError
from servers import Databases

CREATE: t.Final = (
    "op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True))"
)
ADD: t.Final = (
    "with op.batch_alter_table('todo') as batch:\n"
    "    batch.add_column(sa.Column('text', sa.String(50)))"
)
VERIFY: t.Final = """\
import sys
import sqlalchemy as sa
from flask import Flask
from apps import todo_metadata
from flask_alembic import Alembic

app = Flask("app", root_path=sys.argv[1])
engine = sa.create_engine(sys.argv[2])
alembic = Alembic(app, metadatas=todo_metadata(), engines=engine)

with app.app_context():
    alembic.stamp("r1", verify=True)
"""
"""A program that is killed while it verifies."""

GONE_HINT: t.Final = (
    "Hint: Restore the file, or deploy the newer code. If it is lost, 'flask db stamp"
    " --purge' with the revision that the tables match. To leave it alone, add"
    " --skip-missing to upgrade, downgrade, stamp or current.\n"
)


def line(app: Flask, *, second: str = ADD) -> None:
    """Two revisions that make the table ``todo``."""
    write_revision(app, "r1", upgrade=CREATE, downgrade="op.drop_table('todo')")
    write_revision(app, "r2", "r1", upgrade=second)


def two_branches(app: Flask) -> None:
    """``a1 - a2`` and ``b1``, which do nothing."""
    write_revision(app, "a1", branch_labels=("a",))
    write_revision(app, "a2", "a1")
    write_revision(app, "b1", branch_labels=("b",))


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def write_rows(url: str, *ids: str) -> None:
    """Write a version table by hand."""
    values = ", ".join(f"('{id_}')" for id_ in ids)
    execute(
        url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        *([f"INSERT INTO alembic_version VALUES {values}"] if ids else []),
    )


def rows(url: str) -> list[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
        return sorted(found.scalars())


def columns(url: str) -> list[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [column["name"] for column in sa.inspect(engine).get_columns("todo")]


def create_first(url: str) -> None:
    """Make the table as ``r1`` would, without a version table."""
    execute(url, "CREATE TABLE todo (id INTEGER NOT NULL PRIMARY KEY)")


# --purge


def test_purge(url: str, apps: Apps, db: Cli) -> None:
    """The version table is emptied, whatever is in it, and the output says of what."""
    app, _ = apps.plain(url)
    line(app)
    write_rows(url, "gone1", "gone2", "r1")
    result = db(app, "stamp", "--purge", "r1")
    assert result.exit_code == 0
    assert result.output == (
        "default: removed gone1, gone2 from the version table.\n"
        "default is stamped r1.\n"
    )
    assert rows(url) == ["r1"]
    assert db(app, "stamp", "--purge", "r1").output == (
        "default is already stamped r1.\n"
    )


def test_purge_to_base(url: str, apps: Apps, db: Cli) -> None:
    """Nothing has to be left in it."""
    app, _ = apps.plain(url)
    line(app)
    write_rows(url, "gone1")
    assert db(app, "stamp", "--purge", "base").output == (
        "default: removed gone1 from the version table.\ndefault is stamped base.\n"
    )
    assert rows(url) == []


def test_purge_without_a_version_table(url: str, apps: Apps, db: Cli) -> None:
    """Where there is no version table, it is made."""
    app, _ = apps.plain(url)
    line(app)
    assert db(app, "stamp", "--purge").output == "default is stamped r2.\n"
    assert rows(url) == ["r2"]


def test_purge_of_doubled_rows(url: str, apps: Apps) -> None:
    """A table without a key may hold an id twice."""
    app, alembic = apps.plain(url)
    line(app)
    write_rows(url, "gone1", "gone1", "r1", "r1")

    with app.app_context():
        report = alembic.stamp("r2", purge=True)

    assert [step.removed for step in report.steps] == [("gone1", "r1")]
    assert report.databases == {"default": ("r2",)}
    assert report.skipped == {}
    assert rows(url) == ["r2"]


def test_purge_two_databases(databases: Databases, apps: Apps, db: Cli) -> None:
    """Each database loses what it has."""
    urls = {"auth": databases.make(), "default": databases.make()}
    app, _ = apps.several(urls)
    line(app)
    write_rows(urls["auth"], "gone1")
    write_rows(urls["default"], "r1")
    assert db(app, "stamp", "--purge").output == (
        "auth: removed gone1 from the version table.\n"
        "default: removed r1 from the version table.\n"
        "auth is stamped r2.\n"
        "default is stamped r2.\n"
    )
    assert rows(urls["auth"]) == rows(urls["default"]) == ["r2"]


def test_several_targets(url: str, apps: Apps, db: Cli) -> None:
    """A database may stand at several branches."""
    app, _ = apps.plain(url)
    two_branches(app)
    assert db(app, "stamp", "a1", "b1").output == "default is stamped a1, b1.\n"
    assert rows(url) == ["a1", "b1"]
    assert db(app, "stamp", "--purge", "a2", "b1").exit_code == 0
    assert rows(url) == ["a2", "b1"]


@pytest.mark.parametrize("purge", [True, False])
def test_targets_of_one_line(apps: Apps, sqlite_url: str, purge: bool) -> None:
    """A revision that comes before another can't stand beside it."""
    app, alembic = apps.plain(sqlite_url)
    line(app)

    with app.app_context(), pytest.raises(TargetError) as info:
        alembic.stamp(["r1", "r2"], purge=purge)

    assert str(info.value) == "r1 comes before r2, so it can't stand beside it."
    assert info.value.hint == "Leave it out: 'flask db stamp r2'."
    assert tables(sqlite_url) == set()


def test_purge_and_skip(apps: Apps, sqlite_url: str) -> None:
    """The one takes out what the other keeps."""
    app, alembic = apps.plain(sqlite_url)
    line(app)

    with app.app_context(), pytest.raises(FlaskAlembicError, match="keeps them"):
        alembic.stamp(purge=True, skip_missing=True)


def test_failed_purge_leaves_the_table(url: str, apps: Apps) -> None:
    """It is one transaction: if the new ids can't be written the old ones are there."""
    app, alembic = apps.plain(url)
    execute(
        url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CHECK (version_num <> 'r1'))",
        "INSERT INTO alembic_version VALUES ('gone1'), ('gone2')",
    )
    line(app)

    with app.app_context(), pytest.raises(FlaskAlembicError):
        alembic.stamp("r1", purge=True)

    assert rows(url) == ["gone1", "gone2"]


# An id that no file has


def test_unknown_revision_is_told(url: str, apps: Apps, db: Cli) -> None:
    """The commands that meet it name it, the database, and the ways out."""
    app, _ = apps.plain(url)
    line(app)
    write_rows(url, "gone1")
    folder = f"{app.root_path}/migrations"

    for command in ("upgrade", "downgrade", "current", "stamp", "check"):
        result = db(app, command)
        assert result.exit_code == 1
        assert result.stderr == (
            "Error: The database 'default' is at revision 'gone1', which no file in"
            f" {folder} has.\n{GONE_HINT}"
        )


def test_skip_missing(url: str, apps: Apps, db: Cli) -> None:
    """The other ids are worked on as usual, and the output says what was skipped."""
    app, _ = apps.plain(url)
    line(app)
    create_first(url)
    write_rows(url, "gone1", "r1")

    result = db(app, "upgrade", "--skip-missing")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("  r2  r2  upgrade  ")
    assert lines[1:] == [
        "default: skipped gone1, which no file has.",
        "1 revision applied to default; it is at gone1, r2 now.",
    ]
    assert rows(url) == ["gone1", "r2"]
    assert columns(url) == ["id", "text"]

    assert db(app, "upgrade", "--skip-missing").output == (
        "default: skipped gone1, which no file has.\n"
        "Nothing to do: default is at gone1, r2.\n"
    )
    assert db(app, "current", "--skip-missing").output == (
        "default: r1 -> r2 (head), r2\ndefault: gone1 (unknown), which no file has\n"
    )

    result = db(app, "downgrade", "--skip-missing")
    assert result.output.splitlines()[1:] == [
        "default: skipped gone1, which no file has.",
        "1 revision undone on default; it is at gone1, r1 now.",
    ]
    assert db(app, "stamp", "--skip-missing").output == (
        "default: skipped gone1, which no file has.\ndefault is stamped gone1, r2.\n"
    )
    assert rows(url) == ["gone1", "r2"]


def test_skip_missing_in_python(url: str, apps: Apps) -> None:
    """The report knows what was skipped, and so does what ``current`` returns."""
    app, alembic = apps.plain(url)
    two_branches(app)
    write_rows(url, "gone1", "a1")

    with app.app_context():
        assert [s.revision for s in alembic.current(skip_missing=True)] == ["a1"]
        found = alembic.current_by_database(skip_missing=True)
        assert [s.revision for s in found["default"]] == ["a1"]
        assert found.unknown == {"default": ("gone1",)}

        report = alembic.upgrade("a@head", skip_missing=True)
        assert [step.revision for step in report.steps] == ["a2"]
        assert report.databases == {"default": ("a2", "gone1")}
        assert report.skipped == {"default": ("gone1",)}

    with app.app_context(), pytest.raises(UnknownRevisionError):
        alembic.current()


def test_nothing_known_is_applied(url: str, apps: Apps, db: Cli) -> None:
    """A database ahead of this code is not migrated from the base."""
    app, _ = apps.plain(url)
    line(app)
    create_first(url)
    write_rows(url, "gone1")

    result = db(app, "upgrade", "--skip-missing")
    assert result.exit_code == 1
    assert result.output == (
        "Error: The database 'default' is at revision 'gone1', which no file has, and"
        " r1 may have been applied before it. Nothing was run.\n"
        "Hint: Restore the file, or deploy the newer code. Or say what is applied, by"
        " the revision that the tables match: 'flask db stamp --skip-missing' keeps"
        " 'gone1' beside it, 'flask db stamp --purge' does not.\n"
    )
    result = db(app, "downgrade", "--skip-missing")
    assert result.exit_code == 1
    assert result.output == (
        "Error: The database 'default' is at revision 'gone1' alone, which no file has:"
        " there is nothing else to undo.\n"
        "Hint: Restore the file, or deploy the newer code, and downgrade with it.\n"
    )
    assert db(app, "current", "--skip-missing").output == (
        "default: gone1 (unknown), which no file has\n"
    )
    assert rows(url) == ["gone1"]
    assert columns(url) == ["id"]

    assert db(app, "stamp", "--skip-missing", "r1").exit_code == 0
    assert db(app, "upgrade", "--skip-missing").exit_code == 0
    assert rows(url) == ["gone1", "r2"]


def test_branch_that_may_lie_beneath(url: str, apps: Apps) -> None:
    """Another branch is not begun, as the unknown revision may belong to it."""
    app, alembic = apps.plain(url)
    two_branches(app)
    write_rows(url, "gone1", "a1")

    with app.app_context(), pytest.raises(UnknownRevisionError, match="b1 may have"):
        alembic.upgrade(skip_missing=True)

    assert rows(url) == ["a1", "gone1"]


def test_skip_two_databases(databases: Databases, apps: Apps, db: Cli) -> None:
    """One database may be at an unknown revision, and the other is not."""
    urls = {"auth": databases.make(), "default": databases.make()}
    app, _ = apps.several(urls)
    two_branches(app)
    write_rows(urls["auth"], "a1", "b1", "gone1")
    write_rows(urls["default"], "a1", "b1")
    result = db(app, "upgrade", "--skip-missing")
    assert result.exit_code == 0
    assert result.output.splitlines()[2:] == [
        "auth: skipped gone1, which no file has.",
        "1 revision applied to auth; it is at a2, b1, gone1 now.",
        "1 revision applied to default.",
    ]
    assert rows(urls["auth"]) == ["a2", "b1", "gone1"]
    assert rows(urls["default"]) == ["a2", "b1"]


def test_stamp_mends_a_line_and_skips(url: str, apps: Apps) -> None:
    """A table that holds a revision and one before it is written anew, and what is
    unknown stays in it.
    """
    app, alembic = apps.plain(url)
    line(app)
    write_rows(url, "gone1", "r1", "r2")

    with app.app_context():
        alembic.stamp("r1", skip_missing=True)

    assert rows(url) == ["gone1", "r1"]


# --verify


def test_verify_heads(url: str, apps: Apps, db: Cli) -> None:
    """A database that matches the models is stamped, one that does not is not."""
    app, alembic = apps.plain(url)
    line(app)
    create_first(url)

    result = db(app, "stamp", "--verify")
    assert result.exit_code == 1
    assert result.stdout == (
        "default: the schema is not that of r2:\n  add column todo.text\n"
    )
    assert result.stderr == (
        "Error: The schema of 'default' is not that of r2. Nothing was stamped.\n"
        "Hint: Name the revision that the tables match, or mend the tables. If the"
        " models changed since the last revision, write that revision first.\n"
    )
    assert tables(url) == {"todo"}

    execute(url, "ALTER TABLE todo ADD COLUMN text VARCHAR(50)")
    assert db(app, "stamp", "--verify").output == "default is stamped r2.\n"
    assert rows(url) == ["r2"]


rolls_back = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
"""The servers that can roll back DDL."""


@rolls_back
def test_verify_older(url: str, apps: Apps, db: Cli) -> None:
    """The revisions above the target are tried, and nothing of them stays."""
    app, alembic = apps.plain(url)
    line(app)
    create_first(url)
    result = db(app, "stamp", "--verify", "r1")
    assert result.output == "default is stamped r1.\n"
    assert columns(url) == ["id"]
    assert rows(url) == ["r1"]

    with app.app_context():
        assert [step.revision for step in alembic.upgrade().steps] == ["r2"]


@rolls_back
@pytest.mark.parametrize("has_table", [True, False])
def test_verify_another_revision(
    url: str, apps: Apps, db: Cli, has_table: bool
) -> None:
    """If a revision can't be run on it, the schema is not what it is said to be."""
    app, _ = apps.plain(url)
    line(app)
    create_first(url)

    if has_table:
        write_rows(url)

    result = db(app, "stamp", "--verify", "base")
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == "default: the schema is not that of base:"
    assert second.startswith("  r1 can't be run on it: ")
    assert "already exists" in second
    assert tables(url) == ({"todo", "alembic_version"} if has_table else {"todo"})
    assert columns(url) == ["id"]


@rolls_back
def test_verify_what_is_left_over(url: str, apps: Apps) -> None:
    """If something differs after all revisions, that is told."""
    app, alembic = apps.plain(url)
    line(app)
    create_first(url)
    execute(url, "CREATE TABLE extra (id INTEGER NOT NULL PRIMARY KEY)")

    with app.app_context(), pytest.raises(SchemaMismatchError) as info:
        alembic.stamp("r1", verify=True)

    (found,) = info.value.verifications
    assert (found.database, found.revisions, found.ok) == ("default", ("r1",), False)
    assert [change.text for change in found.changes] == ["drop table extra"]
    assert tables(url) == {"todo", "extra"}


@rolls_back
@pytest.mark.parametrize(
    "code",
    [
        "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')",
        "op.get_bind().commit()",
        "op.get_bind().rollback()",
        "op.execute('COMMIT')",
        "op.execute('ROLLBACK')",
        "op.get_bind().connection.commit()",
        "try:\n    op.execute('COMMIT')\nexcept Exception:\n    pass",
        "try:\n    op.get_bind().commit()\nexcept Exception:\n    pass",
        "op.get_bind().connection.cursor().execute('COMMIT')",
    ],
)
def test_verify_what_commits(url: str, apps: Apps, db: Cli, code: str) -> None:
    """A revision that would commit is refused, and nothing of it is left behind."""
    app, _ = apps.plain(url)
    line(app, second=f"{ADD}\n{code}\nop.execute('CREATE TABLE behind (id INTEGER)')")
    create_first(url)
    result = db(app, "stamp", "--verify", "r1")
    assert result.exit_code == 1
    assert result.output == (
        "Error: Revision r2 commits or rolls back by itself, so it can't be tried on"
        " the database 'default'. Nothing was stamped.\n"
        "Hint: Only a revision above it can be verified. Or compare by hand, and stamp"
        " without --verify.\n"
    )
    assert tables(url) == {"todo"}
    assert columns(url) == ["id"]


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_verify_what_commits_elsewhere(url: str, apps: Apps) -> None:
    """Nor can it commit on a connection of its own."""
    app, alembic = apps.plain(url)
    code = (
        "with op.get_bind().engine.begin() as connection:\n"
        "    connection.execute(sa.text('CREATE TABLE behind (id INTEGER)'))"
    )
    line(app, second=f"{ADD}\n{code}")
    create_first(url)

    with app.app_context(), pytest.raises(FlaskAlembicError, match="commits or rolls"):
        alembic.stamp("r1", verify=True)

    assert tables(url) == {"todo"}


@rolls_back
def test_verify_twice_in_a_context(url: str, apps: Apps) -> None:
    """After a failure the same app context goes on as if nothing had been tried."""
    app, alembic = apps.plain(url)
    line(app, second=f"{ADD}\nop.get_bind().commit()")
    create_first(url)

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="commits or rolls back"):
            alembic.stamp("r1", verify=True)

        assert alembic.current() == ()
        alembic.stamp("r1")
        assert [s.revision for s in alembic.current()] == ["r1"]


@rolls_back
def test_verify_interrupted(url: str, apps: Apps) -> None:
    """Ctrl+C in the midst leaves nothing behind."""
    app, alembic = apps.plain(url)
    line(app, second=f"{ADD}\nraise KeyboardInterrupt")
    create_first(url)

    with app.app_context(), pytest.raises(KeyboardInterrupt):
        alembic.stamp("r1", verify=True)

    assert tables(url) == {"todo"}
    assert columns(url) == ["id"]


@rolls_back
def test_verify_killed(url: str, apps: Apps) -> None:
    """Nor does a process that is killed."""
    app, _ = apps.plain(url)
    line(app, second=f"{ADD}\nimport os\nos._exit(9)")
    create_first(url)
    result = subprocess.run(
        [sys.executable, "-c", VERIFY, app.root_path, url],
        cwd=Path(__file__).parent,
        check=False,
    )
    assert result.returncode == 9
    assert tables(url) == {"todo"}
    assert columns(url) == ["id"]


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_verify_older_on_mariadb(url: str, apps: Apps, db: Cli) -> None:
    """Where DDL can't be rolled back nothing is tried."""
    app, _ = apps.plain(url)
    line(app)
    create_first(url)
    result = db(app, "stamp", "--verify", "r1")
    assert result.exit_code == 1
    assert result.output == (
        "Error: The database 'default' can't roll back DDL, so only the heads can be"
        " verified there, not r1.\n"
        "Hint: Compare by hand, and stamp without --verify; or upgrade a copy of the"
        " database, and run 'flask db check' there.\n"
    )
    assert tables(url) == {"todo"}
    assert columns(url) == ["id"]


def test_verify_two_databases(databases: Databases, apps: Apps, db: Cli) -> None:
    """If one of them differs, none is stamped, and all are told."""
    urls = {"auth": databases.make(), "default": databases.make()}
    app, _ = apps.several(urls)
    line(app)
    create_first(urls["auth"])
    todo_metadata().create_all(apps.engine(urls["default"]))
    result = db(app, "stamp", "--verify")
    assert result.exit_code == 1
    assert result.stdout == (
        "auth: the schema is not that of r2:\n"
        "  add column todo.text\n"
        "default: the schema is that of r2.\n"
    )
    assert tables(urls["auth"]) == tables(urls["default"]) == {"todo"}

    execute(urls["auth"], "ALTER TABLE todo ADD COLUMN text VARCHAR(50)")
    assert db(app, "stamp", "--verify").output == (
        "auth is stamped r2.\ndefault is stamped r2.\n"
    )


def test_verify_and_purge(url: str, apps: Apps, db: Cli) -> None:
    """An unknown revision does not keep the schema from being compared."""
    app, _ = apps.plain(url)
    line(app)
    todo_metadata().create_all(apps.engine(url))
    write_rows(url, "gone1")
    assert db(app, "stamp", "--verify", "--purge").output == (
        "default: removed gone1 from the version table.\ndefault is stamped r2.\n"
    )
    assert rows(url) == ["r2"]


@rolls_back
def test_verify_in_the_transaction_of_a_test(url: str, apps: Apps) -> None:
    """Within a transaction of the caller's only what was tried is undone."""
    engine = apps.engine(url)
    app = apps.flask()
    line(app)
    create_first(url)

    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(sa.text("CREATE TABLE mine (id INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("DROP TABLE mine"))
        isolated = apps.engine(url)
        isolated.connect = lambda: connection  # type: ignore[method-assign]
        alembic = Alembic(app, metadatas=todo_metadata(), engines=isolated)

        with app.app_context():
            alembic.stamp("r1", verify=True)
            assert [s.revision for s in alembic.current()] == ["r1"]

        columns_inside = sa.inspect(connection).get_columns("todo")
        assert [column["name"] for column in columns_inside] == ["id"]
        transaction.rollback()

    assert tables(url) == {"todo"}


# A number


def test_number_that_is_an_id(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """A number that is taken for a part of an id is told before anything is run."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "2000abcd")
    write_revision(app, "3000", "2000abcd")
    result = db(app, "upgrade", "2000")
    assert result.stderr == "2000 is taken for revision 2000abcd.\n"
    assert result.stdout.splitlines()[-1] == (
        "1 revision applied to default; it is at 2000abcd now."
    )
    assert db(app, "upgrade", "3000").stderr == ""
    assert db(app, "downgrade", "2000").stderr == (
        "2000 is taken for revision 2000abcd.\n"
    )
    assert db(app, "downgrade", "1").stderr == ""
    assert db(app, "upgrade", "2").stderr == ""
