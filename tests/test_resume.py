"""``flask db resume``: a statement that nobody knows of, and revisions that are half
done.
"""

from __future__ import annotations

import re
import signal
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from apps import Apps
from apps import write_revision
from commands import run_command
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import UndecidedError
from flask_alembic import UnknownRevisionError
from test_journal import BREAK
from test_journal import COUNT
from test_journal import counted
from test_journal import COUNTER
from test_journal import failing
from test_journal import half_done
from test_journal import in_block
from test_journal import MAKE
from test_journal import noted
from test_journal import only_mariadb
from test_journal import query
from test_journal import upgrade
from test_journal import version

KILLED: t.Final = """
import os, signal, sys
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

def kill(connection, cursor, statement, *args):
    # The statement of ours that comes next is the note that it is done.
    if is_run or (statement.startswith(sys.argv[3]) and sys.argv[4] == "before"):
        # As a DDL statement does first of all.
        is_run or connection.connection.commit()
        os.kill(os.getpid(), signal.SIGKILL)

    if statement.startswith(sys.argv[3]):
        is_run.append(True)

is_run = []
engine = sa.create_engine(sys.argv[2], poolclass=sa.NullPool)
sa.event.listen(engine, "before_cursor_execute", kill)
app = Flask("app", root_path=sys.argv[1])
alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

with app.app_context():
    alembic.upgrade()
"""

PROCEDURE: t.Final = (
    'op.execute("CREATE PROCEDURE add_one() UPDATE counter SET n = n + 1")'
)
"""A statement that the schema, as it is reflected, tells nothing of."""


def killed(app: Flask, url: str, statement: str, when: str = "after") -> None:
    """Upgrade in a process that is killed while it runs a statement: before or after
    that takes effect.
    """
    process = run_command("python", "-c", KILLED, app.root_path, url, statement, when)
    assert process.returncode == -signal.SIGKILL, process.stderr


def undecided(url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app whose second revision was ended amid its second statement."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    write_revision(app, "r2", "r1", upgrade="\n".join([COUNT, PROCEDURE, COUNT]))
    write_revision(app, "r3", "r2", upgrade=COUNT)
    upgrade(app, alembic, "r1")
    killed(app, url, "CREATE PROCEDURE")
    assert [row[2:] for row in noted(url)] == [(1, "done"), (2, "begun")]
    return app, alembic


def procedures(url: str) -> int:
    """How many procedures there are."""
    return len(query(url, "SHOW PROCEDURE STATUS WHERE Db = DATABASE()"))


DECIDED: t.Final = (
    (MAKE, "\nCREATE TABLE made"),
    (
        'op.add_column("counter", sa.Column("m", sa.Integer))',
        "ALTER TABLE counter ADD COLUMN m",
    ),
    ('op.drop_column("counter", "gone")', "ALTER TABLE counter DROP COLUMN gone"),
    (
        'op.alter_column("counter", "gone", new_column_name="here",'
        " existing_type=sa.Integer())",
        "ALTER TABLE counter CHANGE gone here",
    ),
    (
        'op.alter_column("counter", "gone", existing_type=sa.Integer(),'
        " type_=sa.BigInteger())",
        "ALTER TABLE counter MODIFY gone",
    ),
    ('op.create_index("ix", "counter", ["n"])', "CREATE INDEX ix"),
    ('op.drop_index("old", "counter")', "\nDROP INDEX old"),
    (
        'op.create_unique_constraint("uq", "counter", ["n"])',
        "ALTER TABLE counter ADD CONSTRAINT uq",
    ),
    (
        'op.create_primary_key(None, "counter", ["n"])',
        "ALTER TABLE counter ADD PRIMARY KEY",
    ),
    (
        'op.create_check_constraint("ck", "counter", "n < 99")',
        "ALTER TABLE counter ADD CONSTRAINT ck",
    ),
    (
        'op.create_foreign_key(None, "counter", "parent", ["gone"], ["id"])',
        "ALTER TABLE counter ADD FOREIGN KEY",
    ),
    (
        'op.create_foreign_key("fk", "counter", "parent", ["gone"], ["id"])',
        "ALTER TABLE counter ADD CONSTRAINT fk",
    ),
    ('op.rename_table("old_name", "new_name")', "ALTER TABLE old_name RENAME"),
    ('op.drop_table("old_name")', "\nDROP TABLE old_name"),
    ('op.execute("DROP TABLE IF EXISTS old_name")', "DROP TABLE IF"),
    ('op.execute("RENAME TABLE old_name TO new_name")', "RENAME TABLE"),
    ('op.execute("TRUNCATE old_name")', "TRUNCATE"),
)
OLD: t.Final = """
op.add_column("counter", sa.Column("gone", sa.Integer))
op.create_index("old", "counter", ["n"])
op.create_table("old_name", sa.Column("id", sa.Integer))
op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True))
"""


@only_mariadb
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("code", "part"), DECIDED, ids=[part for _, part in DECIDED])
def test_schema_decides(url: str, apps: Apps, code: str, part: str, when: str) -> None:
    """Of most DDL the schema tells whether it took effect."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=f"{COUNTER}{OLD}")
    upgrade(app, alembic)
    write_revision(app, "r2", "r1", upgrade=f"{COUNT}\n{code}\n{COUNT}")
    killed(app, url, part, when)
    assert [row[3] for row in noted(url)] == ["done", "begun"]
    upgrade(app, alembic)
    assert counted(url) == 2
    assert version(url) == ["r2"]
    assert noted(url) == []


@only_mariadb
def test_undecided(url: str, apps: Apps) -> None:
    """Where it does not tell, the error shows the statement and asks."""
    app, alembic = undecided(url, apps)
    error = failing(app, alembic, UndecidedError)
    assert str(error) == (
        "Revision r2 is half done on the database 'default', and nobody knows whether"
        " its statement 2 took effect: the run ended amid it.\n"
        "SQL: CREATE PROCEDURE add_one() UPDATE counter SET n = n + 1"
    )
    assert error.hint == (
        "Look it up. If it took effect run 'flask db resume --done', otherwise"
        " 'flask db resume --again'."
    )
    assert counted(url) == 1
    assert version(url) == ["r1"]

    with app.app_context(), pytest.raises(UndecidedError):
        alembic.resume()


@only_mariadb
def test_done(url: str, apps: Apps, db: Cli) -> None:
    """It took effect: the revision goes on after it, and others are not run."""
    app, _ = undecided(url, apps)
    result = db(app, "resume", "--done")
    assert re.sub(r"\d+ ms", "N ms", result.stdout) == (
        "  r2  r2  upgrade  N ms  2 done before\n"
        "1 revision applied to default; it is at r2 now.\n"
    )
    assert counted(url) == 2
    assert procedures(url) == 1
    assert noted(url) == []


@only_mariadb
def test_again(url: str, apps: Apps, db: Cli) -> None:
    """It did not: it is run again."""
    app, _ = undecided(url, apps)
    query(url, "DROP PROCEDURE add_one")
    result = db(app, "resume", "--again")
    assert "1 done before" in result.output
    assert counted(url) == 2
    assert procedures(url) == 1
    assert version(url) == ["r2"]


@only_mariadb
def test_python(url: str, apps: Apps) -> None:
    """From Python it is the same."""
    app, alembic = undecided(url, apps)

    with app.app_context():
        report = alembic.resume(done=True, databases="default")

    assert [(s.revision, s.continued) for s in report.steps] == [("r2", 2)]
    assert report.databases == {"default": ("r2",)}


@pytest.mark.parametrize("options", [[], ["--done"], ["--again"]])
def test_nothing_is_half_done(
    url: str, apps: Apps, db: Cli, options: list[str]
) -> None:
    """That is said, and nothing is run."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    result = db(app, "resume", *options)
    assert result.output == "default: no revision is half done.\n"
    assert result.exit_code == 0
    upgrade(app, alembic)
    result = db(app, "resume", *options)
    assert result.output == "default: no revision is half done.\n"
    assert result.exit_code == 0


@only_mariadb
def test_failed_revision(url: str, apps: Apps, db: Cli) -> None:
    """A revision that failed is completed, without others that come after it."""
    app, _ = half_done(url, apps, MAKE, COUNT, 'op.drop_table("missing")', COUNT)
    write_revision(app, "r3", "r2", upgrade=COUNT)
    query(url, "CREATE TABLE missing (id INTEGER)")
    result = db(app, "resume")
    assert "2 done before" in result.output
    assert version(url) == ["r2"]
    assert counted(url) == 2


@only_mariadb
def test_downgrade(url: str, apps: Apps, db: Cli) -> None:
    """So is a downgrade."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    code = f'{MAKE}\n{COUNT}\nop.drop_table("missing")'
    write_revision(app, "r2", "r1", downgrade=code)
    upgrade(app, alembic)
    failing(app, alembic, verb="downgrade")
    query(url, "CREATE TABLE missing (id INTEGER)")
    result = db(app, "resume")
    assert re.sub(r"\d+ ms", "N ms", result.stdout) == (
        "  r2  r2  downgrade  N ms  2 done before\n"
        "1 revision undone on default; it is at r1 now.\n"
    )
    assert counted(url) == 1
    assert version(url) == ["r1"]


@only_mariadb
def test_file_is_gone(url: str, apps: Apps) -> None:
    """Without its file, a revision can't be completed."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    Path(app.root_path, "migrations", "r2_.py").unlink()

    with app.app_context(), pytest.raises(UnknownRevisionError) as caught:
        alembic.resume()

    assert str(caught.value).startswith(
        "Revision r2 is half done on the database 'default', and no file in "
    )


@pytest.mark.parametrize("server", ["postgresql", "sqlite"], indirect=True)
@pytest.mark.parametrize("effect", [True, False])
def test_killed_in_a_block(url: str, apps: Apps, effect: bool) -> None:
    """A statement of an autocommit block is looked up as well; data is always known."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    upgrade(app, alembic)
    write_revision(app, "r2", "r1", upgrade=f"{COUNT}\n{in_block(COUNT, MAKE, COUNT)}")
    killed(app, url, "\nCREATE TABLE made")
    assert counted(url) == 2
    assert [row[3] for row in noted(url)] == ["done", "done", "begun"]

    if not effect:
        query(url, "DROP TABLE made")

    report = upgrade(app, alembic)
    assert report.steps[0].continued == (3 if effect else 2)
    assert counted(url) == 3
    assert noted(url) == []


@only_mariadb
def test_without_a_journal(url: str, apps: Apps) -> None:
    """Who turned the journal off is not to have it used: nothing would be skipped."""
    half_done(url, apps, MAKE, COUNT, 'op.drop_table("missing")')
    other, alembic = apps.plain(url, ALEMBIC={"journal": False})
    write_revision(other, "r1")

    with other.app_context():
        assert alembic.resume().steps == ()

    assert counted(url) == 1
