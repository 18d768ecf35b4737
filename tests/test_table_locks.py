"""Tables that others use while a revision needs them: nobody waits for long."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import find_once
from flask_alembic import Alembic
from flask_alembic import Blocker
from flask_alembic import MigrationFailed
from flask_alembic import RevisionFileError
from flask_alembic import TableLocked
from flask_alembic.lock_needs import blocks_reads
from flask_alembic.lock_needs import need_of
from flask_alembic.retries import pause
from flask_alembic.statements import bare
from flask_alembic.statements import names_in
from own_servers import OwnMariaDB
from servers import Databases
from servers import with_driver
from sessions import APPLICATION
from sessions import ask
from sessions import is_waiting
from sessions import Session
from sessions import until

pytestmark = pytest.mark.faults

on_servers = pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
on_mariadb = pytest.mark.parametrize("server", ["mariadb"], indirect=True)
on_async = pytest.mark.parametrize(
    "driver", ["asyncpg", "psycopg", "aiomysql"], indirect=True
)

ITEMS: t.Final = (
    'op.execute("CREATE TABLE item (id integer PRIMARY KEY, size integer)")\n'
    'op.execute("INSERT INTO item VALUES (1, 1), (2, 2)")'
)
ALTER: t.Final = 'op.execute("ALTER TABLE item ADD COLUMN text varchar(20)")'
ADD: t.Final = 'op.execute("UPDATE item SET size = size + 10 WHERE id = 1")'
READ: t.Final = "SELECT * FROM item"

# MariaDB counts in whole seconds.
SHORT: t.Final = {"ddl_lock_timeout": 0.2, "ddl_lock_retries": 1}


def with_items(
    apps: Apps, url: str, upgrade: str, attributes: t.Any = (), **settings: t.Any
) -> tuple[Flask, Alembic]:
    """An app whose database has the table item; another revision is to be run."""
    app, alembic = apps.plain(url, ALEMBIC={**SHORT, **settings})
    write_revision(app, "r1", upgrade=ITEMS)

    with app.app_context():
        alembic.upgrade()

    write_revision(app, "r2", "r1", upgrade=upgrade, **dict(attributes))
    return app, alembic


def upgrade(app: Flask, alembic: Alembic) -> t.Any:
    with app.app_context():
        return alembic.upgrade()


def engine_of(alembic: Alembic) -> sa.Engine:
    return t.cast(sa.Engine, next(iter(alembic.engines.values())))


def failing(app: Flask, alembic: Alembic) -> TableLocked:
    with pytest.raises(TableLocked) as info:
        upgrade(app, alembic)

    return info.value


def versions(url: str) -> list[tuple[str]]:
    return ask(url, "SELECT version_num FROM alembic_version")


def columns(url: str) -> int:
    return len(ask(url, READ)[0])


# Trying again


@on_servers
def test_reader_that_lets_go(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """A revision waits for a reader, and takes effect once."""
    caplog.set_level(logging.INFO, "flask_alembic")
    app, alembic = with_items(apps, url, f"{ALTER}\n{ADD}", ddl_lock_retries=10)

    with Session(url) as reader:
        reader.execute(READ)
        reader.let_go_after(1.5)
        report = upgrade(app, alembic)

    assert [step.revision for step in report.steps] == ["r2"]
    assert versions(url) == [("r2",)]
    assert ask(url, "SELECT size, text FROM item ORDER BY id") == [
        (11, None),
        (2, None),
    ]
    told = [r.getMessage() for r in caplog.records if r.name == "flask_alembic"]
    assert told[0].startswith(
        "Revision r2 waits for a table of the database 'default'; trying again in "
    )
    assert told[0].endswith(" s (attempt 2 of 11)")


@on_async
def test_async_reader_that_lets_go(
    async_databases: Databases, apps: Apps, driver: str
) -> None:
    """Each driver's error for a lock is known."""
    url = async_databases.make()
    app, alembic, _ = apps.plain_async(with_driver(url, driver))
    app.config["ALEMBIC"] = {"ddl_lock_timeout": 0.2}
    write_revision(app, "r1", upgrade=ITEMS)
    upgrade(app, alembic)
    write_revision(app, "r2", "r1", upgrade=f"{ALTER}\n{ADD}")

    with Session(url) as reader:
        reader.execute(READ)
        reader.let_go_after(1)
        upgrade(app, alembic)

    assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (2,)]


@on_servers
def test_idle_reader(url: str, apps: Apps) -> None:
    """A session that is in no transaction does no harm."""
    app, alembic = with_items(apps, url, ALTER, ddl_lock_retries=0)

    with Session(url) as reader:
        reader.connection.execution_options(isolation_level="AUTOCOMMIT")
        reader.execute(READ)
        upgrade(app, alembic)

    assert columns(url) == 3


@on_servers
def test_readers_go_on(url: str, apps: Apps) -> None:
    """Who comes after a statement that waits gets an answer before the run gives up."""
    app, alembic = with_items(apps, url, ALTER, ddl_lock_retries=3)
    answered = threading.Event()

    def read() -> None:
        until(lambda: is_waiting(url, "ALTER"))
        ask(url, READ)
        answered.set()

    thread = threading.Thread(target=read)

    with Session(url) as reader:
        reader.execute(READ)
        thread.start()
        failing(app, alembic)
        assert answered.is_set()

    thread.join()


@on_servers
def test_pauses_hold_nothing(
    url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run pauses it is in no transaction, and what it did is rolled back."""
    other = "op.execute('CREATE TABLE other (id integer)')\n"
    first = other if "postgres" in url else ""
    app, alembic = with_items(apps, url, first + ALTER)
    seen = []

    def sleep(seconds: float) -> None:
        connection = t.cast(sa.Connection, alembic.migration_context.connection)
        seen.append((connection.in_transaction(), open_transactions(url)))

    monkeypatch.setattr("flask_alembic.unit.time.sleep", sleep)

    with Session(url) as reader:
        reader.execute(READ)
        failing(app, alembic)
        assert seen == [(False, {reader.id} if "postgres" in url else seen[0][1])]

    if "postgres" in url:
        assert ask(url, "SELECT to_regclass('other')") == [(None,)]


def open_transactions(url: str) -> set[int]:
    if "mysql" in url:
        return set()

    rows = ask(
        url,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
        # The lock of the run, whose transaction keeps nobody waiting.
        " AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
    )
    return {pid for (pid,) in rows}


@contextmanager
def writing(url: str) -> t.Iterator[None]:
    """Another program writes to a database of SQLite."""
    path = sa.make_url(url).database
    assert path is not None
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    try:
        yield
    finally:
        connection.close()


def test_sqlite_is_busy(
    sqlite_url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """On SQLite all is tried again while others write, and then given up."""
    caplog.set_level(logging.INFO, "flask_alembic")
    app, alembic = apps.plain(
        f"{sqlite_url}?timeout=0.05", ALEMBIC={"ddl_lock_retries": 1}
    )
    write_revision(app, "r1", upgrade=ITEMS)

    with writing(sqlite_url):
        error = failing(app, alembic)

    assert str(error).startswith(
        "Revision r1 gave up on the database 'default': others kept writing to it. It"
        " was tried 2 times, in "
    )
    assert str(error).endswith("Who it was, SQLite does not tell.")
    assert error.exit_code == 3
    assert (error.kept, error.blockers) == ((), ())
    assert "Revision r1 waits for the database 'default'; trying" in caplog.text
    upgrade(app, alembic)
    assert versions(sqlite_url) == [("r1",)]


# Giving up


@on_servers
def test_give_up(url: str, apps: Apps) -> None:
    """The error has who is in the way, and all that a failed revision tells."""
    app, alembic = with_items(apps, url, ALTER)

    with Session(url) as reader:
        reader.execute(READ)
        error = failing(app, alembic)

    assert str(error).startswith(
        "Revision r2 gave up on the database 'default': others kept a table that it"
        " needs. It was tried 2 times, in "
    )
    assert error.exit_code == 3
    assert (error.database, error.revision) == ("default", "r2")
    assert error.standing == {"default": ("r1",)}
    assert error.kept == ()
    assert isinstance(error, sa.exc.OperationalError)
    blocker = next(found for found in error.blockers if found.session == reader.id)
    assert blocker.seconds is not None and 0 <= blocker.seconds < 30
    assert versions(url) == [("r1",)]
    assert columns(url) == 2
    upgrade(app, alembic)
    assert columns(url) == 3


@on_postgresql
def test_blocker(url: str, apps: Apps) -> None:
    """PostgreSQL tells who it is and what they did last. Who is not in the way is not
    blamed.
    """
    app, alembic = with_items(apps, url, ALTER)

    with Session(url) as reader, Session(url) as other:
        reader.execute(f"{READ} /* {'long ' * 30} */")
        other.execute("SELECT * FROM alembic_version")
        (found,) = failing(app, alembic).blockers

    query = f"{READ} /* {'long ' * 30}"[:80]
    user = sa.make_url(url).username
    assert found == Blocker(
        reader.id, user, APPLICATION, "idle in transaction", found.seconds, query
    )


@on_postgresql
def test_blockers_of_references(url: str, apps: Apps) -> None:
    """A table that a foreign key leads to is needed too, and that of an index."""
    drop = 'op.execute("DROP TABLE child")'
    app, alembic = with_items(apps, url, drop)
    ask(url, "CREATE TABLE child (item_id integer REFERENCES item)")

    with Session(url) as reader:
        reader.execute(READ)
        assert [b.session for b in failing(app, alembic).blockers] == [reader.id]

    ask(url, 'CREATE INDEX "Size of" ON item (size)')
    drop = "op.execute('DROP INDEX \"Size of\"')"
    write_revision(app, "r2", "r1", upgrade=drop)

    with Session(url) as reader:
        reader.execute(READ)
        assert [b.session for b in failing(app, alembic).blockers] == [reader.id]


@on_postgresql
def test_reader_is_not_blamed_for_a_writer(url: str, apps: Apps) -> None:
    """An index can be made while others read."""
    index = 'op.execute("CREATE INDEX by_size ON item (size)")'
    app, alembic = with_items(apps, url, index)

    with Session(url) as reader, Session(url) as writer:
        reader.execute(READ)
        writer.execute("UPDATE item SET size = 5 WHERE id = 2")
        assert [b.session for b in failing(app, alembic).blockers] == [writer.id]
        writer.let_go()
        upgrade(app, alembic)


@on_postgresql
def test_blocker_has_let_go(
    url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nobody is there any more, the error says so."""
    app, alembic = with_items(apps, url, ALTER, ddl_lock_retries=0)

    with Session(url) as reader:
        reader.execute(READ)

        @sa.event.listens_for(engine_of(alembic), "handle_error")
        def handle_error(context: object) -> None:
            reader.let_go()

        error = failing(app, alembic)

    assert error.blockers == ()
    assert "It was tried once, in " in str(error)
    assert str(error).endswith(" Whoever it was has let go by now.")


@on_servers
def test_command(url: str, apps: Apps, db: Cli) -> None:
    """The command prints a line a session, and exits with 3."""
    app, _ = with_items(apps, url, ALTER)

    with Session(url) as reader:
        reader.execute(READ)
        result = db(app, "upgrade")

    assert result.exit_code == 3
    lines = result.stderr.splitlines()
    (line,) = [line for line in lines if line.startswith(f"  session {reader.id}, ")]
    user = sa.make_url(url).username

    if "postgres" in url:
        assert "This session is in the way." in result.stderr
        start, _, query = line.partition(": ")
        assert start.startswith(
            f"  session {reader.id}, user {user}, {APPLICATION}, idle in transaction,"
            " for "
        )
        assert query == READ
    else:
        honest = "Who it was, MariaDB does not tell; these transactions are open now."
        assert honest in result.stderr
        assert line.startswith(f"  session {reader.id}, user {user}, Sleep, for ")

    assert "SQL: ALTER TABLE item ADD COLUMN text varchar(20)" in lines
    assert (
        "Hint: Nothing of this revision was kept. To go on, end the session that is in"
        " the way, or wait for a quiet time, and run the same command again."
        " ALEMBIC['ddl_lock_timeout'] and ALEMBIC['ddl_lock_retries'] say how long it"
        " waits." in lines
    )
    assert "default is at r1." in lines


@on_postgresql
def test_queries_are_not_shown(url: str, apps: Apps, db: Cli) -> None:
    """Queries of others may hold what nobody is to see."""
    app, alembic = with_items(apps, url, ALTER, show_queries=False)

    with Session(url) as reader:
        reader.execute(f"{READ} WHERE size = 4711")
        (found,) = failing(app, alembic).blockers
        assert found.query is None
        assert "4711" not in db(app, "upgrade").output


@on_postgresql
def test_password_in_a_query(databases: Databases, apps: Apps) -> None:
    """The password of our database is not shown, even where it would be cut."""
    url = sa.make_url(databases.make()).set(password="s3cret-word")
    app, alembic = with_items(apps, url.render_as_string(hide_password=False), ALTER)
    text = url.render_as_string(hide_password=False)

    with Session(text) as reader:
        reader.execute(f"{READ} WHERE '{'x' * 45}s3cret-word' = ''")
        (found,) = failing(app, alembic).blockers

    assert found.query is not None
    assert found.query.endswith("x***' = ''")


@on_mariadb
def test_kept_statements(url: str, apps: Apps, db: Cli) -> None:
    """Without the journal, what can't be rolled back would run twice. So it is not
    tried again.
    """
    app, alembic = with_items(
        apps, url, f"{ADD}\n{ALTER}", ddl_lock_retries=10, journal=False
    )

    with Session(url) as reader:
        reader.execute(READ)
        error = failing(app, alembic)

    assert "It was tried once, in " in str(error)
    assert error.kept == ("UPDATE item SET size = size + 10 WHERE id = 1",)
    assert error.hint is not None
    assert error.hint.startswith(
        "MariaDB can't roll back DDL. Undo by hand what was kept; then end the session"
    )


@on_postgresql
def test_kept_in_autocommit_block(url: str, apps: Apps) -> None:
    """The same in an autocommit block."""
    code = f'with op.get_context().autocommit_block():\n    op.execute("{READ}")\n'
    code += "    op.execute('CREATE TABLE other (id integer)')\n" + ALTER
    app, alembic = with_items(apps, url, code, ddl_lock_retries=10, journal=False)

    with Session(url) as reader:
        reader.execute(READ)
        error = failing(app, alembic)

    assert "It was tried once, in " in str(error)
    assert error.kept == ("CREATE TABLE other (id integer)",)


@on_servers
def test_only_the_statement_is_tried_again(url: str, apps: Apps) -> None:
    """With the journal, what is committed already is not run again."""
    code = f"{ADD}\n{ALTER}"

    if "postgres" in url:
        block = f"{ADD}\n{ALTER}".replace("\n", "\n    ")
        code = f"with op.get_context().autocommit_block():\n    {block}"

    app, alembic = with_items(apps, url, code)

    with Session(url) as reader:
        reader.execute(READ)
        error = failing(app, alembic)

    assert "It was tried 2 times" in str(error)
    assert error.kept == ("UPDATE item SET size = size + 10 WHERE id = 1",)
    assert "What was kept is noted, and not run again. End the" in str(error.hint)
    upgrade(app, alembic)

    assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (2,)]
    assert columns(url) == 3


# Which statements


TIMEOUT: t.Final = "INSERT INTO seen (value) SELECT current_setting('lock_timeout')"
SEEN: t.Final = "CREATE TABLE seen (id serial, value text)"


def seen(url: str) -> list[str]:
    return [value for (value,) in ask(url, "SELECT value FROM seen ORDER BY id")]


@on_postgresql
def test_timeout_in_a_transaction(url: str, apps: Apps) -> None:
    """Statements have a timeout from the first on that locks a table. That of the
    database itself holds before.
    """
    code = f'op.execute("{TIMEOUT}")\n{ALTER}\nop.execute("{TIMEOUT}")'
    app, alembic = with_items(apps, url, code)
    ask(url, SEEN)
    upgrade(app, alembic)
    assert seen(url) == ["0", "200ms"]

    write_revision(app, "r3", "r2", upgrade=code.replace("text", "more"))
    name = sa.make_url(url).database
    ask(url, f"ALTER DATABASE {name} SET lock_timeout = '7s'")
    upgrade(app, alembic)
    assert seen(url)[2:] == ["7s", "200ms"]


@on_postgresql
def test_timeout_in_one_transaction(url: str, apps: Apps) -> None:
    """Tables that one revision locked are locked while the next one runs, too."""
    app, alembic = with_items(apps, url, ALTER)
    write_revision(app, "r3", "r2", upgrade=f'op.execute("{TIMEOUT}")')
    app.config["ALEMBIC_CONTEXT"] = {"transaction_per_migration": False}
    ask(url, SEEN)
    upgrade(app, alembic)
    assert seen(url) == ["200ms"]


@on_postgresql
def test_timeout_after_a_savepoint(url: str, apps: Apps) -> None:
    """Rolling back to a savepoint takes the timeout back; it is set again."""
    code = (
        "savepoint = op.get_bind().begin_nested()\n"
        f"{ALTER}\nsavepoint.rollback()\n"
        f'op.execute("{TIMEOUT}")\n'
        'op.execute("SAVEPOINT ours")\n'
        f'{ALTER}\nop.execute("ROLLBACK TO SAVEPOINT ours")\n'
        f'op.execute("{TIMEOUT}")\n'
    )
    app, alembic = with_items(apps, url, code)
    ask(url, SEEN)
    upgrade(app, alembic)
    assert seen(url) == ["200ms", "200ms"]


BLOCK: t.Final = f"""
with op.get_context().autocommit_block():
    op.execute("{TIMEOUT}")
    {ALTER}
    op.execute("{TIMEOUT}")
    op.execute("CREATE INDEX CONCURRENTLY by_size ON item (size)")
op.execute("{TIMEOUT}")
op.execute("CREATE TABLE other (id integer)")
op.execute("{TIMEOUT}")
""".strip()


@on_postgresql
def test_timeout_in_autocommit_block(url: str, apps: Apps) -> None:
    """Each statement stands alone there."""
    app, alembic = with_items(apps, url, BLOCK)
    ask(url, SEEN)
    upgrade(app, alembic)
    assert seen(url) == ["0", "0", "0", "200ms"]


@on_postgresql
def test_lock_in_autocommit_block(url: str, apps: Apps) -> None:
    """A table is waited for no longer there."""
    code = f"with op.get_context().autocommit_block():\n    {ALTER}"
    app, alembic = with_items(apps, url, code)

    with Session(url) as reader:
        reader.execute(READ)
        failing(app, alembic)
        reader.let_go()

    upgrade(app, alembic)


@on_postgresql
def test_revision_with_a_timeout_of_its_own(url: str, apps: Apps) -> None:
    """A revision that sets the timeout is left alone."""
    code = (
        f"{ALTER}\nop.execute(\"SET LOCAL lock_timeout = '3s'\")\n"
        f'{ALTER.replace("text", "more")}\nop.execute("{TIMEOUT}")'
    )
    app, alembic = with_items(apps, url, code)
    after = f'{ALTER.replace("text", "last")}\nop.execute("{TIMEOUT}")'
    write_revision(app, "r3", "r2", upgrade=after)
    ask(url, SEEN)
    upgrade(app, alembic)
    assert seen(url) == ["3s", "200ms"]


PATIENT: t.Final = (
    ("CREATE INDEX CONCURRENTLY by_size ON item (size)", READ),
    (
        "ALTER TABLE item VALIDATE CONSTRAINT small",
        "LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE",
    ),
    ("UPDATE item SET size = 9", "LOCK TABLE item IN SHARE MODE"),
)


@on_postgresql
@pytest.mark.parametrize(("statement", "lock"), PATIENT)
def test_no_timeout(url: str, apps: Apps, statement: str, lock: str) -> None:
    """What keeps nobody waiting waits as long as it takes."""
    code = f'op.execute("{statement}")'

    if "CONCURRENTLY" in statement:
        code = f"with op.get_context().autocommit_block():\n    {code}"

    app, alembic = with_items(apps, url, code, ddl_lock_retries=0)
    ask(url, "ALTER TABLE item ADD CONSTRAINT small CHECK (size < 100) NOT VALID")

    with Session(url) as other:
        # CONCURRENTLY waits for those who have written.
        other.execute(lock if lock != READ else "UPDATE item SET size = 3 WHERE id = 1")
        other.let_go_after(1)
        upgrade(app, alembic)


NEEDS: t.Final = {
    "ALTER TABLE item ADD COLUMN a int": "LIMIT",
    " -- comment\n /* more; */ alter\n table item ADD COLUMN a int": "LIMIT",
    "CREATE INDEX a ON item (b)": "LIMIT",
    "CREATE TABLE a (b int)": "LIMIT",
    "DROP TABLE item": "LIMIT",
    "TRUNCATE item": "LIMIT",
    "LOCK TABLE item": "LIMIT",
    "DO $$ BEGIN ALTER TABLE item ADD a int; END $$": "LIMIT",
    "VACUUM FULL item": "LIMIT",
    "SELECT 1; ALTER TABLE item ADD a int": "LIMIT",
    "ALTER TABLE item ADD a int, VALIDATE CONSTRAINT b": "LIMIT",
    "ALTER TABLE item VALIDATE CONSTRAINT b, ADD a int": "LIMIT",
    "COMMENT ON TABLE item IS 'set CONCURRENTLY'": "LIMIT",
    'ALTER TABLE item ADD "CONCURRENTLY" int': "LIMIT",
    "ALTER TABLE item VALIDATE CONSTRAINT b": "PATIENCE",
    'alter table if exists only "an item"."b" validate constraint "a b";': "PATIENCE",
    "CREATE UNIQUE INDEX CONCURRENTLY a ON item (b)": "PATIENCE",
    "-- CONCURRENTLY: see below\nDROP INDEX CONCURRENTLY a": "PATIENCE",
    "REINDEX (VERBOSE) INDEX CONCURRENTLY a": "PATIENCE",
    "ALTER TABLE a DETACH PARTITION b CONCURRENTLY": "PATIENCE",
    "ANALYZE item": "PATIENCE",
    "VACUUM item": "PATIENCE",
    "SELECT 1": "NONE",
    "(SELECT 1) UNION (SELECT 2)": "NONE",
    "WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a": "NONE",
    "INSERT INTO a VALUES ('x; ALTER TABLE item ADD b int')": "NONE",
    "INSERT INTO a VALUES (E'\\'; ALTER TABLE item')": "NONE",
    "UPDATE a SET b = 'CONCURRENTLY'": "NONE",
    "SAVEPOINT a": "NONE",
    "SET CONSTRAINTS ALL IMMEDIATE": "NONE",
    "SET search_path = a": "NONE",
    "-- nothing": "NONE",
    "": "NONE",
    "COMMIT": "END",
    "ROLLBACK TO SAVEPOINT a": "END",
    "SET lock_timeout = '2s'": "OWN",
    "/* ours */ set local lock_timeout to 5": "OWN",
    "SET SESSION lock_timeout = 0; ALTER TABLE item ADD a int": "OWN",
    "RESET lock_timeout": "OWN",
    "SELECT set_config('lock_timeout', '5s', true)": "OWN",
}


@pytest.mark.parametrize(("statement", "need"), NEEDS.items())
def test_needs(statement: str, need: str) -> None:
    """The text of a statement tells what it needs."""
    assert need_of(statement).name == need


@given(st.text(alphabet="abE'\"$`/*-;#\\\n (", max_size=40))
def test_any_text(text: str) -> None:
    """No text is too strange to be looked at, and its keywords are found behind."""
    need_of(text)
    blocks_reads(text)
    names_in(text, "postgresql")
    assert need_of(f"/* {text.replace('*', '')} */ DROP TABLE a").name == "LIMIT"
    quoted = text.replace("'", "").replace("\\", "")
    assert bare(f"SELECT '{quoted}'", "postgresql") == ["SELECT ''"]


@pytest.mark.parametrize(
    ("text", "dialect", "names"),
    [
        ('ALTER TABLE Todo ADD "Text" int', "postgresql", {"todo", "Text"}),
        ("DROP INDEX a.b -- c\n", "postgresql", {"a", "b"}),
        ("DO $x$ BEGIN DROP TABLE a; END $x$", "postgresql", {"a"}),
        ('DROP TABLE "a""b"', "postgresql", {'a"b'}),
        ("ALTER TABLE `a b` ADD C int", "mysql", {"a b", "C"}),
        ("COMMENT ON TABLE a IS 'b'", "postgresql", {"a"}),
    ],
)
def test_names(text: str, dialect: str, names: set[str]) -> None:
    """The names in a statement are found, as the database has them."""
    keywords = {"alter", "table", "add", "int", "drop", "index", "do", "begin", "end"}
    keywords |= {"comment", "on", "is", "x$"}
    assert {n for n in names_in(text, dialect) if n.lower() not in keywords} == names


@given(
    st.integers(1, 10_000),
    st.floats(0.01, 10),
    st.floats(0.01, 100),
    st.floats(0, 1),
)
def test_pause(attempt: int, first: float, longest: float, chance: float) -> None:
    """A pause is between nothing and a limit, which doubles up to the highest."""

    def limit(number: int) -> float:
        return pause(number, first=first, longest=longest, chance=lambda: 1.0)

    found = pause(attempt, first=first, longest=longest, chance=lambda: chance)
    assert 0 <= found <= limit(attempt) <= longest
    assert found == pytest.approx(limit(attempt) * chance)
    assert limit(1) == min(first, longest)
    assert limit(attempt + 1) == min(longest, limit(attempt) * 2)


# Nothing stays behind


def timeout_of(connection: sa.Connection) -> t.Any:
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql("SHOW lock_timeout").scalar()

    return connection.exec_driver_sql("SELECT @@SESSION.lock_wait_timeout").scalar()


@on_servers
@pytest.mark.parametrize("fails", [False, True])
def test_pooled_connection(url: str, apps: Apps, fails: bool) -> None:
    """The app gets a connection back as it was."""
    code = BLOCK if "postgres" in url else ALTER

    if fails:
        block = f"with op.get_context().autocommit_block():\n    {ALTER}\n    1 / 0"
        code = block if "postgres" in url else f"{ALTER}\n1 / 0"

    app, alembic = apps.plain(url, ALEMBIC=SHORT)
    write_revision(app, "r1", upgrade=f'{ITEMS}\nop.execute("{seen_table(url)}")')
    write_revision(app, "r2", "r1", upgrade=code)
    engine = engine_of(alembic)

    with engine.connect() as connection:
        usual = timeout_of(connection)
        driver = connection.connection.dbapi_connection

    with app.test_request_context():
        if fails:
            with pytest.raises(MigrationFailed):
                alembic.upgrade()
        else:
            alembic.upgrade()

    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is driver
        assert timeout_of(connection) == usual


def seen_table(url: str) -> str:
    return SEEN if "postgres" in url else "CREATE TABLE seen (id integer)"


@on_servers
def test_timeout_of_the_app(url: str, apps: Apps) -> None:
    """If the app sets a timeout on the connection, that one holds."""
    name = "lock_timeout" if "postgres" in url else "lock_wait_timeout"
    note = f"SELECT setting FROM pg_settings WHERE name = '{name}'"
    note = note if "postgres" in url else f"SELECT @@SESSION.{name}"
    code = f'{ALTER}\nop.execute("INSERT INTO seen {note}")'
    app, alembic = with_items(apps, url, code)
    ask(url, "CREATE TABLE seen (value varchar(20))")

    @alembic.prepare_connection
    def prepare(connection: sa.Connection, database: t.Any) -> None:
        connection.exec_driver_sql(f"SET SESSION {name} = 7777")

    upgrade(app, alembic)
    assert ask(url, "SELECT value FROM seen") == [("7777",)]


@on_servers
def test_connection_is_used_again(url: str, apps: Apps) -> None:
    """A connection that has run revisions has the timeout again in the next run."""
    code = ALTER

    if "postgres" in url:
        code = f"with op.get_context().autocommit_block():\n    {ALTER}"

    app, alembic = with_items(apps, url, code)
    again = ALTER.replace("text", "more")
    write_revision(app, "r3", "r2", upgrade=again)

    with app.test_request_context():
        alembic.upgrade("r2")

        with Session(url) as reader:
            reader.execute(READ)

            with pytest.raises(TableLocked):
                alembic.upgrade()


@on_mariadb
def test_mariadb_timeout(url: str, apps: Apps) -> None:
    """MariaDB's timeout is in whole seconds, and at least one. Zero leaves it alone."""
    note = "op.execute('INSERT INTO seen SELECT @@SESSION.lock_wait_timeout')"
    app, alembic = with_items(apps, url, note)
    ask(url, seen_table(url))
    usual = ask(url, "SELECT @@SESSION.lock_wait_timeout")
    write_revision(app, "r3", "r2", upgrade=note, ddl_lock_timeout=2.1)
    write_revision(app, "r4", "r3", upgrade=note, ddl_lock_timeout=0)
    upgrade(app, alembic)
    assert ask(url, "SELECT id FROM seen ORDER BY id") == [(1,), (3,), *usual]


@on_servers
def test_borrowed_connection(url: str, apps: Apps) -> None:
    """In somebody else's transaction the timeout is theirs, and what happens too."""
    app, alembic = with_items(apps, url, ALTER)
    engine = engine_of(alembic)

    with app.app_context(), engine.connect() as connection:
        usual = timeout_of(connection)

        with alembic.use_connection(connection):
            alembic.upgrade()

        assert timeout_of(connection) == usual
        connection.rollback()

        if "postgres" in url:
            connection.exec_driver_sql("SET lock_timeout = 100")

            with Session(url) as reader, alembic.use_connection(connection):
                reader.execute(READ)

                with pytest.raises(MigrationFailed) as info:
                    alembic.upgrade()

            assert not isinstance(info.value, TableLocked)
            assert "due to lock timeout" in str(info.value)


# What a revision says


@on_servers
def test_settings_of_a_revision(url: str, apps: Apps) -> None:
    """A revision may have a timeout and a count of its own."""
    own = {"ddl_lock_timeout": 0.3, "ddl_lock_retries": 0}
    app, alembic = with_items(
        apps, url, ALTER, own, ddl_lock_timeout=20, ddl_lock_retries=20
    )

    with Session(url) as reader:
        reader.execute(READ)
        assert "It was tried once, in " in str(failing(app, alembic))


@on_postgresql
def test_no_timeout_of_a_revision(url: str, apps: Apps) -> None:
    """Zero is no timeout."""
    own = {"ddl_lock_timeout": 0, "ddl_lock_retries": 0}
    app, alembic = with_items(apps, url, ALTER, own)

    with Session(url) as reader:
        reader.execute(READ)
        reader.let_go_after(1)
        upgrade(app, alembic)


WRONG: t.Final = (
    {"ddl_lock_timeout": "soon"},
    {"ddl_lock_timeout": -1},
    {"ddl_lock_timeout": None},
    {"ddl_lock_timeout": True},
    {"ddl_lock_retries": -1},
    {"ddl_lock_retries": "often"},
)


@pytest.mark.parametrize("own", WRONG, ids=str)
def test_wrong_settings_of_a_revision(
    apps: Apps, sqlite_url: str, own: dict[str, t.Any]
) -> None:
    """They are told before anything runs."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade=ITEMS)
    write_revision(app, "r2", "r1", **own)

    with app.app_context():
        with pytest.raises(RevisionFileError) as info:
            alembic.upgrade()

        assert alembic.current() == ()

    ((name, value),) = own.items()
    assert str(info.value) == f"migrations/r2_.py: {name} = {value!r} can't be used."
    assert info.value.path.endswith("r2_.py")


# Where revisions run otherwise


@on_postgresql
def test_verify(url: str, apps: Apps, db: Cli) -> None:
    """What is only tried waits for a table no longer either."""
    app, alembic = with_items(apps, url, ALTER)

    with Session(url) as reader:
        reader.execute(READ)
        result = db(app, "stamp", "--verify", "r1")
        assert result.exit_code == 1
        assert "canceling statement due to lock timeout" in result.output

    with engine_of(alembic).connect() as connection:
        assert timeout_of(connection) == "0"


def test_mariadb_that_watches(apps: Apps, tmp_path: Path) -> None:
    """Where MariaDB watches who holds a table, exactly those are named."""
    server = OwnMariaDB(
        tmp_path / "mariadb",
        "--performance-schema=ON",
        "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON",
    )

    try:
        server.start()
        app, alembic = with_items(apps, server.url, ALTER)

        with Session(server.url) as reader, Session(server.url) as other:
            reader.execute(READ)
            other.execute("SELECT * FROM alembic_version")
            error = failing(app, alembic)

        assert [found.session for found in error.blockers] == [reader.id]
        assert error.blockers[0].user == "root"
        assert error.blockers[0].state == "Sleep"
        assert str(error).endswith(" This session is in the way.")
    finally:
        server.stop()


@on_mariadb
def test_user_who_may_not_ask(url: str, apps: Apps) -> None:
    """A user without rights gets the same error, which says what is not known."""
    made = sa.make_url(url)
    name = f"u{made.database}"[-32:]
    ask(url, f"CREATE USER {name}@'%%' IDENTIFIED BY 'secret'")

    try:
        ask(url, f"GRANT ALL ON {made.database}.* TO {name}@'%%'")
        own = made.set(username=name, password="secret")
        text = own.render_as_string(hide_password=False)
        app, alembic = with_items(apps, text, ALTER)

        with Session(url) as reader:
            reader.execute(READ)
            error = failing(app, alembic)

        assert error.blockers == ()
        assert str(error).endswith(" Who it was, this user may not ask the database.")
    finally:
        ask(url, f"DROP USER {name}@'%%'")


# Several databases


@on_postgresql
def test_several_databases(databases: Databases, apps: Apps) -> None:
    """If the second database is locked the first one is rolled back, and both go on
    together.
    """
    urls = {"first": databases.make(), "second": databases.make()}
    app, alembic = apps.several(urls, ALEMBIC={"ddl_lock_timeout": 0.2})
    write_several(app, "r1", None, ITEMS)
    upgrade(app, alembic)
    write_several(app, "r2", "r1", f"{ALTER}\n{ADD}")

    with Session(urls["second"]) as reader:
        reader.execute(READ)
        reader.let_go_after(1.2)
        report = upgrade(app, alembic)

    assert report.databases == {"first": ("r2",), "second": ("r2",)}
    assert len(report.steps) == 2

    for url in urls.values():
        assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (2,)]


def test_one_database_has_it(apps: Apps, tmp_path: Path) -> None:
    """What is committed on one database is not run there again."""
    made = []
    urls = {}

    for name in ("mariadb", "postgresql"):
        server = find_once(name)

        if server.problem:
            pytest.skip(server.problem)

        made.append(Databases(server, tmp_path))
        urls[name] = made[-1].make()

    try:
        app, alembic = apps.several(urls, ALEMBIC={"ddl_lock_timeout": 0.2})
        write_several(app, "r1", None, ITEMS)
        upgrade(app, alembic)
        write_several(app, "r2", "r1", f"{ALTER}\n{ADD}")

        with Session(urls["postgresql"]) as reader:
            reader.execute(READ)
            reader.let_go_after(1.2)
            report = upgrade(app, alembic)

        assert [step.database for step in report.steps] == ["mariadb", "postgresql"]

        for url in urls.values():
            assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (2,)]

        app.config["ALEMBIC"] = SHORT
        write_several(app, "r3", "r2", ALTER.replace("text", "more"))

        with Session(urls["postgresql"]) as reader:
            reader.execute(READ)
            error = failing(app, alembic)

        assert error.standing == {"mariadb": ("r3",), "postgresql": ("r2",)}
        assert error.hint is not None
        assert "on 'postgresql', but 'mariadb' has it. To complete" in error.hint
        upgrade(app, alembic)
    finally:
        apps.close()

        for databases in made:
            databases.drop_all()


@on_postgresql
def test_one_database_is_borrowed(databases: Databases, apps: Apps) -> None:
    """What is in somebody else's transaction would run there twice."""
    urls = {"first": databases.make(), "second": databases.make()}
    app, alembic = apps.several(urls, ALEMBIC={"ddl_lock_timeout": 0.2})
    write_several(app, "r1", None, ITEMS)
    upgrade(app, alembic)
    write_several(app, "r2", "r1", f"{ADD}\n{ALTER}")
    engine = t.cast(sa.Engine, alembic.engines["first"])

    with (
        Session(urls["second"]) as reader,
        app.app_context(),
        engine.connect() as connection,
        connection.begin(),
    ):
        reader.execute(READ)

        with pytest.raises(TableLocked, match="It was tried once, "):
            with alembic.use_connection({"first": connection}):
                alembic.upgrade()


def write_several(
    app: Flask, revision: str, down_revision: str | None, upgrade: str
) -> None:
    write_revision(
        app, revision, down_revision, upgrade=upgrade, arguments="engine_name"
    )


# Deadlocks


@on_postgresql
def test_deadlock(url: str, apps: Apps, caplog: pytest.LogCaptureFixture) -> None:
    """A revision that the database chose to end a deadlock is tried again."""
    caplog.set_level(logging.INFO, "flask_alembic")
    code = f'{ADD}\nop.execute("LOCK TABLE other")'
    app, alembic = with_items(apps, url, code, ddl_lock_timeout=20)
    ask(url, "CREATE TABLE other (id integer)")

    with Session(url) as session:
        session.execute("SET deadlock_timeout = '30s'")
        session.execute("LOCK TABLE other")

        def meet() -> None:
            until(lambda: is_waiting(url, "LOCK TABLE other"))
            session.execute("LOCK TABLE item")
            session.let_go()

        thread = threading.Thread(target=meet)
        thread.start()
        upgrade(app, alembic)
        thread.join()

    assert "trying again" in caplog.text
    assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (2,)]


@on_mariadb
def test_mariadb_deadlock(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """The same, where rows are locked."""
    caplog.set_level(logging.INFO, "flask_alembic")
    code = f'{ADD}\nop.execute("UPDATE item SET size = 0 WHERE id = 2 /* wait */")'
    app, alembic = with_items(apps, url, code)
    ask(url, "CREATE TABLE bulk (id integer PRIMARY KEY)")

    with Session(url) as session:
        # The lighter transaction is the one that is ended.
        values = ", ".join(f"({number})" for number in range(200))
        session.execute(f"INSERT INTO bulk VALUES {values}")
        session.execute("UPDATE item SET size = 5 WHERE id = 2")

        def meet() -> None:
            until(lambda: is_locked_row(url))
            session.execute("UPDATE item SET size = 5 WHERE id = 1")
            session.let_go()

        thread = threading.Thread(target=meet)
        thread.start()
        upgrade(app, alembic)
        thread.join()

    assert "trying again" in caplog.text
    assert ask(url, "SELECT size FROM item ORDER BY id") == [(11,), (0,)]


def is_locked_row(url: str) -> bool:
    # The table is made anew only if nobody has read it for a tenth of a second.
    time.sleep(0.2)
    question = (
        "SELECT 1 FROM information_schema.INNODB_TRX AS x"
        " JOIN information_schema.PROCESSLIST AS p ON p.ID = x.trx_mysql_thread_id"
        " WHERE x.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()"
    )
    return bool(ask(url, question))
