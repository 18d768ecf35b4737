"""Compares models to a database that is in sync with them, or makes that database."""

from __future__ import annotations

import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from bench.schemas import make_metadata
from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import Task
from bench.workers.answers import timed
from flask_alembic import Alembic

BATCH: t.Final = 200
"""How many tables are made in a transaction."""


def measure(task: Task) -> Found:
    """Do one thing.

    :param task: ``url``, ``migrations`` (a folder, without revisions), ``tables`` (how
        many), ``verb``: ``create``, ``check`` or ``revision``.
    """
    app = Flask(__name__)
    app.config["ALEMBIC"] = {"script_location": task["migrations"]}
    engine = sa.create_engine(task["url"])
    metadata = make_metadata(task["tables"])
    extension = Alembic(app, metadatas=metadata, engines=engine)
    statements = 0

    if task["verb"] == "create":
        _, found = timed(lambda: create(metadata, engine))
        return found

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    sa.event.listen(engine, "before_cursor_execute", count)
    # What a process that compares has loaded in any case.
    import alembic.autogenerate  # noqa: F401

    with app.app_context():
        verb = check if task["verb"] == "check" else revision
        wrong, found = timed(lambda: verb(extension, Path(task["migrations"])))

    return {**found, "statements": statements, "wrong": wrong}


def create(metadata: sa.MetaData, engine: sa.Engine) -> None:
    """Make all tables; not in one transaction, which would hold too many locks."""
    tables = metadata.sorted_tables

    for start in range(0, len(tables), BATCH):
        metadata.create_all(engine, tables=tables[start : start + BATCH])


def check(extension: t.Any, folder: Path) -> int:
    """Compare.

    :return: How many differences were found, though there are none.
    """
    if hasattr(extension, "check"):
        return sum(len(each.changes) for each in extension.check().databases)

    return len(extension.compare_metadata())


def revision(extension: t.Any, folder: Path) -> int:
    """Write a revision, which is taken away again.

    :return: How many operations are in it, though there is nothing to do.
    """
    extension.revision("nothing")
    written = list(folder.glob("*nothing.py"))
    texts = [path.read_text() for path in written]

    for path in written:
        path.unlink()

    return sum(text.count("op.") for text in texts)


if __name__ == "__main__":
    answer(measure)
