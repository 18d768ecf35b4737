"""Scripts of SQL: what is in them, and what can't be. Nothing here connects."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click
import pytest
from alembic.runtime.migration import MigrationContext
from flask import Flask
from flask import g

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationFailed
from flask_alembic import TargetError
from flask_alembic import UnknownRevisionError
from flask_alembic.cli.sql import sql_options
from flask_alembic.statements import ended

NOWHERE = "postgresql+psycopg://ada:secret@nowhere.invalid/todo"
"""A server that does not exist."""

CREATE = 'op.create_table("todo", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.fixture
def app(apps: Apps) -> Flask:
    """An app with revisions, whose server does not exist."""
    app, _ = apps.plain(NOWHERE, name="app")
    write_revision(app, "a1", upgrade=CREATE, downgrade="op.drop_table('todo')")
    write_revision(app, "b2", "a1", message="Grow;\nit", upgrade="op.execute('TWO;')")
    write_revision(app, "c3", "b2", upgrade="op.execute('THREE')")
    return app


def sql(app: Flask, *args: t.Any, **kwargs: t.Any) -> str:
    """The script of the default database."""
    extension: Alembic = app.extensions["alembic"]

    with app.app_context():
        (script,) = extension.sql(*args, **kwargs).values()

    return script


def lines(script: str) -> list[str]:
    """The lines of a script that has a table at most."""
    return [line.strip() for line in script.splitlines() if line.strip()]


def test_upgrade(app: Flask, db: Cli) -> None:
    """The script goes to stdout, and nothing else does."""
    result = db(app, "upgrade", "--sql", "b2")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "-- upgrade a1: a1",
        "",
        "BEGIN;",
        "",
        "CREATE TABLE IF NOT EXISTS alembic_version (",
        "    version_num VARCHAR(32) NOT NULL,",
        "    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)",
        ");",
        "",
        "CREATE TABLE todo (",
        "    id SERIAL NOT NULL,",
        "    PRIMARY KEY (id)",
        ");",
        "",
        "INSERT INTO alembic_version (version_num) VALUES ('a1');",
        "",
        "COMMIT;",
        "",
        "-- upgrade b2: Grow; it",
        "",
        "BEGIN;",
        "",
        "TWO;",
        "",
        "UPDATE alembic_version SET version_num='b2' WHERE"
        " alembic_version.version_num = 'a1';",
        "",
        "COMMIT;",
    ]


@pytest.mark.parametrize(
    ("command", "target", "revisions"),
    [
        ("upgrade", "heads", ["upgrade a1", "upgrade b2", "upgrade c3"]),
        ("upgrade", "base:a1", ["upgrade a1"]),
        ("upgrade", ":a1", ["upgrade a1"]),
        ("upgrade", "a1:", ["upgrade b2", "upgrade c3"]),
        ("upgrade", ":", ["upgrade a1", "upgrade b2", "upgrade c3"]),
        ("upgrade", " a1 : b2 ", ["upgrade b2"]),
        ("upgrade", "a1:head", ["upgrade b2", "upgrade c3"]),
        ("upgrade", "a1:+1", ["upgrade b2"]),
        ("upgrade", "a1:2", ["upgrade b2", "upgrade c3"]),
        ("upgrade", "base:a1+1", ["upgrade a1", "upgrade b2"]),
        ("upgrade", "head:head", []),
        ("downgrade", "heads:base", ["downgrade c3", "downgrade b2", "downgrade a1"]),
        ("downgrade", "c3:a1", ["downgrade c3", "downgrade b2"]),
        ("downgrade", "c3:-1", ["downgrade c3"]),
        ("downgrade", "c3:2", ["downgrade c3", "downgrade b2"]),
        ("downgrade", "b2:b2", []),
        ("stamp", "heads", ["stamp c3"]),
        ("stamp", "a1:c3", ["stamp c3"]),
        ("stamp", "c3:a1", ["stamp a1"]),
        ("stamp", "c3:base", ["stamp base"]),
        ("stamp", ":b2", ["stamp b2"]),
    ],
)
def test_ranges(app: Flask, command: str, target: str, revisions: list[str]) -> None:
    """A range names the start and the end; the start of an upgrade or a stamp is base,
    and the end heads.
    """
    script = sql(app, target, command=command)
    told = [line[3:].partition(":")[0] for line in script.splitlines() if "--" in line]
    assert told == revisions


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (
            ("upgrade", "c3:a1"),
            "'c3:a1' leads down.",
            "Turn it round, or run 'flask db downgrade --sql c3:a1'.",
        ),
        (
            ("downgrade", "a1:c3"),
            "'a1:c3' leads up.",
            "Turn it round, or run 'flask db upgrade --sql a1:c3'.",
        ),
        (
            ("upgrade", "b2:base"),
            "'b2:base' leads down.",
            "Turn it round, or run 'flask db downgrade --sql b2:base'.",
        ),
        (
            ("upgrade", "+2"),
            "'+2' counts from where a database is, and a script has none.",
            "Name the start of the range: 'flask db upgrade --sql base:+2'.",
        ),
        (
            ("upgrade", "2"),
            "'2' counts from where a database is, and a script has none.",
            "Name the start of the range: 'flask db upgrade --sql base:2'.",
        ),
        (
            ("upgrade", "a1:+9"),
            "'+9' goes beyond the head: there are not so many revisions.",
            "Run 'flask db current' and 'flask db log' to see where it stands.",
        ),
        (
            ("upgrade", "a1:b2:c3"),
            "'a1:b2:c3' has more than one colon.",
            "Name a start and an end: 'flask db upgrade --sql a:b'.",
        ),
        (
            ("upgrade", "zz:b2"),
            "There is no revision 'zz'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("upgrade", "a1:zz"),
            "There is no revision 'zz'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("downgrade",),
            "A script for a downgrade has to be told where it starts: '-1' does not"
            " say.",
            "Name both sides, such as 'flask db downgrade --sql heads:-1'.",
        ),
        (
            ("downgrade", ":a1"),
            "A script for a downgrade has to be told where it starts: ':a1' does not"
            " say.",
            "Name both sides, such as 'flask db downgrade --sql heads:a1'.",
        ),
        (
            ("downgrade", "c3:"),
            "A script for a downgrade has to be told where it leads down to: 'c3:'"
            " does not say.",
            "Name both sides, such as 'flask db downgrade --sql c3:base'.",
        ),
    ],
)
def test_wrong_range(
    app: Flask, db: Cli, args: tuple[str, ...], message: str, hint: str
) -> None:
    """A range that can't be followed is an error, and no script."""
    result = db(app, args[0], "--sql", *args[1:])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"Error: {message}\nHint: {hint}\n"


def test_numbers(apps: Apps) -> None:
    """Ids that are numbers are ids in a range, and so are their beginnings."""
    app, _ = apps.plain(NOWHERE)
    write_revision(app, "1767605400")
    write_revision(app, "1767695461", "1767605400")
    assert "upgrade 1767695461" in sql(app, "1767605400:17676954")
    assert "upgrade 1767605400" in sql(app, "17676054")

    for target, command in [
        ("heads:1767605400", "upgrade"),
        ("17676054:1767695461", "downgrade"),
    ]:
        with pytest.raises(TargetError, match="leads"):
            sql(app, target, command=command)


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp"])
def test_range_without_sql(app: Flask, db: Cli, command: str) -> None:
    """A range is for scripts only."""
    result = db(app, command, "a1:b2")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: 'a1:b2' is a range, but where to start is what the database says.\n"
        f"Hint: Run 'flask db {command} b2', or add --sql to write a script.\n"
    )


@pytest.mark.parametrize(
    ("option", "value"), [("--output", "folder"), ("--dialect", "mysql")]
)
def test_option_without_sql(app: Flask, db: Cli, option: str, value: str) -> None:
    """What is for scripts does nothing silently."""
    result = db(app, "upgrade", option, value)
    assert result.exit_code == 2
    assert f"Error: {option} is for scripts. Add --sql." in result.stderr


def test_option_that_needs_a_database(app: Flask) -> None:
    """An option that a script can't follow is not left out in silence."""

    @click.command()
    @click.argument("targets", nargs=-1)
    @click.option("--purge-all", is_flag=True)
    @sql_options
    @click.pass_obj
    def stamp(alembic: Alembic, targets: tuple[str, ...], purge_all: bool) -> None:
        """Run without a script."""

    app.cli.add_command(stamp)
    runner = app.test_cli_runner()
    extension = app.extensions["alembic"]
    result = runner.invoke(stamp, ["--sql", "--purge-all", "a1"], obj=extension)
    assert result.exit_code == 2
    assert "Error: --purge-all needs a database. Leave out --sql." in result.stderr

    with app.app_context():
        result = runner.invoke(stamp, ["--sql", "a1"], obj=extension)

    assert result.stdout == sql(app, "a1", command="stamp")


def test_ensure_version(app: Flask, db: Cli) -> None:
    """The version table can be made by a script of its own; upgrading takes it."""
    script = sql(app, command="ensure-version")
    assert lines(script) == [
        "CREATE TABLE IF NOT EXISTS alembic_version (",
        "version_num VARCHAR(32) NOT NULL,",
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)",
        ");",
    ]
    assert script == sql(app, command="ensure_version")
    assert script == db(app, "ensure-version", "--sql").output
    assert script in sql(app)


def test_unknown_command(app: Flask) -> None:
    """There is no SQL of what is no command."""
    with pytest.raises(ConfigurationError) as raised:
        sql(app, command="log")

    assert str(raised.value) == "There is no SQL for 'log'."
    assert raised.value.hint == (
        "The commands are: upgrade, downgrade, stamp, ensure_version."
    )


def test_python(app: Flask) -> None:
    """A target may be a revision or several; a range is a text. Errors are typed."""
    extension: Alembic = app.extensions["alembic"]

    with app.app_context():
        script = extension.script_directory.get_revision("a1")
        assert "TWO" not in extension.sql(script)["default"]
        assert extension.sql(["a1"]) == extension.sql("a1")

        with pytest.raises(UnknownRevisionError):
            extension.sql("base:nothing")

        with pytest.raises(TargetError):
            extension.sql(True)

        # The environment that connects is back.
        assert not extension.environment_context.is_offline_mode()


def test_nothing_to_do(app: Flask, db: Cli) -> None:
    """An empty script says so."""
    assert sql(app, "c3:heads") == ""
    assert db(app, "upgrade", "--sql", "c3:heads").stdout == "-- Nothing to do.\n"


# Databases


def test_several(apps: Apps, db: Cli, tmp_path: Path) -> None:
    """Each database has a script: under its name in one stream, or in a file."""
    app, alembic = apps.several({"default": NOWHERE, "log/s": "sqlite:///no/such.db"})
    write_revision(
        app,
        "a1",
        arguments="engine_name",
        upgrade="globals()[f'upgrade_{engine_name}']()",
        downgrade="pass",
        header="def upgrade_default(): op.execute('DEFAULT')\n\n"
        "def upgrade_log_s(): op.execute('LOGS')\n",
    )
    stream = db(app, "upgrade", "--sql").stdout
    told = ("-- ", "DEFAULT", "LOGS")
    assert [line for line in stream.splitlines() if line.startswith(told)] == [
        "-- Database default",
        "-- upgrade a1: a1",
        "DEFAULT;",
        "-- Database log/s",
        "-- upgrade a1: a1",
        "LOGS;",
    ]

    with app.app_context():
        scripts = alembic.sql()
        assert list(scripts) == ["default", "log/s"]
        assert list(alembic.sql(databases="log/s")) == ["log/s"]

    folder = tmp_path / "new" / "folder"
    result = db(app, "upgrade", "--sql", "--output", str(folder))
    assert result.stdout == (
        f"Wrote {folder / 'default.sql'}\nWrote {folder / 'log_s.sql'}\n"
    )
    assert (folder / "default.sql").read_text() == scripts["default"]
    assert (folder / "log_s.sql").read_text() == scripts["log/s"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "default.sql",
        "log_s.sql",
    ]
    only = db(app, "upgrade", "--sql", "--database", "default").stdout
    assert only == scripts["default"]


def test_output_refused(app: Flask, db: Cli, tmp_path: Path) -> None:
    """A folder that can't be made is told, without a traceback."""
    (tmp_path / "file").write_text("")
    result = db(app, "upgrade", "--sql", "--output", str(tmp_path / "file" / "x"))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path / 'file' / 'x' / 'default.sql'}: Not a directory\n"
        "Hint: Name a folder that can be written to: --output FOLDER.\n"
    )


def test_nothing_to_do_in_a_file(app: Flask, db: Cli, tmp_path: Path) -> None:
    """A file of an earlier run does not stay where there is nothing to do."""
    path = tmp_path / "default.sql"
    path.write_text("DROP TABLE todo;")
    db(app, "upgrade", "--sql", "heads:heads", "--output", str(tmp_path))
    assert path.read_text() == "-- Nothing to do.\n"


@pytest.mark.parametrize(
    ("dialect", "parts"),
    [
        ("postgresql", ["id SERIAL NOT NULL", "BEGIN;"]),
        ("mysql", ["id INTEGER NOT NULL AUTO_INCREMENT", "BEGIN;"]),
        ("mariadb", ["id INTEGER NOT NULL AUTO_INCREMENT", "BEGIN;"]),
        ("sqlite", ["id INTEGER NOT NULL", "BEGIN;"]),
        ("oracle", ["VARCHAR2(32 CHAR)", "\n/\n", "COMMIT\n"]),
        ("mssql", ["id INTEGER NOT NULL IDENTITY", "\nGO\n", "BEGIN TRANSACTION;"]),
    ],
)
def test_dialect(app: Flask, db: Cli, dialect: str, parts: list[str]) -> None:
    """A script can be for another kind of database, whose driver need not be there."""
    result = db(app, "upgrade", "--sql", "a1", "--dialect", dialect)
    assert result.exit_code == 0
    assert [part for part in parts if part not in result.stdout] == []


def test_unknown_dialect(app: Flask, db: Cli) -> None:
    """A dialect that is none is told, with what there is."""
    result = db(app, "upgrade", "--sql", "--dialect", "postgresq")
    assert result.stderr == (
        "Error: There is no dialect 'postgresq'.\nHint: Did you mean 'postgresql'?\n"
    )
    assert "There are: postgresql, mysql" in (
        db(app, "upgrade", "--sql", "--dialect", "x").stderr
    )


def test_options_of_another_dialect(apps: Apps) -> None:
    """SQLite's own options don't count for a script for PostgreSQL."""
    app, _ = apps.plain("sqlite://")
    write_revision(app, "a1", upgrade=CREATE)
    script = sql(app, dialect="mariadb")
    assert script.count("BEGIN;") == 1
    assert "AUTO_INCREMENT" in script


# Options


def test_context_options(apps: Apps) -> None:
    """``ALEMBIC_CONTEXT`` counts, also for one database, and what a function adds."""
    applied: list[tuple[str, set[str]]] = []

    def on_apply(ctx: t.Any, step: t.Any, heads: t.Any, run_args: t.Any) -> None:
        applied.append((step.up_revision_id, heads))
        ctx.execute("AFTER")

    app, alembic = apps.plain(
        NOWHERE,
        ALEMBIC_CONTEXT={
            "version_table": "versions",
            "on_version_apply": on_apply,
            "databases": {"default": {"version_table_schema": "own"}},
        },
    )

    @alembic.configure
    def configure(config: t.Any, options: t.Any) -> None:
        options["default"]["version_table_pk"] = False

    write_revision(app, "a1")
    assert lines(sql(app)) == [
        "-- upgrade a1: a1",
        "BEGIN;",
        "CREATE TABLE IF NOT EXISTS own.versions (",
        "version_num VARCHAR(32) NOT NULL",
        ");",
        "INSERT INTO own.versions (version_num) VALUES ('a1');",
        "AFTER;",
        "COMMIT;",
    ]
    assert applied == [("a1", {"a1"})]


def test_no_transactions(apps: Apps) -> None:
    """Who turned transactions off gets none."""
    app, _ = apps.plain(NOWHERE, ALEMBIC_CONTEXT={"transactional_ddl": False})
    write_revision(app, "a1")
    assert "BEGIN" not in sql(app)


def test_literal_binds(apps: Apps, sqlite_url: str) -> None:
    """An option that is for scripts is no hindrance to an upgrade."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={"literal_binds": True})
    write_revision(app, "a1")

    with app.app_context():
        alembic.upgrade()
        assert "INSERT" in alembic.sql()["default"]


@pytest.mark.parametrize(
    "key", ["as_sql", "output_buffer", "output_encoding", "starting_rev"]
)
def test_our_options(apps: Apps, key: str) -> None:
    """What a script needs is set by the extension."""
    app, _ = apps.plain(NOWHERE, ALEMBIC_CONTEXT={key: "x"})
    write_revision(app, "a1")

    with pytest.raises(ConfigurationError, match="set by the extension"):
        sql(app)


def test_revision_asks(apps: Apps, db: Cli) -> None:
    """A revision can tell that it becomes a script, and is given arguments. What it
    prints does not get into the script.
    """
    app, _ = apps.plain(NOWHERE)
    write_revision(
        app,
        "a1",
        header="from alembic import context",
        upgrade="op.execute(f'{context.is_offline_mode()}"
        " {context.get_x_argument(as_dictionary=True)} {context.get_tag_argument()}')\n"
        "print('printed')",
    )
    result = db(app, "upgrade", "--sql", "-x", "who=ada", "--tag", "monday")
    assert "True {'who': 'ada'} monday;" in result.stdout
    assert "printed" not in result.stdout
    assert result.stderr == "printed\n"


def test_log_goes_to_stderr(app: Flask, db: Cli) -> None:
    """Alembic's log is not in the script."""
    result = db(app, "upgrade", "--sql", "-v", "a1")
    assert "Generating static SQL" in result.stderr
    assert result.stdout == sql(app, "a1")


def test_seam(apps: Apps) -> None:
    """A subclass that tries again gets the whole script, once."""

    class Retry(Alembic):
        tries = 0

        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any:
            try:
                return super().run_migrations(fn, **kwargs)
            except MigrationFailed:
                return super().run_migrations(fn, **kwargs)

    app, _ = apps.plain(NOWHERE, extension=Retry)
    write_revision(app, "a1", upgrade=CREATE)
    write_revision(
        app,
        "b2",
        "a1",
        header="tries = []",
        upgrade="tries.append(1)\nassert len(tries) > 1\nop.execute('TWO')",
    )
    script = sql(app)
    assert script.count("CREATE TABLE todo") == 1
    assert script.count("TWO;") == 1


def test_no_password(app: Flask, db: Cli) -> None:
    """The password is in no output."""
    write_revision(app, "d4", "c3", upgrade="raise ValueError('secret')")
    result = db(app, "upgrade", "--sql", "c3")
    assert "secret" not in result.stdout
    assert "secret" not in db(app, "upgrade", "--sql").stderr.partition("Error:")[2]


def test_schema_translate_map(apps: Apps) -> None:
    """The engine's map of schemas holds as it does when it connects."""
    engine = apps.engine(
        NOWHERE, execution_options={"schema_translate_map": {"a": "b"}}
    )
    app = apps.flask()
    Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(app, "a1", upgrade="op.drop_table('todo', schema='a')")
    assert "DROP TABLE b.todo;" in sql(app)


# Histories


def test_branches(apps: Apps, db: Cli) -> None:
    """Several heads, a dependency and a merge go up and down, from any heads."""
    app, _ = apps.plain(NOWHERE)
    write_revision(app, "a1")
    write_revision(app, "b1", "a1", branch_labels=("left",))
    write_revision(app, "c1", "a1", branch_labels=("right",), depends_on="b1")
    script = sql(app)
    assert "-- upgrade b1: b1" in script
    assert script.index("upgrade b1") < script.index("upgrade c1")

    # As the version table is after an upgrade: b1 is implied by c1.
    down = sql(app, "heads:a1", command="downgrade")
    assert lines(down)[-2].startswith("DELETE FROM") or "UPDATE" in down
    assert db(app, "upgrade", "--sql", "head").exit_code == 1
    assert "upgrade c1" in sql(app, "left:right@head")

    write_revision(app, "d1", ("b1", "c1"))
    assert "-- upgrade d1" in sql(app, "b1,c1:d1")
    merged = sql(app, "d1:-1", command="downgrade")
    assert "-- downgrade d1" in merged
    assert "'c1'" in merged
    assert "-- downgrade a1" in sql(app, "d1:base", command="downgrade")


# Statements


@pytest.mark.parametrize(
    ("dialect", "statement", "result"),
    [
        ("sqlite", "A", "A;"),
        ("sqlite", "A;", "A;"),
        ("sqlite", " A ; ;\n", "A;"),
        ("sqlite", "A -- b", "A; -- b"),
        ("sqlite", "A; -- b", "A; -- b"),
        ("sqlite", "A -- b\n-- c;\n", "A; -- b\n-- c;"),
        ("sqlite", "A /* b; */", "A; /* b; */"),
        ("sqlite", "-- b", "-- b"),
        ("sqlite", ";", ""),
        ("sqlite", "A ';' -- 'x", "A ';'; -- 'x"),
        ("sqlite", "A '--'", "A '--';"),
        ("sqlite", "\tA\t'\t'", "A    '\t';"),
        ("sqlite", "A; B;", "A; B;"),
        ("postgresql", "DO $x$ a; -- b\n$x$;", "DO $x$ a; -- b\n$x$;"),
        ("postgresql", r"A E'\'--'", r"A E'\'--';"),
        ("postgresql", r"A '\' -- b", r"A '\'; -- b"),
        ("mariadb", r"A '\'--'", r"A '\'--';"),
        ("mariadb", "A # b;", "A; # b;"),
        ("mariadb", "A 1--1", "A 1--1;"),
        ("mariadb", "A; B", "DELIMITER //\nA; B //\nDELIMITER ;"),
        ("mariadb", "A; B; -- c", "DELIMITER //\nA; B // -- c\nDELIMITER ;"),
        ("mysql", "A '//'; B", "DELIMITER $$\nA '//'; B $$\nDELIMITER ;"),
        ("mysql", "A ';'", "A ';';"),
        ("mysql", "/*!40101 A */;", "/*!40101 A */;"),
        ("mssql", "A [b;--]", "A [b;--];"),
        ("oracle", "A;", "A"),
        ("oracle", "BEGIN a; END;", "BEGIN a; END;"),
        ("oracle", "BEGIN a; END b ;", "BEGIN a; END b;"),
    ],
)
def test_ended(dialect: str, statement: str, result: str) -> None:
    """A statement ends once, and not in its comment."""
    assert ended(statement, dialect, "" if dialect == "oracle" else ";") == result


def test_percent_signs(apps: Apps) -> None:
    """A percent sign is one percent sign, whatever the driver."""
    app, _ = apps.plain(NOWHERE)
    write_revision(
        app,
        "a1",
        upgrade="op.create_table('t',"
        " sa.Column('a', sa.String(9), server_default='5%', comment='6%'),"
        " sa.CheckConstraint(\"a LIKE '7%'\"))\n"
        "op.execute(\"UPDATE t SET a = '8%'\")\n"
        "op.bulk_insert(sa.table('t', sa.column('a', sa.String)), [{'a': '9%'}])",
    )

    for dialect in (None, "mysql", "mariadb", "sqlite", "oracle", "mssql"):
        assert "%%" not in sql(app, dialect=dialect)


def test_values(apps: Apps) -> None:
    """Values stand as a driver would send them, and so do the defaults of columns."""
    app, _ = apps.plain(NOWHERE)
    write_revision(
        app,
        "a1",
        header="import uuid, datetime",
        upgrade="""
t = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("a", sa.JSON),
    sa.Column("b", sa.LargeBinary),
    sa.Column("c", sa.String, default="new", onupdate="old"),
    sa.Column("d", sa.Integer, default=lambda: 7),
)
bare = sa.table("t", sa.column("a"))
op.bulk_insert(t, [{"a": {"x": "it's"}, "b": b"\\0'"}, {"a": None, "b": None}])
op.execute(t.update().values(b=b"x").where(t.c.d.in_([1, 2])))
op.bulk_insert(bare, [{"a": uuid.UUID(int=1)}, {"a": datetime.date(2026, 1, 2)}])
op.get_bind().execute(bare.insert(), [{"a": 1}, {"a": "two"}])
op.get_bind().execute(
    bare.update().where(bare.c.a == sa.bindparam("old")), {"old": 4, "a": 5}
)
op.get_bind().execute(sa.select(bare).where(bare.c.a == sa.bindparam("x")), {"x": 3})
""",
    )
    assert lines(sql(app))[6:-2] == [
        "INSERT INTO t (a, b, c, d) VALUES"
        r""" ('{"x": "it''s"}', '\x0027'::bytea, 'new', 7);""",
        "INSERT INTO t (a, b, c, d) VALUES ('null', NULL, 'new', 7);",
        r"UPDATE t SET b='\x78'::bytea, c='old' WHERE t.d IN (1, 2);",
        "INSERT INTO t (a) VALUES ('00000000-0000-0000-0000-000000000001');",
        "INSERT INTO t (a) VALUES ('2026-01-02');",
        "INSERT INTO t (a) VALUES (1);",
        "INSERT INTO t (a) VALUES ('two');",
        "UPDATE t SET a=5 WHERE t.a = 4;",
        "SELECT t.a",
        "FROM t",
        "WHERE t.a = 3;",
    ]


@pytest.mark.parametrize(
    ("upgrade", "reason"),
    [
        ("op.execute('SELECT \\':x\\'')", "TypeError: a value is required for 'x'"),
        (
            "op.execute(sa.table('t', sa.column('a')).insert())",
            "TypeError: a value is required for 'a'",
        ),
        (
            "op.bulk_insert(sa.table('t', sa.column('a')), [{'a': object()}])",
            "TypeError: no SQL for <class 'object'>: give its column a type",
        ),
        (
            "op.execute(sa.Table('t', sa.MetaData(), sa.Column('a', sa.Integer),"
            " sa.Column('b', sa.Integer, default=1)).insert().values([{'a': 1}]))",
            "TypeError: a script has no default of the column 'b' for several rows:"
            " give its value",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_no_script(apps: Apps, upgrade: str, reason: str) -> None:
    """A statement without a value, like any other failure, makes no script."""
    app, _ = apps.plain(NOWHERE)
    write_revision(app, "a1", upgrade=upgrade)

    with pytest.raises(MigrationFailed) as raised:
        sql(app)

    assert str(raised.value) == (
        f"Revision a1 can't be written as SQL for the database 'default': {reason}"
    )
    assert raised.value.hint == (
        "No script was written. Mend migrations/a1_.py and run it again."
    )
    assert (raised.value.revision, raised.value.database) == ("a1", "default")
    assert (raised.value.applied, raised.value.standing) == ((), {})


@pytest.mark.parametrize(
    "upgrade",
    [
        "op.get_bind().execute(sa.text('SELECT 1')).scalar()",
        "op.get_bind().scalar(sa.text('SELECT 1'))",
        "list(op.get_bind().execute(sa.text('SELECT 1')))",
        "op.get_bind().execute(sa.text('DELETE FROM t')).rowcount",
        "sa.inspect(op.get_bind())",
        "op.get_bind().dialect.has_table(op.get_bind(), 't')",
        "sa.Table('t', sa.MetaData(), autoload_with=op.get_bind())",
        "sa.orm.Session(op.get_bind()).execute(sa.text('SELECT 1'))",
        "op.get_context().connection.begin_nested()",
        "helper(op)",
    ],
)
def test_reading(apps: Apps, db: Cli, upgrade: str) -> None:
    """A revision that reads is named with its line, and told what to do."""
    app, _ = apps.plain(NOWHERE)
    write_revision(
        app,
        "a1",
        header="import sqlalchemy.orm\n"
        "def helper(op): return op.get_bind().execute(sa.text('x')).all()",
        upgrade=f"op.execute('FIRST')\n{upgrade}",
    )
    line = 5 if upgrade.startswith("helper") else 11
    result = db(app, "upgrade", "--sql")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.partition("Error: ")[2] == (
        "Revision a1 can't be written as SQL for the database 'default':"
        f" migrations/a1_.py, line {line}, needs a connection, and a script has none.\n"
        "Hint: Put that into 'if not context.is_offline_mode():', with 'from alembic"
        " import context', or run this revision without --sql.\n"
    )


def test_batch(apps: Apps) -> None:
    """Batch mode needs the table where it makes it anew, and is told so."""
    app, _ = apps.plain("sqlite:///no/such.db")
    batch = "with op.batch_alter_table('todo'{}) as b:\n    b.drop_column('text')"
    write_revision(app, "a1", upgrade=batch.format(""))

    with pytest.raises(MigrationFailed) as raised:
        sql(app)

    assert "migrations/a1_.py, line 9, needs a connection" in str(raised.value)
    assert raised.value.hint == (
        "Give the table to op.batch_alter_table() as copy_from=, or run this revision"
        " without --sql."
    )
    table = "sa.Table('todo', sa.MetaData(), sa.Column('id', sa.Integer),"
    table += " sa.Column('text', sa.Text))"
    write_revision(app, "a1", upgrade=batch.format(f", copy_from={table}"))
    assert "ALTER TABLE _alembic_tmp_todo RENAME TO todo;" in sql(app)


def test_autocommit_block(apps: Apps) -> None:
    """What has to run outside of a transaction does."""
    app, _ = apps.plain(NOWHERE)
    write_revision(
        app,
        "b2",
        upgrade="op.execute('ONE')\nwith op.get_context().autocommit_block():\n"
        "    op.create_index('i', 't', ['a'], postgresql_concurrently=True)\n"
        "op.execute('TWO')",
    )
    assert lines(sql(app))[6:] == [
        "ONE;",
        "COMMIT;",
        "CREATE INDEX CONCURRENTLY i ON t (a);",
        "BEGIN;",
        "TWO;",
        "INSERT INTO alembic_version (version_num) VALUES ('b2');",
        "COMMIT;",
    ]


@pytest.mark.parametrize(
    ("dialect", "first"),
    [
        ("postgresql", "SET client_encoding = 'UTF8';"),
        ("mariadb", "SET NAMES utf8mb4;"),
        ("sqlite", "-- upgrade a1: a1"),
    ],
)
def test_encoding(
    apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch, dialect: str, first: str
) -> None:
    """Characters beyond ASCII are in UTF-8, and the client is told so."""
    app, _ = apps.plain(NOWHERE)
    write_revision(app, "a1", upgrade="op.execute('UPDATE t SET a = \\'雪\\'')")
    runner = app.test_cli_runner(charset="ascii")
    result = runner.invoke(args=["db", "upgrade", "--sql", "--dialect", dialect])
    assert "'雪'".encode() in result.stdout_bytes
    assert result.stdout_bytes.decode().splitlines()[0] == first


# Revision


def test_revision(apps: Apps, db: Cli) -> None:
    """A revision can be written where no database is, without operations."""
    app, alembic = apps.plain(NOWHERE)
    result = db(app, "revision", "--sql", "first")
    assert result.exit_code == 0
    assert result.stdout.startswith("Wrote migrations/")

    with app.app_context():
        (script,) = alembic.revision("second", sql=True)
        assert script is not None
        assert "create_table" not in Path(script.path).read_text()


def test_revision_environment(apps: Apps) -> None:
    """Hooks for an empty revision run, and know that there is no database."""
    seen: list[bool] = []

    def hook(context: t.Any, revision: t.Any, directives: t.Any) -> None:
        seen.append(context.environment_context.is_offline_mode())

    app, alembic = apps.plain(
        NOWHERE,
        ALEMBIC={"revision_environment": True},
        ALEMBIC_CONTEXT={"process_revision_directives": hook},
    )

    with app.app_context():
        alembic.revision("first", sql=True)

    assert seen == [True]


def test_revision_compares_nothing(apps: Apps, db: Cli) -> None:
    """Who asks for a comparison can't ask for no connection."""
    app, _ = apps.plain(NOWHERE)
    result = db(app, "revision", "--sql", "--allow-drops", "x")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: A revision that is written without connecting (sql) drops no tables"
        " (allow_drops): it compares nothing.\nHint: Leave one of them out.\n"
    )


def test_contexts_of_a_subclass(apps: Apps, sqlite_url: str) -> None:
    """Where a subclass has connected contexts of its own, nothing is run by mistake."""

    class Connected(Alembic):
        @property
        def migration_contexts(self) -> dict[str, MigrationContext]:
            connection = self.databases["default"].engine.connect()
            g.setdefault("connections", []).append(connection)
            return {"default": MigrationContext.configure(connection)}

    app, alembic = apps.plain(sqlite_url, extension=Connected)
    write_revision(app, "a1", upgrade=CREATE)

    with app.app_context():
        with pytest.raises(ConfigurationError, match="that is connected"):
            alembic.sql()

        for connection in g.connections:
            connection.close()

    assert tables(sqlite_url) == set()
