"""Batch mode on SQLite keeps what hangs on a table, and tells what it can't keep."""

from __future__ import annotations

import logging
import sqlite3
import typing as t
from collections import Counter
from inspect import signature

import pytest
import sqlalchemy as sa
from alembic.operations import BatchOperations

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import FlaskAlembicError
from flask_alembic import MigrationFailed
from flask_alembic.sqlite_ddl.tokens import tokens
from flask_alembic.sqlite_ddl.tokens import unquoted
from servers import with_driver

TODO: t.Final = (
    "CREATE TABLE todo (id INTEGER PRIMARY KEY, text VARCHAR(20), n INTEGER)"
)
ROWS: t.Final = "INSERT INTO todo (id, text, n) VALUES (1, 'one', 10), (2, 'two', 20)"
NOT_NULL: t.Final = 'batch.alter_column("n", nullable=False)'

Database = t.Callable[..., None]


class Sqlite:
    """A database, and an app whose revisions change it."""

    def __init__(self, apps: Apps, url: str) -> None:
        self.path = url.partition("///")[2]
        self.app, self.alembic = apps.plain(url)
        self.number = 0

    def run(self, *statements: str) -> list[t.Any]:
        """Run statements as another program would, and get the rows of the last."""
        connection = sqlite3.connect(self.path, isolation_level=None)

        try:
            connection.execute("PRAGMA foreign_keys=ON")

            for statement in statements:
                cursor = connection.execute(statement)

            return cursor.fetchall()
        finally:
            connection.close()

    def batch(self, *lines: str, arguments: str = "", after: str = "") -> None:
        """Run a revision that changes the table."""
        self.number += 1
        body = "".join(f"    {line}\n" for line in lines or ("pass",))
        always = "" if "recreate" in arguments else ', recreate="always"'
        write_revision(
            self.app,
            f"r{self.number}",
            f"r{self.number - 1}" if self.number > 1 else None,
            upgrade=f"with op.batch_alter_table('todo'{always}{arguments}) as batch:\n"
            f"{body}{after}",
        )

        with self.app.app_context():
            self.alembic.upgrade()

    def fail(self, *lines: str, arguments: str = "", after: str = "") -> str:
        """Run a revision that fails, and get why, and the cure."""
        before = self.dump()

        with pytest.raises(MigrationFailed) as info:
            self.batch(*lines, arguments=arguments, after=after)

        assert self.dump() == before
        self.number -= 1
        return f"{info.value} {info.value.hint}"

    def dump(self) -> list[str]:
        """All that is in the database, but our own tables."""
        connection = sqlite3.connect(self.path)

        try:
            made = connection.execute(
                "SELECT type || name || sql FROM sqlite_master WHERE sql IS NOT NULL"
                " AND tbl_name NOT LIKE 'alembic_version%' ORDER BY 1"
            )
            rows = [
                line
                for line in connection.iterdump()
                if line.startswith("INSERT") and "alembic_version" not in line
            ]
            return [row[0] for row in made] + sorted(rows)
        finally:
            connection.close()

    def made(self, name: str) -> Counter[str]:
        """What made something, as words."""
        (row,) = self.run(f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
        return words(row[0])


def words(sql: str) -> Counter[str]:
    return Counter(unquoted(token.text) for token in tokens(sql))


@pytest.fixture
def db(apps: Apps, sqlite_url: str) -> Sqlite:
    """A database with the table ``todo`` and two rows."""
    result = Sqlite(apps, sqlite_url)
    result.run(TODO, ROWS)
    return result


TABLES: t.Final = {
    "unnamed CHECK": "id INTEGER PRIMARY KEY, n INT CHECK (n > 0), CHECK (n <> 3)",
    "named CHECK": "n INT CONSTRAINT ck\n CHECK\n (\n n > ')'\n OR n > 0)",
    "CHECK in a comment": "n INT /* CHECK (n < 0) */, -- CHECK (n < 0)\n m",
    "AUTOINCREMENT": "id INTEGER PRIMARY KEY AUTOINCREMENT, n INT",
    "AUTOINCREMENT behind": "id INTEGER, n INT, PRIMARY KEY (id AUTOINCREMENT)",
    "key upside down": "id INTEGER PRIMARY KEY DESC, n INT",
    "collation": "a TEXT COLLATE NOCASE, n VARCHAR(9) COLLATE RTRIM",
    "no type": "a, n",
    "odd types": "a FLOATING POINT, b [my type](1, 2), n UNSIGNED BIG INT",
    "ON CONFLICT": "a UNIQUE ON CONFLICT IGNORE, n INT, UNIQUE (a, n) ON CONFLICT FAIL",
    "computed": "n INT, c AS (n || ','), d INT GENERATED ALWAYS AS (n + 1) STORED",
    "deferred key": "n INT REFERENCES todo (id) ON DELETE SET NULL DEFERRABLE INITIALLY"
    " DEFERRED, id INTEGER PRIMARY KEY",
    "defaults": "a DEFAULT -1.5e-3, b DEFAULT x'ff', c DEFAULT (1), n DEFAULT ',)'",
    "names of constraints": 'n INT CONSTRAINT "a,b" NOT NULL CONSTRAINT [c d] UNIQUE',
    "odd names": '"a,b" INT, [c)d] INT, `e"f` INT, n INT, UNIQUE ("a,b", [c)d])',
}


@pytest.mark.parametrize("body", TABLES.values(), ids=TABLES)
def test_table_is_kept(apps: Apps, sqlite_url: str, body: str) -> None:
    """What a table is made of stays as it is, to the letter."""
    db = Sqlite(apps, sqlite_url)
    db.run(f"CREATE TABLE todo ({body})")
    before = db.made("todo")
    db.batch('batch.add_column(sa.Column("new", sa.Text()))')
    assert db.made("todo") == before + words(", new TEXT")


@pytest.mark.parametrize("option", ["WITHOUT ROWID", "STRICT", "strict, without rowid"])
def test_options_are_kept(apps: Apps, sqlite_url: str, option: str) -> None:
    """What stands behind the columns stays."""
    db = Sqlite(apps, sqlite_url)
    db.run(f"CREATE TABLE todo (id INTEGER PRIMARY KEY, n INT) {option}")
    before = db.made("todo")
    db.batch(NOT_NULL)
    assert db.made("todo") == before + words("NOT NULL")


HANGING: t.Final = {
    "index": "CREATE INDEX x ON todo (text, n DESC)",
    "unique index": "CREATE UNIQUE INDEX x ON todo (text COLLATE NOCASE)",
    "partial index": "CREATE INDEX x ON todo (n) WHERE text IS NOT 'a)'",
    "expression index": "CREATE INDEX x ON todo (lower(text), n + 1)",
    "trigger": "CREATE TRIGGER x AFTER UPDATE OF n ON todo WHEN NEW.n > 1 BEGIN"
    " INSERT INTO log VALUES (NEW.n); SELECT 'END; '; END",
    "trigger of another table": "CREATE TRIGGER x AFTER INSERT ON log BEGIN"
    " UPDATE todo SET n = NEW.n; END",
    "view": "CREATE VIEW x AS SELECT text, n FROM todo",
}


@pytest.mark.parametrize("sql", HANGING.values(), ids=HANGING)
def test_what_hangs_on_it_is_kept(db: Sqlite, sql: str) -> None:
    """Indexes, triggers and views stay as they are."""
    db.run("CREATE TABLE log (n)", sql)
    db.batch(NOT_NULL)
    assert db.made("x") == words(sql)
    assert db.made("todo") == words(TODO) + words("NOT NULL")
    assert db.run("SELECT * FROM todo") == [(1, "one", 10), (2, "two", 20)]


def test_trigger_fires(db: Sqlite) -> None:
    """A trigger works after the rebuild, and did nothing meanwhile."""
    db.run(
        "CREATE TABLE log (n)",
        "CREATE TRIGGER x AFTER INSERT ON todo BEGIN"
        " INSERT INTO log VALUES (NEW.n); END",
        "CREATE TRIGGER y AFTER DELETE ON todo BEGIN INSERT INTO log VALUES (0); END",
    )
    db.batch(NOT_NULL)
    assert db.run("SELECT * FROM log") == []
    db.run("INSERT INTO todo (n) VALUES (7)")
    assert db.run("SELECT * FROM log") == [(7,)]


def test_trigger_of_a_view(db: Sqlite) -> None:
    """A view that can be written to still can."""
    db.run(
        "CREATE VIEW v AS SELECT text FROM todo",
        "CREATE TRIGGER x INSTEAD OF INSERT ON v BEGIN"
        " INSERT INTO todo (text, n) VALUES (NEW.text, 3); END",
    )
    db.batch(NOT_NULL)
    assert db.run(
        "INSERT INTO v VALUES ('new')", "SELECT text, n FROM todo WHERE n = 3"
    ) == [("new", 3)]


def test_numbers_are_not_given_twice(apps: Apps, sqlite_url: str) -> None:
    """``AUTOINCREMENT`` goes on where it was, after the highest row was deleted too."""
    db = Sqlite(apps, sqlite_url)
    db.run(
        "CREATE TABLE todo (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT)",
        "INSERT INTO todo VALUES (1, 1), (50, 2)",
        "DELETE FROM todo WHERE id = 50",
    )
    db.batch(NOT_NULL)
    assert db.run("SELECT * FROM sqlite_sequence") == [("todo", 50)]
    assert db.run("INSERT INTO todo (n) VALUES (3) RETURNING id") == [(51,)]


def test_order_of_rows(apps: Apps, sqlite_url: str) -> None:
    """Rows of a table without a key keep their numbers."""
    db = Sqlite(apps, sqlite_url)
    db.run("CREATE TABLE todo (n INT)", "INSERT INTO todo VALUES (3), (1), (2)")
    db.run("DELETE FROM todo WHERE n = 1", "CREATE INDEX x ON todo (n)")
    db.batch(NOT_NULL)
    assert db.run("SELECT rowid, n FROM todo") == [(1, 3), (3, 2)]


def test_children_are_kept(db: Sqlite) -> None:
    """Rows of other tables stay, and refer to the new table."""
    db.run(
        "CREATE TABLE child (todo REFERENCES todo (id) ON DELETE CASCADE)",
        "INSERT INTO child VALUES (1), (2)",
    )
    before = db.made("child")
    db.batch(NOT_NULL)
    assert db.run("SELECT * FROM child") == [(1,), (2,)]
    assert db.made("child") == before
    assert db.run("DELETE FROM todo WHERE id = 1", "SELECT * FROM child") == [(2,)]


def test_rename_is_followed(db: Sqlite) -> None:
    """All that uses a column follows when it is renamed."""
    db.run(
        "DROP TABLE todo",
        "CREATE TABLE todo (id INTEGER PRIMARY KEY, n INT UNIQUE CHECK (n > 0))",
        "INSERT INTO todo VALUES (1, 10)",
        "CREATE TABLE child (n REFERENCES todo (n))",
        "CREATE TABLE log (n)",
        "CREATE INDEX x ON todo (n + 1) WHERE n > 2",
        "CREATE TRIGGER y AFTER INSERT ON todo BEGIN"
        " INSERT INTO log VALUES (NEW.n); END",
        "CREATE VIEW v AS SELECT id, n FROM todo",
    )
    db.batch(
        'batch.alter_column("n", new_column_name="select", nullable=False)',
        'batch.create_index("by_old", ["n"])',
        'batch.create_index("by_new", ["select"])',
    )
    dump = "\n".join(db.dump())
    assert 'CHECK ("select" > 0)' in dump
    assert 'REFERENCES todo ("select")' in dump
    assert 'ON todo ("select" + 1) WHERE "select" > 2' in dump
    assert 'NEW."select"' in dump
    assert db.run('SELECT "select" FROM v') == [(10,)]
    assert db.made("by_old") == words("CREATE INDEX by_old ON todo (select)")
    assert db.made("by_new") == words("CREATE INDEX by_new ON todo (select)")


def test_rename_takes_no_new_table(db: Sqlite) -> None:
    """A column is renamed in place, where nothing else is asked for."""
    before = db.run("SELECT rootpage FROM sqlite_master WHERE name = 'todo'")
    db.run("CREATE TABLE later (id)")
    lines = 'batch.alter_column("n", new_column_name="number")'
    db.batch(lines, arguments=', recreate="auto"')
    assert db.run("SELECT rootpage FROM sqlite_master WHERE name = 'todo'") == before
    assert db.run("SELECT number FROM todo") == [(10,), (20,)]


def test_renames_at_once(db: Sqlite) -> None:
    """Columns can change names, and take that of one that goes."""
    db.batch(
        'batch.alter_column("text", new_column_name="n")',
        'batch.alter_column("n", new_column_name="text", type_=sa.BigInteger())',
    )
    assert db.run("SELECT n, text FROM todo") == [("one", 10), ("two", 20)]
    db.batch(
        'batch.drop_column("n")', 'batch.alter_column("text", new_column_name="n")'
    )
    assert db.run("SELECT * FROM todo") == [(1, 10), (2, 20)]


def test_refused_rename(db: Sqlite) -> None:
    """Where SQLite can't follow, the error names the view or the trigger."""
    db.run(
        "CREATE VIEW v AS SELECT * FROM todo",
        "CREATE TRIGGER x INSTEAD OF DELETE ON v BEGIN SELECT OLD.n; END",
    )
    error = db.fail('batch.alter_column("n", new_column_name="m")')
    assert "The column 'n' of 'todo' can't be renamed: error in trigger x" in error
    assert "drop it before the batch" in error


def test_what_goes_with_a_column(apps: Apps, sqlite_url: str) -> None:
    """Constraints and indexes of a column go with it; others stay."""
    db = Sqlite(apps, sqlite_url)
    db.run(
        "CREATE TABLE todo (id INT, n INT CHECK (n > 0), text TEXT, CHECK (n < 99),"
        " CONSTRAINT both UNIQUE (text, n), UNIQUE (text), PRIMARY KEY (id, n))",
        "CREATE INDEX x ON todo (n)",
        "CREATE INDEX y ON todo (text) WHERE n > 1",
        "CREATE INDEX z ON todo (lower(text))",
        "INSERT INTO todo VALUES (1, 2, 'n')",
    )
    db.batch('batch.drop_column("n")')
    assert db.made("todo") == words(
        "CREATE TABLE todo (id INT, text TEXT, UNIQUE (text), PRIMARY KEY (id))"
    )
    names = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    assert db.run(names) == [("z",)]


USERS: t.Final = {
    "view": ("CREATE VIEW x AS SELECT n FROM todo", "The view 'x' uses the column 'n'"),
    "quoted in a view": (
        'CREATE VIEW x AS SELECT "n" FROM todo',
        "The view 'x' uses the column 'n'",
    ),
    "trigger": (
        "CREATE TRIGGER x AFTER INSERT ON todo BEGIN SELECT NEW.n; END",
        "The trigger 'x' uses the column 'n'",
    ),
    "trigger of another table": (
        "CREATE TRIGGER x AFTER INSERT ON log BEGIN UPDATE todo SET n = 1; END",
        "The trigger 'x' uses the column 'n'",
    ),
    "view with a list": (
        "CREATE VIEW x (a, b, c) AS SELECT * FROM todo",
        "The view 'x' does not work with the new table 'todo'",
    ),
    "trigger with a list": (
        "CREATE TRIGGER x AFTER INSERT ON todo BEGIN"
        " INSERT INTO todo VALUES (1, 2, 3); END",
        "The trigger 'x' does not work with the new table 'todo'",
    ),
    "trigger of another table with a list": (
        "CREATE TRIGGER x AFTER INSERT ON log BEGIN"
        " INSERT INTO todo VALUES (1, 2, 3); END",
        "The table 'log', or a trigger of it, does not work with the new table 'todo'",
    ),
}


@pytest.mark.parametrize(("sql", "said"), USERS.values(), ids=USERS)
def test_column_that_is_used(db: Sqlite, sql: str, said: str) -> None:
    """A column that a view or a trigger needs is not dropped."""
    db.run("CREATE TABLE log (n)", sql)
    error = db.fail('batch.drop_column("n")')
    assert said in error
    assert "In the revision, drop it before the batch and create it after" in error


def test_broken_before(db: Sqlite) -> None:
    """What did not work before does not count."""
    db.run(
        "CREATE VIEW v AS SELECT x FROM gone",
        "CREATE TRIGGER x AFTER INSERT ON todo BEGIN INSERT INTO gone VALUES (1); END",
    )
    db.batch('batch.drop_column("n")')
    assert db.made("x")


def test_constraint_of_several_columns(apps: Apps, sqlite_url: str) -> None:
    """A ``CHECK`` that needs other columns too has to be dropped by name."""
    db = Sqlite(apps, sqlite_url)
    db.run("CREATE TABLE todo (id INT, n INT, CONSTRAINT ck CHECK (id < n))")
    error = db.fail('batch.drop_column("n")')
    assert "The column 'n' of 'todo' is dropped, but used in: CONSTRAINT ck" in error
    db.batch('batch.drop_column("n")', 'batch.drop_constraint("ck", type_="check")')
    assert db.made("todo") == words("CREATE TABLE todo (id INT)")


def test_computed_of_a_column(apps: Apps, sqlite_url: str) -> None:
    """A column that another one is computed of is not dropped."""
    db = Sqlite(apps, sqlite_url)
    db.run('CREATE TABLE todo (id INT, n INT, c AS ("n" + 1))')
    assert "is dropped, but used in: AS" in db.fail('batch.drop_column("n")')
    db.batch('batch.drop_column("n")', 'batch.drop_column("c")')
    assert db.made("todo") == words("CREATE TABLE todo (id INT)")


def test_drop_by_name(apps: Apps, sqlite_url: str) -> None:
    """What the batch drops stays dropped, of each kind, wherever it stands."""
    db = Sqlite(apps, sqlite_url)
    db.run(
        "CREATE TABLE todo (id INT CONSTRAINT pk PRIMARY KEY,"
        " n INT CONSTRAINT ck CHECK (n > 0), CONSTRAINT uq UNIQUE (n),"
        " CONSTRAINT fk FOREIGN KEY (n) REFERENCES todo (id))",
        "CREATE INDEX x ON todo (lower(n))",
    )
    db.batch(
        'batch.drop_constraint("pk", type_="primary")',
        'batch.drop_constraint("ck", type_="check")',
        'batch.drop_constraint("uq", type_="unique")',
        'batch.drop_constraint(batch.f("fk"), type_="foreignkey")',
        'batch.drop_index("x")',
    )
    assert db.made("todo") == words("CREATE TABLE todo (id INT, n INT)")
    assert db.run("SELECT count(*) FROM sqlite_master WHERE type = 'index'") == [(1,)]
    assert "No such constraint: 'ck'" in db.fail(
        'batch.drop_constraint("ck", type_="check")'
    )
    assert "No such index: 'x'" in db.fail('batch.drop_index("x")')
    db.batch(
        'batch.drop_constraint("ck", type_="check", if_exists=True)'
        if "if_exists" in signature(BatchOperations.drop_constraint).parameters
        else "pass",
        'batch.drop_index("x", if_exists=True)',
    )


def test_naming_convention(db: Sqlite) -> None:
    """Constraints without names get them by a convention, and can be dropped."""
    db.run(
        "DROP TABLE todo",
        "CREATE TABLE todo (id INTEGER PRIMARY KEY, n INT UNIQUE REFERENCES todo,"
        " text TEXT, UNIQUE (text, n))",
    )
    convention = {
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    }
    db.batch(
        'batch.drop_constraint("fk_todo_n_todo", type_="foreignkey")',
        'batch.drop_constraint("uq_todo_n", type_="unique")',
        arguments=f", naming_convention={convention}",
    )
    assert db.made("todo") == words(
        "CREATE TABLE todo (id INTEGER PRIMARY KEY, n INT, text TEXT,"
        " CONSTRAINT uq_todo_text UNIQUE (text, n))"
    )


def test_constraint_of_a_type(db: Sqlite) -> None:
    """The ``CHECK`` of a type comes and goes with it."""
    boolean = 'sa.Boolean(create_constraint=True, name="is_bool")'
    db.batch(f'batch.add_column(sa.Column("done", {boolean}))')
    assert "CHECK" in db.made("todo")
    db.batch(f'batch.alter_column("done", existing_type={boolean}, type_=sa.Integer())')
    assert "CHECK" not in db.made("todo")
    db.batch(
        'batch.alter_column("done", existing_type=sa.Integer(),'
        " type_=sa.Boolean(create_constraint=True))"
    )
    assert "CHECK" in db.made("todo")
    db.batch(
        'batch.alter_column("done", existing_type=sa.Boolean(create_constraint=True),'
        " type_=sa.Integer())"
    )
    assert "CHECK" not in db.made("todo")


def test_constraints_are_added(db: Sqlite) -> None:
    """Constraints and indexes can be made, also in the place of one of that name."""
    db.run("CREATE INDEX x ON todo (lower(text))")
    db.batch(
        'batch.create_check_constraint("ck", sa.column("n") > 5)',
        'batch.create_unique_constraint("uq", ["text", "n"])',
        'batch.create_foreign_key("fk", "todo", ["n"], ["id"], ondelete="CASCADE")',
        'batch.create_index("x", ["n"], unique=True)',
        after="op.execute('UPDATE todo SET n = NULL')",
    )
    assert db.made("todo") == words(TODO) + words(
        ", CONSTRAINT ck CHECK (n > 5), CONSTRAINT uq UNIQUE (text, n), CONSTRAINT fk"
        " FOREIGN KEY(n) REFERENCES todo (id) ON DELETE CASCADE"
    )
    assert db.made("x") == words("CREATE UNIQUE INDEX x ON todo (n)")


def test_primary_key_is_made(apps: Apps, sqlite_url: str) -> None:
    """A table can get a key, and another one."""
    db = Sqlite(apps, sqlite_url)
    db.run("CREATE TABLE todo (n INT)", "INSERT INTO todo VALUES (3), (4)")
    db.batch('batch.add_column(sa.Column("id", sa.Integer(), primary_key=True))')
    assert db.run("SELECT id, n FROM todo") == [(1, 3), (2, 4)]
    db.batch('batch.create_primary_key("pk", ["n"])')
    assert db.made("todo") == words(
        "CREATE TABLE todo (n INT, id INTEGER NOT NULL, CONSTRAINT pk PRIMARY KEY (n))"
    )


def test_places_of_columns(db: Sqlite) -> None:
    """New columns can be put between others, and all in another order."""
    db.batch(
        'batch.add_column(sa.Column("a", sa.Text()), insert_after="id")',
        'batch.add_column(sa.Column("b", sa.Text()), insert_before="id")',
    )
    names = "SELECT group_concat(name) FROM pragma_table_info('todo')"
    assert db.run(names) == [("b,id,a,text,n",)]
    db.batch(arguments=', partial_reordering=[("n", "id", "text", "a", "b")]')
    assert db.run(names) == [("n,id,text,a,b",)]
    assert db.run("SELECT id, text, n FROM todo") == [(1, "one", 10), (2, "two", 20)]


def test_alter_column(db: Sqlite) -> None:
    """Types, defaults and ``NOT NULL`` change, and the collation stays."""
    db.run(
        "DROP TABLE todo",
        "CREATE TABLE todo (text TEXT COLLATE NOCASE NOT NULL DEFAULT 'a', n INT)",
        "INSERT INTO todo VALUES ('1', 2)",
    )
    db.batch(
        'batch.alter_column("text", type_=sa.String(9), nullable=True,'
        " server_default=None)",
        'batch.alter_column("n", type_=sa.Text(), server_default=sa.text("(1 + 2)"))',
    )
    assert db.made("todo") == words(
        "CREATE TABLE todo (text VARCHAR(9) COLLATE NOCASE, n TEXT DEFAULT (1 + 2))"
    )
    assert db.run("SELECT * FROM todo") == [("1", "2")]
    db.batch(
        'batch.alter_column("text", type_=sa.String(9, collation="BINARY"))',
        'batch.alter_column("n", server_default="x")',
    )
    assert db.made("todo") == words(
        "CREATE TABLE todo (text VARCHAR(9) COLLATE BINARY, n TEXT DEFAULT 'x')"
    )


@pytest.mark.parametrize("type_", ["DateTime", "Date", "Time", "JSON"])
def test_texts_stay_texts(db: Sqlite, type_: str) -> None:
    """A date in a text does not become the number of its year."""
    db.run("UPDATE todo SET text = '2020-01-02'")
    db.batch(f'batch.alter_column("text", type_=sa.{type_}())')
    assert db.run("SELECT DISTINCT text FROM todo") == [("2020-01-02",)]


def test_unknown_column(db: Sqlite) -> None:
    """A column that is not there is told, with those that are."""
    error = db.fail('batch.alter_column("m", nullable=False)')
    assert "The table 'todo' has no column 'm'." in error
    assert "It has: id, text, n." in error
    error = db.fail('batch.add_column(sa.Column("N", sa.Text()))')
    assert "The table 'todo' has a column 'N' already." in error


def test_arguments_for_what_reflection_misses(apps: Apps, sqlite_url: str) -> None:
    """What revisions passed to help Alembic is not there twice, and can be new."""
    db = Sqlite(apps, sqlite_url)
    db.run("CREATE TABLE todo (id INTEGER NOT NULL PRIMARY KEY, n INT, CHECK (n > 0))")
    before = db.made("todo")
    arguments = (
        ', table_args=(sa.CheckConstraint("n > 0"), sa.CheckConstraint("n > 1")),'
        ' table_kwargs={"sqlite_autoincrement": True, "mysql_engine": "x"}'
    )
    db.batch(arguments=arguments)
    added = words(", CHECK (n > 1) AUTOINCREMENT")
    assert db.made("todo") == before + added
    db.batch(arguments=arguments)
    assert db.made("todo") == before + added


COLUMNS: t.Final = (
    'sa.Column("id", sa.Integer(), primary_key=True), sa.Column("text", sa.Text()),'
    ' sa.Column("n", sa.Integer())'
)
DESCRIBED: t.Final = {
    "copy_from": f', copy_from=sa.Table("todo", sa.MetaData(), {COLUMNS})',
    "reflect_args": ', reflect_args=[sa.Column("text", sa.Text())]',
    "listeners": ', reflect_kwargs={"listeners": [("column_reflect",'
    ' lambda i, t, c: c.update(type=sa.Text()) if c["name"] == "text" else None)]}',
}


@pytest.mark.parametrize("arguments", DESCRIBED.values(), ids=DESCRIBED)
def test_table_that_is_described(db: Sqlite, arguments: str) -> None:
    """Where a revision says what the table is, what hangs on it stays too."""
    db.run(
        "CREATE TABLE log (n)",
        "CREATE INDEX x ON todo (n)",
        "CREATE INDEX gone ON todo (text)",
        "CREATE TRIGGER y AFTER INSERT ON todo BEGIN"
        " INSERT INTO log VALUES (NEW.n); END",
        "CREATE VIEW v AS SELECT n FROM todo",
    )
    drop = [] if "copy_from" in arguments else ['batch.drop_index("gone")']
    db.batch(
        'batch.alter_column("n", new_column_name="m", nullable=False)',
        'batch.create_unique_constraint("uq", ["id", "n"])',
        'batch.create_index("by_n", ["n"])',
        *drop,
        arguments=arguments,
    )
    assert db.made("x") == words("CREATE INDEX x ON todo (m)")
    assert db.made("by_n") == words("CREATE INDEX by_n ON todo (m)")
    assert db.made("v") == words("CREATE VIEW v AS SELECT m FROM todo")
    assert {"uq", "TEXT"} <= set(db.made("todo"))
    assert db.run("INSERT INTO todo (m) VALUES (7)", "SELECT * FROM log") == [(7,)]
    found = db.run("SELECT count(*) FROM sqlite_master WHERE name = 'gone'")
    assert found == [(0 if drop else 1,)]


@pytest.mark.parametrize("arguments", list(DESCRIBED.values())[1:])
def test_described_in_part(db: Sqlite, arguments: str) -> None:
    """Where a revision describes a part of a table, the rest of it stays too."""
    db.run(
        "DROP TABLE todo",
        "CREATE TABLE todo (id INTEGER NOT NULL, text TEXT COLLATE NOCASE, n INT,"
        # SQLAlchemy 2.0 finds no two checks on one line.
        " CONSTRAINT pk PRIMARY KEY (id AUTOINCREMENT),\n CHECK (n > 0),\n"
        " CONSTRAINT ck CHECK (n > 1),\n CONSTRAINT ck2 CHECK\n(n > 2)) STRICT",
        "INSERT INTO todo VALUES (7, 'a', 8)",
        "INSERT INTO todo VALUES (9, 'b', 8)",
        "DELETE FROM todo WHERE id = 9",
    )
    db.batch(
        'batch.drop_constraint("ck", type_="check")',
        'batch.alter_column("n", nullable=False, new_column_name="m")',
        arguments=arguments,
    )
    assert words("CHECK (m > 0) CONSTRAINT ck2 CHECK (m > 2)") <= db.made("todo")
    assert words("COLLATE NOCASE AUTOINCREMENT STRICT") <= db.made("todo")
    assert db.made("todo")["CHECK"] == 2
    assert db.run("SELECT * FROM sqlite_sequence") == [("todo", 9)]
    assert db.run("SELECT * FROM todo") == [(7, "a", 8)]


def test_revision_that_helped_itself(db: Sqlite) -> None:
    """A revision that makes again what Alembic lost does so here too, once."""
    make = [
        "CREATE UNIQUE INDEX x ON todo (lower(text))",
        "CREATE TRIGGER [y] AFTER INSERT ON todo BEGIN SELECT 1; END",
        'create trigger "Z" after insert on todo begin select 1; end',
        "CREATE INDEX IF NOT EXISTS v ON todo (n)",
    ]
    db.run(*make)
    again = "\n".join(f"op.execute({sql.replace('1', '2')!r})" for sql in make)
    db.batch(NOT_NULL, after=again)
    assert db.made("x") == words(make[0])
    assert "2" in db.made("y")
    assert "2" in db.made("Z")
    assert "index x already exists" in db.fail(NOT_NULL, after=f"{again}\n{again}")


def test_rows_that_would_be_lost(db: Sqlite) -> None:
    """A rebuild that loses rows fails."""
    db.run("UPDATE todo SET n = 1")
    error = db.fail(
        'batch.create_unique_constraint("uq", ["n"], sqlite_on_conflict="IGNORE")'
    )
    assert "The table 'todo' had 2 rows and would have 1." in error


def test_failure_is_rolled_back(db: Sqlite) -> None:
    """If the rows do not fit, all is as it was, triggers too."""
    db.run(
        "UPDATE todo SET n = NULL",
        "CREATE TRIGGER y AFTER INSERT ON todo BEGIN SELECT 1; END",
    )
    assert "NOT NULL constraint failed" in db.fail(NOT_NULL)


def test_failure_outside_of_transactions(db: Sqlite) -> None:
    """A batch is one piece where nothing else is rolled back, too."""
    db.run(
        "UPDATE todo SET n = NULL",
        "CREATE TRIGGER y AFTER INSERT ON todo BEGIN SELECT 1; END",
    )
    before = db.dump()
    write_revision(
        db.app,
        "r1",
        upgrade="with op.get_context().autocommit_block():\n"
        "    with op.batch_alter_table('todo') as batch:\n"
        f"        {NOT_NULL}",
    )

    with db.app.app_context(), pytest.raises(MigrationFailed):
        db.alembic.upgrade()

    assert db.dump() == before


def test_leftover_is_dropped(db: Sqlite, caplog: pytest.LogCaptureFixture) -> None:
    """What another tool's failed run left is dropped, as the table is there."""
    db.run(
        "CREATE TABLE _alembic_tmp_todo (x)", "INSERT INTO _alembic_tmp_todo VALUES (1)"
    )

    with caplog.at_level(logging.WARNING, "flask_alembic"):
        db.batch(NOT_NULL)

    assert "'_alembic_tmp_todo' is dropped" in caplog.text
    assert db.run("SELECT id FROM todo") == [(1,), (2,)]


def test_leftover_with_the_only_copy(db: Sqlite) -> None:
    """If the table itself is gone, the error says how to get it back."""
    db.run("ALTER TABLE todo RENAME TO _alembic_tmp_todo")
    error = db.fail(NOT_NULL)
    assert "There is no table 'todo', but a table '_alembic_tmp_todo'" in error
    cure = 'ALTER TABLE "_alembic_tmp_todo" RENAME TO "todo"'
    assert cure in error
    db.run(cure)
    db.batch(NOT_NULL)
    assert db.run("SELECT id FROM todo") == [(1,), (2,)]


def test_leftover_beside_an_empty_table(db: Sqlite) -> None:
    """If the app has made the table anew since, the rows are not dropped."""
    db.run("ALTER TABLE todo RENAME TO _alembic_tmp_todo", TODO)
    error = db.fail(NOT_NULL)
    assert "The table 'todo' is empty, and the table '_alembic_tmp_todo'" in error


def test_no_table(db: Sqlite) -> None:
    """A table that is not there is Alembic's error."""
    db.run("DROP TABLE todo")
    assert "NoSuchTableError" in db.fail(NOT_NULL)


@pytest.mark.parametrize("child", ["child", "todo", "nobody"])
def test_transaction_of_the_caller(apps: Apps, sqlite_url: str, child: str) -> None:
    """Where foreign keys are checked and that can't be put off, rows of other tables
    are not deleted: the batch is refused. Without such rows it is not.
    """
    refers = "REFERENCES todo (id) ON DELETE CASCADE"
    db = Sqlite(apps, sqlite_url)
    db.run(
        f"CREATE TABLE todo (id INTEGER PRIMARY KEY, n INT {refers})",
        "INSERT INTO todo (id) VALUES (1)",
        f"CREATE TABLE child (n {refers})",
        "CREATE TABLE nobody (n)",
        f"INSERT INTO {child} (n) VALUES (1)",
    )
    engine = sa.create_engine(f"sqlite:///{db.path}", poolclass=sa.NullPool)

    write_revision(
        db.app,
        "r1",
        upgrade="with op.batch_alter_table('todo') as batch:\n"
        "    batch.alter_column('n', server_default='1')",
    )

    with engine.connect() as connection, db.app.app_context():
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.exec_driver_sql("BEGIN")

        with db.alembic.use_connection(connection):
            if child != "nobody":
                with pytest.raises(MigrationFailed) as info:
                    db.alembic.upgrade()

                assert f"Rows of the table '{child}' refer to 'todo'" in str(info.value)
                assert "PRAGMA foreign_keys=OFF" in str(info.value.hint)
            else:
                db.alembic.upgrade()

        asked = f"SELECT count(n) FROM {child}"
        assert connection.exec_driver_sql(asked).scalar() == 1
        connection.commit()

    assert ("DEFAULT" in db.made("todo")) is (child == "nobody")
    assert db.made("child") == words(f"CREATE TABLE child (n {refers})")


def test_outside_of_revisions(db: Sqlite) -> None:
    """``alembic.op`` does the same."""
    db.run("CREATE INDEX x ON todo (lower(text))")

    with db.app.app_context():
        with db.alembic.op.batch_alter_table("todo") as batch:
            batch.alter_column("n", nullable=False)

    assert db.made("x")
    assert "NOT" in db.made("todo")


def test_setting_of_the_app(apps: Apps, db: Sqlite) -> None:
    """How SQLite renames tables is as the app has set it, after a failure too."""
    engine = apps.engine(f"sqlite:///{db.path}", poolclass=sa.StaticPool)
    app = apps.flask()
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    asked = "PRAGMA legacy_alter_table"

    for setting in (0, 1):
        with engine.connect() as connection:
            connection.exec_driver_sql(f"{asked}={setting}")

        with app.app_context():
            with alembic.op.batch_alter_table("todo") as batch:
                batch.alter_column("n", nullable=bool(setting))

            with pytest.raises(FlaskAlembicError):
                with alembic.op.batch_alter_table("todo") as batch:
                    batch.drop_column("none")

        with engine.connect() as connection:
            assert connection.exec_driver_sql(asked).scalar() == setting


def test_attached_database(db: Sqlite) -> None:
    """A table of an attached database is made anew in there."""
    write_revision(
        db.app,
        "r1",
        upgrade="with op.batch_alter_table('todo', schema='aux') as batch:\n"
        "    batch.drop_column('text')\n"
        "    batch.alter_column('n', new_column_name='m')\n"
        "    batch.create_index('z', ['id', 'n'])",
    )
    engine = sa.create_engine(f"sqlite:///{db.path}", poolclass=sa.StaticPool)

    with engine.connect() as connection:
        run = connection.exec_driver_sql
        run("ATTACH ':memory:' AS aux")
        run("CREATE TABLE aux.todo (id INTEGER PRIMARY KEY AUTOINCREMENT, text, n)")
        run("INSERT INTO aux.todo VALUES (5, 6, 7)")
        run("CREATE INDEX aux.x ON todo (n + 1)")
        run("CREATE TRIGGER aux.y AFTER DELETE ON todo BEGIN SELECT OLD.n; END")
        connection.commit()

        with db.app.app_context(), db.alembic.use_connection(connection):
            db.alembic.upgrade()

        made = run("SELECT name FROM aux.sqlite_master WHERE sql <> '' ORDER BY name")
        names = ["sqlite_sequence", "todo", "x", "y", "z"]
        assert made.scalars().all() == names
        assert run("SELECT id, m FROM aux.todo").all() == [(5, 7)]
        assert run("SELECT seq FROM aux.sqlite_sequence").all() == [(5,)]

    engine.dispose()
    assert db.run("SELECT count(*) FROM todo") == [(2,)]


def test_async_driver(apps: Apps, sqlite_url: str) -> None:
    """It is the same with an async driver, and a batch can await something."""
    sync = Sqlite(apps, sqlite_url)
    sync.run(TODO, ROWS, "CREATE TRIGGER y AFTER INSERT ON todo BEGIN SELECT 1; END")
    app, alembic, _ = apps.plain_async(with_driver(sqlite_url, "aiosqlite"))
    write_revision(
        app,
        "r1",
        header="async def ask(connection):\n"
        "    return (await connection.exec_driver_sql('SELECT 1')).scalar()",
        upgrade="with op.batch_alter_table('todo') as batch:\n"
        "    assert batch.run_async(ask) == 1\n"
        f"    {NOT_NULL}",
    )
    write_revision(
        app,
        "r2",
        "r1",
        upgrade="op.execute('CREATE VIEW v AS SELECT n FROM todo')\n"
        "with op.batch_alter_table('todo') as batch:\n"
        "    batch.drop_column('n')",
    )

    with app.app_context(), pytest.raises(MigrationFailed, match="The view 'v'"):
        alembic.upgrade()

    assert sync.made("y")
    assert sync.made("todo") == words(TODO) + words("NOT NULL")
    assert sync.run("SELECT count(*) FROM sqlite_master WHERE name = 'v'") == [(0,)]


def test_unreadable_table(db: Sqlite, caplog: pytest.LogCaptureFixture) -> None:
    """A table that can't be read is made by Alembic, with a warning."""
    db.run("DROP TABLE todo", "CREATE TABLE todo (id INT, n INT NOT NULL DEFERRABLE)")
    db.batch('batch.add_column(sa.Column("m", sa.Text()))')
    assert "can't be read" in caplog.text
    assert "m" in db.made("todo")
