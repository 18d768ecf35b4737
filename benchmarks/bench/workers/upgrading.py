"""Brings one database to head: by ``upgrade``, or by what else is named."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from bench.histories import linear
from bench.histories import write
from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import method
from bench.workers.answers import Task
from bench.workers.answers import timed
from flask_alembic import Alembic


def measure(task: Task) -> Found:
    """Run one method.

    :param task: ``url``, ``migrations`` (a folder), ``verb`` (a method), ``context``
        (for ``ALEMBIC_CONTEXT``).
    """
    _load_all()
    engine = sa.create_engine(task["url"])
    app, extension = _app(engine, task["migrations"], task.get("context", {}))

    with app.app_context():
        report, found = timed(method(extension, task["verb"]))

    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        heads = (
            connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all()
            if "alembic_version" in names
            else []
        )

    tables = sum(name[:1] == "t" and name[1:].isdigit() for name in names)
    return {
        **found,
        "heads": list(heads),
        "tables": tables,
        "directions": _directions(report),
    }


def _load_all() -> None:
    """Upgrade a database in memory. What is imported, and when, is measured elsewhere:
    of one tool all of it is at the start, of another one with the first upgrade.
    """
    with tempfile.TemporaryDirectory() as folder:
        write(linear(1), Path(folder))
        app, extension = _app(sa.create_engine("sqlite://"), folder, {})

        with app.app_context():
            extension.upgrade()


def _app(
    engine: sa.Engine, migrations: str, context: dict[str, t.Any]
) -> tuple[Flask, Alembic]:
    app = Flask(__name__)
    app.config["ALEMBIC"] = {"script_location": migrations}
    app.config["ALEMBIC_CONTEXT"] = context
    extension = Alembic(app, metadatas=sa.MetaData(), engines=engine, run_mkdir=False)
    return app, extension


def _directions(report: t.Any) -> list[str]:
    """The kinds of steps that ran, where the method tells of them."""
    steps = getattr(getattr(report, "run", report), "steps", ())
    return sorted({step.direction for step in steps})


if __name__ == "__main__":
    answer(measure)
