"""The commands of ``flask db``: what they print, all of it, and their exit codes."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import VersionTable
from servers import Databases

COMMANDS: t.Final = (
    "adopt",
    "branches",
    "check",
    "current",
    "downgrade",
    "edit",
    "ensure-version",
    "heads",
    "history",
    "init",
    "list-templates",
    "log",
    "merge",
    "migrate",
    "mkdir",
    "prepare",
    "repair",
    "resume",
    "revision",
    "show",
    "snapshot",
    "stamp",
    "status",
    "upgrade",
    "verify-snapshot",
)
LOG_OPTIONS: t.Final = {
    "--start",
    "--end",
    "-r",
    "--rev-range",
    "-i",
    "--indicate-current",
    "--applied",
    "--ids",
    "--json",
    "-v",
    "--verbose",
}
NEW_REVISION_OPTIONS: t.Final = {
    "-m",
    "--message",
    "-b",
    "--branch",
    "-p",
    "--parent",
    "--head",
    "--splice",
    "-d",
    "--depend",
    "-l",
    "--label",
    "--branch-label",
    "--path",
    "--version-path",
    "--rev-id",
}
LOCK_OPTIONS: t.Final = {"--lock-timeout", "--no-lock"}
TENANT_OPTIONS: t.Final = {"--all-tenants", "--tenants", "--workers"}
OPTIONS: dict[str, set[str]] = {
    "adopt": {"--yes", "--database"},
    "branches": {"--ids", "--json", "-v", "--verbose"},
    "check": {"--ids", "--json"},
    "current": {
        "-c",
        "--check-heads",
        "--skip-missing",
        "--ids",
        "--json",
        "-v",
        "--verbose",
    },
    "downgrade": {"--skip-missing", "-y", "--yes"} | LOCK_OPTIONS,
    "edit": set(),
    "ensure-version": {"--database"},
    "heads": {"--resolve-dependencies", "--ids", "--json", "-v", "--verbose"},
    "init": {"-t", "--template", "--multidb", "--package"},
    "history": LOG_OPTIONS,
    "list-templates": set(),
    "log": LOG_OPTIONS,
    "merge": {
        "-m",
        "--message",
        "-l",
        "--label",
        "--branch-label",
        "--rev-id",
        "--splice",
    },
    "migrate": NEW_REVISION_OPTIONS,
    "mkdir": set(),
    "prepare": {"--wait", "--json"} | LOCK_OPTIONS,
    "repair": {"--yes", "--database"},
    "resume": {"--done", "--again"} | LOCK_OPTIONS,
    "revision": NEW_REVISION_OPTIONS | {"--empty", "--autogenerate", "--skip-empty"},
    "show": set(),
    "snapshot": {"--rows", "--no-rows", "--rows-of", "--scratch-url", "--json"},
    "stamp": {"--purge", "--verify", "--skip-missing", "-y", "--yes"} | LOCK_OPTIONS,
    "status": TENANT_OPTIONS | {"--wait", "--database"},
    "upgrade": {"--skip-missing", "--wait", "--stop-on-error"}
    | TENANT_OPTIONS
    | LOCK_OPTIONS,
    "verify-snapshot": {"--scratch-url", "--json"},
}


class Shell:
    """Runs ``flask db`` on an app, and makes what it prints comparable."""

    def __init__(self, app: Flask, alembic: Alembic, db: Cli) -> None:
        self.app = app
        self.alembic = alembic
        self.db = db
        self.ids = iter(f"{letter * 4}{n}" for n, letter in enumerate("abcdefgh", 1))
        alembic.rev_id = lambda: next(self.ids)  # type: ignore[method-assign]

    def __call__(self, *args: str) -> tuple[int, str]:
        """The exit code, and stdout and stderr together. Times, dates and the app's
        root are replaced.
        """
        result = self.db(self.app, *args)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        text = result.output.replace(f"{self.app.root_path}/", "ROOT/")
        text = re.sub(r"\d+ ms$", "N ms", text, flags=re.MULTILINE)
        text = re.sub(r"Created: .+", "Created: DATE", text)
        text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
        return result.exit_code, text

    def quietly(self, *args: str) -> None:
        """Prepare something."""
        code, text = self(*args)
        assert code == 0, text


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


@pytest.fixture
def shell(apps: Apps, db: Cli, sqlite_url: str) -> Shell:
    """An app with one database, whose models are the table ``todo``."""
    return Shell(*apps.plain(sqlite_url), db)


@pytest.fixture
def two(apps: Apps, db: Cli, tmp_path: Path) -> Shell:
    """An app with two databases."""
    names = ("default", "auth")
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in names}
    return Shell(*apps.several(urls), db)


@pytest.fixture
def chain(shell: Shell) -> Shell:
    """The app with the revisions ``aaaa1``, which makes ``todo``, and ``bbbb2``."""
    shell.quietly("revision", "made changes")
    shell.quietly("upgrade")
    shell.quietly("revision", "more", "--empty")
    shell.quietly("downgrade", "base")
    return shell


@pytest.fixture
def parted(chain: Shell) -> Shell:
    """The app with two heads, ``bbbb2`` and ``cccc3``, both on ``aaaa1``."""
    chain.quietly("revision", "other", "--empty", "--parent", "aaaa1", "--splice")
    return chain


def with_done() -> sa.MetaData:
    metadata = todo_metadata()
    metadata.tables["todo"].append_column(sa.Column("done", sa.Boolean))
    return metadata


# The group


def test_group_help(shell: Shell) -> None:
    """The group tells each command in a line, none of them cut."""
    code, text = shell("--help")
    assert code == 0
    assert text == lines(
        "Usage: app db [OPTIONS] COMMAND [ARGS]...",
        "",
        "  Migrate the database.",
        "",
        "Options:",
        "  -x KEY=VALUE          An argument for the revisions. Repeatable.",
        "  -d, --directory PATH  The migrations folder, instead of the configured one.",
        "  -q, --quiet           Print answers and errors, but not what was done.",
        "  --traceback           Print the whole traceback of an error.",
        "  --help                Show this message and exit.",
        "",
        "Commands:",
        "  adopt            Look at what another tool left, and say what to do.",
        "  branches         Show the revisions that more than one other revises.",
        "  check            Check that the databases match the models.",
        "  current          Show the revision that each database is at.",
        "  downgrade        Run revisions back down to TARGET, by default one.",
        "  edit             Edit the file of REVISION, by default the head.",
        "  ensure-version   Make the version table where it is missing.",
        "  heads            Show the newest revision of each branch.",
        "  history          Show the revisions, newest first, as log does.",
        "  init             Make the migrations folder, with a template that fits.",
        "  list-templates   Show the templates for new revisions.",
        "  log              Show the revisions, newest first.",
        "  merge            Write a revision that joins others, by default all heads.",
        "  migrate          Write a new revision if the models changed.",
        "  mkdir            Make the migrations folder, if it does not exist.",
        "  prepare          Bring the databases to head, wherever they are.",
        "  repair           Find what earlier runs left, and mend it after asking.",
        "  resume           Run a revision to its end that is half done.",
        "  revision         Write a new revision that says MESSAGE.",
        "  show             Show all of the given REVISIONS, by default the heads.",
        "  snapshot         Write the schema of each database at head to a file.",
        "  stamp            Let the databases be at TARGET, and run no revisions.",
        "  status           Count the tenants at each revision.",
        "  upgrade          Run revisions up to TARGET, by default all.",
        "  verify-snapshot  Check that the snapshots are what the revisions make.",
    )


@pytest.mark.parametrize("args", [(), *((name,) for name in COMMANDS)])
def test_help_fits(shell: Shell, args: tuple[str, ...]) -> None:
    """Help fits in 80 columns, and nothing in it is cut."""
    code, text = shell(*args, "--help")
    assert code == 0
    usage, *rest = text.splitlines()
    assert [line for line in (usage, *rest) if len(line) > 80] == []
    assert [line for line in rest if line.endswith("...")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(shell: Shell, name: str) -> None:
    """Every command says what it does, and so does every option."""
    group = shell.app.cli.commands["db"]
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert OPTIONS[name] <= {
        text for option in options for text in (*option.opts, *option.secondary_opts)
    }


def test_all_commands(shell: Shell) -> None:
    """These are the commands."""
    group = shell.app.cli.commands["db"]
    assert isinstance(group, click.Group)
    assert tuple(group.list_commands(click.Context(group))) == COMMANDS


def test_group_is_of_the_app(apps: Apps, db: Cli) -> None:
    """A command that is added to one app's group is not in another's."""
    groups = []

    for _ in range(2):
        app = apps.flask()
        Alembic(app)
        groups.append(app.cli.commands["db"])

    first, second = groups
    assert isinstance(first, click.Group)
    assert isinstance(second, click.Group)

    @first.command()
    def seed() -> None:
        """Add rows."""
        click.echo("seeded")

    context = click.Context(second)
    assert "seed" in first.list_commands(context)
    assert "seed" not in second.list_commands(context)
    assert second.get_command(context, "seed") is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nothing",), "No such command 'nothing'."),
        (("edit", "a", "b"), "Got unexpected extra argument (b)"),
        (("revision", "made", "changes"), "Got unexpected extra argument (changes)"),
        (("upgrade", "--nothing"), "No such option"),
        (("upgrade", "a", "b"), "Got unexpected extra argument (b)"),
        (("downgrade", "-1", "-2"), "Got unexpected extra argument (-2)"),
    ],
)
def test_usage_error(shell: Shell, args: tuple[str, ...], message: str) -> None:
    """What is typed wrong exits with 2."""
    code, text = shell(*args)
    assert code == 2
    assert text.startswith("Usage: app db ")
    assert message in text.splitlines()[-1]


def test_within_a_context(chain: Shell) -> None:
    """A context may be pushed all the same, and goes on afterwards."""
    with chain.app.app_context():
        assert chain.alembic.current() == ()
        code, text = chain("upgrade")
        assert code == 0, text
        assert [s.revision for s in chain.alembic.current()] == ["bbbb2"]


# upgrade, downgrade, stamp


def test_upgrade(chain: Shell) -> None:
    """``upgrade`` tells what ran, and where the database is."""
    assert chain("upgrade") == (
        0,
        lines(
            "  aaaa1  made changes  upgrade  N ms",
            "  bbbb2  more  upgrade  N ms",
            "2 revisions applied to default.",
        ),
    )
    assert chain("upgrade") == (0, "default is already at head (bbbb2).\n")


@pytest.mark.parametrize("target", ["+1", "1", "aaaa1", "aaaa", "default@aaaa1"])
def test_upgrade_part(chain: Shell, target: str) -> None:
    """``upgrade TARGET`` that is not the head tells where it stopped."""
    assert chain("upgrade", target) == (
        0,
        lines(
            "  aaaa1  made changes  upgrade  N ms",
            "1 revision applied to default; it is at aaaa1 now.",
        ),
    )


@pytest.mark.parametrize("target", ["2", "+2", "head", "heads", "default@head"])
def test_upgrade_all(chain: Shell, target: str) -> None:
    """``upgrade TARGET`` goes to the head by several names."""
    code, text = chain("upgrade", target)
    assert code == 0
    assert text.splitlines()[-1] == "2 revisions applied to default."


def test_upgrade_to_what_is_below(chain: Shell) -> None:
    """``upgrade`` to a revision that is applied has nothing to do."""
    chain.quietly("upgrade", "aaaa1")
    assert chain("upgrade", "aaaa1") == (0, "Nothing to do: default is at aaaa1.\n")


def test_upgrade_of_two(two: Shell) -> None:
    """``upgrade`` names each database."""
    two.quietly("revision", "made changes")
    assert two("upgrade") == (
        0,
        lines(
            "  default: aaaa1  made changes  upgrade  N ms",
            "  auth: aaaa1  made changes  upgrade  N ms",
            "1 revision applied to default.",
            "1 revision applied to auth.",
        ),
    )
    assert two("upgrade") == (
        0,
        lines(
            "default is already at head (aaaa1).", "auth is already at head (aaaa1)."
        ),
    )


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (
            ("upgrade", "nothing"),
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("upgrade", "aaab1"),
            "There is no revision 'aaab1'.",
            "Did you mean aaaa1?",
        ),
        (
            ("upgrade", "nothing@head"),
            "There is no branch 'nothing'.",
            "Branch labels: default.",
        ),
        (
            ("upgrade", "3"),
            "'3' goes beyond the head: there are not so many revisions.",
            "Run 'flask db current' and 'flask db log' to see where it stands.",
        ),
        (
            ("upgrade", "-1"),
            "'-1' leads down.",
            "Run 'flask db downgrade -1'.",
        ),
        (
            ("downgrade",),
            "'-1' goes beyond the base: there are not so many revisions.",
            "Run 'flask db current' and 'flask db log' to see where it stands.",
        ),
        (
            ("downgrade", "+1"),
            "'+1' leads up.",
            "Run 'flask db upgrade +1'.",
        ),
        (
            ("stamp", "nothing"),
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("revision", ""),
            "The message is empty.",
            'Say what the revision does: flask db revision "add email".',
        ),
        (
            ("revision", "more"),
            "The database 'default' is behind: it is at base, and the newest revision"
            " is bbbb2.",
            "Run 'flask db upgrade' first.",
        ),
        (
            ("show", "nothing"),
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("log", "--start", "nothing"),
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            ("merge", "nothing"),
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
    ],
)
def test_error(chain: Shell, args: tuple[str, ...], message: str, hint: str) -> None:
    """An error is a line with the cause and a line with the cure. It exits with 1, and
    nothing is done.
    """
    files = set(Path(chain.app.root_path, "migrations").iterdir())
    assert chain(*args) == (1, lines(f"Error: {message}", f"Hint: {hint}"))
    assert chain("current") == (0, "default: base, no revision is applied\n")
    assert set(Path(chain.app.root_path, "migrations").iterdir()) == files


@pytest.mark.parametrize("args", [(), ("-1",), ("1",), ("aaaa1",), ("--", "-1")])
def test_downgrade(chain: Shell, args: tuple[str, ...]) -> None:
    """``downgrade`` goes one down, and ``-1`` may be typed as it is."""
    chain.quietly("upgrade")
    assert chain("downgrade", *args) == (
        0,
        lines(
            "  bbbb2  more  downgrade  N ms",
            "1 revision undone on default; it is at aaaa1 now.",
        ),
    )


@pytest.mark.parametrize("target", ["2", "-2", "base", "default@-2", "bbbb2-2"])
def test_downgrade_all(chain: Shell, target: str) -> None:
    """``downgrade 2`` goes two down, which is the base here."""
    chain.quietly("upgrade")
    assert chain("downgrade", target) == (
        0,
        lines(
            "  bbbb2  more  downgrade  N ms",
            "  aaaa1  made changes  downgrade  N ms",
            "2 revisions undone on default; it is at base now.",
        ),
    )
    assert chain("downgrade", "base") == (0, "Nothing to do: default is at base.\n")


def test_ids_of_digits(shell: Shell) -> None:
    """An id of digits is an id, a small number is a count, though ids begin with it."""
    shell.alembic.rev_id = Alembic.rev_id.__get__(shell.alembic)  # type: ignore
    write_revision(shell.app, "1700000001")
    write_revision(shell.app, "1700000002", "1700000001")
    write_revision(shell.app, "1700000003", "1700000002")
    assert shell("upgrade", "1700000002")[0] == 0
    assert shell("current")[1] == ("default: 1700000001 -> 1700000002, 1700000002\n")
    assert shell("downgrade", "1700000001")[0] == 0
    assert shell("current")[1] == "default: <base> -> 1700000001, 1700000001\n"
    assert shell("upgrade", "1")[0] == 0
    assert shell("current")[1] == ("default: 1700000001 -> 1700000002, 1700000002\n")
    assert shell("downgrade", "1")[0] == 0
    assert shell("current")[1] == "default: <base> -> 1700000001, 1700000001\n"


def test_downgrade_from_several_heads(parted: Shell) -> None:
    """``downgrade`` asks which branch, and takes the answer."""
    parted.quietly("upgrade")
    assert parted("downgrade") == (
        1,
        lines(
            "Error: The database 'default' is at 2 revisions: bbbb2, cccc3. '-1' does"
            " not say which of them to go down from.",
            "Hint: Name one: 'flask db downgrade bbbb2@-1'.",
        ),
    )
    assert parted("downgrade", "bbbb2@-1") == (
        0,
        lines(
            "  bbbb2  more  downgrade  N ms",
            "1 revision undone on default; it is at cccc3 now.",
        ),
    )


@pytest.mark.parametrize("args", [(), ("-1",), ("1",)])
def test_downgrade_of_a_merge(parted: Shell, args: tuple[str, ...]) -> None:
    """``downgrade`` undoes a merge: the database is at both heads again."""
    parted.quietly("merge", "-m", "join")
    parted.quietly("upgrade")
    assert parted("downgrade", *args) == (
        0,
        lines(
            "  dddd4  join  downgrade  N ms",
            "1 revision undone on default; it is at bbbb2, cccc3 now.",
        ),
    )


def test_stamp(chain: Shell) -> None:
    """``stamp`` tells where the database is now, and runs nothing."""
    assert chain("stamp") == (0, "default is stamped bbbb2.\n")
    assert chain("stamp") == (0, "default is already stamped bbbb2.\n")
    assert chain("stamp", "aaaa1") == (0, "default is stamped aaaa1.\n")
    assert chain("stamp", "base") == (0, "default is stamped base.\n")
    assert chain("stamp", "head") == (0, "default is stamped bbbb2.\n")
    url = chain.alembic.engines["default"].url.render_as_string()
    assert tables(url) == {"alembic_version"}


def test_stamp_two(two: Shell) -> None:
    """``stamp`` names each database."""
    two.quietly("revision", "made changes")
    expected = lines("default is stamped aaaa1.", "auth is stamped aaaa1.")
    assert two("stamp") == (0, expected)


# revision, merge, mkdir


def test_revision(shell: Shell) -> None:
    """``revision`` tells the file, and what it found, in words."""
    assert shell("revision", "made changes") == (
        0,
        lines("Wrote migrations/aaaa1_made_changes.py", "  add table todo"),
    )
    shell.quietly("upgrade")
    assert shell("revision", "nothing") == (
        0,
        lines(
            "Wrote migrations/bbbb2_nothing.py",
            "No changes: the models match the database. The revision is empty.",
        ),
    )


def test_revision_of_two(two: Shell) -> None:
    """``revision`` names the database of each change."""
    assert two("revision", "made changes") == (
        0,
        lines(
            "Wrote migrations/aaaa1_made_changes.py",
            "  default: add table todo",
            "  auth: add table todo",
        ),
    )


def test_revision_empty(shell: Shell) -> None:
    """``revision --empty`` looks for nothing, and tells the file only."""
    assert shell("revision", "by hand", "--empty") == (
        0,
        "Wrote migrations/aaaa1_by_hand.py\n",
    )


def test_revision_in_words(url: str, apps: Apps, db: Cli) -> None:
    """``revision`` tells each kind of change."""

    def metadata(*columns: sa.Column[t.Any], extra: bool) -> sa.MetaData:
        result = sa.MetaData()
        sa.Table("owner", result, sa.Column("id", sa.Integer, primary_key=True))
        sa.Table(
            "todo",
            result,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("kept", sa.String(20), nullable=not extra),
            *columns,
        )
        sa.Table("new" if extra else "old", result, sa.Column("id", sa.Integer))
        return result

    before = metadata(sa.Column("gone", sa.Integer), extra=False)
    sa.Index("ix_gone", before.tables["todo"].c.kept)
    after = metadata(sa.Column("done", sa.Integer), extra=True)
    sa.Index("ix_done", after.tables["todo"].c.done, unique=True)
    shell = Shell(*apps.plain(url, before), db)
    shell.quietly("revision", "before")
    shell.quietly("upgrade")
    shell.alembic.metadatas = {"default": after}
    code, text = shell("revision", "after")
    first, *found = text.splitlines()
    assert (code, first) == (0, "Wrote migrations/bbbb2_after.py")
    assert sorted(found) == [
        "  add column todo.done",
        "  add table new",
        "  add unique index ix_done on todo (done)",
        "  change column todo.kept: not nullable",
        "  drop column todo.gone",
        "  drop index ix_gone",
        "  drop table old",
    ]
    shell.quietly("upgrade")
    assert shell("check")[0] == 0


def test_revision_without_models(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """``revision`` for a metadata without tables asks whether they are imported."""
    shell = Shell(*apps.plain(sqlite_url, sa.MetaData()), db)
    assert shell("revision", "made changes") == (
        0,
        lines(
            "Wrote migrations/aaaa1_made_changes.py",
            "No changes: the models match the database. The revision is empty.",
            "There are no tables in the metadata of 'default': is the module with your"
            " models imported?",
        ),
    )


def test_revision_would_drop_all(chain: Shell) -> None:
    """``revision`` refuses to drop everything, except with ``--allow-drops``."""
    chain.quietly("upgrade")
    chain.alembic.metadatas = {"default": sa.MetaData()}
    files = set(Path(chain.app.root_path, "migrations").iterdir())
    code, text = chain("revision", "oops")
    error, hint = text.splitlines()
    assert code == 1
    assert error.startswith("Error: The metadata of 'default' has no tables")
    assert error.endswith("todo.")
    assert hint == (
        "Hint: Is the module with your models imported? If the tables are to go:"
        " flask db revision --allow-drops."
    )
    assert set(Path(chain.app.root_path, "migrations").iterdir()) == files

    code, text = chain("revision", "meant", "--allow-drops")
    assert code == 0
    assert text.splitlines()[1:] == ["  drop table todo"]


def test_merge(parted: Shell) -> None:
    """``merge`` tells the file, and by default names what it joins."""
    assert parted("merge") == (0, "Wrote migrations/dddd4_merge_bbbb2_cccc3.py\n")
    assert parted("merge") == (0, "Nothing to merge: that is one head.\n")
    assert parted("heads") == (
        0,
        "bbbb2, cccc3 -> dddd4 (default) (head) (mergepoint), merge bbbb2, cccc3\n",
    )


def test_merge_with_options(parted: Shell) -> None:
    """``merge REVISIONS --message --label``"""
    assert parted("merge", "cccc3", "bbbb", "-m", "join both", "-l", "joined") == (
        0,
        "Wrote migrations/dddd4_join_both.py\n",
    )
    code, text = parted("show", "joined")
    assert code == 0
    assert text.splitlines()[:2] == [
        "Rev: dddd4 (head) (mergepoint)",
        "Merges: cccc3, bbbb2",
    ]


def test_nothing_to_merge(shell: Shell) -> None:
    """``merge`` without any revision does not claim that there is a head."""
    assert shell("merge") == (0, "Nothing to merge: there are no revisions.\n")


def test_mkdir(apps: Apps, db: Cli) -> None:
    """``mkdir`` tells what it made, once."""
    app = apps.flask(ALEMBIC={"version_locations": [("users", "users")]})
    shell = Shell(app, Alembic(app, run_mkdir=False), db)
    assert shell("mkdir") == (0, lines("Made ROOT/migrations", "Made ROOT/users"))
    assert shell("mkdir") == (0, "ROOT/migrations exists already.\n")
    assert Path(app.root_path, "migrations", "script.py.mako").is_file()


def test_mkdir_restores_the_template(shell: Shell) -> None:
    """``mkdir`` makes a template that is missing, and says so."""
    template = Path(shell.app.root_path, "migrations", "script.py.mako")
    before = template.read_bytes()
    template.unlink()
    assert shell("mkdir") == (0, "Made ROOT/migrations/script.py.mako\n")
    assert template.read_bytes() == before


# current, check


def test_current(chain: Shell) -> None:
    """``current`` tells where the database is."""
    assert chain("current") == (0, "default: base, no revision is applied\n")
    chain.quietly("upgrade", "1")
    assert chain("current") == (0, "default: <base> -> aaaa1 (default), made changes\n")
    chain.quietly("upgrade")
    assert chain("current") == (0, "default: aaaa1 -> bbbb2 (default) (head), more\n")


def test_current_verbose(chain: Shell) -> None:
    """``current --verbose`` tells all of the revision."""
    chain.quietly("upgrade", "1")

    for option in ("-v", "--verbose"):
        assert chain("current", option) == (
            0,
            lines(
                "default:",
                "Rev: aaaa1",
                "Parent: <base>",
                "Branch names: default",
                "Path: ROOT/migrations/aaaa1_made_changes.py",
                "",
                "    made changes",
                "",
                "    Revision ID: aaaa1",
                "    Revises:",
                "    Created: DATE",
                "",
            ),
        )


def test_current_of_two(two: Shell) -> None:
    """``current`` names each database, though they are at different revisions."""
    two.quietly("revision", "made changes")
    two.quietly("upgrade")
    auth = two.alembic.engines["auth"]

    with auth.begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))

    assert two("current") == (
        0,
        lines(
            "default: <base> -> aaaa1 (default) (head), made changes",
            "auth: base, no revision is applied",
        ),
    )
    assert two("current", "--check-heads")[0] == 1


def test_check_heads(chain: Shell) -> None:
    """``current --check-heads`` exits with 1 until all is applied."""
    told = "A database is not at head. Run 'flask db upgrade'."
    assert chain("current", "-c") == (
        1,
        lines("default: base, no revision is applied", told),
    )
    chain.quietly("upgrade", "1")
    assert chain("current", "--check-heads") == (
        1,
        lines("default: <base> -> aaaa1 (default), made changes", told),
    )
    chain.quietly("upgrade")
    assert chain("current", "--check-heads") == (
        0,
        "default: aaaa1 -> bbbb2 (default) (head), more\n",
    )


def test_check(chain: Shell) -> None:
    """``check`` tells a database that is behind from models that changed."""
    assert chain("check") == (
        1,
        lines(
            "default: the database is not up to date: it is at base, head is bbbb2.",
            "Hint: Run 'flask db upgrade'.",
        ),
    )
    chain.quietly("upgrade")
    in_sync = "default: the database is at head and matches the models.\n"
    assert chain("check") == (0, in_sync)

    chain.alembic.metadatas = {"default": with_done()}
    assert chain("check") == (
        1,
        lines(
            "default: the models changed:",
            "  add column todo.done",
            "Hint: Run 'flask db revision \"what changed\"'.",
        ),
    )


def test_check_of_two(two: Shell) -> None:
    """``check`` tells of each database."""
    two.quietly("revision", "made changes")
    two.quietly("upgrade")
    two.alembic.metadatas = {"default": todo_metadata(), "auth": with_done()}
    assert two("check") == (
        1,
        lines(
            "default: the database is at head and matches the models.",
            "auth: the models changed:",
            "  add column todo.done",
            "Hint: Run 'flask db revision \"what changed\"'.",
        ),
    )


def test_check_without_models(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """``check`` for a metadata without tables asks whether they are imported."""
    shell = Shell(*apps.plain(sqlite_url, sa.MetaData()), db)
    assert shell("check") == (
        0,
        lines(
            "default: nothing to compare.",
            "There are no tables in the metadata of 'default': is the module with your"
            " models imported?",
        ),
    )


# show, log, heads, branches


def test_show(chain: Shell) -> None:
    """``show`` tells all of the heads, or of the revisions that are named."""
    first = lines(
        "Rev: aaaa1",
        "Parent: <base>",
        "Branch names: default",
        "Path: ROOT/migrations/aaaa1_made_changes.py",
        "",
        "    made changes",
        "",
        "    Revision ID: aaaa1",
        "    Revises:",
        "    Created: DATE",
        "",
    )
    second = lines(
        "Rev: bbbb2 (head)",
        "Parent: aaaa1",
        "Branch names: default",
        "Path: ROOT/migrations/bbbb2_more.py",
        "",
        "    more",
        "",
        "    Revision ID: bbbb2",
        "    Revises: aaaa1",
        "    Created: DATE",
        "",
    )
    assert chain("show") == (0, second)
    assert chain("show", "aaaa") == (0, first)
    assert chain("show", "head", "aaaa1") == (0, second + first)
    assert chain("log", "-v") == (0, second + first)
    assert chain("heads", "-v") == (0, second)


def test_log(parted: Shell) -> None:
    """``log`` tells a revision a line, newest first."""
    parted.quietly("merge", "-m", "join")
    top = "bbbb2, cccc3 -> dddd4 (default) (head) (mergepoint), join"
    middle = ["aaaa1 -> bbbb2 (default), more", "aaaa1 -> cccc3 (default), other"]
    bottom = "<base> -> aaaa1 (default) (branchpoint), made changes"
    code, text = parted("log")
    assert code == 0
    first, *between, last = text.splitlines()
    assert (first, sorted(between), last) == (top, middle, bottom)

    assert parted("log", "--end", "aaaa1") == (0, f"{bottom}\n")
    assert parted("log", "--start", "heads") == (0, f"{top}\n")
    assert parted("log", "--start", "bbbb2", "--end", "bbbb2") == (0, f"{middle[0]}\n")
    parted.quietly("upgrade", "bbbb2")
    assert parted("log", "--end", "current") == (0, lines(middle[0], bottom))


def test_heads(parted: Shell) -> None:
    """``heads`` tells the newest revision of each branch."""
    code, text = parted("heads")
    assert code == 0
    assert sorted(text.splitlines()) == [
        "aaaa1 -> bbbb2 (default) (head), more",
        "aaaa1 -> cccc3 (default) (head), other",
    ]


def test_heads_resolving_dependencies(shell: Shell) -> None:
    """``heads --resolve-dependencies`` leaves out what another head depends on."""
    write_revision(shell.app, "aaaa1", branch_labels=("default",))
    write_revision(
        shell.app, "uuuu1", branch_labels=("users",), depends_on=("aaaa1", "default")
    )
    code, text = shell("heads")
    assert code == 0
    found = [line.split(" -> ")[1].split()[0] for line in text.splitlines()]
    assert sorted(found) == ["aaaa1", "uuuu1"]
    code, text = shell("heads", "--resolve-dependencies")
    assert code == 0
    assert [line.split(" -> ")[1].split()[0] for line in text.splitlines()] == ["uuuu1"]


def test_branches(parted: Shell) -> None:
    """``branches`` tells where the history parts, and into what."""
    expected = lines(
        "<base> -> aaaa1 (default) (branchpoint), made changes",
        "    -> aaaa1 -> bbbb2 (default) (head), more",
        "    -> aaaa1 -> cccc3 (default) (head), other",
    )
    assert parted("branches") == (0, expected)
    code, text = parted("branches", "--verbose")
    assert code == 0
    assert text.splitlines()[:2] == ["Rev: aaaa1 (branchpoint)", "Parent: <base>"]
    assert text.endswith("".join(expected.splitlines(keepends=True)[1:]))


@pytest.mark.parametrize("command", ["branches", "heads", "log", "show"])
def test_no_revisions(shell: Shell, command: str) -> None:
    """Without revisions there is nothing to show, and no error."""
    assert shell(command) == (0, "")


def test_labels_are_in_order(shell: Shell) -> None:
    """Several labels are told in the same order in every process."""
    write_revision(shell.app, "aaaa1", branch_labels=("c", "a", "e", "b", "d", "f"))
    expected = "<base> -> aaaa1 (a, b, c, d, e, f) (head), aaaa1\n"
    assert shell("heads") == (0, expected)


# Alembic's log


def _log_state() -> tuple[list[logging.Handler], int, bool]:
    logger = logging.getLogger("alembic")
    return list(logger.handlers), logger.level, logger.propagate


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose(shell: Shell, option: str) -> None:
    """``-v`` shows Alembic's log. Afterwards logging is as it was."""
    before = _log_state()
    code, text = shell("revision", "made changes", option)
    assert code == 0
    assert "INFO [alembic.runtime.migration] Context impl SQLiteImpl.\n" in text
    assert "Detected added table 'todo'\n" in text
    assert text.endswith("  add table todo\n")
    assert _log_state() == before


def test_verbose_run(chain: Shell) -> None:
    """``-v`` tells in Alembic's log which revision begins, as Alembic does."""
    code, text = chain("upgrade", "1", "-v")
    assert code == 0
    assert "Running upgrade  -> aaaa1, made changes\n" in text
    code, text = chain("downgrade", "-v")
    assert code == 0
    assert "Running downgrade aaaa1 -> , made changes\n" in text


@pytest.mark.parametrize("command", ["check", "downgrade", "stamp", "upgrade"])
def test_verbose_for_each(chain: Shell, command: str) -> None:
    """The commands that ask the database take ``-v``, and put back logging also when
    they fail.
    """
    before = _log_state()
    text = chain(command, "-v")[1]
    assert "INFO [alembic.runtime.migration] Context impl SQLiteImpl.\n" in text
    assert _log_state() == before


# A terminal

WSGI = """
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

metadata = sa.MetaData()
sa.Table("todo", metadata, sa.Column("id", sa.Integer, primary_key=True))
app = Flask("app", root_path={root!r})
Alembic(app, metadatas=metadata, engines=sa.create_engine("sqlite:///{root}/t.db"))
"""


@pytest.fixture
def process(tmp_path: Path) -> t.Callable[..., tuple[int, str, str]]:
    """Runs ``flask db`` in a process of its own, on a terminal or in a pipe."""
    Path(tmp_path, "wsgi.py").write_text(WSGI.format(root=str(tmp_path)))

    def run(*args: str, terminal: bool = False, **environ: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", *args]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        variables.pop("NO_COLOR", None)
        variables.update(environ)

        if not terminal:
            result = subprocess.run(
                command,
                cwd=tmp_path,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            return result.returncode, result.stdout, result.stderr

        reader, writer = os.openpty()
        child = subprocess.Popen(
            command, cwd=tmp_path, env=variables, stdout=writer, stderr=writer
        )
        os.close(writer)
        text = b"".join(iter(lambda: _read(reader), b"")).decode()
        os.close(reader)
        return child.wait(), text.replace("\r\n", "\n"), ""

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:
        # That is how a terminal says that nobody writes to it any more.
        return b""


ERROR = "Error: There is no revision 'nothing'.\n"
HINT = "Hint: Run 'flask db log' to see all revisions.\n"
RED, CYAN, GREEN, END = "\x1b[31m\x1b[1m", "\x1b[36m", "\x1b[32m", "\x1b[0m"


def test_in_a_pipe(process: t.Callable[..., tuple[int, str, str]]) -> None:
    """Without a terminal there is no colour; results go to stdout, errors to stderr,
    and Alembic's log is not shown.
    """
    code, out, err = process("revision", "made changes")
    assert (code, err) == (0, "")
    wrote, change = out.splitlines()
    assert wrote.startswith("Wrote migrations/")
    assert change == "  add table todo"
    assert process("upgrade", "nothing") == (1, "", ERROR + HINT)


def test_group_help_in_a_pipe(
    process: t.Callable[..., tuple[int, str, str]],
) -> None:
    """Help is not cut either in a process of its own, where Click has less room than
    in a test.
    """
    code, out, _ = process("--help", COLUMNS="80")
    assert code == 0
    assert [line for line in out.splitlines()[1:] if line.endswith("...")] == []


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_on_a_terminal(process: t.Callable[..., tuple[int, str, str]]) -> None:
    """A terminal gets colour."""
    code, out, _ = process("stamp", terminal=True)
    assert (code, out) == (0, f"{GREEN}default is already stamped base.{END}\n")
    code, out, _ = process("upgrade", "nothing", terminal=True)
    error = ERROR.replace("Error:", f"{RED}Error:{END}")
    assert (code, out) == (1, error + HINT.replace("Hint:", f"{CYAN}Hint:{END}"))


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_no_color(process: t.Callable[..., tuple[int, str, str]]) -> None:
    """``NO_COLOR`` is honoured, for results and for errors."""
    code, out, _ = process("stamp", terminal=True, NO_COLOR="1")
    assert (code, out) == (0, "default is already stamped base.\n")
    code, out, _ = process("upgrade", "nothing", terminal=True, NO_COLOR="1")
    assert (code, out) == (1, ERROR + HINT)


def test_revision_left_out_by_a_hook(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """A hook that empties the directives keeps a revision from being written, and the
    command says so.
    """

    def leave_out(context: object, revision: object, directives: list[object]) -> None:
        directives.clear()

    app, alembic = apps.plain(
        sqlite_url, ALEMBIC_CONTEXT={"process_revision_directives": leave_out}
    )
    result = db(app, "revision", "nothing")
    assert result.output == (
        "No revision was written: process_revision_directives left none.\n"
    )
    assert result.exit_code == 0

    with app.app_context():
        assert alembic.heads() == ()
        assert alembic.revision("nothing") == []


# New revisions: what users of other tools type


def test_message_option(shell: Shell) -> None:
    """``revision -m`` is another way to give the message."""
    assert shell("revision", "-m", "by hand", "--empty") == (
        0,
        "Wrote migrations/aaaa1_by_hand.py\n",
    )


@pytest.mark.parametrize("args", [("revision",), ("migrate",)])
def test_no_message(shell: Shell, args: tuple[str, ...]) -> None:
    """Without message a revision is called by what was found."""
    assert shell(*args) == (
        0,
        lines("Wrote migrations/aaaa1_add_table_todo.py", "  add table todo"),
    )
    assert shell("heads")[1] == ("<base> -> aaaa1 (default) (head), add table todo\n")


def test_no_message_for_several_changes(shell: Shell) -> None:
    """Several changes are counted."""
    metadata = todo_metadata()
    sa.Table("user", metadata, sa.Column("id", sa.Integer, primary_key=True))
    shell.alembic.metadatas = {"default": metadata}
    shell.quietly("migrate")
    assert shell("heads")[1] == (
        "<base> -> aaaa1 (default) (head), add table todo and 1 more\n"
    )


def test_no_message_for_two_databases(two: Shell) -> None:
    """A change that two databases have is one."""
    two.quietly("migrate")
    assert two("heads")[1] == "<base> -> aaaa1 (default) (head), add table todo\n"


def test_no_message_and_nothing_found(shell: Shell) -> None:
    """Where nothing was found, or looked for, Alembic says how it is called."""
    assert shell("revision", "--empty") == (0, "Wrote migrations/aaaa1_.py\n")
    assert shell("heads")[1] == "<base> -> aaaa1 (default) (head), empty message\n"


@pytest.mark.parametrize("args", [("migrate", "-m", "b"), ("revision", "--skip-empty")])
def test_nothing_to_write(chain: Shell, args: tuple[str, ...]) -> None:
    """``migrate`` and ``revision --skip-empty`` write no file when nothing changed."""
    chain.quietly("upgrade")
    before = set(Path(chain.app.root_path, "migrations").iterdir())
    assert chain(*args) == (
        0,
        "No changes: the models match the database. No revision was written.\n",
    )
    assert set(Path(chain.app.root_path, "migrations").iterdir()) == before

    with chain.app.app_context():
        written = chain.alembic.revision("nothing", skip_empty=True)
        assert (written, written.skipped, written.changes) == ([], True, ())
        assert written.tables == {"default": 1}


@pytest.mark.parametrize("args", [("migrate",), ("revision", "--skip-empty")])
def test_something_to_write(shell: Shell, args: tuple[str, ...]) -> None:
    """``migrate`` and ``revision --skip-empty`` write what changed."""
    assert shell(*args, "made changes") == (
        0,
        lines("Wrote migrations/aaaa1_made_changes.py", "  add table todo"),
    )


def test_nothing_to_write_without_models(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """``migrate`` for a metadata without tables asks whether they are imported."""
    shell = Shell(*apps.plain(sqlite_url, sa.MetaData()), db)
    assert shell("migrate") == (
        0,
        lines(
            "No changes: the models match the database. No revision was written.",
            "There are no tables in the metadata of 'default': is the module with your"
            " models imported?",
        ),
    )


def test_migrate_writes_what_only_one_database_needs(two: Shell) -> None:
    """``migrate`` writes a file if one of several databases changed."""
    two.quietly("migrate")
    two.quietly("upgrade")
    two.alembic.metadatas = {"default": todo_metadata(), "auth": with_done()}
    assert two("migrate", "done") == (
        0,
        lines("Wrote migrations/bbbb2_done.py", "  auth: add column todo.done"),
    )


def test_migrate_left_out_by_a_hook(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """A hook that empties the directives has the last word."""

    def leave_out(context: object, revision: object, directives: list[object]) -> None:
        directives.clear()

    app, alembic = apps.plain(
        sqlite_url, ALEMBIC_CONTEXT={"process_revision_directives": leave_out}
    )
    assert db(app, "migrate").output == (
        "No revision was written: process_revision_directives left none.\n"
    )

    with app.app_context():
        assert alembic.revision(skip_empty=True).skipped is False


def test_autogenerate(shell: Shell) -> None:
    """``revision --autogenerate`` does what ``revision`` does."""
    assert shell("revision", "--autogenerate", "-m", "made changes") == (
        0,
        lines("Wrote migrations/aaaa1_made_changes.py", "  add table todo"),
    )


def test_synonyms(parted: Shell) -> None:
    """Options may be called as in Alembic and Flask-Migrate."""
    args = ("--head", "bbbb2", "--branch-label", "mine", "--version-path", "migrations")
    parted.quietly("revision", "more", "--empty", "--rev-id", "mine_1", *args)
    assert parted("heads")[1].splitlines()[-1] == (
        "bbbb2 -> mine_1 (default, mine) (head), more"
    )


@pytest.mark.parametrize("command", ["revision", "merge"])
def test_rev_id(parted: Shell, command: str) -> None:
    """``--rev-id`` gives the new revision an id."""
    args = ("more", "--empty", "-p", "bbbb2") if command == "revision" else ()
    parted.quietly(command, *args, "--rev-id", "20260105_more.1")
    assert parted("show", "20260105_more.1")[1].startswith("Rev: 20260105_more.1 ")


@pytest.mark.parametrize(
    ("id_", "message", "hint"),
    [
        *(
            (
                id_,
                f"{id_!r} can't be an id.",
                "An id is made of letters, digits, '_' and '.'.",
            )
            for id_ in ("", "a-1", "a:b", "a@b", "../a", "head", "a b", "a'b")
        ),
        *(
            (
                id_,
                f"There is a revision or branch '{id_}' already.",
                "Choose another id.",
            )
            for id_ in ("bbbb2", "default")
        ),
    ],
)
@pytest.mark.parametrize("command", ["revision", "merge"])
def test_bad_rev_id(
    parted: Shell, command: str, id_: str, message: str, hint: str
) -> None:
    """An id that can't be one, or is taken, is refused, and no file is written."""
    before = set(Path(parted.app.root_path, "migrations").iterdir())
    args = ("more", "--empty", "-p", "bbbb2") if command == "revision" else ()
    assert parted(command, *args, "--rev-id", id_) == (
        1,
        lines(f"Error: {message}", f"Hint: {hint}"),
    )
    assert set(Path(parted.app.root_path, "migrations").iterdir()) == before


def test_rev_id_taken_meanwhile(chain: Shell) -> None:
    """An id that another process takes while this one compares is refused too."""
    chain.quietly("upgrade")

    def taken(context: object, revision: object, directives: list[object]) -> None:
        write_revision(chain.app, "cccc3", "bbbb2")

    chain.app.config["ALEMBIC_CONTEXT"]["process_revision_directives"] = taken
    assert chain("revision", "more", "--rev-id", "cccc3") == (
        1,
        lines(
            "Error: There is a revision or branch 'cccc3' already.",
            "Hint: Choose another id.",
        ),
    )


def test_merge_splice(parted: Shell) -> None:
    """``merge`` joins revisions that are no heads only with ``--splice``."""
    parted.quietly("revision", "on top", "--empty", "-p", "bbbb2")
    code, text = parted("merge", "bbbb2", "cccc3")
    assert code == 1
    assert text == (
        "Error: Revision bbbb2 is not a head revision; please specify --splice to"
        " create a new branch from this revision.\n"
    )
    assert parted("merge", "bbbb2", "cccc3", "--splice", "--rev-id", "joined") == (
        0,
        "Wrote migrations/joined_merge_bbbb2_cccc3.py\n",
    )
    assert parted("show", "joined")[1].splitlines()[1] == "Merges: bbbb2, cccc3"


# ensure-version


def test_ensure_version(url: str, apps: Apps, db: Cli) -> None:
    """``ensure-version`` makes the version table, once, and nothing else."""
    shell = Shell(*apps.plain(url), db)
    assert shell("ensure-version") == (
        0,
        "default: made the table alembic_version.\n",
    )
    assert tables(url) == {"alembic_version"}
    assert shell("ensure-version") == (
        0,
        "default: the table alembic_version exists already.\n",
    )
    shell.quietly("migrate")
    shell.quietly("upgrade")
    shell.quietly("ensure-version")
    assert shell("current")[1].startswith("default: <base> -> aaaa1 ")


def test_ensure_version_of_one(two: Shell) -> None:
    """``ensure-version --database`` and its Python leave other databases alone."""
    assert two("ensure-version", "--database", "auth") == (
        0,
        "auth: made the table alembic_version.\n",
    )

    with two.app.app_context():
        assert two.alembic.ensure_version(databases="auth") == (
            VersionTable("auth", "alembic_version", False),
        )
        assert two.alembic.ensure_version() == (
            VersionTable("default", "alembic_version", True),
            VersionTable("auth", "alembic_version", False),
        )


def test_ensure_version_in_a_schema(databases: Databases, apps: Apps, db: Cli) -> None:
    """``ensure-version`` tells the schema of the table."""
    if databases.server.name != "postgresql":
        pytest.skip("needs schemas")

    url = databases.make()
    engine = apps.engine(url)

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA mine"))

    context = {"version_table_schema": "mine", "version_table": "versions"}
    shell = Shell(*apps.plain(url, ALEMBIC_CONTEXT=context), db)
    assert shell("ensure-version")[1] == "default: made the table mine.versions.\n"
    assert shell("ensure-version")[1] == (
        "default: the table mine.versions exists already.\n"
    )


def test_ensure_version_refuses_anothers_table(chain: Shell) -> None:
    """``ensure-version`` does not take another program's table for its own."""
    engine = chain.alembic.engines["default"]

    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
        connection.execute(sa.text("CREATE TABLE alembic_version (x INTEGER)"))

    assert chain("ensure-version") == (
        1,
        lines(
            "Error: The table 'alembic_version' of the database 'default' has no column"
            " 'version_num': it is another program's.",
            "Hint: Choose another name: ALEMBIC_CONTEXT['version_table'].",
        ),
    )


# edit


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that appends a line to a file. What it opened is in this file."""
    opened = Path(tmp_path, "opened")
    script = Path(tmp_path, "editor")
    script.write_text(f'#!/bin/sh\necho "$1" >> {opened}\necho "# edited" >> "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    return opened


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ((), "bbbb2_more.py"),
        (("head",), "bbbb2_more.py"),
        (("aaaa",), "aaaa1_made_changes.py"),
        (("current",), "aaaa1_made_changes.py"),
    ],
)
def test_edit(chain: Shell, editor: Path, args: tuple[str, ...], name: str) -> None:
    """``edit`` opens the file of a revision in the editor."""
    chain.quietly("upgrade", "aaaa1")
    path = Path(chain.app.root_path, "migrations", name)
    assert chain("edit", *args) == (0, "")
    assert editor.read_text() == f"{path}\n"
    assert path.read_text().endswith("# edited\n")


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        (
            "heads",
            "'heads' is 2 revisions: bbbb2, cccc3.",
            "Name one: flask db edit bbbb2.",
        ),
        (
            "head",
            "'head' could be any of 2 heads: bbbb2, cccc3.",
            "Name one, take 'heads' for all, or join them: flask db merge.",
        ),
        (
            "current",
            "There is no revision at 'current'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            "base",
            "There is no revision at 'base'.",
            "Run 'flask db log' to see all revisions.",
        ),
        (
            "nothing",
            "There is no revision 'nothing'.",
            "Run 'flask db log' to see all revisions.",
        ),
    ],
)
def test_edit_nothing(
    parted: Shell, editor: Path, target: str, message: str, hint: str
) -> None:
    """``edit`` opens one file or none."""
    assert parted("edit", target) == (1, lines(f"Error: {message}", f"Hint: {hint}"))
    assert not editor.exists()


def test_editor_fails(chain: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that fails is an error."""
    monkeypatch.setenv("VISUAL", "false")
    assert chain("edit") == (1, "Error: false: Editing failed\n")


# history


def test_history(chain: Shell) -> None:
    """``history`` is another name of ``log``."""
    assert chain("history") == chain("log")
    assert chain("history", "-v") == chain("log", "-v")


@pytest.mark.parametrize(
    ("rev_range", "ids"),
    [
        ("aaaa1:bbbb2", "bbbb2 aaaa1"),
        ("bbbb2:", "cccc3 bbbb2"),
        (":bbbb2", "bbbb2 aaaa1"),
        (":", "cccc3 bbbb2 aaaa1"),
        ("current:", "cccc3 bbbb2"),
        (":current", "bbbb2 aaaa1"),
        ("-1:", "cccc3 bbbb2"),
        ("-1:current", "bbbb2 aaaa1"),
        ("-2:current", "bbbb2 aaaa1"),
        ("base:head", "cccc3 bbbb2 aaaa1"),
        ("default@base:default@head", "cccc3 bbbb2 aaaa1"),
    ],
)
@pytest.mark.parametrize("command", ["history", "log"])
def test_rev_range(chain: Shell, command: str, rev_range: str, ids: str) -> None:
    """``-r START:END`` shows a part, with both ends."""
    chain.quietly("upgrade")
    chain.quietly("revision", "third", "--empty")
    code, text = chain(command, "-r", rev_range, "--ids")
    assert (code, text.split()) == (0, ids.split())


def test_rev_range_too_long(chain: Shell) -> None:
    """A count that goes below the base is an error."""
    assert chain("log", "-r", "-3:") == (
        1,
        lines(
            "Error: '-3' goes beyond the base: there are not so many revisions.",
            "Hint: Run 'flask db current' and 'flask db log' to see where it stands.",
        ),
    )


def test_indicate_current(chain: Shell) -> None:
    """``-i`` marks where the database is."""
    expected = [
        "aaaa1 -> bbbb2 (default) (head), more",
        "<base> -> aaaa1 (default), made changes",
    ]
    assert chain("log", "-i") == (0, lines(*expected))
    chain.quietly("upgrade", "1")
    marked = "<base> -> aaaa1 (default) (current), made changes"
    assert chain("log", "-i") == (0, lines(expected[0], marked))
    assert "Rev: aaaa1 (current)" in chain("log", "-iv")[1].splitlines()


def test_indicate_current_of_two(two: Shell) -> None:
    """``-i`` names the databases where there are several."""
    two.quietly("revision", "made changes")
    two.quietly("upgrade")
    two.quietly("revision", "more", "--empty")
    two.quietly("upgrade", "--database", "auth")
    assert two("history", "-i") == (
        0,
        lines(
            "aaaa1 -> bbbb2 (default) (head) (current: auth), more",
            "<base> -> aaaa1 (default) (current: default), made changes",
        ),
    )
    two.quietly("upgrade")
    assert two("history", "-i", "-r", "bbbb2:") == (
        0,
        "aaaa1 -> bbbb2 (default) (head) (current: default, auth), more\n",
    )


# --quiet, --traceback


def test_quiet(parted: Shell) -> None:
    """``--quiet`` leaves out what was done; answers are still given."""
    for args in (
        ("mkdir",),
        ("ensure-version",),
        ("upgrade",),
        ("merge",),
        ("upgrade",),
        ("downgrade",),
        ("stamp", "heads"),
        ("migrate",),
        ("revision", "nothing"),
    ):
        assert parted("--quiet", *args) == (0, ""), args

    assert parted("-q", "heads") == (0, "dddd4 -> ffff6 (default) (head), nothing\n")
    assert parted("-q", "current")[1].startswith("default: bbbb2, cccc3 -> dddd4 ")


def test_quiet_error(chain: Shell) -> None:
    """``--quiet`` keeps errors."""
    assert chain("--quiet", "upgrade", "nothing") == (1, ERROR + HINT)


def test_traceback(chain: Shell) -> None:
    """``--traceback`` prints the traceback before the error."""
    code, text = chain("--traceback", "upgrade", "nothing")
    assert code == 1
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith(f"\n{ERROR}{HINT}")
