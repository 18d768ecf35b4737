"""What differs is what Alembic says, however it is found out."""

from __future__ import annotations

import typing as t
import warnings
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic import autogenerate
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.mysql import MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.ops import CreateTableOp
from alembic.operations.ops import ModifyTableOps
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from hypothesis import event
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st

from any_schemas import changes
from any_schemas import Key
from any_schemas import metadata
from any_schemas import Reference
from any_schemas import Table
from any_schemas import twins
from apps import Apps
from flask_alembic.comparing.defaults import compare_by_meaning
from flask_alembic.comparing.passes import compare


@pytest.fixture
def engine(url: str, apps: Apps) -> sa.Engine:
    """A new, empty database on each of the servers in turn."""
    return apps.engine(url)


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
        except (sa.exc.SQLAlchemyError, AssertionError) as error:
            # Alembic has columns that it can't compare.
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
                "DROP SCHEMA IF EXISTS other CASCADE",
                "CREATE SCHEMA public",
                "CREATE SCHEMA other",
                "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
            ):
                connection.execute(sa.text(statement))
        elif engine.dialect.name == "sqlite":
            connection.execute(sa.text("PRAGMA foreign_keys=OFF"))
        else:
            connection.execute(sa.text("SET FOREIGN_KEY_CHECKS=0"))

        if engine.dialect.name != "postgresql":
            quote = engine.dialect.identifier_preparer.quote_identifier

            for name in sa.inspect(connection).get_view_names():
                connection.execute(sa.text(f"DROP VIEW {quote(name)}"))

            for name in sa.inspect(connection).get_table_names():
                connection.execute(
                    sa.text(f"DROP TABLE {quote(name)}".replace(":", "\\:"))
                )


def _create(engine: sa.Engine, models: sa.MetaData) -> None:
    with engine.begin() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.create_all(connection, checkfirst=False)
        connection.execute(sa.text("CREATE VIEW a_view AS SELECT 1 AS one"))


def _name(engine: sa.Engine) -> str:
    name = engine.dialect.name
    return "mariadb" if name == "mysql" else name


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_change(engine: sa.Engine, data: st.DataObject) -> None:
    """Between any two schemas we find what Alembic finds, and nothing between a schema
    and itself that Alembic does not.
    """
    server = _name(engine)
    before, after = data.draw(changes(server))
    # On the other servers, that would be databases of other tests.
    schemas = server == "postgresql" and data.draw(st.booleans())
    options = {"by_meaning": data.draw(st.booleans()), "include_schemas": schemas}
    _empty(engine)

    try:
        _create(engine, metadata(server, before))
    except sa.exc.SQLAlchemyError:
        event("can't be created")
        return

    for tables in (before, after):
        models = metadata(server, tables)
        theirs = _outcome(engine, _alembic, models, **options)
        ours = _outcome(engine, compare, models, **options)
        assert ours == theirs
        event(_kind(theirs))


def _kind(found: t.Any) -> str:
    if isinstance(found, type):
        return found.__name__

    return "changes" if found[0] else "in sync"


def _twins(server: str, kind: str) -> sa.MetaData:
    return metadata(server, twins(server, kind))


def test_twins_are_compared_once(engine: sa.Engine) -> None:
    """Of tables that are alike and in sync, Alembic sees one."""
    models = _twins(_name(engine), "default_x")
    _empty(engine)
    _create(engine, models)

    with _count(MySQLImpl, SQLiteImpl, PostgresqlImpl) as compared:
        assert _outcome(engine, compare, models) == ([], [], [], [])

    assert compared == ["id", "name"]


@pytest.mark.parametrize("kind", ["short", "default_quote", "not_null", "integer"])
def test_twins_that_changed_are_all_found(engine: sa.Engine, kind: str) -> None:
    """If one of them differs, so do the others; they come in Alembic's order."""
    server = _name(engine)
    _empty(engine)
    _create(engine, _twins(server, "numeric"))
    models = _twins(server, kind)
    found = _outcome(engine, compare, models)
    assert found == _outcome(engine, _alembic, models)
    assert found[3] == ["twin_0", "twin_1", "twin_2"]


def test_other_tables_come_where_alembic_has_them(engine: sa.Engine) -> None:
    """New tables are created in the order of their foreign keys, before changes."""
    server = _name(engine)
    _empty(engine)
    _create(engine, metadata(server, [*twins(server, "integer"), Table("old", ())]))
    models = _twins(server, "not_null")
    new = sa.Table("a_new", models, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("b_new", models, sa.Column("c", sa.ForeignKey("c_new.id")))
    sa.Table(
        "c_new", models, sa.Column("id", sa.ForeignKey(new.c.id), primary_key=True)
    )
    found = _outcome(engine, compare, models)
    assert found == _outcome(engine, _alembic, models)
    assert found[2] == ["a_new", "c_new", "b_new"]


@contextmanager
def _count(*kinds: type[DefaultImpl]) -> t.Iterator[list[str]]:
    """Note the columns whose types Alembic compares."""
    names: list[str] = []

    def note(method: t.Any) -> t.Any:
        def compare_type(impl: t.Any, found: t.Any, wanted: t.Any) -> t.Any:
            names.append(wanted.name)
            return method(impl, found, wanted)

        return compare_type

    with pytest.MonkeyPatch.context() as patch:
        for kind in kinds:
            patch.setattr(kind, "compare_type", note(kind.compare_type))

        yield names


def _names(calls: list[tuple[t.Any, ...]]) -> t.Any:
    """An include_name that notes what it is asked."""

    def include_name(name: str | None, kind: str, parents: dict[str, t.Any]) -> bool:
        calls.append((kind, name, tuple(sorted(map(str, parents.items())))))
        return name not in {"twin_1", "left_out", "ix_twin_2_1"}

    return include_name


def _keyed(server: str) -> sa.MetaData:
    result = metadata(
        server,
        [
            Table(
                f"twin_{number}",
                (("name", "short"), ("left_out", "integer")),
                (Key(("name",)), Key(("left_out",)), Key(("name",), constraint=True)),
                Reference("twin_0", named=True, options=()),
            )
            for number in range(4)
        ],
    )
    return result


@pytest.mark.parametrize("include_schemas", [False, True])
def test_include_name(engine: sa.Engine, include_schemas: bool) -> None:
    """It is asked what Alembic asks it, and each thing once."""
    server = _name(engine)
    _empty(engine)
    _create(engine, _keyed(server))
    models = _twins(server, "long")
    ours: list[tuple[t.Any, ...]] = []
    theirs: list[tuple[t.Any, ...]] = []
    options = {"include_schemas": include_schemas}

    if include_schemas:
        # The test may not read what other tests have in other databases.
        only: dict[str, set[str | None]] = {"schema": {None}}
        found = _outcome(
            engine, compare, models, include_name=_only(ours, only), **options
        )
        wanted = _outcome(
            engine, _alembic, models, include_name=_only(theirs, only), **options
        )
    else:
        found = _outcome(engine, compare, models, include_name=_names(ours))
        wanted = _outcome(engine, _alembic, models, include_name=_names(theirs))

    assert found == wanted
    assert sorted(ours, key=str) == sorted(set(theirs), key=str)


def _only(calls: list[tuple[t.Any, ...]], only: dict[str, set[str | None]]) -> t.Any:
    asked = _names(calls)

    def include_name(name: str | None, kind: str, parents: dict[str, t.Any]) -> bool:
        # The databases of other tests come and go meanwhile.
        if kind == "schema" and str(name).startswith("flask_alembic_"):
            return False

        return asked(name, kind, parents) and name in only.get(kind, {name})

    return include_name


def test_excluded_tables_are_not_read(engine: sa.Engine) -> None:
    """No statement asks for a table that include_name leaves out, nor for all."""
    server = _name(engine)
    _empty(engine)
    _create(engine, _twins(server, "integer"))
    texts: list[str] = []

    def note(*arguments: t.Any) -> None:
        texts.append(f"{arguments[2]} {arguments[3]}")

    sa.event.listen(engine, "before_cursor_execute", note)
    models = _twins(server, "integer")
    found = _outcome(engine, compare, models, include_name=_names([]))
    assert found[2] == ["twin_1"]  # the models have it
    assert any("twin_0" in text for text in texts)
    assert not any("twin_1" in text for text in texts)

    if server == "postgresql":
        # The columns, for which the others are found by their ids.
        reading = [text for text in texts if "attname AS name" in text]
        assert reading
        assert all("twin_0" in text for text in reading)


def _objects(calls: list[tuple[t.Any, ...]]) -> t.Any:
    """An include_object that notes what it sees."""

    def include_object(
        item: t.Any, name: t.Any, kind: str, reflected: bool, other: t.Any
    ) -> bool:
        calls.append((kind, name, reflected, other is None, type(item).__name__))
        return bool(name != "twin_1")

    return include_object


def _comparing(calls: list[tuple[t.Any, ...]]) -> t.Any:
    """A compare_type, or a compare_server_default, that notes what it sees."""

    def compare(
        context: t.Any, found: t.Any, wanted: t.Any, *more: t.Any
    ) -> bool | None:
        calls.append((found.table.name, found.name, wanted.name))
        return True if wanted.table.name == "twin_2" else None

    return compare


@pytest.mark.parametrize(
    ("option", "make"),
    [
        ("include_object", _objects),
        ("compare_type", _comparing),
        ("compare_server_default", _comparing),
    ],
)
def test_functions_that_see_objects(
    engine: sa.Engine, option: str, make: t.Callable[[t.Any], t.Any]
) -> None:
    """They see all that they see in Alembic."""
    models = _twins(_name(engine), "default_x")
    _empty(engine)
    _create(engine, models)
    ours: list[tuple[t.Any, ...]] = []
    theirs: list[tuple[t.Any, ...]] = []
    found = _outcome(engine, compare, models, **{option: make(ours)})
    assert found == _outcome(engine, _alembic, models, **{option: make(theirs)})
    assert ours
    assert sorted(ours) == sorted(theirs)


def test_column_reflect_sees_all_columns(engine: sa.Engine) -> None:
    """A listener that changes what is read finds each column."""
    models = _twins(_name(engine), "default_x")
    _empty(engine)
    _create(engine, models)
    seen: list[tuple[str, str]] = []

    def change(inspector: t.Any, table: sa.Table, column: t.Any) -> None:
        seen.append((table.name, column["name"]))

        if table.name == "twin_2":
            column["nullable"] = False

    sa.event.listen(sa.Table, "column_reflect", change)

    try:
        found = _outcome(engine, compare, models)
    finally:
        sa.event.remove(sa.Table, "column_reflect", change)

    assert {name for name, _ in seen} == {"twin_0", "twin_1", "twin_2"}
    assert found[3] == ["twin_2"]


def test_other_comparators_see_all_tables(engine: sa.Engine) -> None:
    """What an application compares besides is given each table."""
    models = _twins(_name(engine), "default_x")
    _empty(engine)
    _create(engine, models)
    seen = []

    def compare_more(
        context: t.Any, ops: t.Any, schema: t.Any, name: str, *more: t.Any
    ) -> None:
        seen.append(name)

    autogenerate.comparators.dispatch_for("table")(compare_more)

    try:
        assert _outcome(engine, compare, models) == ([], [], [], [])
    finally:
        _forget_comparator(compare_more)

    assert seen == ["twin_0", "twin_1", "twin_2"]


def _forget_comparator(function: t.Any) -> None:
    for entries in autogenerate.comparators._registry.values():
        for entry in list(entries):
            if function in (entry, entry[0] if isinstance(entry, tuple) else None):
                entries.remove(entry)


def _serials(count: int) -> sa.MetaData:
    """Tables with sequences of their own, and defaults that only the server knows to be
    the same.
    """
    result = sa.MetaData()

    for number in range(count):
        default = f"(abs({number} + length('{'x' * number}')))"
        sa.Table(
            f"t{number}",
            result,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer, server_default=sa.text(default)),
            sa.Column("b", sa.Integer, sa.ForeignKey(f"t{number}.id"), index=True),
        )

    return result


@pytest.mark.parametrize("default", [None, "(abs(1 - 500))"])
def test_statements_do_not_grow_with_tables(
    engine: sa.Engine, default: str | None
) -> None:
    """PostgreSQL and SQLite are asked as often about many tables as about few, whether
    they differ or not.
    """
    if _name(engine) == "mariadb":
        pytest.skip("SHOW CREATE TABLE is about one table")

    _statements(engine, 1, default)  # once, the dialect asks what the server has
    few = _statements(engine, 3, default)
    many = _statements(engine, 30, default)
    assert len(few) == len(many)
    assert len(many) <= 20


def _statements(engine: sa.Engine, tables: int, default: str | None) -> list[str]:
    """What is run to compare so many tables, all with another default or none."""
    models = _serials(tables)
    _empty(engine)
    _create(engine, models)
    statements: list[str] = []

    if default:
        models = _serials(tables)

        for table in models.tables.values():
            table.c.a.server_default = sa.DefaultClause(sa.text(default))

    def note(*arguments: t.Any) -> None:
        statements.append(arguments[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    found = _outcome(engine, compare, models)
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len(found[3]) == (tables if default else 0)
    return statements


def test_several_metadata(engine: sa.Engine) -> None:
    """Models may be in several metadata, as Alembic takes them."""
    server = _name(engine)
    _empty(engine)
    _create(engine, _twins(server, "integer"))
    new = sa.MetaData()
    sa.Table("new", new, sa.Column("id", sa.Integer, primary_key=True))
    models = [metadata(server, twins(server, "integer")[:2]), new]
    found = _outcome(engine, compare, models)
    assert found == _outcome(engine, _alembic, models)
    assert found[2] == ["new"]


def test_same_table_in_two_metadata(engine: sa.Engine) -> None:
    """Alembic refuses that."""
    models = [_twins(_name(engine), "integer"), _twins(_name(engine), "integer")]

    with pytest.raises(ValueError, match="Duplicate table keys"):
        _outcome(engine, compare, models)


def test_tables_of_one_name_in_two_schemas(engine: sa.Engine) -> None:
    """One that names the default schema is the same as one that names none."""
    if _name(engine) != "postgresql":
        pytest.skip("one schema is enough for what is shown")

    _empty(engine)
    models = sa.MetaData()

    for schema in (None, "public"):
        sa.Table("t", models, sa.Column("id", sa.Integer), schema=schema)

    assert _outcome(engine, compare, models) == _outcome(engine, _alembic, models)


@pytest.mark.parametrize("prepare", ["ATTACH ':memory:' AS other", "temporary"])
def test_sqlite_with_other_schemas(sqlite_url: str, apps: Apps, prepare: str) -> None:
    """Attached databases are schemas; a temporary table hides one of the same name."""
    engine = apps.engine(sqlite_url)
    models = _twins("sqlite", "default_x")
    _create(engine, models)

    def connected(connection: t.Any, record: t.Any) -> None:
        if prepare == "temporary":
            connection.execute("CREATE TEMPORARY TABLE twin_0 (id TEXT)")
        else:
            connection.execute(prepare)
            connection.execute("CREATE TABLE other.twin_1 (id INTEGER, name TEXT)")
            connection.execute("CREATE TABLE other.new (id INTEGER PRIMARY KEY)")

    engine.dispose()
    sa.event.listen(engine, "connect", connected)
    sa.Table("twin_1", models, sa.Column("id", sa.Integer), schema="other")
    found = _outcome(engine, compare, models, include_schemas=True)
    assert found == _outcome(engine, _alembic, models, include_schemas=True)
    assert found[0]


def test_revision_holds_what_is_found(url: str, apps: Apps) -> None:
    """A revision and a comparison find the same, and hooks see it."""
    seen: list[str] = []

    def process(context: t.Any, revision: t.Any, directives: list[t.Any]) -> None:
        (script,) = directives
        seen.extend(op.table_name for op in script.upgrade_ops.ops)
        seen.extend(op.table_name for op in script.downgrade_ops.ops)

    server = sa.make_url(url).get_backend_name().replace("mysql", "mariadb")
    models = metadata(server, twins(server, "default_x"))
    app, alembic = apps.plain(
        url, models, ALEMBIC_CONTEXT={"process_revision_directives": process}
    )

    with app.app_context():
        alembic.revision("twins")

    assert sorted(seen) == sorted([*models.tables, *models.tables])

    with app.app_context():
        alembic.upgrade()

    with app.app_context():
        assert alembic.compare_metadata() == []
        assert alembic.revision("nothing", skip_empty=True).skipped
