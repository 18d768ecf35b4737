"""``transaction_per_migration=False``: the whole run is one transaction, where the
database can do that.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from clients import require_client
from clients import run_script
from conftest import Cli
from conftest import find_once
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import MigrationFailed
from flask_alembic import PartialCommitError
from servers import Databases
from servers import Server

ONE: t.Final = {"transaction_per_migration": False}
FAIL: t.Final = "raise RuntimeError('boom')"
BLOCK: t.Final = """
with op.get_context().autocommit_block():
    op.execute("INSERT INTO t1 VALUES (2)")
""".strip()

TRANSACTIONAL: t.Final = pytest.mark.parametrize(
    "server", ["sqlite", "postgresql"], indirect=True
)


def create(name: str) -> str:
    """The code that makes a table."""
    return f"op.create_table({name!r}, sa.Column('id', sa.Integer))"


def line(app: Flask, third: str, second: str = create("t2"), **more: str) -> Path:
    """Three revisions, each of which makes a table."""
    write_revision(app, "r1", upgrade=create("t1"), **more)
    write_revision(app, "r2", "r1", upgrade=second, **more)
    return write_revision(app, "r3", "r2", upgrade=third, **more)


def make(apps: Apps, url: str) -> tuple[Flask, Alembic]:
    """An app whose runs are one transaction."""
    return apps.plain(url, sa.MetaData(), ALEMBIC_CONTEXT=ONE)


def several(apps: Apps, urls: t.Mapping[str, str]) -> tuple[Flask, Alembic]:
    """An app with several databases, whose runs are one transaction."""
    metadatas: dict[str | None, sa.MetaData] = {name: sa.MetaData() for name in urls}
    return apps.several(urls, metadatas, ALEMBIC_CONTEXT=ONE)


def heads(url: str) -> tuple[str, ...]:
    """What the version table holds."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return ()

        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return tuple(sorted(rows.scalars()))


def failing_upgrade(app: Flask, alembic: Alembic) -> MigrationFailed:
    """Upgrade, which fails."""
    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.upgrade()

    return caught.value


def upgrade(app: Flask, alembic: Alembic) -> list[tuple[str, str]]:
    """Upgrade: what was applied where."""
    with app.app_context():
        steps = alembic.upgrade().steps
        assert not alembic.needs_upgrade()

    return [(step.revision, step.database) for step in steps]


@TRANSACTIONAL
def test_nothing_of_the_run_is_kept(url: str, server: Server, apps: Apps) -> None:
    """The third revision fails, and the first two are rolled back too, which is told.
    When it is mended, all are applied.
    """
    app, alembic = make(apps, url)
    path = line(app, FAIL)
    error = failing_upgrade(app, alembic)
    assert error.applied == ()
    assert error.standing == {"default": ()}
    assert error.kept == ()
    assert error.revision == "r3"
    assert error.hint == (
        f"Nothing of this run was kept. Mend migrations/{path.name} and run it again."
    )
    assert tables(url) == set()

    line(app, f"{create('t3')}  # mended")
    assert upgrade(app, alembic) == [(f"r{n}", "default") for n in (1, 2, 3)]
    assert tables(url) == {"alembic_version", "t1", "t2", "t3"}


@TRANSACTIONAL
def test_run_that_begins_later(url: str, server: Server, apps: Apps) -> None:
    """What an earlier run has committed stays, up and down."""
    app, alembic = make(apps, url)
    write_revision(app, "r1", upgrade=create("t1"), downgrade=FAIL)
    upgrade(app, alembic)
    write_revision(
        app, "r2", "r1", upgrade=create("t2"), downgrade="op.drop_table('t2')"
    )
    path = write_revision(app, "r3", "r2", upgrade=FAIL)
    assert failing_upgrade(app, alembic).standing == {"default": ("r1",)}
    assert tables(url) == {"alembic_version", "t1"}

    path.unlink()
    upgrade(app, alembic)

    with app.app_context(), pytest.raises(MigrationFailed) as caught:
        alembic.downgrade("base")

    assert caught.value.applied == ()
    assert caught.value.standing == {"default": ("r2",)}
    assert heads(url) == ("r2",)
    assert tables(url) == {"alembic_version", "t1", "t2"}


def test_output(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """The command says so too."""
    app, _ = make(apps, sqlite_url)
    line(app, FAIL)
    result = db(app, "upgrade")
    lines = result.output.splitlines()
    assert lines[-3:] == [
        "default is at base.",
        "Error: Revision r3 failed on the database 'default': RuntimeError: boom",
        "Hint: Nothing of this run was kept. Mend migrations/r3_.py and run it again.",
    ]
    assert "upgrade" not in lines[0]


def test_interrupted(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """So it is after an interruption."""
    app, _ = make(apps, sqlite_url)
    line(app, "raise KeyboardInterrupt")
    result = db(app, "upgrade")
    assert result.output.splitlines()[:3] == [
        "default is at base.",
        "Revision r3 was interrupted on the database 'default'.",
        "Nothing of this run was kept. To go on, run the same command again.",
    ]
    assert tables(sqlite_url) == set()


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_each_revision_is_committed(url: str, apps: Apps) -> None:
    """MariaDB commits with every DDL, so each revision is committed there."""
    app, alembic = make(apps, url)
    line(app, FAIL)
    error = failing_upgrade(app, alembic)
    assert [step.revision for step in error.applied] == ["r1", "r2"]
    assert error.standing == {"default": ("r2",)}
    assert heads(url) == ("r2",)
    assert error.hint is not None
    assert error.hint.startswith("Nothing of this revision was kept.")
    line(app, f"{create('t3')}  # mended")
    assert upgrade(app, alembic) == [("r3", "default")]


# autocommit_block()


def test_block_in_an_earlier_revision(url: str, server: Server, apps: Apps) -> None:
    """A block commits what came before it: the revisions that had ended, and a part of
    its own. The error tells just that.
    """
    app, alembic = make(apps, url)
    line(app, FAIL, f"{create('t2')}\n{BLOCK}\n{create('t2b')}")
    error = failing_upgrade(app, alembic)
    assert error.revision == "r3"
    assert heads(url) == error.standing["default"]

    if server.name == "mariadb":
        assert [step.revision for step in error.applied] == ["r1", "r2"]
        assert error.kept == ()
        return

    assert [step.revision for step in error.applied] == ["r1"]
    assert error.standing == {"default": ("r1",)}
    assert error.kept == (
        "CREATE TABLE t2 ( id INTEGER )",
        "INSERT INTO t1 VALUES (2)",
    )
    assert error.kept_of == "r2"
    assert tables(url) == {"alembic_version", "t1", "t2"}
    assert error.hint is not None
    assert error.hint.startswith("What ran in autocommit_block(), and before it, can't")


@TRANSACTIONAL
def test_output_of_a_block(url: str, server: Server, apps: Apps, db: Cli) -> None:
    """The command names the revision that the kept statements are of."""
    app, _ = make(apps, url)
    line(app, FAIL, f"{create('t2')}\n{BLOCK}")
    output = db(app, "upgrade").output
    assert "Kept on default of r2:\n  CREATE TABLE t2 ( id INTEGER )\n" in output
    assert "default is at r1." in output


@TRANSACTIONAL
def test_block_in_the_failing_revision(url: str, server: Server, apps: Apps) -> None:
    """In the revision that fails, it is the same."""
    app, alembic = make(apps, url)
    path = line(app, f"{BLOCK}\n{FAIL}")
    error = failing_upgrade(app, alembic)
    assert [step.revision for step in error.applied] == ["r1", "r2"]
    assert error.standing == {"default": ("r2",)}
    assert heads(url) == ("r2",)
    assert error.kept == ("INSERT INTO t1 VALUES (2)",)
    assert error.kept_of == "r3"

    path.write_text(path.read_text().replace(FAIL, "pass"))
    assert upgrade(app, alembic) == [("r3", "default")]


@TRANSACTIONAL
def test_empty_block(url: str, server: Server, apps: Apps) -> None:
    """A block commits the revisions before it, whether or not it keeps statements."""
    app, alembic = make(apps, url)
    line(app, f"with op.get_context().autocommit_block():\n    pass\n{FAIL}")
    error = failing_upgrade(app, alembic)
    assert error.standing == {"default": ("r2",)}
    assert [step.revision for step in error.applied] == ["r1", "r2"]
    assert heads(url) == ("r2",)
    assert error.kept == ()
    assert error.hint is not None
    assert error.hint.startswith("Nothing of this revision was kept.")


@TRANSACTIONAL
def test_block_in_a_run_that_succeeds(url: str, server: Server, apps: Apps) -> None:
    """A block is no obstacle."""
    app, alembic = make(apps, url)
    line(app, create("t3"), BLOCK)
    assert len(upgrade(app, alembic)) == 3
    assert heads(url) == ("r3",)


# Several databases


def test_several(databases: Databases, apps: Apps) -> None:
    """If a revision fails on one database, nothing of the run is kept on any that can
    roll back. Otherwise all is applied on all.
    """
    urls = {"default": databases.make(), "other": databases.make()}
    app, alembic = several(apps, urls)
    fail = f"if engine_name == 'other':\n    {FAIL}"
    path = line(app, fail, arguments="engine_name")
    error = failing_upgrade(app, alembic)

    if databases.server.name == "mariadb":
        assert error.standing == {"default": ("r3",), "other": ("r2",)}
        assert len(error.applied) == 5
    else:
        assert error.standing == {"default": (), "other": ()}
        assert error.applied == ()
        assert tables(urls["default"]) == tables(urls["other"]) == set()

    assert {name: heads(url) for name, url in urls.items()} == error.standing
    path.write_text(path.read_text().replace(FAIL, "pass"))
    applied = upgrade(app, alembic)

    if databases.server.name != "mariadb":
        names = ("default", "other")
        assert applied == [(f"r{n}", name) for name in names for n in (1, 2, 3)]


@pytest.fixture
def mixed(tmp_path: Path, apps: Apps) -> t.Iterator[dict[str, str]]:
    """A database that can roll back, and one that can't."""
    made = []

    for name in ("postgresql", "mariadb"):
        server = find_once(name)

        if server.problem:
            pytest.skip(server.problem)

        made.append(Databases(server, tmp_path))

    yield {"default": made[0].make(), "other": made[1].make()}
    apps.close()

    for databases in made:
        databases.drop_all()


def test_servers_of_different_kinds(mixed: dict[str, str], apps: Apps) -> None:
    """Of two databases of which one can't roll back, the other one can. Each goes on
    from where it is.
    """
    app, alembic = several(apps, mixed)
    fail = f"if engine_name == 'default':\n    {FAIL}"
    path = line(app, fail, arguments="engine_name")
    error = failing_upgrade(app, alembic)
    assert error.standing == {"default": (), "other": ("r2",)}
    assert [(s.revision, s.database) for s in error.applied] == [
        ("r1", "other"),
        ("r2", "other"),
    ]
    assert {name: heads(url) for name, url in mixed.items()} == error.standing
    assert error.hint is not None
    # The other one has r2, and not this revision.
    assert error.hint.startswith("Nothing of this revision was kept. Mend")

    path.write_text(path.read_text().replace(FAIL, "pass"))
    assert sorted(upgrade(app, alembic)) == [
        ("r1", "default"),
        ("r2", "default"),
        ("r3", "default"),
        ("r3", "other"),
    ]


DEFERRED: t.Final = """
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
op.execute(
    "CREATE TABLE child (parent INTEGER, FOREIGN KEY (parent) REFERENCES parent (id)"
    " DEFERRABLE INITIALLY DEFERRED)"
)
""".strip()
CHILD: t.Final = 'op.execute("INSERT INTO child VALUES (7)")'
PARENT: t.Final = 'op.execute("INSERT INTO parent VALUES (7)")'


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_deferred_constraint(databases: Databases, apps: Apps) -> None:
    """A deferred constraint may be met by a later revision. At the end it is checked on
    all databases, before the first one commits.
    """
    urls = {"default": databases.make(), "other": databases.make()}
    app, alembic = several(apps, urls)
    write_revision(app, "r1", upgrade=DEFERRED, arguments="engine_name")
    write_revision(app, "r2", "r1", upgrade=CHILD, arguments="engine_name")
    code = f"if engine_name == 'default':\n    {PARENT}"
    path = write_revision(app, "r3", "r2", upgrade=code, arguments="engine_name")
    error = failing_upgrade(app, alembic)
    assert not isinstance(error, PartialCommitError)
    assert error.database == "other"
    assert "ForeignKeyViolation" in str(error)
    assert error.standing == {"default": (), "other": ()}
    assert error.applied == ()

    path.write_text(path.read_text().replace("'default'", "engine_name"))
    assert len(upgrade(app, alembic)) == 6


@TRANSACTIONAL
def test_commit_fails_where_less_was_to_do(databases: Databases, apps: Apps) -> None:
    """A commit that fails on a database that has the last revision already is told as
    any other.
    """
    urls = {"default": databases.make(), "other": databases.make()}
    app, alembic = several(apps, urls)

    for name in ("a1", "b1"):
        write_revision(app, name, upgrade=create("t2"), arguments="engine_name")

    with app.app_context():
        last = alembic.sql()["default"].rpartition("-- upgrade ")[2][:2]
        alembic.stamp(last, databases="other")

    write_revision(app, last, upgrade="pass", arguments="engine_name")
    faulty, faulty_alembic = several_with_a_fault(apps, app, urls)
    error = failing_upgrade(faulty, faulty_alembic)
    assert error.database == "other"
    assert error.revision == ("b1" if last == "a1" else "a1")
    assert error.standing == {"default": ("a1", "b1"), "other": (last,)}
    assert {name: heads(url) for name, url in urls.items()} == error.standing


def several_with_a_fault(
    apps: Apps, app: Flask, urls: t.Mapping[str, str]
) -> tuple[Flask, Alembic]:
    """The same app, where no commit of a run succeeds on ``other``."""
    engines: dict[str | None, sa.Engine] = {n: apps.engine(u) for n, u in urls.items()}
    other = engines["other"]
    assert other is not None

    def refuse(connection: sa.Connection) -> None:
        if sa.inspect(connection).has_table("t2"):
            raise RuntimeError("not today")

    sa.event.listen(other, "commit", refuse)
    again = Flask("app", root_path=app.root_path)
    again.config["ALEMBIC_CONTEXT"] = ONE
    metadatas: dict[str | None, sa.MetaData] = {name: sa.MetaData() for name in urls}
    return again, Alembic(again, metadatas=metadatas, engines=engines)


@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
def test_partial_commit(databases: Databases, apps: Apps) -> None:
    """If one commit fails after another one succeeded, it is told who has the run. A
    second one completes the others.
    """
    urls = {"default": databases.make(), "other": databases.make()}
    app, _ = several(apps, urls)
    line(app, create("t3"), arguments="engine_name")
    faulty, faulty_alembic = several_with_a_fault(apps, app, urls)
    error = failing_upgrade(faulty, faulty_alembic)
    assert isinstance(error, PartialCommitError)
    assert error.standing == {"default": ("r3",), "other": ()}
    assert [(s.revision, s.database) for s in error.applied] == [
        (f"r{n}", "default") for n in (1, 2, 3)
    ]
    assert {name: heads(url) for name, url in urls.items()} == error.standing
    apps.close()

    app, alembic = several(apps, urls)
    line(app, create("t3"), arguments="engine_name")
    assert upgrade(app, alembic) == [(f"r{n}", "other") for n in (1, 2, 3)]


@TRANSACTIONAL
def test_asked_for_on_one_database(databases: Databases, apps: Apps) -> None:
    """What is set for one database holds for the run, as the databases keep in step."""
    urls = {"default": databases.make(), "other": databases.make()}
    metadatas: dict[str | None, sa.MetaData] = {name: sa.MetaData() for name in urls}
    context = {"databases": {"other": ONE}}
    app, alembic = apps.several(urls, metadatas, ALEMBIC_CONTEXT=context)
    line(app, FAIL, arguments="engine_name")
    assert failing_upgrade(app, alembic).standing == {"default": (), "other": ()}


# Scripts


def test_script(url: str, server: Server, apps: Apps, tmp_path: Path) -> None:
    """A script is one transaction too. Where each revision is committed anyway, it has
    one for each.
    """
    require_client(server.name)
    app, alembic = make(apps, url)
    line(app, create("t3"))

    with app.app_context():
        script = alembic.sql()["default"]

    count = 3 if server.name == "mariadb" else 1
    statements = [text.strip() for text in script.splitlines()]
    begins = sum(text.startswith(("BEGIN", "START TRANSACTION")) for text in statements)
    assert begins == statements.count("COMMIT;") == count
    run_script(url, script, tmp_path)
    assert heads(url) == ("r3",)
    assert tables(url) == {"alembic_version", "t1", "t2", "t3"}
