"""What differs is what Alembic says, however it is found out."""

from __future__ import annotations

import typing as t
import warnings

import sqlalchemy as sa
from alembic import autogenerate
from alembic.operations.ops import CreateTableOp
from alembic.operations.ops import ModifyTableOps
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from hypothesis import event
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from any_schemas import changes
from any_schemas import metadata
from apps import Apps
from flask_alembic.comparing import compare
from flask_alembic.server_defaults import compare_by_meaning

Compare = t.Callable[[MigrationContext], t.Any]


def _alembic(context: MigrationContext) -> t.Any:
    return autogenerate.produce_migrations(context, context.opts["target_metadata"])


def _outcome(
    engine: sa.Engine, compare: Compare, models: t.Any, **options: t.Any
) -> t.Any:
    """All that is found, in an order that does not depend on hashes."""
    by_meaning = options.pop("by_meaning", True)
    opts = {
        "target_metadata": models,
        "compare_type": True,
        "compare_server_default": True,
        "process_revision_directives": None,
        **options,
    }

    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = MigrationContext.configure(connection, opts=opts)

        if by_meaning:
            compare_by_meaning(context)

        try:
            script = compare(context)
        except sa.exc.SQLAlchemyError as error:
            return type(error)

        upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
        return (
            sorted(_rendered(upgrade.ops, context)),
            sorted(_rendered(downgrade.ops, context)),
            [op.table_name for op in upgrade.ops if isinstance(op, CreateTableOp)],
            [op.table_name for op in upgrade.ops if isinstance(op, ModifyTableOps)],
        )


def _rendered(ops: t.Iterable[t.Any], context: MigrationContext) -> t.Iterator[str]:
    for op in ops:
        if isinstance(op, ModifyTableOps):
            yield from _rendered(op.ops, context)
        else:
            script = UpgradeOps([op])
            yield autogenerate.render_python_code(script, migration_context=context)


def _empty(engine: sa.Engine) -> None:
    """Drop everything that a test made."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for statement in (
                "DROP SCHEMA public CASCADE",
                "CREATE SCHEMA public",
                "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
            ):
                connection.execute(sa.text(statement))
        elif engine.dialect.name == "sqlite":
            connection.execute(sa.text("PRAGMA foreign_keys=OFF"))
        else:
            connection.execute(sa.text("SET FOREIGN_KEY_CHECKS=0"))

        if engine.dialect.name != "postgresql":
            quote = engine.dialect.identifier_preparer.quote_identifier

            for name in sa.inspect(connection).get_table_names():
                connection.execute(
                    sa.text(f"DROP TABLE {quote(name)}".replace(":", "\\:"))
                )


def _create(engine: sa.Engine, models: sa.MetaData) -> None:
    with engine.begin() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.create_all(connection, checkfirst=False)


def _name(engine: sa.Engine) -> str:
    name = engine.dialect.name
    return "mariadb" if name == "mysql" else name


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_change(url: str, apps: Apps, data: st.DataObject) -> None:
    """Between any two schemas we find what Alembic finds, and nothing between a schema
    and itself that Alembic does not.
    """
    engine = apps.engine(url)
    server = _name(engine)
    before, after = data.draw(changes(server))
    by_meaning = data.draw(st.booleans())
    _empty(engine)

    try:
        _create(engine, metadata(server, before))
    except sa.exc.SQLAlchemyError:
        event("can't be created")
        return

    for tables in (before, after):
        models = metadata(server, tables)
        theirs = _outcome(engine, _alembic, models, by_meaning=by_meaning)
        ours = _outcome(engine, compare, models, by_meaning=by_meaning)
        assert ours == theirs
        event(_kind(theirs))


def _kind(found: t.Any) -> str:
    if isinstance(found, type):
        return found.__name__

    return "changes" if found[0] else "in sync"
