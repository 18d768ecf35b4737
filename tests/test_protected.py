"""``ALEMBIC["protected"]``: downgrades and purges that have to be confirmed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationReport
from flask_alembic import ProtectedDatabaseError

Made = tuple[Flask, Alembic]

HINT: t.Final = (
    "Nothing was done. Confirm it: --yes on the command line, yes=True in Python."
)
UNDONE: t.Final = "The database 'default' is protected, and r3 would be undone."


def history(app: Flask) -> None:
    """Three revisions."""
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")
    write_revision(app, "r3", "r2")


def make(
    apps: Apps,
    url: str,
    protected: object = True,
    extension: type[Alembic] = Alembic,
) -> Made:
    """An app whose database is at r3."""
    app, alembic = apps.plain(
        url, sa.MetaData(), extension=extension, ALEMBIC={"protected": protected}
    )
    history(app)

    with app.app_context():
        alembic.upgrade()

    return app, alembic


@pytest.fixture
def two(apps: Apps, tmp_path: Path) -> t.Callable[[object], Made]:
    """Makes an app with the databases ``default`` and ``archive``, both at r3."""

    def make_two(protected: object) -> Made:
        urls = {name: f"sqlite:///{tmp_path / name}.db" for name in NAMES}
        metadatas: dict[str | None, sa.MetaData] = {n: sa.MetaData() for n in NAMES}
        app, alembic = apps.several(urls, metadatas, ALEMBIC={"protected": protected})

        for number in (1, 2, 3):
            down = f"r{number - 1}" if number > 1 else None
            write_revision(app, f"r{number}", down, arguments="engine_name")

        with app.app_context():
            alembic.upgrade()

        return app, alembic

    return make_two


NAMES: t.Final = ("default", "archive")


def standing(app: Flask, alembic: Alembic) -> dict[str, list[str]]:
    """Where the databases are."""
    with app.app_context():
        current = alembic.current_by_database(skip_missing=True)
        return {n: [s.revision for s in scripts] for n, scripts in current.items()}


# From Python


def test_downgrade_is_refused(url: str, apps: Apps) -> None:
    """Without ``yes`` it is an error that tells what would be undone. Nothing is."""
    app, alembic = make(apps, url)

    with app.app_context(), pytest.raises(ProtectedDatabaseError) as caught:
        alembic.downgrade("base")

    assert str(caught.value) == (
        "The database 'default' is protected, and r3, r2, r1 would be undone."
    )
    assert caught.value.hint == HINT
    assert caught.value.databases == ("default",)
    assert caught.value.undone == {"default": ("r3", "r2", "r1")}
    assert standing(app, alembic) == {"default": ["r3"]}


def test_purge_is_refused(url: str, apps: Apps) -> None:
    """So is a purge that takes ids away, but no other stamp: it runs nothing, and
    another one leads back.
    """
    app, alembic = make(apps, url)

    with app.app_context():
        with pytest.raises(ProtectedDatabaseError) as caught:
            alembic.stamp("r1", purge=True)

        assert str(caught.value) == (
            "The database 'default' is protected, and r3 would be taken out of its"
            " version table."
        )
        assert caught.value.undone == {"default": ("r3",)}
        assert alembic.stamp("r1").databases == {"default": ("r1",)}
        assert alembic.stamp("base").databases == {"default": ()}
        # That takes nothing away.
        assert alembic.stamp("r2", purge=True).databases == {"default": ("r2",)}


def test_confirmed(url: str, apps: Apps) -> None:
    """With ``yes`` it is done."""
    app, alembic = make(apps, url)

    with app.app_context():
        assert alembic.downgrade(yes=True).databases == {"default": ("r2",)}
        report = alembic.stamp("r1", purge=True, yes=True)
        assert report.databases == {"default": ("r1",)}

        with alembic.using(yes=True):
            assert alembic.downgrade().databases == {"default": ()}

    with app.app_context():
        alembic.upgrade()

        with pytest.raises(ProtectedDatabaseError):
            alembic.downgrade()


def test_second_try_in_one_context(url: str, apps: Apps) -> None:
    """After the error the same context can go on."""
    app, alembic = make(apps, url)

    with app.app_context():
        with pytest.raises(ProtectedDatabaseError):
            alembic.downgrade()

        assert alembic.upgrade().steps == ()
        assert alembic.downgrade(yes=True).databases == {"default": ("r2",)}


def test_nothing_to_do(sqlite_url: str, apps: Apps) -> None:
    """What undoes nothing need not be confirmed."""
    app, alembic = make(apps, sqlite_url)

    with app.app_context():
        assert alembic.upgrade().steps == ()
        assert alembic.downgrade("r3").steps == ()
        assert alembic.stamp("r3", purge=True).steps == ()


def test_steps_of_the_user(sqlite_url: str, apps: Apps) -> None:
    """A downgrade by ``run_migrations`` has to be confirmed too."""
    app, alembic = make(apps, sqlite_url)

    def work(heads: t.Any, context: t.Any) -> t.Any:
        return alembic.script_directory._downgrade_revs("r1", heads)

    with app.app_context():
        with pytest.raises(ProtectedDatabaseError):
            alembic.run_migrations(work)

        with alembic.using(yes=True):
            assert len(alembic.run_migrations(work).steps) == 2


def test_stamp_that_mends_the_table(sqlite_url: str, apps: Apps) -> None:
    """A stamp of a table that no other way leads out of is no purge."""
    app, alembic = make(apps, sqlite_url)
    engine = sa.create_engine(sqlite_url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('r1')")

    with app.app_context():
        assert alembic.stamp("r3").databases == {"default": ("r3",)}


@pytest.mark.parametrize(
    ("protected", "expected"),
    [
        (True, ("default", "archive")),
        (["archive"], ("archive",)),
        ("default, archive", ("default", "archive")),
        (False, ()),
        ([], ()),
    ],
)
def test_which_databases(
    two: t.Callable[[object], Made], protected: object, expected: tuple[str, ...]
) -> None:
    """The error names the protected ones; nothing is done on the others either."""
    app, alembic = two(protected)

    with app.app_context():
        if not expected:
            alembic.downgrade()
            return

        with pytest.raises(ProtectedDatabaseError) as caught:
            alembic.downgrade()

    assert caught.value.databases == expected
    assert str(caught.value) == " ".join(
        f"The database '{name}' is protected, and r3 would be undone."
        for name in expected
    )
    assert standing(app, alembic) == {"default": ["r3"], "archive": ["r3"]}


def test_only_what_is_touched(two: t.Callable[[object], Made]) -> None:
    """A protected database that is left alone, or has nothing to undo, is no matter."""
    app, alembic = two(["archive"])

    with app.app_context():
        report = alembic.downgrade(databases="default")
        assert report.databases == {"default": ("r2",)}

        with pytest.raises(ProtectedDatabaseError):
            alembic.downgrade(databases="archive")

        alembic.downgrade("r2", databases="archive", yes=True)
        assert alembic.downgrade("r2").steps == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("archiv", "Did you mean 'archive'?"),
        ("production", "There are: default, archive."),
    ],
)
def test_name_of_no_database(
    two: t.Callable[[object], Made], name: str, hint: str
) -> None:
    """A misspelt name would protect nothing, and is an error instead."""
    app, alembic = two([name])

    with app.app_context(), pytest.raises(ConfigurationError) as caught:
        alembic.downgrade(databases="default")

    assert str(caught.value) == (
        f"ALEMBIC['protected'] = ['{name}'] names '{name}', which is not a database."
    )
    assert caught.value.hint == hint
    assert standing(app, alembic)["default"] == ["r3"]


def test_long_list(sqlite_url: str, apps: Apps) -> None:
    """Of many revisions the message names a few, and the data all."""
    app, alembic = make(apps, sqlite_url)

    for number in range(4, 9):
        write_revision(app, f"r{number}", f"r{number - 1}")

    with app.app_context():
        alembic.upgrade()

        with pytest.raises(ProtectedDatabaseError) as caught:
            alembic.downgrade("base")

    assert "and r8, r7, r6, r5, r4 and 3 more would be" in str(caught.value)
    assert len(caught.value.undone["default"]) == 8


# Without a terminal


@pytest.mark.parametrize("yes", ["-y", "--yes"])
def test_command(sqlite_url: str, apps: Apps, db: Cli, yes: str) -> None:
    """Nobody is asked where nobody could answer: it is an error, or done by ``--yes``.

    An answer that comes through a pipe is not read.
    """
    app, alembic = make(apps, sqlite_url)
    result = app.test_cli_runner().invoke(args=["db", "downgrade"], input="y\n")
    assert result.output == f"Error: {UNDONE}\nHint: {HINT}\n"
    assert result.exit_code == 1
    assert standing(app, alembic) == {"default": ["r3"]}

    result = db(app, "downgrade", yes)
    assert result.exit_code == 0
    assert "1 revision undone on default; it is at r2 now." in result.output

    result = db(app, "stamp", "--purge", "r1")
    assert result.exit_code == 1
    assert "r2 would be taken out of its version table" in result.output

    result = db(app, "stamp", "--purge", yes, "r1")
    assert result.exit_code == 0
    assert standing(app, alembic) == {"default": ["r1"]}


def test_yes_where_nothing_is_protected(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """``--yes`` may be given all the same."""
    app, alembic = make(apps, sqlite_url, protected=False)
    assert db(app, "downgrade", "--yes").exit_code == 0
    assert db(app, "stamp", "--yes", "r1").exit_code == 0
    assert standing(app, alembic) == {"default": ["r1"]}


def test_script_needs_no_confirmation(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A script does nothing by itself."""
    app, alembic = make(apps, sqlite_url)
    result = db(app, "downgrade", "--sql", "r3:base")
    assert result.exit_code == 0
    assert "-- downgrade r3" in result.output
    assert db(app, "downgrade", "--sql", "--yes", "r3:base").output == result.output

    with app.app_context():
        assert "downgrade r3" in alembic.sql("r3:base", command="downgrade")["default"]


def test_override_that_does_not_know_it(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """An override of ``downgrade`` with the arguments of version 3 is called by the
    command too.
    """

    class Old(Alembic):
        def downgrade(self, target: t.Any = -1) -> MigrationReport:  # type: ignore[override]
            return super().downgrade(target)

    app, alembic = make(apps, sqlite_url, extension=Old)
    assert db(app, "downgrade").exit_code == 1
    assert db(app, "downgrade", "--yes").exit_code == 0
    assert standing(app, alembic) == {"default": ["r2"]}


# On a terminal


PROGRAM: t.Final = """
import os
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

def create_app():
    app = Flask("app", root_path=os.environ["ROOT"])
    app.config["ALEMBIC"] = {"protected": True}
    names = os.environ["URLS"].split()
    Alembic(
        app,
        metadatas={n.split("=", 1)[0]: sa.MetaData() for n in names},
        engines={
            n.split("=", 1)[0]: sa.create_engine(n.split("=", 1)[1]) for n in names
        },
    )
    return app
"""


def type_answer(
    app: Flask, urls: t.Mapping[str, str], *args: str, answer: str, stdout: t.Any = None
) -> tuple[int, str]:
    """Run a command on a terminal, answer its question, and get what is on the
    screen.
    """
    program = Path(app.root_path, "program.py")
    program.write_text(PROGRAM)
    named = " ".join(f"{name}={url}" for name, url in urls.items())
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", str(program), "db", *args],
        stdin=theirs,
        stdout=stdout or theirs,
        stderr=theirs,
        env={**os.environ, "ROOT": app.root_path, "URLS": named, "NO_COLOR": "1"},
        start_new_session=True,
    )
    os.close(theirs)
    screen = read_screen(ours, answer)
    os.close(ours)
    return process.wait(30), screen.replace("\r\n", "\n")


def read_screen(terminal: int, answer: str) -> str:
    """What is on the screen until the program ends. The question is answered once."""
    screen = ""

    while True:
        assert select.select([terminal], [], [], 30)[0], screen

        try:
            found = os.read(terminal, 1000).decode()
        except OSError:  # Linux's way to say that the program ended
            return screen

        if not found:
            return screen

        screen += found

        if answer and "[y/N]: " in screen:
            os.write(terminal, answer.encode())
            answer = ""


@pytest.mark.parametrize("answer", ["y\n", "yes\n"])
def test_asked_and_confirmed(sqlite_url: str, apps: Apps, answer: str) -> None:
    """The command says what it would undo and asks. After a yes it does it."""
    app, alembic = make(apps, sqlite_url)
    urls = {"default": sqlite_url}
    code, screen = type_answer(app, urls, "downgrade", "base", answer=answer)
    assert screen.startswith(
        "  default: r3, r2, r1\n"
        "The database 'default' is protected. Downgrade it to base? [y/N]: "
    )
    assert screen.endswith("3 revisions undone on default; it is at base now.\n")
    assert code == 0
    assert standing(app, alembic) == {"default": []}


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ("n\n", "Nothing was done.\n"),
        ("\n", "Nothing was done.\n"),
        ("\x04", "Aborted!\n"),
    ],
)
def test_asked_and_refused(sqlite_url: str, apps: Apps, answer: str, end: str) -> None:
    """After a no, or none at all, nothing is done and the command fails."""
    app, alembic = make(apps, sqlite_url)
    urls = {"default": sqlite_url}
    code, screen = type_answer(app, urls, "downgrade", answer=answer)
    assert screen.startswith(
        "  default: r3\nThe database 'default' is protected. Undo this? [y/N]: "
    )
    assert screen.endswith(end)
    assert code == 1
    assert standing(app, alembic) == {"default": ["r3"]}


def test_asked_before_a_purge(two: t.Callable[[object], Made], tmp_path: Path) -> None:
    """A purge is asked about too, for several databases at once."""
    app, alembic = two(True)
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in NAMES}
    code, screen = type_answer(app, urls, "stamp", "--purge", "r1", answer="y\n")
    assert screen.startswith(
        "  default: r3\n"
        "  archive: r3\n"
        "The databases 'default' and 'archive' are protected. Empty the version table?"
        " [y/N]: "
    )
    assert code == 0
    assert standing(app, alembic) == {"default": ["r1"], "archive": ["r1"]}


@pytest.mark.parametrize("args", [("downgrade", "r3"), ("downgrade", "--yes")])
def test_not_asked(sqlite_url: str, apps: Apps, args: tuple[str, ...]) -> None:
    """Where nothing is to be undone, or it is confirmed already, nobody is asked."""
    app, _ = make(apps, sqlite_url)
    code, screen = type_answer(app, {"default": sqlite_url}, *args, answer="")
    assert "protected" not in screen
    assert code == 0


def test_output_goes_elsewhere(sqlite_url: str, apps: Apps) -> None:
    """Nobody is asked if what is printed goes to a file."""
    app, alembic = make(apps, sqlite_url)

    with Path(app.root_path, "out").open("w+") as out:
        code, screen = type_answer(
            app, {"default": sqlite_url}, "downgrade", answer="y\n", stdout=out
        )
        assert out.read() == ""

    assert screen == f"Error: {UNDONE}\nHint: {HINT}\n"
    assert code == 1
    assert standing(app, alembic) == {"default": ["r3"]}
