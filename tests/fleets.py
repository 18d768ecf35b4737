"""Tenants for tests: an app, its revisions, and many databases or schemas."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import FleetReport
from servers import Databases

CREATE: t.Final = "op.create_table('todo', sa.Column('id', sa.Integer))"
ADD: t.Final = "op.add_column('todo', sa.Column('text', sa.String(50)))"
FILL: t.Final = """
todo = sa.table('todo', sa.column('id', sa.Integer), sa.column('text', sa.String))
op.bulk_insert(todo, [{'id': 1, 'text': "it's 100 %"}, {'id': 2, 'text': ':b'}])
op.execute(todo.update().where(todo.c.id == 2).values(text='b %s'))
op.execute("UPDATE todo SET text = text || '%' WHERE id = 2")
"""
ROWS: t.Final = [(1, "it's 100 %"), (2, "b %s%")]


@dataclass
class Tenants:
    """An app whose tenants have databases of their own on one server."""

    app: Flask
    alembic: Alembic
    urls: list[str]

    def upgrade(self, *args: t.Any, **kwargs: t.Any) -> FleetReport:
        """Upgrade all of them, in an app context."""
        with self.app.app_context():
            return self.alembic.upgrade_all(*(args or (self.urls,)), **kwargs)

    def write(self, *bodies: str, **attributes: t.Any) -> list[str]:
        """Write revisions after those that there are."""
        folder = sorted(self.app.config.setdefault("REVISIONS", []))
        ids = []

        for body in bodies:
            id_ = f"{len(folder) + 1:04}aa"
            previous = folder[-1] if folder else None
            write_revision(self.app, id_, previous, upgrade=body, **attributes)
            folder.append(id_)
            ids.append(id_)

        self.app.config["REVISIONS"] = folder
        return ids


def make_tenants(databases: Databases, apps: Apps, count: int = 4) -> Tenants:
    """An app with tenants, and no revisions."""
    app, alembic = apps.plain(databases.make())
    app.config["MAKE"] = databases.make
    return Tenants(app, alembic, [databases.make() for _ in range(count)])


def ask(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    """Ask a database, on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def states(report: FleetReport) -> list[str]:
    """What became of each tenant."""
    return [result.state for result in report.tenants]


def replayed(report: FleetReport) -> list[int]:
    """How many revisions of each tenant were replayed."""
    return [result.replayed for result in report.tenants]


def errors(report: FleetReport) -> list[str | None]:
    """What went wrong with each tenant."""
    return [result.error for result in report.tenants]
