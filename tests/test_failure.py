"""A revision that fails: what is kept, what is told, and that a second run works."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import alembic as alembic_package
import pytest
import sqlalchemy as sa
from alembic import op as op_module
from alembic.util import CommandError
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import find_once
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import MigrationFailed
from flask_alembic import PartialCommitError
from flask_alembic.reports import AppliedStep
from servers import Databases
from servers import Server

ITEMS: t.Final = """
op.create_table(
    "item",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(20)),
)
op.execute("INSERT INTO item VALUES (1, NULL)")
""".strip()

MAKE: t.Final = 'op.create_table("made", sa.Column("id", sa.Integer))'
BREAK: t.Final = 'op.execute("INSERT INTO missing VALUES (1)")'
INSERT: t.Final = "op.execute(\"INSERT INTO item VALUES (2, 'two')\")"
BATCH: t.Final = """
with op.batch_alter_table("item") as batch:
    batch.add_column(sa.Column("size", sa.Integer))
    batch.alter_column("text", existing_type=sa.String(20), nullable=False)
""".strip()


MADE: t.Final = "CREATE TABLE made ( id INTEGER )"
INSERTED: t.Final = "INSERT INTO item VALUES (2, 'two')"


@dataclass(frozen=True)
class Failure:
    """A revision that fails, and what stays of it where DDL can't be rolled back."""

    name: str
    code: str
    mended: str
    kept: tuple[str, ...] = ()
    cure: str | None = None
    """What lets the revision go on as it is, where its first statement is kept."""

    def __str__(self) -> str:
        return self.name


FAILURES: t.Final = (
    Failure("ddl first", f"{MAKE}\n{BREAK}", MAKE, (MADE,)),
    Failure(
        "dml first",
        f"{INSERT}\n{MAKE}\n{BREAK}",
        f"{INSERT}\n{MAKE}",
        (INSERTED, MADE),
    ),
    Failure("dml only", f"{INSERT}\n{BREAK}", INSERT),
    Failure(
        "ddl between dml",
        f"{MAKE}\n{INSERT}\n{BREAK}",
        f"{MAKE}\n{INSERT}",
        (MADE,),
    ),
    Failure(
        "ddl fails after dml",
        f'{INSERT}\nop.drop_table("missing")',
        INSERT,
        (INSERTED,),
    ),
    Failure(
        "ddl after a comment",
        f'op.execute("-- ours\\n{MADE}")\n{BREAK}',
        MAKE,
        (f"-- ours {MADE}",),
    ),
    Failure(
        "python",
        f"{MAKE}\nraise RuntimeError('boom')",
        MAKE,
        (MADE,),
    ),
    Failure(
        "batch on bad data",
        BATCH,
        f"op.execute(\"UPDATE item SET text = ''\")\n{BATCH}",
        ("ALTER TABLE item ADD COLUMN size INTEGER",),
        "UPDATE item SET text = ''",
    ),
)

PAIRS: t.Final = (
    ("sqlite", "sqlite"),
    ("postgresql", "postgresql"),
    ("mariadb", "mariadb"),
    ("postgresql", "mariadb"),
    ("mariadb", "postgresql"),
    ("sqlite", "postgresql"),
)
WITHOUT_ROLLBACK: t.Final = "mariadb"


@dataclass(frozen=True)
class Pair:
    """Two databases, called ``first`` and ``second``."""

    urls: dict[str, str]
    servers: dict[str, str]

    def rolls_back(self, name: str) -> bool:
        """Whether one of them can roll back DDL."""
        return self.servers[name] != WITHOUT_ROLLBACK


@pytest.fixture
def made_pair(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Pair]:
    """Makes the databases of a pair. Use ``pair``."""
    names: tuple[str, str] = request.param
    made: list[Databases] = []
    urls: dict[str, str] = {}

    for key, name in zip(("first", "second"), names, strict=True):
        server = find_once(name)

        if server.problem:
            pytest.skip(server.problem)

        made.append(Databases(server, tmp_path))
        urls[key] = made[-1].make()

    yield Pair(urls, dict(zip(urls, names, strict=True)))

    for databases in made:
        databases.drop_all()


@pytest.fixture
def pair(made_pair: Pair, apps: Apps) -> Pair:
    """Two new databases."""
    # "apps" is asked for so that its connections are closed before the databases go.
    return made_pair


def on_pairs(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    """Run a test on pairs of servers."""
    return pytest.mark.parametrize("made_pair", pairs, ids="+".join, indirect=True)


def query(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    """Run a statement on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def version(url: str) -> list[str]:
    """What the version table holds."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return []

        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return sorted(rows.scalars())


def snapshot(url: str) -> dict[str, t.Any]:
    """All that a database holds: tables, columns and rows. The journal is left out."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        return {
            table.name: (
                table.columns.keys(),
                [tuple(row) for row in connection.execute(sa.select(table))],
            )
            for table in tables.sorted_tables
            if not table.name.endswith("_journal")
        }


def told(error: MigrationFailed) -> dict[str, object]:
    """All that an error tells; no step has taken any time. A database that can't roll
    back commits before the others.
    """
    return {
        "type": type(error).__name__,
        "message": str(error),
        "database": error.database,
        "revision": error.revision,
        "path": error.path,
        "applied": sorted(
            [replace(step, seconds=0) for step in error.applied],
            key=lambda step: (step.revision, step.database),
        ),
        "standing": error.standing,
        "kept": error.kept,
        "hint": error.hint,
    }


def step(
    revision: str, database: str = "default", direction: str = "upgrade"
) -> AppliedStep:
    """A step that took no time."""
    return AppliedStep(database, revision, t.cast(t.Any, direction), revision, 0)


def without_times(output: str, folder: Path) -> str:
    """What was printed, the same in each run and with each Python: some underline."""
    output = re.sub(r"^ *[~^]+\n", "", output, flags=re.MULTILINE)
    return re.sub(r"\d+ ms", "N ms", output.replace(str(folder), "TMP"))


def nothing_kept(path: Path) -> str:
    """The hint where all was rolled back."""
    return (
        f"Nothing of this revision was kept. Mend migrations/{path.name} and run it"
        " again."
    )


def partly_kept(path: Path) -> str:
    """The hint where DDL can't be rolled back."""
    return (
        f"MariaDB can't roll back DDL. Mend migrations/{path.name} from there on, and"
        " run the same command again: it goes on at the statement that failed."
    )


MEND_THE_CAUSE: t.Final = (
    "Nothing of this revision was kept. Mend the cause and run the same command again."
)


def no_table(server: str, url: str) -> str:
    """What a driver says of a missing table, in one sentence."""
    database = sa.make_url(url).database
    return {
        "sqlite": "OperationalError: no such table: missing",
        "postgresql": 'UndefinedTable: relation "missing" does not exist',
        "mariadb": (
            f"ProgrammingError: (1146, \"Table '{database}.missing' doesn't exist\")"
        ),
    }[server]


def upgrade(app: Flask, alembic: Alembic, target: str = "heads") -> None:
    """Upgrade in an app context of its own."""
    with app.app_context():
        alembic.upgrade(target)


def failing_upgrade(
    app: Flask, alembic: Alembic, target: str = "heads"
) -> MigrationFailed:
    """Upgrade, which fails."""
    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.upgrade(target)

    return caught.value


# One database


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_nothing_is_kept(
    url: str, server: Server, apps: Apps, failure: Failure
) -> None:
    """A revision that fails in its second operation leaves nothing of its first where
    the database can roll back, and runs when its file is mended. Where it can't, the
    mended one goes on.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    upgrade(app, alembic)
    before = snapshot(url)
    path = write_revision(app, "r2", "r1", upgrade=failure.code)

    error = failing_upgrade(app, alembic)
    after = snapshot(url)
    assert version(url) == ["r1"]
    assert error.kept == (failure.kept if server.name == WITHOUT_ROLLBACK else ())
    assert error.hint == (partly_kept(path) if error.kept else nothing_kept(path))

    assert (after == before) == (not error.kept)

    if error.kept and failure.cure:
        query(url, failure.cure)
    else:
        write_revision(app, "r2", "r1", upgrade=f"{failure.mended}  # mended")

    upgrade(app, alembic)
    assert version(url) == ["r2"]
    assert snapshot(url) != before


@pytest.mark.parametrize("failure", [*FAILURES[:2], FAILURES[-1]], ids=str)
def test_downgrade_keeps_nothing(
    url: str, server: Server, apps: Apps, failure: Failure
) -> None:
    """A downgrade that fails leaves nothing either, and runs when it is mended."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    write_revision(app, "r2", "r1", downgrade=failure.code)
    upgrade(app, alembic)
    before = snapshot(url)

    with app.app_context(), pytest.raises(MigrationFailed):
        alembic.downgrade()

    assert version(url) == ["r2"]
    is_kept = server.name == WITHOUT_ROLLBACK
    assert (snapshot(url) == before) == (not is_kept)

    if is_kept and failure.cure:
        query(url, failure.cure)
    else:
        write_revision(app, "r2", "r1", downgrade=f"{failure.mended}  # mended")

    with app.app_context():
        alembic.downgrade()

    assert version(url) == ["r1"]


def test_error_tells_all(url: str, server: Server, apps: Apps) -> None:
    """The error tells where it failed, what was applied before and stays, where the
    database stands, and what is to be done.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    write_revision(app, "r2", "r1")
    path = write_revision(app, "r3", "r2", upgrade=f"{MAKE}\n{BREAK}")
    error = failing_upgrade(app, alembic)
    partly = server.name == WITHOUT_ROLLBACK
    assert told(error) == {
        "type": "MigrationFailed",
        "message": (
            "Revision r3 failed on the database 'default':"
            f" {no_table(server.name, url)}"
        ),
        "database": "default",
        "revision": "r3",
        "path": str(path),
        "applied": [step("r1"), step("r2")],
        "standing": {"default": ("r2",)},
        "kept": (MADE,) if partly else (),
        "hint": partly_kept(path) if partly else nothing_kept(path),
    }
    assert isinstance(error, CommandError)
    assert isinstance(error.__cause__, sa.exc.DBAPIError)
    assert version(url) == ["r2"]


def test_downgrade_error_tells_all(url: str, server: Server, apps: Apps) -> None:
    """A downgrade that fails tells the same."""
    app, alembic = apps.plain(url)
    path = write_revision(app, "r1", downgrade=f"{MAKE}\n{BREAK}")
    write_revision(app, "r2", "r1")
    upgrade(app, alembic)

    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.downgrade("base")

    partly = server.name == WITHOUT_ROLLBACK
    assert told(caught.value) == {
        "type": "MigrationFailed",
        "message": (
            "Revision r1 failed on the database 'default':"
            f" {no_table(server.name, url)}"
        ),
        "database": "default",
        "revision": "r1",
        "path": str(path),
        "applied": [step("r2", direction="downgrade")],
        "standing": {"default": ("r1",)},
        "kept": (MADE,) if partly else (),
        "hint": partly_kept(path) if partly else nothing_kept(path),
    }


def test_cause_outside_the_file(sqlite_url: str, apps: Apps) -> None:
    """Where not the revision's code failed, the file is not what is to be mended."""

    def refuse(**kwargs: object) -> None:
        raise RuntimeError("not today")

    app, alembic = apps.plain(sqlite_url)
    app.config["ALEMBIC_CONTEXT"] = {"on_version_apply": refuse}
    write_revision(app, "r1", upgrade=MAKE)
    error = failing_upgrade(app, alembic)
    assert str(error) == (
        "Revision r1 failed on the database 'default': RuntimeError: not today"
    )
    assert error.hint == MEND_THE_CAUSE
    assert tables(sqlite_url) == set()


@pytest.mark.parametrize("code", [0, None, 1, "stop"])
def test_exit_in_a_revision(sqlite_url: str, apps: Apps, code: object) -> None:
    """A revision that exits has failed: the command must not end well."""
    app, alembic = apps.plain(sqlite_url)
    path = write_revision(app, "r1", upgrade=f"{MAKE}\nraise SystemExit({code!r})")
    error = failing_upgrade(app, alembic)
    suffix = "" if code is None else f": {code}"
    assert str(error) == (
        f"Revision r1 failed on the database 'default': SystemExit{suffix}"
    )
    assert error.hint == nothing_kept(path)
    assert tables(sqlite_url) == set()


def test_second_try_in_one_context(url: str, apps: Apps) -> None:
    """After the cause is gone, the same app context can try again."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    write_revision(
        app,
        "r2",
        "r1",
        upgrade=(
            'with op.batch_alter_table("item") as batch:\n'
            '    batch.alter_column("text", existing_type=sa.String(20),'
            " nullable=False)"
        ),
    )

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic.upgrade()

        with pytest.raises(MigrationFailed):
            alembic.upgrade()

        query(url, "UPDATE item SET text = 'one'")
        report = alembic.upgrade()
        assert [replace(s, seconds=0) for s in report.steps] == [step("r2")]
        assert report.databases == {"default": ("r2",)}
        assert [found.revision for found in alembic.current()] == ["r2"]

    assert version(url) == ["r2"]


def test_mended_at_once(sqlite_url: str, apps: Apps) -> None:
    """A mended file is read anew, also if it was written in the same second and is as
    long as before: Python's cached bytecode does not know the difference.
    """
    app, alembic = apps.plain(sqlite_url)
    path = write_revision(app, "r1", upgrade="raise RuntimeError('1')")
    os.utime(path, ns=(10**18, 10**18))
    failing_upgrade(app, alembic)

    path.write_text(path.read_text().replace("('1')", "('2')"))
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert str(failing_upgrade(app, alembic)) == (
        "Revision r1 failed on the database 'default': RuntimeError: 2"
    )


# Transactions that a revision ends itself


def test_autocommit_block(url: str, server: Server, apps: Apps) -> None:
    """A revision can leave the transaction for what can't be done in one."""
    concurrently = {"postgresql": "CONCURRENTLY"}.get(server.name, "")
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "r1",
        upgrade=(
            f"{ITEMS}\n"
            "with op.get_context().autocommit_block():\n"
            f'    op.execute("CREATE INDEX {concurrently} ix ON item (text)")\n'
            f"{MAKE}"
        ),
    )
    write_revision(app, "r2", "r1", upgrade=INSERT)
    upgrade(app, alembic)
    assert version(url) == ["r2"]
    assert tables(url) == {"alembic_version", "item", "made"}
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    assert [index["name"] for index in sa.inspect(engine).get_indexes("item")] == ["ix"]


def test_failure_after_autocommit_block(url: str, server: Server, apps: Apps) -> None:
    """What an autocommit block did is kept, and told."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    path = write_revision(
        app,
        "r2",
        "r1",
        upgrade=(
            "with op.get_context().autocommit_block():\n"
            '    op.execute("CREATE INDEX ix ON item (text)")\n'
            f"{MAKE}\n{BREAK}"
        ),
    )
    error = failing_upgrade(app, alembic)
    assert version(url) == ["r1"]
    index = "CREATE INDEX ix ON item (text)"

    if server.name == WITHOUT_ROLLBACK:
        assert error.kept == (index, MADE)
        assert error.hint == partly_kept(path)
    else:
        assert error.kept == (index,)
        assert error.hint == (
            "What ran in autocommit_block(), and before it, can't be rolled back. Mend"
            " migrations/r2_.py from there on, and run the same command again: it goes"
            " on at the statement that failed."
        )


# Interruptions


def test_keyboard_interrupt(url: str, server: Server, apps: Apps) -> None:
    """Ctrl-C rolls back, and leaves nothing behind that a second try stumbles on."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    path = write_revision(app, "r2", "r1", upgrade=f"{INSERT}\nraise KeyboardInterrupt")

    with app.app_context():
        with pytest.raises(KeyboardInterrupt):
            alembic.upgrade()

        assert getattr(op_module, "_proxy", None) is None
        assert version(url) == ["r1"]
        assert query(url, "SELECT id FROM item") == [(1,)]

    path.write_text(path.read_text().replace("raise KeyboardInterrupt", "pass"))
    upgrade(app, alembic)
    assert version(url) == ["r2"]


def test_keyboard_interrupt_on_the_command_line(
    sqlite_url: str, apps: Apps, db: Cli
) -> None:
    """The command says where things stand and that it was aborted, and fails."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade=f"{MAKE}\nraise KeyboardInterrupt")
    result = db(app, "upgrade")
    assert result.output.split("\n") == [
        "default is at base.",
        "Revision r1 was interrupted on the database 'default'.",
        "Nothing of this revision was kept. To go on, run the same command again.",
        "Aborted!",
        "",
    ]
    assert result.exit_code == 1
    assert tables(sqlite_url) == set()


KILLED: t.Final = """
import sys
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

app = Flask("app", root_path=sys.argv[1])
metadata = sa.MetaData()
alembic = Alembic(app, metadatas=metadata, engines=sa.create_engine(sys.argv[2]))

with app.app_context():
    alembic.upgrade()
"""


def test_killed_process(url: str, server: Server, apps: Apps) -> None:
    """A process that is killed within a revision leaves nothing of it where the
    database can roll back, no lock, and the next run works: it goes on where not.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    kill = (
        "import os, signal\n"
        "if 'DIE' in os.environ: os.kill(os.getpid(), signal.SIGKILL)"
    )
    write_revision(app, "r2", "r1", upgrade=f"{MAKE}\n{INSERT}\n{kill}")
    process = subprocess.run(
        [sys.executable, "-c", KILLED, app.root_path, url],
        env={**os.environ, "DIE": "1"},
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL

    upgrade(app, alembic)
    assert version(url) == ["r2"]
    assert tables(url) == {"alembic_version", "item", "made"}
    assert query(url, "SELECT id FROM item ORDER BY id") == [(1,), (2,)]


def test_rerun_over_leftovers(url: str, server: Server, apps: Apps) -> None:
    """A table that is there already, of a run that was killed or of db.create_all(),
    is told of with the cure.
    """
    app, alembic = apps.plain(url)
    path = write_revision(app, "r1", upgrade=MAKE)
    query(url, "CREATE TABLE made (id INTEGER)")
    error = failing_upgrade(app, alembic)
    assert (
        str(error)
        == "Revision r1 failed on the database 'default': "
        + {
            "sqlite": "OperationalError: table made already exists",
            "postgresql": 'DuplicateTable: relation "made" already exists',
            "mariadb": "OperationalError: (1050, \"Table 'made' already exists\")",
        }[server.name]
    )
    assert error.path == str(path)
    assert error.standing == {"default": ()}
    assert error.hint == (
        "The database 'default' has tables but no revision. If another process is"
        " migrating it, run the command again. If they were made without migrations,"
        " run 'flask db stamp' with the revision they match."
    )


# Several databases


def write_history(app: Flask, fails_on: str) -> Path:
    """A good revision, and one that fails on one of two databases."""
    write_revision(app, "r1", upgrade=ITEMS, arguments="engine_name")
    return write_revision(
        app,
        "r2",
        "r1",
        arguments="engine_name",
        upgrade=f"{MAKE}\nif engine_name == {fails_on!r}:\n    {BREAK}",
    )


@on_pairs(*PAIRS)
@pytest.mark.parametrize("fails_on", ["first", "second"])
def test_failure_on_one_of_two(pair: Pair, apps: Apps, fails_on: str) -> None:
    """A revision that fails on one database is rolled back on all that can, the error
    says which stand where, and a second run completes all.
    """
    app, alembic = apps.several(pair.urls)
    path = write_history(app, fails_on)
    error = failing_upgrade(app, alembic)

    first_has_it = fails_on == "second" and not pair.rolls_back("first")
    partly = not pair.rolls_back(fails_on)
    standing = {"first": "r2" if first_has_it else "r1", "second": "r1"}
    applied = [step("r1", "first"), step("r1", "second")]

    if partly:
        hint = partly_kept(path)
    elif first_has_it:
        hint = (
            "Nothing of this revision was kept on 'second', but 'first' has it. Mend"
            f" migrations/{path.name} and run the same command again: it completes the"
            " others."
        )
    else:
        hint = nothing_kept(path)

    assert told(error) == {
        "type": "MigrationFailed",
        "message": (
            f"Revision r2 failed on the database '{fails_on}':"
            f" {no_table(pair.servers[fails_on], pair.urls[fails_on])}"
        ),
        "database": fails_on,
        "revision": "r2",
        "path": str(path),
        "applied": [*applied, step("r2", "first")] if first_has_it else applied,
        "standing": {name: (id_,) for name, id_ in standing.items()},
        "kept": (MADE,) if partly else (),
        "hint": hint,
    }

    for name, url in pair.urls.items():
        assert version(url) == [standing[name]]
        has_table = (partly and name == fails_on) or standing[name] == "r2"
        assert ("made" in tables(url)) == has_table

    path.write_text(path.read_text().replace("INTO missing", "INTO made"))
    upgrade(app, alembic)

    for name, url in pair.urls.items():
        assert version(url) == ["r2"]
        assert query(url, "SELECT id FROM made") == [(1,)] * (name == fails_on)


@on_pairs(*PAIRS)
def test_downgrade_failure_on_one_of_two(pair: Pair, apps: Apps) -> None:
    """A downgrade that fails on the second database is undone on the first too."""
    app, alembic = apps.several(pair.urls)
    write_revision(
        app,
        "r1",
        upgrade=MAKE,
        arguments="engine_name",
        downgrade=(f'op.drop_table("made")\nif engine_name == "second":\n    {BREAK}'),
    )
    upgrade(app, alembic)

    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.downgrade("base")

    stays = pair.rolls_back("first")
    assert caught.value.database == "second"
    assert caught.value.standing == {
        "first": ("r1",) if stays else (),
        "second": ("r1",),
    }
    assert ("made" in tables(pair.urls["first"])) == stays
    assert ("made" in tables(pair.urls["second"])) == pair.rolls_back("second")

    for name, url in pair.urls.items():
        assert tuple(version(url)) == caught.value.standing[name]


@on_pairs(("sqlite", "sqlite"), ("postgresql", "postgresql"))
def test_output_of_two_databases(pair: Pair, apps: Apps, db: Cli) -> None:
    """The command says of each database where it stands."""
    app, _ = apps.several(pair.urls)
    path = write_history(app, "second")
    result = db(app, "upgrade")
    assert without_times(result.output, apps.folder) == (
        "Traceback (most recent call last):\n"
        f'  File "TMP/app1/migrations/r2_.py", line {line_of(path, BREAK)},'
        " in upgrade\n"
        f"    {BREAK}\n"
        "  first: r1  r1  upgrade  N ms\n"
        "  second: r1  r1  upgrade  N ms\n"
        "first is at r1.\n"
        "second is at r1.\n"
        "Error: Revision r2 failed on the database 'second':"
        f" {no_table(pair.servers['second'], pair.urls['second'])}\n"
        "SQL: INSERT INTO missing VALUES (1)\n"
        f"Hint: {nothing_kept(path)}\n"
    )
    assert result.exit_code == 1


# Commits that fail

CONSTRAINED: t.Final = """
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
op.execute(
    "CREATE TABLE child (parent INTEGER, FOREIGN KEY (parent) REFERENCES parent (id)"
    " DEFERRABLE INITIALLY DEFERRED)"
)
""".strip()
ORPHAN: t.Final = 'op.execute("INSERT INTO child VALUES (7)")'
ORPHANED: t.Final = {
    "postgresql": (
        'ForeignKeyViolation: insert or update on table "child" violates foreign key'
        ' constraint "child_parent_fkey"'
    ),
    "sqlite": (
        "IntegrityError: FOREIGN KEY constraint failed: 1 of the rows refer to none,"
        " the first in child to parent"
    ),
}


def write_deferred(app: Flask, orphan_on: str) -> Path:
    """A revision whose fault is found by the commit."""
    constrained = CONSTRAINED.replace("\n", "\n    ")
    write_revision(
        app,
        "r1",
        arguments="engine_name",
        upgrade=f"if engine_name == {orphan_on!r}:\n    {constrained}",
    )
    return write_revision(
        app,
        "r2",
        "r1",
        arguments="engine_name",
        upgrade=f"{MAKE}\nif engine_name == {orphan_on!r}:\n    {ORPHAN}",
    )


def with_foreign_keys(apps: Apps, urls: t.Mapping[str, str]) -> dict[str, sa.Engine]:
    """Engines that check foreign keys, which SQLite has to be told."""

    def check(connection: t.Any, record: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")

    engines = {name: apps.engine(url) for name, url in urls.items()}

    for engine in engines.values():
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", check)

    return engines


def with_engines(
    apps: Apps, engines: t.Mapping[str, sa.Engine], **config: t.Any
) -> tuple[Flask, Alembic]:
    """An app on engines of the test's own."""
    app = apps.flask(**config)
    metadatas: dict[str | None, sa.MetaData] = {n: sa.MetaData() for n in engines}
    named: dict[str | None, sa.Engine] = {n: e for n, e in engines.items()}
    return app, Alembic(app, metadatas=metadatas, engines=named)


@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
def test_commit_fails(url: str, server: Server, apps: Apps) -> None:
    """A revision whose commit fails has failed: nothing of it is kept."""
    app, alembic = with_engines(apps, with_foreign_keys(apps, {"default": url}))
    write_revision(app, "r1", upgrade=CONSTRAINED)
    path = write_revision(app, "r2", "r1", upgrade=f"{MAKE}\n{ORPHAN}")
    error = failing_upgrade(app, alembic)
    assert told(error) == {
        "type": "MigrationFailed",
        "message": (
            f"Revision r2 failed on the database 'default': {ORPHANED[server.name]}"
        ),
        "database": "default",
        "revision": "r2",
        "path": str(path),
        "applied": [step("r1")],
        "standing": {"default": ("r1",)},
        "kept": (),
        "hint": MEND_THE_CAUSE,
    }
    assert version(url) == ["r1"]
    assert "made" not in tables(url)


@on_pairs(
    ("postgresql", "postgresql"), ("sqlite", "postgresql"), ("mariadb", "postgresql")
)
def test_deferred_constraint_on_the_second(pair: Pair, apps: Apps) -> None:
    """A fault that PostgreSQL finds at the commit is found before any database has
    committed, so that all that can are rolled back.
    """
    app, alembic = apps.several(pair.urls)
    write_deferred(app, "second")
    error = failing_upgrade(app, alembic)
    kept = "r1" if pair.rolls_back("first") else "r2"
    assert error.database == "second"
    assert str(error) == (
        f"Revision r2 failed on the database 'second': {ORPHANED['postgresql']}"
    )
    assert error.standing == {"first": (kept,), "second": ("r1",)}
    assert version(pair.urls["first"]) == [kept]
    assert version(pair.urls["second"]) == ["r1"]
    assert "made" not in tables(pair.urls["second"])


@on_pairs(("postgresql", "postgresql"), ("postgresql", "mariadb"))
def test_deferred_constraint_on_the_first(pair: Pair, apps: Apps) -> None:
    """It is found before a database that can't roll back has begun."""
    app, alembic = apps.several(pair.urls)
    write_deferred(app, "first")
    error = failing_upgrade(app, alembic)
    assert error.database == "first"
    assert error.standing == {"first": ("r1",), "second": ("r1",)}

    for url in pair.urls.values():
        assert version(url) == ["r1"]
        assert "made" not in tables(url)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("upgrade", "is_checked"),
    [
        (MAKE, False),
        ("op.execute('/* why */ COMMENT ON TABLE parent IS NULL;')", False),
        ("op.execute('CREATE TABLE a (); INSERT INTO parent VALUES (2)')", True),
        ("op.execute('INSERT INTO parent VALUES (2)')", True),
        ("op.get_bind().exec_driver_sql('SELECT 1')", True),
    ],
    ids=["table", "comment", "two", "rows", "query"],
)
def test_when_deferred_constraints_are_checked(
    databases: Databases, apps: Apps, upgrade: str, is_checked: bool
) -> None:
    """They are where a revision may have written rows. Where it is DDL alone they are
    left to the commit, unless another database would have to roll back.
    """
    for names in (["first"], ["first", "second"]):
        app, alembic = apps.several({name: databases.make() for name in names})
        write_revision(app, "r1", upgrade=CONSTRAINED)
        write_revision(app, "r2", "r1", upgrade=upgrade)
        told: list[str] = []

        with app.app_context():
            alembic.upgrade("r1")

            for engine in alembic.engines.values():
                sa.event.listen(
                    engine,
                    "before_cursor_execute",
                    lambda *args, told=told: told.append(args[2]),
                )

            alembic.upgrade()

        is_there = any("SET CONSTRAINTS" in statement for statement in told)
        assert is_there == (is_checked or len(names) > 1)


def complete(pair: Pair, app: Flask, alembic: Alembic) -> None:
    """Run once more, which completes what was left over."""
    upgrade(app, alembic)

    for url in pair.urls.values():
        assert version(url) == ["r2"]
        assert "made" in tables(url)


@contextlib.contextmanager
def read_by_another(url: str) -> t.Iterator[None]:
    """A reader of a SQLite file: one may write besides it, but not commit."""
    reader = sqlite3.connect(str(sa.make_url(url).database), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM alembic_version").fetchall()

    try:
        yield
    finally:
        reader.close()


def impatient(apps: Apps, urls: t.Mapping[str, str]) -> dict[str, sa.Engine]:
    """Engines that do not wait for a lock of SQLite."""
    return {
        name: apps.engine(
            url, connect_args={"timeout": 0} if url.startswith("sqlite") else {}
        )
        for name, url in urls.items()
    }


@on_pairs(("sqlite", "sqlite"), ("postgresql", "sqlite"), ("mariadb", "sqlite"))
def test_partial_commit(pair: Pair, apps: Apps) -> None:
    """A commit that fails after another succeeded is told: who has the revision, who
    has not. A second run completes the others.
    """
    app, alembic = with_engines(apps, impatient(apps, pair.urls))
    write_history(app, "nowhere")
    path = Path(app.root_path, "migrations", "r2_.py")

    with app.app_context():
        alembic.upgrade("r1")

    with read_by_another(pair.urls["second"]):
        error = failing_upgrade(app, alembic)

    assert told(error) == {
        "type": "PartialCommitError",
        "message": (
            "Revision r2 was committed on 'first', but the commit on 'second' failed:"
            " OperationalError: database is locked"
        ),
        "database": "second",
        "revision": "r2",
        "path": str(path),
        "applied": [step("r2", "first")],
        "standing": {"first": ("r2",), "second": ("r1",)},
        "kept": (),
        "hint": (
            "Mend the cause and run the same command again: it completes the others."
        ),
    }
    assert version(pair.urls["first"]) == ["r2"]
    assert version(pair.urls["second"]) == ["r1"]
    assert "made" not in tables(pair.urls["second"])
    complete(pair, app, alembic)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_partial_commit_of_three(tmp_path: Path, apps: Apps, at: int) -> None:
    """The databases commit in their order. Those before the one that fails have the
    revision, those after it are rolled back, and no later revision is begun on any. A
    second run completes them.
    """
    names = ("one", "two", "three")
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in names}
    app, alembic = with_engines(apps, impatient(apps, urls))
    write_history(app, "nowhere")
    write_revision(app, "r3", "r2", arguments="engine_name")
    before, failing = names[: at - 1], names[at - 1]

    with app.app_context():
        alembic.upgrade("r1")

    with read_by_another(urls[failing]):
        error = failing_upgrade(app, alembic)

    assert error.database == failing
    assert error.revision == "r2"
    assert isinstance(error, PartialCommitError) == bool(before)
    have = ", ".join(f"'{name}'" for name in before)
    assert f"was committed on {have}, but" in str(error) or not before
    assert error.standing == {n: ("r2",) if n in before else ("r1",) for n in names}
    assert {name: tuple(version(url)) for name, url in urls.items()} == error.standing
    assert [(s.revision, s.database) for s in error.applied] == [
        ("r2", name) for name in before
    ]

    with app.app_context():
        report = alembic.upgrade()

    # In step: the rest of r2, and only then r3.
    assert [(s.revision, s.database) for s in report.steps] == [
        *(("r2", name) for name in names[at - 1 :]),
        *(("r3", name) for name in names),
    ]


@on_pairs(("sqlite", "sqlite"))
def test_output_of_a_partial_commit(pair: Pair, apps: Apps, db: Cli) -> None:
    """The command says who has the revision and who has not."""
    app, alembic = with_engines(apps, impatient(apps, pair.urls))
    write_history(app, "nowhere")

    with app.app_context():
        alembic.upgrade("r1")

    with read_by_another(pair.urls["second"]):
        result = db(app, "upgrade")

    assert without_times(result.output, apps.folder) == (
        "  first: r2  r2  upgrade  N ms\n"
        "first is at r2.\n"
        "second is at r1.\n"
        "Error: Revision r2 was committed on 'first', but the commit on 'second'"
        " failed: OperationalError: database is locked\n"
        "Hint: Mend the cause and run the same command again: it completes the"
        " others.\n"
    )
    assert result.exit_code == 1


@on_pairs(("sqlite", "sqlite"), ("postgresql", "sqlite"), ("mariadb", "sqlite"))
def test_orphan_on_sqlite(pair: Pair, apps: Apps) -> None:
    """A row that refers to none is found before any database has committed, so that
    all that can are rolled back.
    """
    app, alembic = with_engines(apps, with_foreign_keys(apps, pair.urls))
    write_deferred(app, "second")
    error = failing_upgrade(app, alembic)
    kept = "r1" if pair.rolls_back("first") else "r2"
    assert type(error) is MigrationFailed
    assert error.database == "second"
    assert error.standing == {"first": (kept,), "second": ("r1",)}
    assert version(pair.urls["first"]) == [kept]
    assert version(pair.urls["second"]) == ["r1"]
    assert "made" not in tables(pair.urls["second"])

    query(pair.urls["second"], "INSERT INTO parent VALUES (7)")
    complete(pair, app, alembic)


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_foreign_keys_of_sqlite(url: str, apps: Apps) -> None:
    """Where the app lets SQLite check foreign keys, a table that is copied by
    batch_alter_table takes no rows of other tables with it, rows that referred to none
    before are no fault of a revision, and the app's checks are on afterwards.
    """
    engines = with_foreign_keys(apps, {"default": url})
    app, alembic = with_engines(apps, engines)
    write_revision(
        app,
        "r1",
        upgrade=(
            'op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, text INTEGER)")\n'
            'op.execute("CREATE TABLE child (parent INTEGER REFERENCES parent (id)"\n'
            '    " ON DELETE CASCADE)")\n'
            'op.execute("INSERT INTO parent VALUES (1, 1)")\n'
            'op.execute("INSERT INTO child VALUES (1)")'
        ),
    )
    upgrade(app, alembic)
    query(url, "INSERT INTO child VALUES (99)")
    write_revision(
        app,
        "r2",
        "r1",
        upgrade=(
            'with op.batch_alter_table("parent") as batch:\n'
            '    batch.alter_column("text", type_=sa.String(5))'
        ),
    )

    with app.app_context():
        alembic.upgrade()
        connection = t.cast(sa.Connection, alembic.migration_context.connection)
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1

    assert version(url) == ["r2"]
    assert query(url, "SELECT parent FROM child ORDER BY parent") == [(1,), (99,)]


def kill_connections(url: str) -> None:
    """End all connections to a PostgreSQL database, as an administrator would."""
    query(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@on_pairs(("postgresql", "postgresql"))
def test_connection_lost_at_the_commit(pair: Pair, apps: Apps) -> None:
    """A server that goes away between two commits is told of in the same way."""
    engines = {name: apps.engine(url) for name, url in pair.urls.items()}
    armed = []

    def arm(ctx: t.Any, step: t.Any, **kwargs: object) -> None:
        if step.up_revision_id == "r2" and ctx.connection.engine is engines["second"]:
            armed.append(True)

    def kill(connection: sa.Connection) -> None:
        if armed:
            armed.clear()
            kill_connections(pair.urls["second"])

    sa.event.listen(engines["first"], "commit", kill)
    config = {"ALEMBIC_CONTEXT": {"on_version_apply": arm}}
    app, alembic = with_engines(apps, engines, **config)
    write_history(app, "nowhere")
    error = failing_upgrade(app, alembic)
    assert isinstance(error, PartialCommitError)
    assert error.database == "second"
    assert error.standing == {"first": ("r2",), "second": ("r1",)}
    assert str(error).startswith(
        "Revision r2 was committed on 'first', but the commit on 'second' failed: "
    )
    assert version(pair.urls["first"]) == ["r2"]
    assert version(pair.urls["second"]) == ["r1"]

    app.config["ALEMBIC_CONTEXT"] = {}
    complete(pair, app, alembic)


@on_pairs(("postgresql", "postgresql"), ("sqlite", "postgresql"))
def test_connection_lost_before_the_commit(pair: Pair, apps: Apps) -> None:
    """A server that goes away before the commits costs nobody anything."""

    def kill(ctx: t.Any, step: t.Any, **kwargs: object) -> None:
        connection = ctx.connection

        if step.up_revision_id == "r2" and connection.engine is engines["second"]:
            kill_connections(pair.urls["second"])

    engines = {name: apps.engine(url) for name, url in pair.urls.items()}
    config = {"ALEMBIC_CONTEXT": {"on_version_apply": kill}}
    app, alembic = with_engines(apps, engines, **config)
    write_history(app, "nowhere")
    error = failing_upgrade(app, alembic)
    assert isinstance(error, MigrationFailed)
    assert not isinstance(error, PartialCommitError)
    assert error.database == "second"
    assert error.standing == {"first": ("r1",), "second": ("r1",)}
    assert version(pair.urls["first"]) == ["r1"]

    app.config["ALEMBIC_CONTEXT"] = {}
    complete(pair, app, alembic)


# On the terminal

HELPER: t.Final = """
import sqlalchemy as sa

def fill(op):
    statement = sa.text("INSERT INTO missing VALUES (:secret)")
    op.get_bind().execute(statement, {"secret": "row data"})
""".lstrip()


def line_of(path: Path, code: str) -> int:
    """The line of a file that holds some code."""
    lines = path.read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if code in line)


def import_helper(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's, beside the app."""
    path = Path(app.root_path, "our_helper.py")
    path.write_text(HELPER)
    monkeypatch.syspath_prepend(app.root_path)
    sys.modules.pop("our_helper", None)
    return path


def test_output(
    url: str, server: Server, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command shows the user's own frames, what was applied before, the database,
    the revision, and the SQL without its parameters.
    """
    app, _ = apps.plain(url)
    helper = import_helper(app, monkeypatch)
    write_revision(app, "r1", upgrade=ITEMS)
    path = write_revision(
        app,
        "r2",
        "r1",
        header="import our_helper",
        upgrade=f"{MAKE}\nour_helper.fill(op)",
    )
    result = db(app, "upgrade")
    del sys.modules["our_helper"]
    place = Path("TMP/app1/migrations/r2_.py")
    partly = server.name == WITHOUT_ROLLBACK
    mark = "?" if server.name == "sqlite" else "%(secret)s"
    assert without_times(result.output, apps.folder) == (
        "Traceback (most recent call last):\n"
        f'  File "{place}", line {line_of(path, "fill(op)")}, in upgrade\n'
        "    our_helper.fill(op)\n"
        '  File "TMP/app1/our_helper.py",'
        f" line {line_of(helper, 'execute')}, in fill\n"
        '    op.get_bind().execute(statement, {"secret": "row data"})\n'
        "  r1  r1  upgrade  N ms\n"
        "default is at r1.\n"
        f"{f'Kept on default of r2:{chr(10)}  {MADE}{chr(10)}' if partly else ''}"
        "Error: Revision r2 failed on the database 'default':"
        f" {no_table(server.name, url)}\n"
        f"SQL: INSERT INTO missing VALUES ({mark})\n"
        f"Hint: {partly_kept(path) if partly else nothing_kept(path)}\n"
    )
    assert result.exit_code == 1


def test_output_goes_to_stderr(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """What was done goes to stdout, what went wrong to stderr."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade=ITEMS)
    path = write_revision(app, "r2", "r1", upgrade="raise RuntimeError('boom')")
    result = db(app, "upgrade")
    assert without_times(result.stdout, apps.folder) == ("  r1  r1  upgrade  N ms\n")
    place = Path("TMP/app1/migrations/r2_.py")
    assert without_times(result.stderr, apps.folder) == (
        "Traceback (most recent call last):\n"
        f'  File "{place}", line {line_of(path, "boom")}, in upgrade\n'
        "    raise RuntimeError('boom')\n"
        "default is at r1.\n"
        "Error: Revision r2 failed on the database 'default': RuntimeError: boom\n"
        f"Hint: {nothing_kept(path)}\n"
    )


@pytest.mark.parametrize(
    ("upgrade", "line"),
    [
        (MAKE, MAKE),
        (
            'with op.batch_alter_table("none") as batch:\n    batch.drop_column("x")',
            "with op.",
        ),
        ("import json\njson.loads('{')", "json.loads"),
        ("(lambda: 1 / 0)()", "(lambda"),
    ],
)
def test_only_own_frames(
    sqlite_url: str, apps: Apps, db: Cli, upgrade: str, line: str
) -> None:
    """No frame of a library is shown: not of Alembic's generated functions, not of
    the standard library.
    """
    app, _ = apps.plain(sqlite_url)
    query(sqlite_url, "CREATE TABLE made (id INTEGER)")
    path = write_revision(app, "r1", upgrade=upgrade)
    result = db(app, "upgrade")
    frames = re.findall(r'File "(.*)", line (\d+)', result.stderr)
    assert frames
    assert {frame[0] for frame in frames} == {str(path)}
    assert frames[0][1] == str(line_of(path, line))
    assert result.exit_code == 1


def test_own_frames_in_an_installed_app(apps: Apps, db: Cli, tmp_path: Path) -> None:
    """The frames of an app that is installed as a package are the user's too."""
    inside = Apps(tmp_path / "site-packages")
    inside.folder.mkdir()
    app, _ = inside.plain(f"sqlite:///{tmp_path}/test.db")
    path = write_revision(app, "r1", upgrade="raise RuntimeError('boom')")
    result = db(app, "upgrade")
    inside.close()
    assert f'File "{path}", line {line_of(path, "boom")}, in upgrade' in result.stderr


SECRET_ROWS: t.Final = {
    "duplicate": (
        "INSERT INTO item VALUES (2, :value), (3, :value)",
        {
            "sqlite": "IntegrityError: UNIQUE constraint failed: item.text",
            "postgresql": (
                "UniqueViolation: duplicate key value violates unique constraint"
                ' "uq_text"'
            ),
            "mariadb": (
                "IntegrityError: (1062, \"Duplicate entry '***' for key 'uq_text'\")"
            ),
        },
    ),
    "wrong type": (
        "UPDATE item SET id = :value",
        {
            "sqlite": "IntegrityError: datatype mismatch",
            "postgresql": (
                "InvalidTextRepresentation: invalid input syntax for type integer:"
                ' "***"'
            ),
            "mariadb": (
                "DataError: (1366, \"Incorrect integer value: '***' for column"
                ' `{database}`.`item`.`id` at row 1")'
            ),
        },
    ),
}


@pytest.mark.parametrize("name", SECRET_ROWS)
def test_row_data_is_not_shown(
    url: str, server: Server, apps: Apps, db: Cli, name: str
) -> None:
    """What is in the rows is nobody's business: neither the statement's parameters are
    shown, nor what the driver quotes of them.
    """
    statement, messages = SECRET_ROWS[name]
    app, _ = apps.plain(url)
    write_revision(app, "r1", upgrade=ITEMS)
    write_revision(
        app,
        "r2",
        "r1",
        header="from os import environ",
        upgrade='op.create_index("uq_text", "item", ["text"], unique=True)',
    )
    write_revision(
        app,
        "r3",
        "r2",
        upgrade=(
            'value = {"value": "api" + "key"}\n'
            f'op.get_bind().execute(sa.text("{statement}"), value)'
        ),
    )
    result = db(app, "upgrade")
    database = sa.make_url(url).database
    message = messages[server.name].replace("{database}", str(database))
    assert "apikey" not in result.output
    assert (
        f"Error: Revision r3 failed on the database 'default': {message}\n"
        in result.output
    )
    assert result.exit_code == 1


@pytest.mark.parametrize("variable", ["FLASK_ALEMBIC_TRACEBACK", "FLASK_DEBUG"])
def test_whole_traceback(
    sqlite_url: str,
    apps: Apps,
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """Whoever wants to see the whole traceback can, before the same lines."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade=ITEMS)
    path = write_revision(app, "r2", "r1", upgrade=BREAK)
    query_line = line_of(path, BREAK)

    monkeypatch.setenv(variable, "1")
    result = db(app, "upgrade")
    place = Path("TMP/app1/migrations/r2_.py")
    output = without_times(result.output, apps.folder)
    assert output.startswith("Traceback (most recent call last):\n")
    assert output.endswith(
        "  r1  r1  upgrade  N ms\n"
        "default is at r1.\n"
        "Error: Revision r2 failed on the database 'default':"
        f" {no_table('sqlite', sqlite_url)}\n"
        "SQL: INSERT INTO missing VALUES (1)\n"
        f"Hint: {nothing_kept(path)}\n"
    )
    assert f'File "{place}", line {query_line}, in upgrade' in output

    for library in (sa, alembic_package):
        assert str(Path(str(library.__file__)).parent) in output

    assert result.exit_code == 1


def test_downgrade_output(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A failing downgrade is told in the same way."""
    app, _ = apps.plain(sqlite_url)
    path = write_revision(app, "r1", downgrade=f"{MAKE}\n{BREAK}")
    write_revision(app, "r2", "r1")
    db(app, "upgrade")
    result = db(app, "downgrade", "base")
    place = Path("TMP/app1/migrations/r1_.py")
    assert without_times(result.output, apps.folder) == (
        "Traceback (most recent call last):\n"
        f'  File "{place}", line {line_of(path, BREAK)}, in downgrade\n'
        f"    {BREAK}\n"
        "  r2  r2  downgrade  N ms\n"
        "default is at r1.\n"
        "Error: Revision r1 failed on the database 'default':"
        f" {no_table('sqlite', sqlite_url)}\n"
        "SQL: INSERT INTO missing VALUES (1)\n"
        f"Hint: {nothing_kept(path)}\n"
    )
    assert result.exit_code == 1
