"""Runs of ``prepare`` that are killed, each at another statement, and the one after it.
It is a program of its own, as it forks. Its arguments are the app's folder, a URL, the
first point and the distance to the next.

It prints how both ended, and where the database is, as JSON.
"""

from __future__ import annotations

import typing as t
from importlib import import_module

import sqlalchemy as sa
from flask import Flask

from flask_alembic import Alembic
from killed_runs import Killer
from killed_runs import main


def run(folder: str, url: str, at: int) -> None:
    app = Flask("app", root_path=folder)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=make_engine(url, at))

    with app.app_context():
        alembic.prepare()


def make_engine(url: str, at: int) -> sa.Engine:
    """An engine whose process is killed. On MariaDB all that the driver gets counts, as
    a snapshot is not loaded by SQLAlchemy.
    """
    killer = Killer(at)

    if sa.make_url(url).get_backend_name() in ("mariadb", "mysql"):
        options = {"cursorclass": _counting_cursor(killer)}
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)

    engine = sa.create_engine(url, poolclass=sa.NullPool)
    killer.listen(engine)
    return engine


def _counting_cursor(killer: Killer) -> type:
    cursor: t.Any = import_module("pymysql.cursors").Cursor

    def execute(self: t.Any, query: str, args: t.Any = None) -> t.Any:
        killer.tick(query)
        result = cursor.execute(self, query, args)
        killer.tick(query)
        return result

    return type("CountingCursor", (cursor,), {"execute": execute})


if __name__ == "__main__":
    main(run)
