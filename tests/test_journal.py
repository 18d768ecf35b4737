"""A revision that is half done where it can't be rolled back: the next run skips what
was done, and goes on at the statement that failed.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from commands import run_command
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ChangedStatementError
from flask_alembic import HalfDoneError
from flask_alembic import MigrationFailed
from flask_alembic.database_run import DatabaseRun
from flask_alembic.errors import FlaskAlembicError
from flask_alembic.journal import Journal
from flask_alembic.run_settings import RunSettings
from servers import Server
from servers import with_driver

KILLED_RUNS: t.Final = Path(__file__).with_name("killed_runs.py")
JOURNAL: t.Final = "alembic_version_journal"

COUNTER: t.Final = """
op.create_table("counter", sa.Column("n", sa.Integer))
op.execute("INSERT INTO counter VALUES (0)")
""".strip()
COUNT: t.Final = 'op.execute("UPDATE counter SET n = n + 1")'
MAKE: t.Final = 'op.create_table("made", sa.Column("id", sa.Integer))'
BREAK: t.Final = 'op.execute("INSERT INTO missing VALUES (1)")'
BREAK_DDL: t.Final = 'op.drop_table("missing")'

only_mariadb = pytest.mark.parametrize("server", ["mariadb"], indirect=True)
only_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
with_blocks = pytest.mark.parametrize("server", ["postgresql", "sqlite"], indirect=True)


def in_block(*lines: str) -> str:
    """Operations, each of which is committed by itself."""
    body = "\n".join(f"    {line}" for line in "\n".join(lines).splitlines())
    return f"with op.get_context().autocommit_block():\n{body}"


def query(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    """Run a statement on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def counted(url: str) -> int:
    """How often something was counted."""
    return int(query(url, "SELECT n FROM counter")[0][0])


def noted(url: str) -> list[tuple[t.Any, ...]]:
    """What is in the journal."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        if not sa.inspect(connection).has_table(JOURNAL):
            return []

        rows = connection.exec_driver_sql(
            f"SELECT revision, direction, position, state FROM {JOURNAL}"
            " ORDER BY position"
        )
        return [tuple(row) for row in rows]


def version(url: str) -> list[str]:
    """What the version table holds."""
    return [row[0] for row in query(url, "SELECT version_num FROM alembic_version")]


def upgrade(app: Flask, alembic: Alembic, target: str = "heads") -> t.Any:
    """Upgrade in an app context of its own."""
    with app.app_context():
        return alembic.upgrade(target)


def failing(
    app: Flask,
    alembic: Alembic,
    kind: type[Exception] = MigrationFailed,
    verb: str = "upgrade",
) -> t.Any:
    """Upgrade, which fails."""
    with app.app_context(), pytest.raises(kind) as caught:
        getattr(alembic, verb)()

    return caught.value


def half_done(url: str, apps: Apps, *lines: str) -> tuple[Flask, Alembic]:
    """An app whose second revision fails after some operations."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    write_revision(app, "r2", "r1", upgrade="\n".join(lines))
    failing(app, alembic)
    assert version(url) == ["r1"]
    return app, alembic


# A failure, and another run


@only_mariadb
@pytest.mark.parametrize("mended", [True, False], ids=["file", "cause"])
def test_goes_on_after_a_failure(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture, mended: bool
) -> None:
    """The third of five statements fails. The next run does it and what comes after it,
    and says so; the first two are not run again.
    """
    app, alembic = half_done(url, apps, COUNT, MAKE, BREAK, COUNT, COUNT)
    assert counted(url) == 1
    assert noted(url) == [
        ("r2", "upgrade", 1, "done"),
        ("r2", "upgrade", 2, "done"),
    ]

    if mended:
        code = "\n".join([COUNT, MAKE, COUNT, COUNT])
        write_revision(app, "r2", "r1", upgrade=f"{code}  # mended")
    else:
        query(url, "CREATE TABLE missing (id INTEGER)")

    with caplog.at_level(logging.INFO, "flask_alembic"):
        report = upgrade(app, alembic)

    assert [step.continued for step in report.steps] == [2]
    assert [r.getMessage() for r in caplog.records if r.name == "flask_alembic"] == [
        "Revision r2 goes on after statement 2 on 'default': so much was done before."
    ]
    assert counted(url) == 3
    assert "made" in tables(url)
    assert version(url) == ["r2"]
    assert noted(url) == []


@only_mariadb
def test_data_is_exact(url: str, apps: Apps) -> None:
    """Data that is rolled back is changed by the next run, data that a later DDL has
    committed is not.
    """
    app, alembic = half_done(url, apps, COUNT, COUNT, MAKE, COUNT, COUNT, BREAK)
    assert counted(url) == 2
    query(url, "CREATE TABLE missing (id INTEGER)")
    upgrade(app, alembic)
    assert counted(url) == 4
    assert noted(url) == []


@only_mariadb
@pytest.mark.parametrize(
    "broken",
    [BREAK_DDL, 'op.execute("CREATE TABLE oh dear")', "raise RuntimeError('boom')"],
    ids=["refused", "syntax", "python"],
)
def test_what_failed_is_not_noted(url: str, apps: Apps, broken: str) -> None:
    """A DDL statement that the server refused did not happen. What came before it did,
    as it commits.
    """
    app, alembic = half_done(url, apps, MAKE, COUNT, broken, COUNT)
    done = 0 if "boom" in broken else 1
    assert counted(url) == done
    assert [row[2:] for row in noted(url)] == [
        (position, "done") for position in range(1, 2 + done)
    ]
    write_revision(app, "r2", "r1", upgrade=f"{MAKE}\n{COUNT}\n{COUNT}  # mended")
    upgrade(app, alembic)
    assert counted(url) == 2


@only_mariadb
def test_caught_error(url: str, apps: Apps) -> None:
    """A revision may catch the error of a statement, and go on; the next run meets the
    same error again.
    """
    caught = f"try:\n    {BREAK_DDL}\nexcept sa.exc.DBAPIError:\n    {COUNT}"
    app, alembic = half_done(url, apps, MAKE, caught, 'op.drop_table("no")', COUNT)
    assert [row[2:] for row in noted(url)] == [(1, "done"), (3, "done")]
    query(url, "CREATE TABLE no (id INTEGER)")
    upgrade(app, alembic)
    assert counted(url) == 2


@only_mariadb
def test_fails_again(url: str, apps: Apps) -> None:
    """A second failure tells all that was kept, of both runs."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    error = failing(app, alembic)
    assert error.kept == ("CREATE TABLE made ( id INTEGER )",)
    assert noted(url) == [("r2", "upgrade", 1, "done")]


@only_mariadb
def test_downgrade(url: str, apps: Apps) -> None:
    """A downgrade goes on as well."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    write_revision(app, "r2", "r1", downgrade="\n".join([MAKE, COUNT, MAKE, COUNT]))
    upgrade(app, alembic)
    failing(app, alembic, verb="downgrade")
    assert noted(url)[0] == ("r2", "downgrade", 1, "done")
    assert counted(url) == 1
    error = failing(app, alembic, HalfDoneError)
    assert str(error).startswith(
        "The downgrade of revision r2 is half done on the database 'default'. It comes"
        " first."
    )
    write_revision(
        app, "r2", "r1", downgrade="\n".join([MAKE, COUNT, COUNT]) + "  # mended"
    )

    with app.app_context():
        report = alembic.downgrade()

    assert [step.continued for step in report.steps] == [2]
    assert version(url) == ["r1"]
    assert counted(url) == 2
    assert noted(url) == []


@only_mariadb
def test_second_try_in_one_process(url: str, apps: Apps) -> None:
    """A run that tries again by itself goes on, too."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=COUNTER)
    write_revision(app, "r2", "r1", upgrade=f"{MAKE}\n{COUNT}\n{BREAK_DDL}\n{COUNT}")
    upgrade(app, alembic, "r1")

    with app.app_context():
        context = alembic.migration_contexts["default"]
        steps = list(alembic.script_directory._upgrade_revs("r2", "r1"))
        run = DatabaseRun("default", context, ["default"], RunSettings())
        run.ask_early(lambda heads, context: steps)

        for _ in range(2):
            run.begin()

            with pytest.raises(sa.exc.DBAPIError):
                run.apply(steps[0], {})

            run.roll_back()
            assert run.can_run_again
            assert counted(url) == 1

        query(url, "CREATE TABLE missing (id INTEGER)")
        run.begin()
        assert run.apply(steps[0], {}).continued == 2
        run.transaction.commit()

    assert counted(url) == 2
    assert version(url) == ["r2"]


@only_mariadb
def test_output(url: str, apps: Apps, db: Cli) -> None:
    """The commands say how to go on, and that it went on."""
    app, _ = half_done(url, apps, MAKE, COUNT, BREAK_DDL, COUNT)
    result = db(app, "upgrade")
    assert result.exit_code == 1
    assert (
        "Kept on default of r2:\n  CREATE TABLE made ( id INTEGER )\n"
        "  UPDATE counter SET n = n + 1\n" in result.output
    )
    assert (
        "Hint: MariaDB can't roll back DDL. Mend migrations/r2_.py from there on, and"
        " run the same command again: it goes on at the statement that failed.\n"
        in result.output
    )
    query(url, "CREATE TABLE missing (id INTEGER)")
    result = db(app, "upgrade")
    assert "Revision r2 goes on after statement 2 on 'default'" in result.stderr
    assert re.sub(r"\d+ ms", "N ms", result.stdout) == (
        "  r2  r2  upgrade  N ms  2 done before\n1 revision applied to default.\n"
    )


# What the file says now


@only_mariadb
def test_changed_statement(url: str, apps: Apps) -> None:
    """A statement that was done has to stay as it was: both are shown, none is run."""
    app, alembic = half_done(url, apps, COUNT, MAKE, BREAK)
    write_revision(
        app,
        "r2",
        "r1",
        upgrade=f"{COUNT}\n{MAKE.replace('made', 'other')}\n{COUNT}  # mended",
    )
    error = failing(app, alembic, ChangedStatementError)
    assert " ".join(str(error).split()) == (
        "Revision r2 is half done on the database 'default', and its statement 2 is not"
        " the one that was done. Done: CREATE TABLE made ( id INTEGER )"
        " Now: CREATE TABLE other ( id INTEGER )"
    )
    assert (error.database, error.revision, error.position) == ("default", "r2", 2)
    assert "other" in error.now and "made" in error.statement
    assert "flask db stamp r1" in error.hint
    assert counted(url) == 1
    assert "other" not in tables(url)


@only_mariadb
def test_file_ends_before(url: str, apps: Apps) -> None:
    """Nor may a statement be gone that was done."""
    app, alembic = half_done(url, apps, COUNT, MAKE, BREAK)
    write_revision(app, "r2", "r1", upgrade=COUNT)
    error = failing(app, alembic, ChangedStatementError)
    assert error.now is None
    assert "Now:  nothing, the file ends before" in str(error)
    assert version(url) == ["r1"]
    assert counted(url) == 1


@only_mariadb
def test_comments_and_space(url: str, apps: Apps) -> None:
    """Comments around a statement, as tracing adds them, are not of it."""
    app, alembic = half_done(url, apps, COUNT, MAKE, BREAK)
    text = "/* trace 2 */ UPDATE   counter SET n = n + 1 /* trace 3 */"
    write_revision(app, "r2", "r1", upgrade=f'op.execute("{text}")\n{MAKE}')
    upgrade(app, alembic)
    assert counted(url) == 1


@only_mariadb
def test_undone_by_hand(url: str, apps: Apps) -> None:
    """Who undid by hand what was kept is told of it, before anything is run."""
    app, alembic = half_done(url, apps, MAKE, COUNT, BREAK_DDL)
    query(url, "DROP TABLE made")
    write_revision(app, "r2", "r1", upgrade=f"{MAKE}\n{COUNT}\n{COUNT}  # mended")
    error = failing(app, alembic, HalfDoneError)
    assert str(error) == (
        "Revision r2 is half done on the database 'default': its first 2 statements"
        " were done before, but the table made is not there."
    )
    assert counted(url) == 1

    with app.app_context():
        report = alembic.stamp("r1")

    assert [step.forgotten for step in report.steps] == [("r2",)]
    assert noted(url) == []
    upgrade(app, alembic)
    assert counted(url) == 3
    assert "made" in tables(url)


# Other revisions, and stamps


@only_mariadb
def test_in_the_way(url: str, apps: Apps) -> None:
    """While a revision is half done, no other is run, and the error lists what is."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    error = failing(app, alembic, HalfDoneError, "downgrade")
    assert " ".join(str(error).split()) == (
        "Revision r2 is half done on the database 'default'. It comes first. What took"
        " effect of it: 1. CREATE TABLE made ( id INTEGER )"
    )
    assert error.hint == (
        "Run 'flask db resume', which completes it. Or undo by hand what took effect,"
        " and run 'flask db stamp r1', which forgets it."
    )
    assert version(url) == ["r1"]


@only_mariadb
@pytest.mark.parametrize("target", ["r1", "r2", "base"])
@pytest.mark.parametrize("purge", [False, True])
def test_stamp_forgets(url: str, apps: Apps, db: Cli, target: str, purge: bool) -> None:
    """A stamp puts an end to it, also if the database is there already, and says so."""
    app, _ = half_done(url, apps, MAKE, BREAK)
    result = db(app, "stamp", target, *["--purge"] * purge)
    assert result.exit_code == 0
    assert "default: what was half done of r2 is forgotten.\n" in result.output
    assert noted(url) == []
    assert version(url) == ([] if target == "base" else [target])


@only_mariadb
def test_stamped_by_another_tool(url: str, apps: Apps) -> None:
    """What another tool has completed is over."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    query(url, "UPDATE alembic_version SET version_num = 'r2'")
    write_revision(app, "r3", "r2", upgrade=COUNT)
    upgrade(app, alembic)
    assert version(url) == ["r3"]
    assert noted(url) == []


@only_mariadb
def test_stamped_above_by_another_tool(url: str, apps: Apps) -> None:
    """That goes for a revision above the one that is half done, too."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    write_revision(app, "r3", "r2")
    query(url, "UPDATE alembic_version SET version_num = 'r3'")
    upgrade(app, alembic)
    assert noted(url) == []


# Without a journal


@only_mariadb
def test_journal_is_off(url: str, apps: Apps) -> None:
    """Without one, what was kept has to be undone by hand."""
    app, alembic = apps.plain(url, ALEMBIC={"journal": False})
    write_revision(app, "r1", upgrade=f"{MAKE}\n{BREAK}")
    error = failing(app, alembic)
    assert error.hint == (
        "MariaDB can't roll back DDL. Undo by hand what was kept, mend"
        " migrations/r1_.py and run the same command again."
    )
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        assert not sa.inspect(connection).has_table(JOURNAL)

    query(url, "DROP TABLE made")
    write_revision(app, "r1", upgrade=f"{MAKE}  # mended")
    upgrade(app, alembic)
    assert version(url) == ["r1"]


@pytest.fixture
def poor_url(url: str, server: Server) -> t.Iterator[str]:
    """The same database for a user who may not make a table of any name."""
    made = sa.make_url(url)
    user = f"poor_{made.database}"[-30:]
    tables_ = ("alembic_version", "counter", "made")
    query(url, "CREATE TABLE counter (n INTEGER)")
    query(url, "INSERT INTO counter VALUES (0)")
    query(url, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")

    if server.name == "mariadb":
        query(url, f"CREATE USER {user}@'127.0.0.1'")

        for table in tables_:
            query(url, f"GRANT ALL ON {made.database}.{table} TO {user}@'127.0.0.1'")

        yield made.set(username=user).render_as_string(hide_password=False)
        query(url, f"DROP USER {user}@'127.0.0.1'")
    else:
        query(url, f"CREATE ROLE {user} LOGIN")
        query(url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

        for table in tables_[:2]:
            query(url, f"ALTER TABLE {table} OWNER TO {user}")

        yield made.set(username=user).render_as_string(hide_password=False)
        query(url, f"DROP OWNED BY {user}")
        query(url, f"DROP ROLE {user}")


@pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)
def test_no_right_to_make_it(
    poor_url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """Who may not make the table does without it, and is told once."""
    app, alembic = apps.plain(poor_url)
    block = in_block('op.execute("ALTER TABLE counter ADD COLUMN m INTEGER")')
    write_revision(app, "r1", upgrade=f"{COUNT}\n{block}")
    write_revision(app, "r2", "r1", upgrade=f"{COUNT}\n{block.replace(' m ', ' k ')}")
    write_revision(app, "r3", "r2", upgrade=f"{block.replace(' m ', ' j ')}\n{BREAK}")
    error = failing(app, alembic)
    assert error.kept == ("ALTER TABLE counter ADD COLUMN j INTEGER",)
    assert "Undo by hand what was kept" in str(error.hint)
    warnings = [r for r in caplog.records if "_journal of" in r.getMessage()]
    assert len(warnings) == 1
    assert "alembic_version_journal of the database 'default' can't be used" in (
        warnings[0].getMessage()
    )
    assert version(poor_url) == ["r2"]
    assert counted(poor_url) == 2


def test_journal_that_cannot_be_read(url: str, apps: Apps) -> None:
    """Then nothing is run: a revision may be half done. The error has the cure."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", upgrade=MAKE)
    query(url, f"CREATE TABLE {JOURNAL} (other INTEGER)")
    error = failing(app, alembic, FlaskAlembicError)
    assert str(error).startswith(
        f"The table {JOURNAL} of the database 'default' can't be read, so that nobody"
        " knows whether a revision is half done there: "
    )
    assert error.hint == (
        f"Give the user the right to read and write {JOURNAL}, or to do without it set"
        " ALEMBIC['journal'] to False."
    )
    assert "made" not in tables(url)

    app.config["ALEMBIC"]["journal"] = False
    upgrade(app, alembic)
    assert version(url) == ["r1"]


@only_mariadb
def test_made_while_a_run_reads(url: str, apps: Apps) -> None:
    """MariaDB reads no table in a transaction that is older. The journal that another
    run makes meanwhile is read all the same.
    """
    app, alembic = half_done(url, apps, MAKE, BREAK)
    (made,) = query(url, f"SHOW CREATE TABLE {JOURNAL}")
    rows = query(url, f"SELECT * FROM {JOURNAL}")
    assert len(rows) == 1
    query(url, f"CREATE TABLE copy AS SELECT * FROM {JOURNAL}")
    query(url, f"DROP TABLE {JOURNAL}")

    with app.app_context():
        context = alembic.migration_contexts["default"]
        assert context.get_current_heads() == ("r1",)
        query(url, str(made[1]))
        query(url, f"INSERT INTO {JOURNAL} SELECT * FROM copy")
        journal = Journal(context, "default")
        journal.read()
        assert [of.revision for of in journal.found] == ["r2"]


# Blocks without a transaction


@with_blocks
@pytest.mark.parametrize("fails", ["in", "after"])
def test_autocommit_block(url: str, apps: Apps, fails: str) -> None:
    """What ran before a block and in it is skipped by the next run. What ran after it
    was rolled back, and is not.
    """
    lines = [COUNT, in_block(COUNT, MAKE, BREAK if fails == "in" else COUNT)]
    lines += [COUNT, COUNT if fails == "in" else BREAK, COUNT]
    app, alembic = half_done(url, apps, *lines)
    done = 2 if fails == "in" else 3
    assert counted(url) == done
    assert [row[2:] for row in noted(url)] == [(n, "done") for n in range(1, done + 2)]

    query(url, "CREATE TABLE missing (id INTEGER)")
    report = upgrade(app, alembic)
    assert report.steps[0].continued == done + 1
    assert counted(url) == 5
    assert version(url) == ["r2"]
    assert noted(url) == []


@with_blocks
def test_nothing_is_noted_without_a_block(url: str, apps: Apps) -> None:
    """Where all is rolled back no journal is made, nor in a run that goes well."""
    app, alembic = half_done(url, apps, MAKE, BREAK)
    query(url, "CREATE TABLE missing (id INTEGER)")
    upgrade(app, alembic)

    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        assert not sa.inspect(connection).has_table(JOURNAL)


@with_blocks
def test_savepoint_before_a_block(url: str, apps: Apps) -> None:
    """What a savepoint took back before a block was not done."""
    savepoint = (
        "with op.get_bind().begin_nested() as nested:\n"
        f"    {COUNT}\n"
        "    nested.rollback()"
    )
    app, alembic = half_done(url, apps, COUNT, savepoint, in_block(MAKE), BREAK)
    assert [row[2] for row in noted(url)] == [1, 3]
    query(url, "CREATE TABLE missing (id INTEGER)")
    upgrade(app, alembic)
    assert counted(url) == 1


@only_postgresql
def test_backfill_in_batches(url: str, apps: Apps) -> None:
    """A loop that ends when nothing was changed goes on: what is skipped answers as it
    did.
    """
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "r1",
        upgrade=(
            f"{COUNTER}\n"
            'op.execute("CREATE TABLE big AS SELECT 0 AS done, x FROM'
            ' generate_series(1, 10) AS x")'
        ),
    )
    write_revision(
        app,
        "r2",
        "r1",
        header="import os",
        upgrade=(
            "with op.get_context().autocommit_block():\n"
            "    while op.get_bind().execute(sa.text(\n"
            '        "UPDATE big SET done = done + 1 WHERE x IN"\n'
            '        " (SELECT x FROM big WHERE done = 0 LIMIT 3)"\n'
            "    )).rowcount:\n"
            f"        {COUNT}\n"
            "        if op.get_bind().execute(sa.text('SELECT n FROM counter'))"
            ".scalar() == 2 and os.environ.pop('BREAK_ONCE', None):\n"
            f"            {BREAK}"
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BREAK_ONCE", "1")
        failing(app, alembic)

    assert counted(url) == 2
    upgrade(app, alembic)
    assert query(url, "SELECT DISTINCT done FROM big") == [(1,)]
    assert counted(url) == 4


@only_mariadb
def test_ids_of_skipped_rows(url: str, apps: Apps) -> None:
    """The id that a row got is known to the statements after it."""
    made = (
        'parent = sa.table("parent", sa.column("name"))\n'
        'op.execute("CREATE TABLE parent (id INTEGER AUTO_INCREMENT PRIMARY KEY,'
        ' name VARCHAR(9))")\n'
        "op.execute(\"INSERT INTO parent VALUES (6, 'first')\")\n"
        'found = op.get_bind().execute(sa.text("INSERT INTO parent (name)'
        " VALUES ('x')\")).lastrowid\n"
    )
    app, alembic = half_done(url, apps, made, MAKE, BREAK)
    write_revision(
        app,
        "r2",
        "r1",
        upgrade=(
            f"{made}\n{MAKE}\n"
            'op.execute(f"INSERT INTO made VALUES ({found}), (LAST_INSERT_ID())")'
            "  # mended"
        ),
    )
    upgrade(app, alembic)
    assert query(url, "SELECT id FROM made") == [(7,), (7,)]


@only_mariadb
def test_rows_that_are_not_known(url: str, apps: Apps) -> None:
    """Rows that a skipped statement returned are not made up."""
    insert = (
        'op.execute("INSERT INTO counter VALUES (1) RETURNING n")\n'
        'op.execute("INSERT INTO made VALUES (1)  -- returning")'
    )
    app, alembic = half_done(url, apps, MAKE, insert, BREAK_DDL)
    error = failing(app, alembic, HalfDoneError)
    assert "its statement 2 was done before, and the rows" in str(error)
    assert query(url, "SELECT COUNT(*) FROM counter") == [(2,)]


@pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)
def test_percent_signs(url: str, apps: Apps) -> None:
    """Names with a percent sign, which SQLAlchemy doubles for some drivers, are found
    again.
    """
    code = [
        'op.create_table("50% off", sa.Column("a%b", sa.Integer))',
        'op.create_index("i%", "50% off", ["a%b"])',
        "op.execute(\"INSERT INTO counter SELECT 7 FROM counter WHERE '%' LIKE '%'\")",
    ]
    app, alembic = half_done(url, apps, in_block(*code, BREAK), COUNT)
    query(url, "CREATE TABLE missing (id INTEGER)")
    assert upgrade(app, alembic).steps[0].continued == 3
    assert query(url, "SELECT n FROM counter ORDER BY n") == [(1,), (8,)]


@only_mariadb
def test_many_parameters(url: str, apps: Apps) -> None:
    """A statement with many sets of parameters is one."""
    app, alembic = half_done(
        url,
        apps,
        MAKE,
        'table = sa.table("made", sa.column("id", sa.Integer))',
        'op.bulk_insert(table, [{"id": 1}, {"id": 2}])',
        BREAK_DDL,
        'op.bulk_insert(table, [{"id": 3}, {"id": 4}])',
    )
    query(url, "CREATE TABLE missing (id INTEGER)")
    upgrade(app, alembic)
    assert query(url, "SELECT id FROM made") == [(1,), (2,), (3,), (4,)]


@only_mariadb
def test_temporary_table(url: str, apps: Apps) -> None:
    """A temporary table is gone with the session, so it is made again."""
    app, alembic = half_done(
        url,
        apps,
        'op.execute("CREATE TEMPORARY TABLE kept_aside (n INTEGER)")',
        'op.execute("INSERT INTO kept_aside VALUES (5)")',
        MAKE,
        BREAK_DDL,
        'op.execute("UPDATE counter SET n = (SELECT MAX(n) FROM kept_aside)")',
    )
    query(url, "CREATE TABLE missing (id INTEGER)")
    upgrade(app, alembic)
    assert counted(url) == 5


@only_postgresql
def test_invalid_index(url: str, apps: Apps, caplog: pytest.LogCaptureFixture) -> None:
    """An index that failed to be made concurrently is there, and not valid. It is
    dropped before it is made again.
    """
    index = 'op.execute("CREATE UNIQUE INDEX CONCURRENTLY ux ON counter (n)")'
    twice = 'op.execute("INSERT INTO counter VALUES (0)")'
    app, alembic = half_done(url, apps, twice, in_block(MAKE, index), COUNT)
    assert query(url, "SELECT indisvalid FROM pg_index WHERE NOT indisvalid")
    query(url, "UPDATE counter SET n = 7 WHERE ctid = (SELECT max(ctid) FROM counter)")
    upgrade(app, alembic)
    valid = "SELECT indisvalid FROM pg_index WHERE indrelid = 'counter'::regclass"
    assert query(url, valid) == [(True,)]
    assert query(url, "SELECT n FROM counter ORDER BY n") == [(1,), (8,)]
    assert (
        "The index ux of counter is left of a try that failed, and not valid. It is"
        " dropped." in caplog.text
    )


@pytest.mark.parametrize(
    ("server", "driver"),
    [("mariadb", "aiomysql"), ("postgresql", "asyncpg"), ("sqlite", "aiosqlite")],
    indirect=["server"],
)
def test_async_drivers(url: str, apps: Apps, driver: str) -> None:
    """With an async driver it is the same."""
    app, alembic, _ = apps.plain_async(with_driver(url, driver))
    write_revision(app, "r1", upgrade=COUNTER)
    write_revision(
        app, "r2", "r1", upgrade=f"{COUNT}\n{in_block(MAKE, COUNT, BREAK, COUNT)}"
    )
    failing(app, alembic)
    assert counted(url) == 2
    query(url, "CREATE TABLE missing (id INTEGER)")
    assert upgrade(app, alembic).steps[-1].continued == 3
    assert counted(url) == 3
    assert noted(url) == []


# Killed processes

FIVE: t.Final = (
    'op.create_table("item", sa.Column("id", sa.Integer), sa.Column("n", sa.Integer))',
    'op.execute("INSERT INTO item VALUES (1, 0)")',
    'op.add_column("item", sa.Column("size", sa.Integer))',
    'op.execute("UPDATE item SET n = n + 1")',
    'op.create_index("ix_item", "item", ["n"])',
)


@pytest.mark.faults
@pytest.mark.parametrize("first", range(1, 6))
@pytest.mark.parametrize("block", [False, True], ids=["plain", "block"])
def test_killed_anywhere(url: str, apps: Apps, block: bool, first: int) -> None:
    """Wherever a process is killed, before, within or after a statement of a revision
    or of ours, another run leads to what one clean run leads to.
    """
    app, _ = apps.plain(url)
    code = "\n".join(FIVE)
    write_revision(app, "r1", upgrade=in_block(code) if block else code)
    process = run_command(
        "python", str(KILLED_RUNS), app.root_path, url, str(first), "5"
    )
    assert process.returncode == 0, process.stderr
    results = json.loads(process.stdout)
    *killed, (last, again, clean) = results
    assert (last, again) == (0, 0)
    assert clean.get(JOURNAL, {"rows": []})["rows"] == []
    clean.pop(JOURNAL, None)
    assert clean == {
        "alembic_version": {
            "columns": ["version_num"],
            "indexes": [],
            "rows": [["r1"]],
        },
        "item": {
            "columns": ["id", "n", "size"],
            "indexes": ["ix_item"],
            "rows": [[1, 1, None]],
        },
    }
    assert killed

    for number, (ended, again, state) in enumerate(killed):
        assert (ended, again) == (-signal.SIGKILL, 0), (number, process.stderr)
        assert state.pop(JOURNAL, {"rows": []})["rows"] == [], number
        assert state == clean, number
