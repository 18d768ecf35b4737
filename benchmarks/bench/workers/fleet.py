"""Upgrades many databases or schemas: by ``upgrade_all``, or one after another."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from flask import Flask

from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import method
from bench.workers.answers import Missing
from bench.workers.answers import Task
from bench.workers.answers import timed
from flask_alembic import Alembic


def measure(task: Task) -> Found:
    """Upgrade all.

    :param task: ``tenants`` (a list of dicts: ``name``, ``url``, ``schema`` or
        ``None``), ``migrations``, ``head`` (where they go), ``way``: ``at once`` or
        ``in turn``.
    """
    app = Flask(__name__)
    app.config["ALEMBIC"] = {"script_location": task["migrations"]}
    # What a process that migrates has loaded in any case.
    import alembic.autogenerate  # noqa: F401

    way = _at_once if task["way"] == "at once" else _in_turn
    _, found = timed(lambda: way(app, task["tenants"]))
    return {**found, "wrong": _wrong(task["tenants"], task["head"])}


def _in_turn(app: Flask, tenants: list[dict[str, t.Any]]) -> None:
    """One extension a tenant, as Flask-Alembic 3.3 needs it."""
    for tenant in tenants:
        engine = _engine(tenant)
        app.extensions.pop("alembic", None)
        extension = Alembic(
            metadatas=sa.MetaData(), engines=engine, run_mkdir=False, command_name=""
        )
        extension.init_app(app)

        with app.app_context():
            extension.upgrade()

        engine.dispose()


def _at_once(app: Flask, tenants: list[dict[str, t.Any]]) -> None:
    import flask_alembic

    tenant_class = getattr(flask_alembic, "Tenant", None)

    if tenant_class is None:
        raise Missing("AttributeError: there is no flask_alembic.Tenant")

    engine = _engine({**tenants[0], "schema": None})
    extension = Alembic(app, metadatas=sa.MetaData(), engines=engine, run_mkdir=False)

    with app.app_context():
        upgrade_all = method(extension, "upgrade_all")
        upgrade_all([tenant_class(**tenant) for tenant in tenants])


def _engine(tenant: dict[str, t.Any]) -> sa.Engine:
    schema = tenant["schema"]
    arguments = {"options": f"-csearch_path={schema}"} if schema else {}
    return sa.create_engine(tenant["url"], connect_args=arguments)


def _wrong(tenants: list[dict[str, t.Any]], head: str) -> int:
    """How many are not at head."""
    wrong = 0

    for tenant in tenants:
        engine = _engine(tenant)

        with engine.connect() as connection:
            version = sa.text("SELECT version_num FROM alembic_version")
            wrong += connection.scalars(version).all() != [head]

        engine.dispose()

    return wrong


if __name__ == "__main__":
    answer(measure)
