"""Many tenants at once: each is upgraded as a database is, and the report says how."""

from __future__ import annotations

import typing as t

import pytest

from apps import Apps
from fleets import ADD
from fleets import ask
from fleets import CREATE
from fleets import errors
from fleets import FILL
from fleets import make_tenants
from fleets import replayed
from fleets import ROWS
from fleets import states
from fleets import Tenants
from servers import Databases


@pytest.fixture
def fleet(databases: Databases, apps: Apps) -> Tenants:
    """Four tenants on each of the servers in turn, and three revisions."""
    made = make_tenants(databases, apps)
    concat = "concat(text, '%')" if databases.server.name == "mariadb" else None
    fill = FILL.replace("text || '%'", concat) if concat else FILL
    made.write(CREATE, ADD, fill)
    return made


def facts(url: str) -> t.Any:
    """What a run leaves, without what differs from one to the next."""
    columns = "revision, direction, run_by, host, pid, version, parents, checksum"
    return (
        ask(url, "SELECT version_num FROM alembic_version"),
        ask(url, "SELECT id, text FROM todo ORDER BY id"),
        ask(url, f"SELECT {columns} FROM alembic_version_history ORDER BY id"),
    )


def test_upgrade_all(fleet: Tenants) -> None:
    """All tenants are upgraded, and have what an upgrade of each would have left. A
    second call finds nothing to do.
    """
    report = fleet.upgrade()
    assert errors(report) == [None] * 4
    assert states(report) == ["done"] * 4
    assert report.ok
    assert [len(result.steps) for result in report.tenants] == [3] * 4

    with fleet.app.app_context():
        fleet.alembic.upgrade()

    usual = facts(str(fleet.alembic.engines["default"].url.render_as_string(False)))
    assert usual[1] == ROWS
    assert [facts(url) for url in fleet.urls] == [usual] * 4
    assert states(fleet.upgrade()) == ["already there"] * 4


def test_replayed(fleet: Tenants, databases: Databases) -> None:
    """Revisions run on the first tenant, and are replayed on the others where DDL can
    be rolled back.
    """
    report = fleet.upgrade(workers=1)
    expected = 0 if databases.server.name == "mariadb" else 3
    assert replayed(report) == [0, expected, expected, expected]


def test_history_times(fleet: Tenants) -> None:
    """The history notes when each revision was replayed, and how long it took."""
    fleet.upgrade()
    query = "SELECT applied_at, seconds FROM alembic_version_history ORDER BY id"

    for url in fleet.urls:
        rows = ask(url, query)
        assert sorted(rows, key=lambda row: str(row[0])) == rows
        assert all(0 <= row[1] < 60 for row in rows)


def test_one_goes_on(fleet: Tenants) -> None:
    """Tenants may stand at different revisions: each gets what it needs."""
    with fleet.app.app_context():
        fleet.alembic.upgrade_all(fleet.urls[:2], "0001aa")
        report = fleet.alembic.upgrade_all(fleet.urls, workers=1)

    assert [len(result.steps) for result in report.tenants] == [2, 2, 3, 3]
    assert [facts(url)[1] for url in fleet.urls] == [ROWS] * 4
