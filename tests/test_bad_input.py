"""Whatever is wrong is told in a line, with the cure, and nothing is changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic.errors import ConfigurationError
from servers import Databases
from servers import Server


def revision(
    id_: object = "r2",
    down: object = "r1",
    *,
    top: str = "",
    upgrade: str = "pass",
    omit: str = "",
    **attributes: object,
) -> str:
    """The text of a revision file."""
    names = {"revision": id_, "down_revision": down, **attributes}
    lines = [f"{name} = {value!r}" for name, value in names.items() if name != omit]
    functions = [
        f"def {name}():\n    {code}\n"
        for name, code in [("upgrade", upgrade), ("downgrade", "pass")]
        if name != omit
    ]
    imports = "from alembic import op\nimport sqlalchemy as sa\n"
    return "\n".join([*([top] if top else []), imports, *lines, "", *functions])


FIRST: t.Final = revision(
    "r1", None, upgrade='op.create_table("made", sa.Column("id", sa.Integer))'
)


@dataclass(frozen=True)
class Case:
    """What is wrong, and all that the command says to it."""

    name: str
    output: str
    args: tuple[str, ...] = ("upgrade",)
    files: t.Mapping[str, str] = field(default_factory=dict)
    sql: tuple[str, ...] = ()
    config: t.Mapping[str, t.Any] = field(default_factory=dict)
    exit_code: int = 1

    def __str__(self) -> str:
        return self.name


def each(cases: t.Iterable[Case]) -> pytest.MarkDecorator:
    """Run a test with each case of a table."""
    return pytest.mark.parametrize("case", cases, ids=str)


def query(url: str, *statements: str) -> list[tuple[t.Any, ...]]:
    """Run statements on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    rows: list[tuple[t.Any, ...]] = []

    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in result] if result.returns_rows else []

    return rows


def files_of(app: Flask) -> dict[str, object]:
    """All files of an app, with what they hold."""
    return {
        str(path): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in Path(app.root_path).rglob("*")
        if (path.is_file() or path.is_symlink()) and path.parent.name != "__pycache__"
    }


def rows_of(url: str) -> dict[str, object]:
    """All that a database holds."""
    return {name: query(url, f"SELECT * FROM {name}") for name in sorted(tables(url))}


def readable(output: str, folder: Path) -> str:
    """What was printed, the same in each run and with each Python: some underline."""
    output = re.sub(r"^ *[~^]+\n", "", output, flags=re.MULTILINE)
    return re.sub(r"\d+ ms", "N ms", output.replace(str(folder), "TMP"))


def arrange(app: Flask, files: t.Mapping[str, str]) -> Path:
    """Write files to the migrations folder."""
    folder = Path(app.root_path, "migrations")

    for name, content in files.items():
        (folder / name).write_text(content)

    return folder


def check(case: Case, app: Flask, url: str, apps: Apps, db: Cli) -> None:
    """Run a case: all is said, and nothing changed."""
    arrange(app, case.files)
    query(url, *case.sql)
    app.config.update(case.config)
    before = files_of(app), rows_of(url)
    result = db(app, *case.args)
    assert readable(result.output, apps.folder) == case.output
    assert result.exit_code == case.exit_code
    assert (files_of(app), rows_of(url)) == before


# Revision files

MEND: t.Final = "Hint: Mend the file.\n"
RESTORE: t.Final = "Hint: Restore the file of that revision, or mend the id.\n"
NO_REVISION: t.Final = (
    "Hint: Restore the line, or move the file elsewhere if it is no revision.\n"
)
ID: t.Final = "Hint: An id is a str of letters, digits, '_' and '.'.\n"
PARENT: t.Final = "Hint: It is a str, a tuple of str, or None.\n"


def broken(name: str, content: str, output: str) -> Case:
    """A good revision that is pending, and one that is broken."""
    return Case(name, output, files={"r1_.py": FIRST, "r2_.py": content})


def bad_id(id_: object) -> Case:
    """A revision whose id can't be used."""
    return broken(
        f"id {id_!r}",
        revision(id_),
        f"Error: migrations/r2_.py: revision = {id_!r} can't be an id.\n{ID}",
    )


BROKEN_FILES: t.Final = (
    broken(
        "syntax error",
        revision(top="x = = 1"),
        f"Error: migrations/r2_.py:1: invalid syntax.\n{MEND}",
    ),
    broken(
        "null byte",
        revision() + "\0",
        "Error: migrations/r2_.py: source code string cannot contain null bytes.\n"
        + MEND,
    ),
    broken(
        "import error",
        revision(top="\nimport no_such_module"),
        "Error: migrations/r2_.py:2: ModuleNotFoundError:"
        f" No module named 'no_such_module'.\n{MEND}",
    ),
    broken(
        "error without a text",
        revision(top="raise RuntimeError"),
        f"Error: migrations/r2_.py:1: RuntimeError.\n{MEND}",
    ),
    broken(
        "sys.exit",
        revision(top="import sys; sys.exit(0)"),
        f"Error: migrations/r2_.py:1: SystemExit: 0.\n{MEND}",
    ),
    broken(
        "no revision",
        revision(omit="revision"),
        f"Error: migrations/r2_.py: there is no 'revision' in it.\n{NO_REVISION}",
    ),
    broken(
        "no down_revision",
        revision(omit="down_revision"),
        f"Error: migrations/r2_.py: there is no 'down_revision' in it.\n{NO_REVISION}",
    ),
    broken(
        "no upgrade",
        revision(omit="upgrade"),
        "Error: migrations/r2_.py: there is no function 'upgrade' in it.\n"
        "Hint: Write 'def upgrade():', with 'pass' if it does nothing.\n",
    ),
    broken(
        "id twice",
        revision("r1", None),
        "Error: Two files have the id 'r1': migrations/r1_.py and"
        " migrations/r2_.py.\n"
        "Hint: Give the newer one another id, or delete it if it is a copy.\n",
    ),
    broken(
        "self-cycle",
        revision("r2", "r2"),
        "Error: migrations/r2_.py: 'r2' revises itself.\n"
        "Hint: Set its down_revision to what it was made on.\n",
    ),
    Case(
        "cycle",
        "Error: The revisions revise each other in a circle: r1, r2.\n"
        "Hint: Set the down_revision of one of them to what it was made on.\n",
        files={"r1_.py": revision("r1", "r2"), "r2_.py": revision("r2", "r1")},
    ),
    Case(
        "cycle of dependencies",
        "Error: The revisions depend on each other in a circle: r1, r2.\n"
        "Hint: Take one of them out of the other's depends_on.\n",
        files={
            "r1_.py": revision("r1", None, depends_on=("r2",)),
            "r2_.py": revision("r2", None, depends_on=("r1",)),
        },
    ),
    broken(
        "missing down revision",
        revision("r2", "gone"),
        "Error: migrations/r2_.py: 'r2' revises 'gone', which does not exist.\n"
        + RESTORE,
    ),
    broken(
        "missing down revision of a merge",
        revision("r2", ("r1", "gone")),
        "Error: migrations/r2_.py: 'r2' revises 'gone', which does not exist.\n"
        + RESTORE,
    ),
    broken(
        "missing dependency",
        revision(depends_on="gone"),
        "Error: migrations/r2_.py: 'r2' depends on 'gone', which does not exist.\n"
        + RESTORE,
    ),
    broken(
        "missing dependencies",
        revision(depends_on=["r1", "gone"]),
        "Error: migrations/r2_.py: 'r2' depends on 'gone', which does not exist.\n"
        + RESTORE,
    ),
    broken(
        "down_revision of another type",
        revision("r2", 1),
        f"Error: migrations/r2_.py: down_revision = 1 can't be used.\n{PARENT}",
    ),
    broken(
        "depends_on of another type",
        revision(depends_on=3),
        f"Error: migrations/r2_.py: depends_on = 3 can't be used.\n{PARENT}",
    ),
    *map(bad_id, [2, "", "a'b", "a@b", "a-b", "a+b", "a:b", "a b", "head", "é"]),
)


@each(BROKEN_FILES)
def test_broken_revision_file(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A file that is no good revision is named before the first revision runs."""
    app, _ = apps.plain(sqlite_url)
    check(case, app, sqlite_url, apps, db)


COMMANDS: t.Final = (
    ("branches",),
    ("check",),
    ("current",),
    ("downgrade", "base"),
    ("heads",),
    ("log",),
    ("merge",),
    ("revision", "x"),
    ("show",),
    ("stamp", "r1"),
    ("upgrade",),
)


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_each_command_tells_of_a_broken_file(
    args: tuple[str, ...], sqlite_url: str, apps: Apps, db: Cli
) -> None:
    """No command goes on without the file."""
    app, _ = apps.plain(sqlite_url)
    content = revision(top="x = = 1")
    output = f"Error: migrations/r2_.py:1: invalid syntax.\n{MEND}"
    case = Case("", output, args, {"r1_.py": FIRST, "r2_.py": content})
    check(case, app, sqlite_url, apps, db)


def test_dependency_as_text(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A single dependency may be written as a text, as in Alembic."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, {"r1_.py": FIRST, "b1_.py": revision("b1", None, depends_on="r1")})
    result = db(app, "upgrade")
    assert readable(result.output, apps.folder) == (
        "  r1  upgrade  N ms\n  b1  upgrade  N ms\n2 revisions applied to default.\n"
    )


def test_dangling_link(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A link to a revision that was deleted is named."""
    app, _ = apps.plain(sqlite_url)
    folder = arrange(app, {"r1_.py": FIRST})
    (folder / "r2_.py").symlink_to(folder / "gone.py")
    output = (
        "Error: migrations/r2_.py is a link to a file that does not exist.\n"
        "Hint: Delete the link, or restore the file.\n"
    )
    check(Case("", output), app, sqlite_url, apps, db)


def test_no_downgrade(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A revision without downgrade() is found before the first one is undone."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, {"r1_.py": revision("r1", None, omit="downgrade")})
    arrange(app, {"r2_.py": revision()})
    db(app, "upgrade")
    output = (
        "Error: migrations/r1_.py: there is no function 'downgrade' in it.\n"
        "Hint: Write 'def downgrade():', with 'pass' if it does nothing.\n"
    )
    check(Case("", output, ("downgrade", "base")), app, sqlite_url, apps, db)


def test_other_python_files(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """An env.py, a helper module, an empty file and what is no Python are left alone:
    they are not run.
    """
    app, _ = apps.plain(sqlite_url)
    trap = "raise SystemExit('was run')\n"
    folder = arrange(
        app,
        {
            "r1_.py": FIRST,
            "env.py": trap,
            "helper.py": f"def helper():\n    pass\n{trap}",
            "__init__.py": trap,
            "empty.py": "",
            "README": "revision = 1",
            "r2_.py.orig": revision(top="x = = 1"),
            ".r3.py": revision(top="x = = 1"),
        },
    )
    (folder / "r4_.py").mkdir()
    assert db(app, "heads").output == "<base> -> r1 (head)\n"
    result = db(app, "upgrade")
    assert readable(result.output, apps.folder) == (
        "  r1  upgrade  N ms\n1 revision applied to default.\n"
    )


# Ids that are too long

LONG_ID: t.Final = "x" * 40


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_long_id(url: str, apps: Apps, db: Cli) -> None:
    """An id that does not fit is found before the first revision runs."""
    app, _ = apps.plain(url)
    output = (
        f"Error: The id '{LONG_ID}' has 40 characters, but alembic_version.version_num"
        " holds 32.\n"
        "Hint: Give the revision a shorter id, or make the column longer.\n"
    )
    case = Case("", output, files={"r1_.py": FIRST, "r2_.py": revision(LONG_ID)})
    check(case, app, url, apps, db)
    assert tables(url) == set()


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_long_id_on_sqlite(url: str, apps: Apps, db: Cli) -> None:
    """SQLite does not mind."""
    app, _ = apps.plain(url)
    arrange(app, {"r1_.py": FIRST, "r2_.py": revision(LONG_ID)})
    assert db(app, "upgrade").exit_code == 0
    assert query(url, "SELECT * FROM alembic_version") == [(LONG_ID,)]


def test_long_id_in_a_longer_column(url: str, apps: Apps, db: Cli) -> None:
    """Nor does anybody who made the column longer."""
    app, _ = apps.plain(url)
    query(url, "CREATE TABLE alembic_version (version_num VARCHAR(64) PRIMARY KEY)")
    arrange(app, {"r1_.py": FIRST, "r2_.py": revision(LONG_ID)})
    assert db(app, "upgrade").exit_code == 0
    assert query(url, "SELECT * FROM alembic_version") == [(LONG_ID,)]


# Targets

LOG_HINT: t.Final = "Hint: Run 'flask db log' to see all revisions.\n"
STAND_HINT: t.Final = (
    "Hint: Run 'flask db current' and 'flask db log' to see where it stands.\n"
)
LINE_OF_THREE: t.Final = {
    "r1_.py": FIRST,
    "abcd1_.py": revision("abcd1", "r1"),
    "abcd2_.py": revision("abcd2", "abcd1"),
}


def target(output: str, *args: str, exit_code: int = 1) -> Case:
    """A command on a line of three revisions; the database is at the first."""
    return Case(" ".join(args), output, args, LINE_OF_THREE, exit_code=exit_code)


def unknown(*args: str, text: str = "nope") -> Case:
    """A command that names a revision that does not exist."""
    return target(f"Error: There is no revision '{text}'.\n{LOG_HINT}", *args)


def too_far(text: str, *args: str, end: str = "head") -> Case:
    """A command that counts too far."""
    return target(
        f"Error: '{text}' goes beyond the {end}: there are not so many revisions.\n"
        + STAND_HINT,
        *args,
    )


TARGETS: t.Final = (
    unknown("upgrade", "nope"),
    unknown("downgrade", "nope"),
    unknown("stamp", "nope"),
    unknown("show", "nope"),
    unknown("merge", "nope"),
    unknown("log", "--start", "nope"),
    unknown("log", "--end", "nope"),
    unknown("revision", "x", "--parent", "nope"),
    unknown("revision", "x", "--depend", "nope"),
    unknown("upgrade", "", text=""),
    target(
        "Error: 'x:y' is a range, but where to start is what the database says.\n"
        "Hint: Run 'flask db upgrade y', or add --sql to write a script.\n",
        "upgrade",
        "x:y",
    ),
    unknown("stamp", "+1", text="+1"),
    unknown("upgrade", "current", text="current"),
    target(
        "Error: There is no revision 'abcd3'.\nHint: Did you mean abcd2 or abcd1?\n",
        "upgrade",
        "abcd3",
    ),
    target(
        "Error: There is no branch 'nope'.\nHint: Branch labels: none.\n",
        "upgrade",
        "nope@head",
    ),
    target(
        "Error: 'abcd' could be any of 2 revisions.\nHint: They are abcd1, abcd2.\n",
        "upgrade",
        "abcd",
    ),
    target(
        "Error: 'abcd' could be any of 2 revisions.\nHint: They are abcd1, abcd2.\n",
        "downgrade",
        "abcd",
    ),
    too_far("+3", "upgrade", "+3"),
    too_far("+99", "upgrade", "+99"),
    too_far("99", "upgrade", "99"),
    too_far("r1+9", "upgrade", "r1+9"),
    too_far("-2", "downgrade", "-2", end="base"),
    too_far("-99", "downgrade", "-99", end="base"),
    too_far("99", "downgrade", "99", end="base"),
    target(
        "Error: '-1' leads down.\nHint: Run 'flask db downgrade -1'.\n",
        "upgrade",
        "-1",
    ),
    target(
        "Error: '+1' leads up.\nHint: Run 'flask db upgrade +1'.\n",
        "downgrade",
        "+1",
    ),
    target(
        "Error: The message is empty.\n"
        'Hint: Say what the revision does: flask db revision "add email".\n',
        "revision",
        " ",
    ),
    target(
        "Error: The message is not valid text: 'caf\\udce9'.\n",
        "revision",
        "caf\udce9",
    ),
    target(
        "Error: \"a'b\" can't be the label of a branch.\n"
        "Hint: A label is made of letters, digits, '_', '.' and '-'.\n",
        "revision",
        "x",
        "--label",
        "a'b",
    ),
    target(
        "Error: '../evil' can't be the label of a branch.\n"
        "Hint: A label is made of letters, digits, '_', '.' and '-'.\n",
        "revision",
        "x",
        "--branch",
        "../evil",
    ),
    target(
        "Error: TMP/app1/.. is not one of the version locations.\n"
        "Hint: They are TMP/app1/migrations. Others belong in"
        " ALEMBIC['version_locations'].\n",
        "revision",
        "x",
        "--path",
        "..",
    ),
)


@each(TARGETS)
def test_bad_target(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """An argument that leads nowhere is told of in the user's words."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, case.files)
    assert db(app, "upgrade", "r1").exit_code == 0
    check(case, app, sqlite_url, apps, db)


def test_downgrade_at_base(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """There is nothing below base."""
    app, _ = apps.plain(sqlite_url)
    check(too_far("-1", "downgrade", end="base"), app, sqlite_url, apps, db)


def test_numbers_and_ids(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A small number counts revisions, though ids begin with it."""
    app, _ = apps.plain(sqlite_url)
    ids = ["1800000001", "1800000002", "1800000003"]
    parents = [None, *ids]
    arrange(
        app,
        {f"{i}_.py": revision(i, d) for i, d in zip(ids, parents, strict=False)},
    )
    output = too_far("18").output
    check(Case("", output, ("upgrade", "18")), app, sqlite_url, apps, db)
    output = (
        "Error: '1800' could be any of 3 revisions.\n"
        "Hint: They are 1800000001, 1800000002, 1800000003.\n"
    )
    check(Case("", output, ("upgrade", "1800")), app, sqlite_url, apps, db)
    assert db(app, "upgrade", "2").exit_code == 0
    assert query(sqlite_url, "SELECT * FROM alembic_version") == [("1800000002",)]
    assert db(app, "downgrade", "1800000001").exit_code == 0
    assert query(sqlite_url, "SELECT * FROM alembic_version") == [("1800000001",)]


HEADS_HINT: t.Final = (
    "Hint: Name one, take 'heads' for all, or join them: flask db merge.\n"
)
ANY_HEAD: t.Final = f"Error: 'head' could be any of 2 heads: a2, b2.\n{HEADS_HINT}"
ANY_PARENT: t.Final = (
    "Error: The new revision could revise any of 2 heads: a2, b2.\n"
    "Hint: Join them with 'flask db merge', or name one: --parent a2.\n"
)
ANY_WAY: t.Final = (
    "Error: The database 'default' is at 2 revisions: a2, b2. '-1' does not say which"
    " of them to go down from.\n"
    "Hint: Name one: 'flask db downgrade a2@-1'.\n"
)
SEVERAL_HEADS: t.Final = (
    Case("upgrade head", ANY_HEAD, ("upgrade", "head")),
    Case("stamp head", ANY_HEAD, ("stamp", "head")),
    Case("show head", ANY_HEAD, ("show", "head")),
    Case("log --end head", ANY_HEAD, ("log", "--end", "head")),
    Case("downgrade", ANY_WAY, ("downgrade",)),
    Case("downgrade -1", ANY_WAY, ("downgrade", "-1")),
    Case("revision", ANY_PARENT, ("revision", "x")),
    Case(
        "upgrade +1",
        "Error: '+1' does not say which branch to go up.\n"
        "Hint: Name a revision, or take 'heads' for all: 'flask db log' shows them.\n",
        ("upgrade", "+1"),
        sql=(
            "UPDATE alembic_version SET version_num = 'r1' WHERE version_num = 'a2'",
            "DELETE FROM alembic_version WHERE version_num = 'b2'",
        ),
    ),
    Case("revision --empty", ANY_PARENT, ("revision", "x", "--empty")),
)


@each(SEVERAL_HEADS)
def test_several_heads(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """Where one head is needed and there are several, none is picked."""
    app, _ = apps.plain(sqlite_url)
    arrange(
        app,
        {
            "r1_.py": FIRST,
            "a2_.py": revision("a2", "r1"),
            "b2_.py": revision("b2", "r1"),
        },
    )
    assert db(app, "upgrade").exit_code == 0
    check(case, app, sqlite_url, apps, db)


# Wrong usage


def usage(command: str, arguments: str, problem: str, *args: str) -> Case:
    """What Click says to wrong usage."""
    path = f"app db {command}".rstrip()
    output = (
        f"Usage: {path} {arguments}\nTry '{path} --help' for help.\n\n"
        f"Error: {problem}\n"
    )
    return Case(" ".join(args), output, args, exit_code=2)


NO_SUCH_OPTION: t.Final = click.NoSuchOption("--nope").format_message()
USAGE: t.Final = (
    usage("", "[OPTIONS] COMMAND [ARGS]...", "No such command 'nope'.", "nope"),
    usage("upgrade", "[OPTIONS] [TARGET]", NO_SUCH_OPTION, "upgrade", "--nope"),
    usage(
        "revision",
        "[OPTIONS] [MESSAGE]",
        "Give MESSAGE or --message, not both.",
        "revision",
        "a",
        "-m",
        "b",
    ),
    usage(
        "revision",
        "[OPTIONS] [MESSAGE]",
        "--empty compares nothing, and --autogenerate compares.",
        "revision",
        "--empty",
        "--autogenerate",
    ),
    usage(
        "revision",
        "[OPTIONS] [MESSAGE]",
        "--empty compares nothing, and --skip-empty compares.",
        "revision",
        "--empty",
        "--skip-empty",
    ),
    usage(
        "log",
        "[OPTIONS]",
        "Give --rev-range, or --start and --end, not both.",
        "log",
        "-r",
        ":head",
        "--start",
        "head",
    ),
    *(
        usage(
            "history",
            "[OPTIONS]",
            f"Invalid value for '-r' / '--rev-range': '{text}' is not START:END, START:"
            " or :END.",
            "history",
            "-r",
            text,
        )
        for text in ("head", "a:b:c", "")
    ),
    usage(
        "upgrade",
        "[OPTIONS] [TARGET]",
        "Got unexpected extra argument (b)",
        "upgrade",
        "a",
        "b",
    ),
)


@each(USAGE)
def test_wrong_usage(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A command that is called wrongly says how it is called, and exits with 2."""
    app, _ = apps.plain(sqlite_url)
    check(case, app, sqlite_url, apps, db)


# Messages

MESSAGES: t.Final = (
    "přidat sloupec 💥",
    "a" * 500,
    "../../evil",
    "/etc/passwd",
    "..",
    "${1 / 0} <% 1 / 0 %> ## no",
    "100% %(rev)s",
    "C:\\new \\N{ \\x \\u12",
    'a """ b',
    'ends with "',
    "ends with \\",
    'x"""\nimport os\nos.mkdir("evil")\n"""',
    "two\nlines",
)


@pytest.mark.parametrize("message", MESSAGES)
def test_odd_message(
    message: str,
    sqlite_url: str,
    apps: Apps,
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any text can be a message: it means itself, in one file in the right folder,
    and in one line wherever it is shown.
    """
    app, alembic = apps.plain(sqlite_url)
    monkeypatch.chdir(app.root_path)
    monkeypatch.setattr(alembic, "rev_id", lambda: "r1")
    before = set(files_of(app))
    result = db(app, "revision", "--empty", message)
    assert result.exit_code == 0
    (path,) = set(files_of(app)) - before
    assert Path(path).parent == Path(app.root_path, "migrations")

    with app.app_context():
        (script,) = alembic.heads()
        assert script.module.__doc__ is not None
        assert script.module.__doc__.startswith(f"{message}\n\nRevision ID: r1\n")

    assert not Path("evil").exists()
    assert db(app, "upgrade").exit_code == 0
    (line,) = db(app, "heads").output.splitlines()
    shown = " ".join(message.split())[:100]
    assert line.startswith(f"<base> -> r1 (default) (head), {shown}")


# Folders


@pytest.mark.parametrize(
    "name",
    ["100%", "%(here)s", "a:b", "a b", "a;b", "a,b", "a'b", 'a"b', "a[b]", "žluť", "#"],
)
def test_odd_project_path(
    name: str, tmp_path: Path, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project may lie anywhere, and is found from anywhere."""
    folder = tmp_path / "projects" / name
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    apps = Apps(folder)
    app, alembic = apps.plain(f"sqlite:///{folder}/test.db")
    monkeypatch.setattr(alembic, "rev_id", lambda: "r1")
    assert db(app, "revision", "first").output == (
        "Wrote migrations/r1_first.py\n  add table todo\n"
    )
    assert readable(db(app, "upgrade").output, folder) == (
        "  r1  first  upgrade  N ms\n1 revision applied to default.\n"
    )
    assert db(app, "current").output == (
        "default: <base> -> r1 (default) (head), first\n"
    )
    apps.close()
    assert list(folder.parent.iterdir()) == [folder]
    assert {path.name for path in tmp_path.iterdir()} == {"projects"}
    assert {path.name for path in folder.rglob("*.*")} - {"r1_first.py"} == {
        "test.db",
        "script.py.mako",
        *(path.name for path in folder.rglob("__pycache__/*.pyc")),
    }


def test_folder_is_a_link(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A link to a folder serves as one."""
    app, _ = apps.plain(sqlite_url)
    folder = arrange(app, {"r1_.py": FIRST})
    folder.rename(apps.folder / "elsewhere")
    folder.symlink_to(apps.folder / "elsewhere")
    assert db(app, "upgrade").exit_code == 0
    assert query(sqlite_url, "SELECT * FROM alembic_version") == [("r1",)]


def in_the_way(path: Path) -> None:
    """A file where a folder should be."""
    path.write_text("")


def dangling(path: Path) -> None:
    """A link to nothing where a folder should be."""
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize(
    ("place", "problem"),
    [(in_the_way, "is not a folder"), (dangling, "does not exist")],
)
def test_folder_is_none(
    place: t.Callable[[Path], None],
    problem: str,
    sqlite_url: str,
    apps: Apps,
    db: Cli,
) -> None:
    """A migrations folder that is no folder is a warning at the start, and an error
    where it is needed.
    """
    app = apps.flask()
    place(Path(app.root_path, "migrations"))

    with pytest.warns(UserWarning, match="^The migrations folder can't be made: "):
        Alembic(app, metadatas=sa.MetaData(), engines=apps.engine(sqlite_url))

    output = (
        f"Error: The script location TMP/app1/migrations {problem}.\n"
        "Hint: Run 'flask db mkdir', or set ALEMBIC['script_location'].\n"
    )

    for args in COMMANDS:
        check(Case("", output, args), app, sqlite_url, apps, db)

    output = (
        "Error: TMP/app1/migrations: File exists\n"
        "Hint: It is in the way of the migrations folder. Move it, or set"
        " ALEMBIC['script_location'].\n"
    )
    check(Case("", output, ("mkdir",)), app, sqlite_url, apps, db)


def test_folder_is_missing(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A folder that was deleted is made again by mkdir, and not before."""
    app, _ = apps.plain(sqlite_url)
    shutil.rmtree(Path(app.root_path, "migrations"))
    output = (
        "Error: The script location TMP/app1/migrations does not exist.\n"
        "Hint: Run 'flask db mkdir', or set ALEMBIC['script_location'].\n"
    )

    for args in COMMANDS:
        check(Case("", output, args), app, sqlite_url, apps, db)

    assert readable(db(app, "mkdir").output, apps.folder) == (
        "Made TMP/app1/migrations\n"
    )
    assert db(app, "heads").exit_code == 0


SHIPPED: t.Final = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("default", category=UserWarning)
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

metadata = sa.MetaData()
sa.Table("todo", metadata, sa.Column("id", sa.Integer, primary_key=True))
app = Flask(__name__)
Alembic(app, metadatas=metadata, engines=sa.create_engine({url!r}))
"""


@dataclass(frozen=True)
class Shipped:
    """An app in a folder that can't be written to, such as in a container."""

    root: Path
    url: str

    def run(self, *args: str) -> tuple[int, str, str]:
        """Run ``flask db``."""
        script = (
            'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && '
            'shift && exec "$@"'
        )
        flask = [sys.executable, "-m", "flask", "--app", "wsgi", "db", *args]
        process = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", str(self.root), *flask],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return (
            process.returncode,
            readable(process.stdout, self.root.parent),
            readable(process.stderr, self.root.parent),
        )


@pytest.fixture
def shipped(tmp_path: Path, sqlite_url: str) -> Shipped:
    """An app in a folder that is mounted read-only, for its process alone."""
    unshare = shutil.which("unshare")
    mount = [str(unshare), "--mount", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]

    if unshare is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("file systems can't be mounted here: that needs root on Linux")

    root = tmp_path / "shipped"
    root.mkdir()
    (root / "wsgi.py").write_text(SHIPPED.format(url=sqlite_url))
    return Shipped(root, sqlite_url)


def test_read_only_and_complete(shipped: Shipped) -> None:
    """Migrations that are shipped run; new ones can't be written."""
    folder = shipped.root / "migrations"
    folder.mkdir()
    (folder / "r1_.py").write_text(FIRST)
    assert shipped.run("upgrade") == (
        0,
        "  r1  upgrade  N ms\n1 revision applied to default.\n",
        "",
    )
    assert shipped.run("upgrade") == (0, "default is already at head (r1).\n", "")
    code, stdout, stderr = shipped.run("revision", "x", "--empty")
    assert (code, stdout) == (1, "")
    assert re.fullmatch(
        r"Error: TMP/shipped/migrations/\d+_x\.py: Read-only file system\n"
        r"Hint: The folder can't be written to\."
        r" Run this where the app is developed\.\n",
        stderr,
    )
    assert [path.name for path in folder.iterdir()] == ["r1_.py"]


def test_read_only_without_folder(shipped: Shipped) -> None:
    """An app without a migrations folder starts, and warns."""
    code, stdout, stderr = shipped.run("upgrade")
    assert (code, stdout) == (1, "")
    assert stderr.endswith(
        "Error: The script location TMP/shipped/migrations does not exist.\n"
        "Hint: Run 'flask db mkdir', or set ALEMBIC['script_location'].\n"
    )
    assert "The migrations folder can't be made: TMP/shipped/migrations:" in stderr
    assert shipped.run("mkdir")[2].endswith(
        "Error: TMP/shipped/migrations: Read-only file system\n"
        "Hint: The folder can't be written to. Run this where the app is developed.\n"
    )
    assert not (shipped.root / "migrations").exists()


# The template

TEMPLATE_HINT: t.Final = (
    "Hint: Mend the template, or delete it and run 'flask db mkdir' for a new one.\n"
)
TEMPLATE: t.Final = "TMP/app1/migrations/script.py.mako"


def template(name: str, content: str, problem: str) -> Case:
    """A template that can't be used."""
    return Case(
        name,
        f"Error: {TEMPLATE}{problem}\n{TEMPLATE_HINT}",
        ("revision", "x"),
        {"script.py.mako": content},
    )


TEMPLATES: t.Final = (
    template("empty", "", " renders a file without \"revision = 'r1'\"."),
    template(
        "without the id",
        "revision = 'fixed'\ndown_revision = None\n",
        " renders a file without \"revision = 'r1'\".",
    ),
    template(
        "no Python",
        "revision = ${repr(up_revision)}\ndef upgrade(:\n",
        " renders a file that is not Python: line 2: invalid syntax.",
    ),
    template("error", "${1 / 0}", ": ZeroDivisionError: division by zero"),
)


@each(TEMPLATES)
def test_bad_template(
    case: Case,
    sqlite_url: str,
    apps: Apps,
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A template that gives no revision is named, and nothing is written."""
    app, alembic = apps.plain(sqlite_url)
    monkeypatch.setattr(alembic, "rev_id", lambda: "r1")
    check(case, app, sqlite_url, apps, db)
    assert db(app, "heads").exit_code == 0


def test_template_that_is_not_closed(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """What Mako can't read is told of in its words, in a line."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, {"script.py.mako": "\n${up_revision\n"})
    before = files_of(app)
    result = db(app, "revision", "x")
    assert re.fullmatch(
        f"Error: {TEMPLATE}: Expected: .*at line: 2 char: 1\n"
        f"{re.escape(TEMPLATE_HINT)}",
        readable(result.output, apps.folder),
    )
    assert result.exit_code == 1
    assert files_of(app) == before


def test_missing_template(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """The template of the package serves where the app has none."""
    app, alembic = apps.plain(sqlite_url)
    Path(app.root_path, "migrations", "script.py.mako").unlink()
    assert db(app, "revision", "first").exit_code == 0
    assert db(app, "upgrade").exit_code == 0
    assert tables(sqlite_url) == {"alembic_version", "todo"}


# Config


def config(name: str, output: str, *args: str, **values: object) -> Case:
    """Config that can't be used."""
    return Case(name, f"Error: {output}\n", args or ("heads",), config=values)


def option(key: object, value: object, problem: str, *args: str) -> Case:
    """An option in ALEMBIC that can't be used."""
    output = f"ALEMBIC[{key!r}] = {value!r} {problem}"
    return config(f"{key}={value!r}", output, *args, ALEMBIC={key: value})


def context(key: object, value: object, problem: str) -> Case:
    """An option in ALEMBIC_CONTEXT that can't be used."""
    output = f"ALEMBIC_CONTEXT[{key!r}] = {value!r} {problem}"
    return config(f"{key}={value!r}", output, "upgrade", ALEMBIC_CONTEXT={key: value})


VALUE: t.Final = "must be a str, number, bool, Path, list of them or dict."
PATH: t.Final = "must be a path, as a str or a Path."
TEMPLATE_NAMES: t.Final = (
    "\nHint: It may hold %(rev)s, %(slug)s, %(epoch)s, %(year)d, %(month)d, %(day)d,"
    " %(hour)d, %(minute)d and %(second)d."
)
CONFIGS: t.Final = (
    config("ALEMBIC=3", "app.config['ALEMBIC'] = 3 must be a dict.", ALEMBIC=3),
    config("ALEMBIC=[]", "app.config['ALEMBIC'] = [] must be a dict.", ALEMBIC=[]),
    config(
        "ALEMBIC_CONTEXT='x'",
        "app.config['ALEMBIC_CONTEXT'] = 'x' must be a dict.",
        ALEMBIC_CONTEXT="x",
    ),
    option("fiel_template", "x", "is not an option: did you mean 'file_template'?"),
    option(3, "x", "is no option: a key must be a str."),
    option("custom", object, VALUE),
    config(
        "custom=[{}]", f"ALEMBIC['custom'] = {{}} {VALUE}", ALEMBIC={"custom": [{}]}
    ),
    option("script_location", None, PATH),
    option("script_location", 3, PATH),
    option("script_location", "", PATH),
    option(
        "script_location",
        "no_such_package:x",
        "names a package that isn't found: 'no_such_package'.",
    ),
    option(
        "version_locations",
        3,
        "must be a list of paths or (branch, path) pairs.",
    ),
    config(
        "version_locations=[3]",
        f"ALEMBIC['version_locations'] = 3 {PATH}",
        ALEMBIC={"version_locations": [3]},
    ),
    config(
        "version_locations=[('a',)]",
        "ALEMBIC['version_locations'] = ('a',) must hold paths or (branch, path)"
        " pairs.",
        ALEMBIC={"version_locations": [("a",)]},
    ),
    option(
        "path_separator",
        "x",
        "must be one of 'os', 'space', 'newline', ':', ';'.",
    ),
    option("truncate_slug_length", "x", "must be a number."),
    option("sourceless", "maybe", "must be true or false."),
    option("recursive_version_locations", "maybe", "must be true or false."),
    option("post_write_hooks", "x", "must be a dict."),
    option("post_write_hooks", 3, "must be a dict."),
    option("timezone", "Nope/Nope", "is not a time zone.", "revision", "x"),
    option("output_encoding", "nope", "is not an encoding.", "revision", "x"),
    option(
        "file_template",
        "100%",
        f"can't be used: incomplete format.{TEMPLATE_NAMES}",
        "revision",
        "x",
    ),
    option(
        "file_template",
        "%(nope)s",
        f"can't be used: there is no 'nope'.{TEMPLATE_NAMES}",
        "revision",
        "x",
    ),
    context("compare_typ", True, "is not an option: did you mean 'compare_type'?"),
    context(3, 3, "is no option: a key must be a str."),
    context("connection", 3, "is set by the extension.\nHint: Use engines= instead."),
    context(
        "target_metadata", 3, "is set by the extension.\nHint: Use metadatas= instead."
    ),
    context("include_object", "x", "must be a function."),
    context("render_as_batch", "yes", "must be a bool."),
    context("compare_type", "yes", "must be a bool or a function."),
    context("version_table", 3, "must be a str."),
    context("on_version_apply", 3, "must be a function, or a list of them."),
)


@each(CONFIGS)
def test_bad_config(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """The key is named as it was written, with its value and what it should be."""
    app, alembic = apps.plain(sqlite_url)
    arrange(app, {"r1_.py": FIRST})

    # A new revision is only compared where there is nothing to apply.
    if case.args[0] == "revision":
        assert db(app, "upgrade").exit_code == 0

    check(case, app, sqlite_url, apps, db)


def test_bad_config_at_the_start(sqlite_url: str, apps: Apps) -> None:
    """Where the folders are to be made, the config is checked by init_app."""
    with pytest.raises(ConfigurationError) as caught:
        apps.plain(sqlite_url, ALEMBIC={"script_location": 3})

    assert str(caught.value) == (
        "ALEMBIC['script_location'] = 3 must be a path, as a str or a Path."
    )
    assert isinstance(caught.value, RuntimeError)
    assert (caught.value.key, caught.value.value) == ("script_location", 3)


GOOD_CONFIGS: t.Final = (
    {"ALEMBIC": None, "ALEMBIC_CONTEXT": None},
    {"ALEMBIC": {"custom": "100%", "other": "%(nope)s"}},
    {"ALEMBIC": {"file_template": "%(rev)s_%(slug)s"}},
    {"ALEMBIC": {"file_template": "%%(rev)s_%%(slug)s"}},
    {"ALEMBIC": {"truncate_slug_length": 20, "sourceless": False, "custom": 1.5}},
    {"ALEMBIC": {"script_location": Path("migrations"), "timezone": None}},
    {"ALEMBIC": {"custom": [1, "b", Path("c")], "timezone": "UTC"}},
    {"ALEMBIC_CONTEXT": {"version_table": "ours", "version_table_pk": False}},
    {"ALEMBIC_CONTEXT": {"on_version_apply": [lambda **kwargs: None]}},
)


@pytest.mark.parametrize("values", GOOD_CONFIGS, ids=range(len(GOOD_CONFIGS)))
def test_good_config(
    values: dict[str, t.Any], sqlite_url: str, apps: Apps, db: Cli
) -> None:
    """Percent signs mean themselves; numbers, bools, paths and lists are fine. A key
    of Alembic's is not warned of.
    """
    app, alembic = apps.plain(sqlite_url, **values)
    assert db(app, "revision", "first").exit_code == 0
    assert db(app, "upgrade").exit_code == 0

    with app.app_context():
        for key, value in (values.get("ALEMBIC") or {}).items():
            if isinstance(value, str) and key != "file_template":
                assert alembic.config.get_main_option(key) == value


def test_version_locations_as_text(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """One location is one folder, not a folder a letter."""
    app, _ = apps.plain(sqlite_url, ALEMBIC={"version_locations": "other"})
    names = {path.name for path in Path(app.root_path).iterdir()}
    assert names == {"migrations", "other"}


def test_unknown_context_option(sqlite_url: str, apps: Apps) -> None:
    """An option that Alembic does not know is warned of: a plugin may read it."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={"no_such": 1})

    with (
        app.app_context(),
        pytest.warns(
            UserWarning,
            match=r"^ALEMBIC_CONTEXT\['no_such'\] is not an option of Alembic\.",
        ),
    ):
        alembic.current()


def test_no_engine(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """Metadata without an engine leads nowhere; the files can be read all the same."""
    app = apps.flask()
    Alembic(app, metadatas=sa.MetaData())
    arrange(app, {"r1_.py": FIRST})
    output = (
        "Error: There is no engine for the metadata of 'default'.\n"
        "Hint: Configure it in Flask-SQLAlchemy(-Lite), or pass it:"
        " Alembic(engines={'default': engine}).\n"
    )
    check(Case("", output), app, sqlite_url, apps, db)
    check(Case("", output, ("current",)), app, sqlite_url, apps, db)
    assert db(app, "heads").output == "<base> -> r1 (head)\n"


def test_no_metadata(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """Without metadata and without Flask-SQLAlchemy there is nothing to do."""
    app = apps.flask()
    Alembic(app)
    output = (
        "Error: There is no metadata to migrate to.\n"
        "Hint: Pass it: Alembic(metadatas=Model.metadata). With Flask-SQLAlchemy,"
        " call db.init_app(app): its metadata is used then.\n"
    )
    check(Case("", output), app, sqlite_url, apps, db)


class LazyEngines:
    """An extension that makes its engines when they are asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.metadata = sa.MetaData()

    @property
    def engines(self) -> dict[str, sa.Engine]:
        """The engine of the URL."""
        return {"default": sa.create_engine(self.url)}


URL_HINT: t.Final = "Hint: Mend the database's URL in the app's config.\n"
URLS: t.Final = {
    "nonsense": "ArgumentError",
    "nosuch://u:geheim@h/x": (
        "NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:nosuch"
    ),
    "postgresql+nosuch://u:geheim@h/x": (
        "NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:postgresql.nosuch"
    ),
    "postgresql://u:geheim@h:port/x": "ValueError.*",
    "mssql+pymssql://u:geheim@h/x": "ModuleNotFoundError: No module named 'pymssql'",
}


@pytest.mark.parametrize("url", URLS)
def test_bad_url(url: str, apps: Apps, db: Cli) -> None:
    """A URL that no engine can be made of is told of without the URL."""
    app = apps.flask()
    app.extensions["sqlalchemy"] = LazyEngines(url)
    Alembic(app)
    arrange(app, {"r1_.py": FIRST})
    result = db(app, "upgrade")
    assert re.fullmatch(
        f"Error: The engines can't be made: {URLS[url]}\\.\n{URL_HINT}", result.output
    )
    assert "geheim" not in result.output
    assert result.exit_code == 1
    assert db(app, "heads").output == "<base> -> r1 (head)\n"


# Connections

CONNECT_HINT: t.Final = (
    "Hint: Is the server running, and are the user, the password and the database's"
    " name right?\n"
)


def driver_says(url: str) -> str:
    """The first line of what the driver says when it can't connect."""
    with pytest.raises(sa.exc.OperationalError) as caught:
        sa.create_engine(url, poolclass=sa.NullPool).connect()

    return str(caught.value.orig).strip().splitlines()[0]


def check_unreachable(url: str, shown: str, apps: Apps, db: Cli) -> None:
    """The database, its URL and the reason are told; the files need no database."""
    app, _ = apps.plain(url)
    arrange(app, {"r1_.py": FIRST})
    before = files_of(app)
    output = (
        f"Error: Can't connect to the database 'default' at {shown}:"
        f" {driver_says(url)}\n{CONNECT_HINT}"
    )

    for args in [
        ("upgrade",),
        ("downgrade",),
        ("current",),
        ("check",),
        ("stamp", "r1"),
        ("revision", "x"),
    ]:
        result = db(app, *args)
        assert result.output == output
        assert result.exit_code == 1

    assert db(app, "heads").output == "<base> -> r1 (head)\n"
    assert db(app, "log").output == "<base> -> r1 (head)\n"
    assert files_of(app) == before


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql+psycopg://u:geheim@127.0.0.1:1/x",
            "postgresql+psycopg://u:***@127.0.0.1:1/x",
        ),
        (
            "mysql+pymysql://u:geheim@127.0.0.1:1/x",
            "mysql+pymysql://u:***@127.0.0.1:1/x",
        ),
    ],
)
def test_server_is_down(url: str, shown: str, apps: Apps, db: Cli) -> None:
    """A server that does not answer."""
    check_unreachable(url, shown, apps, db)


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_no_such_database(server: Server, apps: Apps, db: Cli) -> None:
    """A server that has no such database."""
    assert server.url is not None
    url = server.url.set(database="flask_alembic_no_such_database")
    check_unreachable(
        url.render_as_string(hide_password=False),
        url.render_as_string(hide_password=True),
        apps,
        db,
    )


class Users:
    """Makes users of a server who may do little, and drops them afterwards."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.made: list[str] = []

    def make(self, url: str, rights: str = "") -> str:
        """A user with some rights on a database. The URL to connect by."""
        name = f"flask_alembic_test_{len(self.made)}_{sa.make_url(url).database}"[-30:]
        address = sa.make_url(url)
        self.made.append(name)

        if self.server.name == "postgresql":
            query(
                url,
                f"CREATE ROLE {name} LOGIN",
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                f"GRANT USAGE ON SCHEMA public TO {name}",
                *(
                    [f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {name}"]
                    * bool(rights)
                ),
            )
            address = address.set(username=name)
        else:
            query(
                url,
                f"CREATE USER {name}@'{address.host}' IDENTIFIED BY 'geheim'",
                f"GRANT {rights} ON {address.database}.* TO {name}@'{address.host}'",
            )
            address = address.set(username=name, password="geheim")

        return address.render_as_string(hide_password=False)

    def drop_all(self) -> None:
        """Drop them, after the databases that they had rights on."""
        assert self.server.url is not None
        url = self.server.url.render_as_string(hide_password=False)
        host = "" if self.server.name == "postgresql" else f"@'{self.server.url.host}'"
        kind = "USER" if host else "ROLE"

        for name in self.made:
            query(url, f"DROP {kind} {name}{host}")


@pytest.fixture
def users(server: Server) -> t.Iterator[Users]:
    """Makes users. Ask for it before ``databases``: those are dropped first."""
    made = Users(server)
    yield made
    made.drop_all()


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_wrong_password(
    users: Users, databases: Databases, apps: Apps, db: Cli
) -> None:
    """A password that the server refuses."""
    url = sa.make_url(users.make(databases.make(), "SELECT"))
    url = url.set(password="falsch")
    check_unreachable(
        url.render_as_string(hide_password=False),
        url.render_as_string(hide_password=True),
        apps,
        db,
    )


def test_sqlite_folder_is_missing(apps: Apps, db: Cli) -> None:
    """SQLite has no server, no user and no password."""
    app, _ = apps.plain(f"sqlite:///{apps.folder}/none/test.db")
    arrange(app, {"r1_.py": FIRST})
    result = db(app, "upgrade")
    assert readable(result.output, apps.folder) == (
        "Error: Can't connect to the database 'default' at"
        " sqlite:///TMP/none/test.db: unable to open database file\n"
        "Hint: Does the folder exist, and may this user read and write it?\n"
    )
    assert result.exit_code == 1
    assert not (apps.folder / "none").exists()


# Rights

MEND_THE_CAUSE: t.Final = (
    "Hint: Nothing of this revision was kept. Mend the cause and run the same command"
    " again.\n"
)
CREATE_VERSION_TABLE: t.Final = (
    "SQL: CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL, CONSTRAINT"
    " alembic_version_pkc PRIMARY KEY (version_num) )\n"
)


def denied(server: Server, command: str, table: str, url: str) -> str:
    """What a server says to a user who may not."""
    address = sa.make_url(url)

    if server.name == "postgresql":
        what = "schema public" if command == "CREATE" else f"table {table}"
        return f"InsufficientPrivilege: permission denied for {what}"

    return (
        f'OperationalError: (1142, "{command} command denied to user'
        f" '{address.username}'@'localhost' for table"
        f' `{address.database}`.`{table}`")'
    )


def alike(text: str) -> str:
    """Servers don't agree with themselves on what a user's host is called."""
    return re.sub(r"'@'[^']*'", "'@'localhost'", text)


def unwarned(result: t.Any) -> str:
    """What a command printed, without warnings of tables that it may not make."""
    lines = result.output.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Warning: "))


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_no_right_to_create(
    users: Users, server: Server, databases: Databases, apps: Apps, db: Cli
) -> None:
    """A user who may not create tables is told so. The file is not at fault."""
    owner = databases.make()
    url = users.make(owner, "SELECT, INSERT, UPDATE, DELETE")
    app, _ = apps.plain(url)
    arrange(app, {"r1_.py": FIRST})
    result = db(app, "upgrade")
    assert alike(readable(unwarned(result), apps.folder)) == (
        "default is at base.\n"
        "Error: Revision r1 failed on the database 'default':"
        f" {denied(server, 'CREATE', 'alembic_version', url)}\n"
        f"{CREATE_VERSION_TABLE}{MEND_THE_CAUSE}"
    )
    assert result.exit_code == 1
    assert tables(owner) == set()


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_right_to_read_only(
    users: Users, server: Server, databases: Databases, apps: Apps, db: Cli
) -> None:
    """Who may only read can see where the database is, and upgrade one that needs
    nothing.
    """
    owner = databases.make()
    query(
        owner,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('r1')",
    )
    url = users.make(owner, "SELECT")
    app, _ = apps.plain(url, sa.MetaData())
    arrange(app, {"r1_.py": FIRST})
    assert db(app, "current").output == "default: <base> -> r1 (head)\n"
    assert db(app, "upgrade").output == "default is already at head (r1).\n"
    assert db(app, "check").exit_code == 0

    arrange(app, {"r2_.py": revision()})
    result = db(app, "upgrade")
    new, old = (
        ("%(new)s::VARCHAR", "%(old)s::VARCHAR")
        if server.name == "postgresql"
        else ("%(new)s", "%(old)s")
    )
    sql = (
        f"UPDATE alembic_version SET version_num={new} WHERE"
        f" alembic_version.version_num = {old}"
    )
    assert alike(readable(unwarned(result), apps.folder)) == (
        "default is at r1.\n"
        "Error: Revision r2 failed on the database 'default':"
        f" {denied(server, 'UPDATE', 'alembic_version', url)}\n"
        f"SQL: {sql}\n{MEND_THE_CAUSE}"
    )
    assert result.exit_code == 1
    assert query(owner, "SELECT * FROM alembic_version") == [("r1",)]


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_no_right_to_read(
    users: Users, databases: Databases, apps: Apps, db: Cli
) -> None:
    """Who may not even read the version table is told so."""
    owner = databases.make()
    query(owner, "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    app, _ = apps.plain(users.make(owner))
    result = db(app, "current")
    assert result.output == (
        "Error: The database refused: InsufficientPrivilege: permission denied for"
        " table alembic_version\n"
        "SQL: SELECT alembic_version.version_num FROM alembic_version\n"
        "Hint: Has the user the right to do this, and is the database reachable?\n"
    )
    assert result.exit_code == 1


def test_read_only_file(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A SQLite file that can't be written to can be read, and an upgrade that has
    nothing to do works.
    """
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    arrange(app, {"r1_.py": FIRST})
    assert db(app, "upgrade").exit_code == 0
    path = sa.make_url(sqlite_url).database
    read_only, _ = apps.plain(
        f"sqlite:///file:{path}?mode=ro&uri=true", sa.MetaData(), name="app1"
    )
    assert db(read_only, "current").output == "default: <base> -> r1 (head)\n"
    assert db(read_only, "upgrade").output == "default is already at head (r1).\n"

    before = rows_of(sqlite_url)
    arrange(app, {"r2_.py": revision()})

    for args in [("upgrade",), ("stamp", "heads")]:
        result = db(read_only, *args)
        lines = readable(result.output, apps.folder).splitlines(keepends=True)
        assert [line for line in lines if not line.startswith("SQL: ")] == [
            "default is at r1.\n",
            "Error: Revision r2 failed on the database 'default': OperationalError:"
            " attempt to write a readonly database\n",
            MEND_THE_CAUSE,
        ]
        assert result.exit_code == 1

    assert rows_of(sqlite_url) == before


def with_impatience(apps: Apps, url: str) -> Flask:
    """An app that does not wait for long where SQLite is locked."""
    app = apps.flask(ALEMBIC={"ddl_lock_retries": 1})
    engine = apps.engine(url, connect_args={"timeout": 0.1})
    Alembic(app, metadatas=sa.MetaData(), engines=engine)
    arrange(app, {"r1_.py": FIRST})
    return app


@contextmanager
def locked(url: str, kind: str) -> t.Iterator[None]:
    """Another program writes, or is about to."""
    other = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    with other.connect() as connection:
        connection.exec_driver_sql(f"BEGIN {kind}")
        yield
        connection.exec_driver_sql("ROLLBACK")


def test_locked_file(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A SQLite file that another program writes to is told of as locked."""
    app = with_impatience(apps, sqlite_url)

    with locked(sqlite_url, "EXCLUSIVE"):
        writing = db(app, "upgrade")
        reading = db(app, "current")

    for result in (writing, reading):
        assert result.exit_code == 1
        assert "OperationalError: database is locked\n" in result.output
        assert result.output.startswith("Error: ")
        assert len(result.output.splitlines()) == 3

    assert tables(sqlite_url) == set()
    assert db(app, "upgrade").exit_code == 0


def test_locked_while_migrating(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """Where another program has only begun to write, reading works, and a revision is
    tried again.
    """
    app = with_impatience(apps, sqlite_url)

    with locked(sqlite_url, "IMMEDIATE"):
        reading = db(app, "current")
        writing = db(app, "upgrade")

    assert reading.output == "default: base, no revision is applied\n"
    output = re.sub(r"SQL: .*\n", "", unwarned(writing))
    assert re.sub(r"\d\.\d s", "N s", output) == (
        "Revision r1 waits for the database 'default'; trying again in N s (attempt 2"
        " of 2)\n"
        "default is at base.\n"
        "Error: Revision r1 gave up on the database 'default': others kept writing to"
        " it. It was tried 2 times, in N s. Who it was, SQLite does not tell.\n"
        "Hint: Nothing of this revision was kept. To go on, end the session that is in"
        " the way, or wait for a quiet time, and run the same command again."
        " The 'timeout' of the driver and ALEMBIC['ddl_lock_retries'] say how long it"
        " waits.\n"
    )
    assert writing.exit_code == 3
    assert tables(sqlite_url) == set()
    assert db(app, "upgrade").exit_code == 0


# The version table

VERSION_TABLE: t.Final = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
)
GONE: t.Final = (
    "Error: The database 'default' is at revision 'gone1', which no file in"
    " TMP/app1/migrations has.\n"
    "Hint: Restore the file, or deploy the newer code. If it is lost, 'flask db stamp"
    " --purge' with the revision that the tables match. To leave it alone, add"
    " --skip-missing to upgrade, downgrade, stamp or current.\n"
)
BOTH: t.Final = (
    "Error: The database 'default' is at r1 and at r2, but r2 comes after r1.\n"
    "Hint: The version table was changed by hand, or two runs met. Run 'flask db"
    " stamp' with the one that the tables match.\n"
)
OTHER: t.Final = (
    "Error: The table 'alembic_version' of the database 'default' has no column"
    " 'version_num': it is another program's.\n"
    "Hint: Choose another name: ALEMBIC_CONTEXT['version_table'].\n"
)
TWO: t.Final = {"r1_.py": FIRST, "r2_.py": revision()}


def at(name: str, output: str, *args: str) -> Case:
    """A database that is at a revision which no file has."""
    row = "INSERT INTO alembic_version VALUES ('gone1')"
    return Case(name, output, args, TWO, (VERSION_TABLE, row))


VERSION_TABLES: t.Final = (
    *(
        at(f"unknown revision, {args[0]}", GONE, *args)
        for args in COMMANDS
        if args[0] in {"check", "current", "downgrade", "revision", "upgrade"}
    ),
    at("unknown revision, heads", "r1 -> r2 (head)\n", "heads"),
    Case(
        "both, upgrade",
        BOTH,
        ("upgrade",),
        TWO,
        (VERSION_TABLE, "INSERT INTO alembic_version VALUES ('r1'), ('r2')"),
    ),
    Case(
        "both, downgrade",
        BOTH,
        ("downgrade",),
        TWO,
        (VERSION_TABLE, "INSERT INTO alembic_version VALUES ('r1'), ('r2')"),
    ),
    *(
        Case(
            f"another program's, {args[0]}",
            OTHER,
            args,
            TWO,
            ("CREATE TABLE alembic_version (id INTEGER, name TEXT)",),
        )
        for args in COMMANDS
        if args[0] in {"check", "current", "downgrade", "revision", "stamp", "upgrade"}
    ),
)


@each(VERSION_TABLES)
def test_odd_version_table(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """What is wrong with the version table is told, and it is left as it is."""
    app, _ = apps.plain(sqlite_url)

    if "(head)" in case.output:
        case = Case(
            case.name, case.output, case.args, case.files, case.sql, exit_code=0
        )

    check(case, app, sqlite_url, apps, db)


def test_both_are_shown(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """All rows of the version table are shown."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, TWO)
    query(
        sqlite_url,
        VERSION_TABLE,
        "INSERT INTO alembic_version VALUES ('r1'), ('r2')",
    )
    assert db(app, "current").output == (
        "default: <base> -> r1\ndefault: r1 -> r2 (head)\n"
    )


@pytest.mark.parametrize("target", ["r1", "r2", "heads"])
def test_stamp_mends_both(target: str, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A stamp says where the database is, whatever it was before."""
    app, _ = apps.plain(sqlite_url)
    arrange(app, TWO)
    query(
        sqlite_url,
        VERSION_TABLE,
        "INSERT INTO alembic_version VALUES ('r1'), ('r2')",
    )
    id_ = "r1" if target == "r1" else "r2"
    result = db(app, "stamp", target)
    assert result.output == f"default is stamped {id_}.\n"
    assert query(sqlite_url, "SELECT * FROM alembic_version") == [(id_,)]


def test_emptied_version_table(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """Tables without a version are told of with the cure."""
    app, _ = apps.plain(sqlite_url)
    folder = arrange(app, TWO)
    assert db(app, "upgrade").exit_code == 0
    query(sqlite_url, "DELETE FROM alembic_version")
    result = db(app, "upgrade")
    code = 'op.create_table("made", sa.Column("id", sa.Integer))'
    lines = (folder / "r1_.py").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, start=1) if code in line)
    assert readable(result.output, apps.folder) == (
        "Traceback (most recent call last):\n"
        f'  File "TMP/app1/migrations/r1_.py", line {number}, in upgrade\n'
        f"    {code}\n"
        "default is at base.\n"
        "Error: Revision r1 failed on the database 'default': OperationalError: table"
        " made already exists\n"
        "SQL: CREATE TABLE made ( id INTEGER )\n"
        "Hint: The database 'default' has tables but no revision. If another process"
        " is migrating it, run the command again. If they were made without migrations,"
        " run 'flask db stamp' with the revision they match.\n"
    )
    assert result.exit_code == 1
    assert rows_of(sqlite_url) == {"alembic_version": [], "made": []}


# Models that are not imported

MANY: t.Final = tuple(f"CREATE TABLE t{number} (id INTEGER)" for number in range(7))
EMPTY_HINT: t.Final = (
    "Hint: Is the module with your models imported? If the tables are to go:"
    " flask db revision --allow-drops.\n"
)
EMPTY_METADATA: t.Final = (
    Case(
        "two",
        "Error: The metadata of 'default' has no tables, so the revision would drop"
        f" all 2 tables of the database: t0, t1.\n{EMPTY_HINT}",
        ("revision", "x"),
        sql=MANY[:2],
    ),
    Case(
        "many",
        "Error: The metadata of 'default' has no tables, so the revision would drop"
        f" all 7 tables of the database: t0, t1, t2, t3, t4, ….\n{EMPTY_HINT}",
        ("revision", "x"),
        sql=MANY,
    ),
)


@each(EMPTY_METADATA)
def test_models_are_not_imported(
    case: Case, sqlite_url: str, apps: Apps, db: Cli
) -> None:
    """A revision that would drop every table is not written."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    check(case, app, sqlite_url, apps, db)


def test_drops_that_are_meant(
    sqlite_url: str, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they are meant."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    monkeypatch.setattr(alembic, "rev_id", lambda: "r1")
    query(sqlite_url, *MANY[:2])
    result = db(app, "revision", "x", "--allow-drops")
    assert sorted(result.output.splitlines()) == [
        "  drop table t0",
        "  drop table t1",
        "Wrote migrations/r1_x.py",
    ]
    assert db(app, "upgrade").exit_code == 0
    assert tables(sqlite_url) == {"alembic_version"}


def test_nothing_to_drop(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """An empty metadata and an empty database agree, which is told."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    result = db(app, "revision", "x")
    assert result.output.splitlines()[1:] == [
        "No changes: the models match the database. The revision is empty.",
        "There are no tables in the metadata of 'default': is the module with your"
        " models imported?",
    ]
