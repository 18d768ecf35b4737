"""Brings one database to head: by ``upgrade``, or by what else is named."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from flask import Flask

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
    app = Flask(__name__)
    app.config["ALEMBIC"] = {"script_location": task["migrations"]}
    app.config["ALEMBIC_CONTEXT"] = task.get("context", {})
    engine = sa.create_engine(task["url"])
    extension = Alembic(app, metadatas=sa.MetaData(), engines=engine, run_mkdir=False)

    with app.app_context():
        # What a process that migrates has loaded in any case.
        import alembic.autogenerate  # noqa: F401

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


def _directions(report: t.Any) -> list[str]:
    """The kinds of steps that ran, where the method tells of them."""
    steps = getattr(getattr(report, "run", report), "steps", ())
    return sorted({step.direction for step in steps})


if __name__ == "__main__":
    answer(measure)
