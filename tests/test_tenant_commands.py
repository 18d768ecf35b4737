"""``flask db upgrade --all-tenants`` and ``flask db status``: what they print."""

from __future__ import annotations

import re
import typing as t

import pytest
import sqlalchemy as sa

import flask_alembic.cli.tenants
from apps import Apps
from conftest import Cli
from flask_alembic import FleetProgress
from flask_alembic import FleetReport
from flask_alembic import Tenant
from flask_alembic import TenantResult
from flask_alembic.render import fleet as render
from fleets import ADD
from fleets import CREATE
from fleets import make_tenants
from fleets import Tenants
from servers import Databases


@pytest.fixture
def fleet(tmp_path: t.Any, apps: Apps) -> Tenants:
    """Three tenants on SQLite, which are in the app's config, and two revisions."""
    from conftest import _server

    made = make_tenants(Databases(_server("sqlite"), tmp_path), apps, 3)
    made.write(CREATE, ADD)
    made.app.config["ALEMBIC"]["tenants"] = [
        Tenant(name=name, url=url)
        for name, url in zip(("ada", "grace", "mary"), made.urls, strict=True)
    ]
    return made


def run(db: Cli, fleet: Tenants, *args: str, stdin: str = "") -> tuple[int, str]:
    """The exit code and the output. Times are replaced."""
    result = fleet.app.test_cli_runner().invoke(args=["db", *args], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, re.sub(r"\b[\d.]+ s\b", "N s", result.output)


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


DONE: t.Final = lines(
    "done           3",
    "already there  0",
    "failed         0",
    "not tried      0",
    "3 tenants in N s.",
)


def test_upgrade(fleet: Tenants, db: Cli) -> None:
    """A table says how many tenants are in which state."""
    assert run(db, fleet, "upgrade", "--all-tenants") == (0, DONE)
    code, text = run(db, fleet, "upgrade", "--all-tenants")
    assert code == 0
    assert "already there  3\n" in text


def test_target(fleet: Tenants, db: Cli) -> None:
    """A target is for all of them."""
    assert run(db, fleet, "upgrade", "--all-tenants", "0001aa") == (0, DONE)
    _, text = run(db, fleet, "status", "--all-tenants")
    assert text == lines("3  0001aa")


def test_function_in_config(fleet: Tenants, db: Cli) -> None:
    """The config may hold a function that returns them, which is called in the app
    context.
    """
    from flask import current_app

    def find() -> list[str]:
        return fleet.urls[: len(current_app.name)]

    fleet.app.config["ALEMBIC"]["tenants"] = find
    assert run(db, fleet, "upgrade", "--all-tenants") == (0, DONE)


def test_stdin(fleet: Tenants, db: Cli) -> None:
    """They can be read from stdin, with comments and empty lines."""
    stdin = lines("# the first", fleet.urls[0], "", f"  {fleet.urls[1]}", fleet.urls[2])
    args = ("upgrade", "--tenants", "-", "--workers", "2")
    assert run(db, fleet, *args, stdin=stdin) == (0, DONE)


def test_password_in_list(fleet: Tenants, db: Cli) -> None:
    """A password in a list is printed nowhere."""
    url = "postgresql+psycopg://ada:s3cret-s3cret@127.0.0.1:9/x"

    for command in ("upgrade", "status"):
        code, text = run(db, fleet, command, "--tenants", "-", stdin=f"{url}\n")
        assert code == 1
        assert "s3cret" not in text
        assert "postgresql+psycopg://ada:***@127.0.0.1:9/x: Can't connect" in text


@pytest.mark.parametrize("line", ["nonsense://", "postgresql://a:s3cret@h:port/x"])
def test_wrong_url(fleet: Tenants, db: Cli, line: str) -> None:
    """A URL that can't be read is not quoted."""
    code, text = run(db, fleet, "upgrade", "--tenants", "-", stdin=f"{line}\n")
    assert code == 1
    assert "s3cret" not in text


def test_none(fleet: Tenants, db: Cli) -> None:
    """No tenants are no error."""
    fleet.app.config["ALEMBIC"]["tenants"] = []
    assert run(db, fleet, "upgrade", "--all-tenants") == (
        0,
        lines("There are no tenants."),
    )
    assert run(db, fleet, "status", "--all-tenants") == (
        0,
        lines("There are no tenants."),
    )


def test_twice(fleet: Tenants, db: Cli) -> None:
    """The same tenant twice is a mistake."""
    stdin = lines(fleet.urls[0], fleet.urls[0])
    code, text = run(db, fleet, "upgrade", "--tenants", "-", stdin=stdin)
    assert code == 1
    assert "There are two tenants 'sqlite:///" in text


@pytest.mark.parametrize(
    "args, message",
    [
        (["upgrade", "--workers", "2"], "--workers is only for --all-tenants"),
        (["upgrade", "--stop-on-error"], "--stop-on-error is only for --all-tenants"),
        (["upgrade", "--all-tenants", "--sql"], "--sql is not for tenants"),
        (
            ["upgrade", "--all-tenants", "--skip-missing"],
            "--skip-missing is not for tenants",
        ),
        (["upgrade", "--all-tenants", "--tenants", "-"], "not both"),
        (["upgrade", "--all-tenants", "--workers", "0"], "0 is not in the range"),
        (["status"], "Give --all-tenants, or --tenants FILE."),
    ],
)
def test_usage(fleet: Tenants, db: Cli, args: list[str], message: str) -> None:
    """Options that don't go together are refused."""
    code, text = run(db, fleet, *args)
    assert code == 2
    assert message in text


def test_status(fleet: Tenants, db: Cli) -> None:
    """The status counts tenants by revision, and changes nothing."""
    assert run(db, fleet, "status", "--all-tenants") == (0, lines("3  base"))
    fleet.upgrade(fleet.urls[:2])
    fleet.upgrade(fleet.urls[2:], "0001aa")
    assert run(db, fleet, "status", "--all-tenants") == (
        0,
        lines("2  0002aa (head)", "1  0001aa"),
    )
    engine = sa.create_engine(fleet.urls[2], poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'lost'")

    _, text = run(db, fleet, "status", "--all-tenants")
    assert "1  lost (no file has it)\n" in text


def test_only_locked(fleet: Tenants, db: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exits with 3 if all that failed were locked."""
    results = [
        TenantResult("ada", "failed", error="Locked.", hint="Wait.", is_locked=True),
        TenantResult("grace", "done"),
    ]

    def locked(*args: t.Any, **kwargs: t.Any) -> FleetReport:
        return FleetReport(tuple(results))

    monkeypatch.setattr(fleet.alembic, "upgrade_all", locked)
    code, text = run(db, fleet, "upgrade", "--all-tenants")
    assert code == 3
    assert text == lines(
        "done           1",
        "already there  0",
        "failed         1",
        "  ada: Locked.",
        "    Hint: Wait.",
        "not tried      0",
        "1 of 2 tenants left, after N s. Run the same command again when that is"
        " mended.",
    )


def test_quiet(fleet: Tenants, db: Cli) -> None:
    """With ``--quiet`` nothing is told if all went well."""
    assert run(db, fleet, "--quiet", "upgrade", "--all-tenants") == (0, "")


def test_progress_lines(
    fleet: Tenants, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stderr is no terminal, progress is told in lines, from time to time."""
    monkeypatch.setattr(flask_alembic.cli.tenants, "_INTERVAL", 0)
    code, text = run(db, fleet, "upgrade", "--all-tenants", "--workers", "1")
    assert code == 0
    assert text == (
        lines(
            "1 of 3 tenants, about N s left",
            "2 of 3 tenants, about N s left",
        )
        + DONE
    )


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (75.2, "75 s"), (125, "2 min")],
)
def test_progress_times(seconds: float, text: str) -> None:
    """The time that is left is told in a fitting unit."""
    progress = FleetProgress(TenantResult("a", "failed"), 2, 1, 10, seconds)
    expected = f"2 of 10 tenants, 1 failed, about {text} left"
    assert render.progress_line(progress) == expected
