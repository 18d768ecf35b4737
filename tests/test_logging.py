"""Logging belongs to the app, and methods print nothing."""

from __future__ import annotations

import io
import logging
import sys
import typing as t

import pytest
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import MigrationFailed

NAMES: t.Final = (
    "root",
    "alembic",
    "alembic.runtime.migration",
    "alembic.autogenerate.compare",
    "flask_alembic",
    "sqlalchemy",
    "sqlalchemy.engine",
    "app",
    "app.service",
)

Snapshot = dict[str, tuple[object, ...]]


def snapshot() -> Snapshot:
    """What an app may have set on its loggers."""
    result: Snapshot = {"disable": (logging.root.manager.disable,)}

    for name in NAMES:
        logger = logging.root if name == "root" else logging.getLogger(name)
        result[name] = (
            logger.level,
            list(logger.handlers),
            list(logger.filters),
            logger.disabled,
            logger.propagate,
        )

    return result


@pytest.fixture(params=["unconfigured", "configured"])
def log(request: pytest.FixtureRequest) -> t.Iterator[io.StringIO]:
    """What the app's own handler is given, if the app has one."""
    stream = io.StringIO()
    levels = {name: logging.getLogger(name).level for name in ("alembic", "app")}
    level = logging.root.level
    handler = logging.StreamHandler(stream)

    if request.param == "configured":
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.DEBUG)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("app").setLevel(logging.INFO)

    yield stream
    logging.root.removeHandler(handler)
    logging.root.setLevel(level)

    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def use_everything(alembic: Alembic) -> None:
    """Call each method that has something to do."""
    alembic.mkdir()
    alembic.revision("todo")
    alembic.upgrade()
    alembic.current()
    alembic.needs_upgrade()
    alembic.needs_revision()
    alembic.check()
    alembic.compare_metadata()
    alembic.produce_migrations()
    alembic.log()
    alembic.heads()
    alembic.branches()
    alembic.show("head")
    (first,) = alembic.heads()

    for name in "ab":
        alembic.revision(name, empty=True, parent=first.revision, splice=True)

    alembic.merge()
    alembic.upgrade()
    alembic.downgrade(first)
    alembic.stamp()
    alembic.downgrade("base")


def test_loggers_are_left_alone(apps: Apps, sqlite_url: str, log: io.StringIO) -> None:
    """Neither the constructor nor any method changes a logger, also while it runs."""
    before = snapshot()
    app, alembic = apps.plain(sqlite_url)
    assert snapshot() == before
    seen: list[Snapshot] = []

    def remember(ctx: t.Any, **_: t.Any) -> None:
        seen.append(snapshot())

    app.config["ALEMBIC_CONTEXT"]["on_version_apply"] = [remember]

    with app.app_context():
        use_everything(alembic)

    assert snapshot() == before
    assert seen
    assert all(during == before for during in seen)


def test_loggers_are_left_alone_by_a_failure(
    apps: Apps, sqlite_url: str, log: io.StringIO
) -> None:
    """Nor does a revision that raises."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade="raise ZeroDivisionError")
    before = snapshot()

    with app.app_context(), pytest.raises(MigrationFailed):
        alembic.upgrade()

    assert snapshot() == before


def test_app_goes_on_logging(apps: Apps, sqlite_url: str, log: io.StringIO) -> None:
    """A logger that exists is still there after a migration, and so is its level."""
    logger = logging.getLogger("app.service")
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()

    logger.info("info of the service")
    app.logger.info("info of the app")

    if logging.root.level == logging.DEBUG:
        assert "info of the service" in log.getvalue()
        assert "info of the app" in log.getvalue()


def test_methods_print_nothing(
    apps: Apps, sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Methods return what they have to say."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        use_everything(alembic)

    assert capfd.readouterr() == ("", "")


def hooked(apps: Apps, url: str, code: str) -> tuple[Flask, Alembic]:
    """An app that runs code after each revision that it writes."""
    hook = {
        "hooks": "own",
        "own.type": "exec",
        "own.executable": sys.executable,
        "own.options": f"-c '{code}' REVISION_SCRIPT_FILENAME",
    }
    return apps.plain(url, ALEMBIC={"post_write_hooks": hook})


def test_hooks_are_not_announced(
    apps: Apps, sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A hook runs after a revision is written, and nobody talks about it."""
    code = 'import sys; open(sys.argv[1], "a").write("# hooked")'
    app, alembic = hooked(apps, sqlite_url, code)

    with app.app_context():
        (script,) = alembic.revision("todo")
        assert script is not None

    with open(script.path) as file:
        assert file.read().endswith("# hooked")

    assert capfd.readouterr() == ("", "")


def test_hooks_may_print(
    apps: Apps, sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the user's program prints is the user's."""
    app, alembic = hooked(apps, sqlite_url, 'print("formatted")')

    with app.app_context():
        alembic.revision("todo")

    assert capfd.readouterr() == ("formatted\n", "")


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp"])
def test_quiet_command(
    apps: Apps, sqlite_url: str, db: Cli, log: io.StringIO, command: str
) -> None:
    """Without ``-v`` nothing of Alembic's log is shown, and loggers stay."""
    app, _ = migrated(apps, sqlite_url, command)
    before = snapshot()
    result = db(app, command)
    assert result.exit_code == 0
    assert "alembic" not in result.output
    assert "Context impl" not in result.output
    assert snapshot() == before


def migrated(apps: Apps, url: str, command: str) -> tuple[Flask, Alembic]:
    """An app where a command has something to do."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", message="one")

    with app.app_context():
        if command == "downgrade":
            alembic.upgrade()

    return app, alembic


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("upgrade", "Running upgrade  -> r1, one"),
        ("downgrade", "Running downgrade r1 -> , one"),
        ("stamp", "Running stamp_revision  -> r1"),
    ],
)
def test_verbose_command(
    apps: Apps, sqlite_url: str, db: Cli, log: io.StringIO, command: str, line: str
) -> None:
    """With ``-v`` Alembic's log is shown once, and logging is as before afterwards."""
    app, _ = migrated(apps, sqlite_url, command)
    before = snapshot()
    result = db(app, command, "-v")
    assert result.exit_code == 0
    shown = result.output + log.getvalue()
    assert shown.count(line) == 1
    assert snapshot() == before


def test_verbose_command_that_fails(
    apps: Apps, sqlite_url: str, db: Cli, log: io.StringIO
) -> None:
    """That is so after a failure, too."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade="raise ZeroDivisionError")
    before = snapshot()
    result = db(app, "upgrade", "-v")
    assert result.exit_code == 1
    assert snapshot() == before


@pytest.mark.parametrize("arguments", [["revision", "todo"], ["check"]])
def test_verbose_comparison(
    apps: Apps, sqlite_url: str, db: Cli, log: io.StringIO, arguments: list[str]
) -> None:
    """What autogenerate looks at is shown by ``-v``, once."""
    app, _ = apps.plain(sqlite_url)
    result = db(app, *arguments, "-v")
    shown = result.output + log.getvalue()
    assert shown.count("Detected added table 'todo'") == 1
