"""What Alembic does not promise to keep, and the extension relies on.

When one of these tests fails with a new version of Alembic, the module that it is about
has to follow: one of ``UNDERSCORE_ROOMS`` in ``test_house.py``.
"""

from __future__ import annotations

import ast
import datetime
import inspect
import typing as t
from pathlib import Path

import alembic.op
import pytest
import sqlalchemy as sa
from alembic import autogenerate
from alembic.ddl.impl import DefaultImpl
from alembic.operations import Operations
from alembic.operations.batch import ApplyBatchImpl
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import HeadMaintainer
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import StampStep
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script import write_hooks
from alembic.script.revision import RevisionMap
from alembic.util import Dispatcher
from alembic.util import sqla_compat
from sqlalchemy.dialects.postgresql.base import PGDialect

import flask_alembic
from apps import Apps
from apps import write_revision
from flask_alembic import alembic_batch
from flask_alembic import alembic_internals
from flask_alembic import version_rows
from test_house import UNDERSCORE_ROOMS

ON_INSTANCES: t.Final = {
    "_all_nextrev": Script,
    "_in_external_transaction": MigrationContext,
    "_normalized_down_revisions": Script,
    "_normalized_resolved_dependencies": Script,
    "_orig_branch_labels": Script,
    "_resolved_dependencies": Script,
    "_registry": Dispatcher,
    "_transaction_per_migration": MigrationContext,
    "_version": MigrationContext,
    "_versioned_down_revisions": Script,
}
"""Attributes that exist once an object is made."""

ON_CLASSES: t.Final = {
    "_backslash_escapes": PGDialect,
    "_calc_temp_name": ApplyBatchImpl,
    "_delete_version": HeadMaintainer,
    "_downgrade_revs": ScriptDirectory,
    "_ensure_version_table": MigrationContext,
    "_exec": DefaultImpl,
    "_filter_into_branch_heads": RevisionMap,
    "_generate_template": ScriptDirectory,
    "_insert_version": HeadMaintainer,
    "_install_proxy": Operations,
    "_real_bases": RevisionMap,
    "_real_heads": RevisionMap,
    "_remove_proxy": Operations,
    "_rev_path": ScriptDirectory,
    "_revision_map": RevisionMap,
    "_should_recreate": BatchOperationsImpl,
    "_stamp_revs": ScriptDirectory,
    "_topological_sort": RevisionMap,
    "_update_version": HeadMaintainer,
    "_upgrade_revs": ScriptDirectory,
    "_version_locations": ScriptDirectory,
}

IN_MODULES: t.Final = {
    "_invoke": write_hooks,
    "_is_type_bound": sqla_compat,
}


@pytest.fixture
def connection() -> t.Iterator[sa.Connection]:
    """A connection to an empty database in memory."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    with engine.connect() as connection:
        yield connection

    engine.dispose()


@pytest.fixture
def context(connection: sa.Connection) -> MigrationContext:
    """A context on an empty database in memory."""
    return MigrationContext.configure(connection)


@pytest.fixture
def script(apps: Apps) -> ScriptDirectory:
    """Three revisions: 0001, and 0002 and 0003 on it."""
    app = apps.flask()
    write_revision(app, "0001")
    write_revision(app, "0002", "0001")
    write_revision(app, "0003", "0001")
    folder = Path(app.root_path, "migrations")
    return ScriptDirectory(folder, version_locations=[folder])


def used_names(room: str) -> set[str]:
    """The underscored attributes that a module takes from others, or overrides."""
    path = Path(flask_alembic.__file__).with_name(room)
    tree = ast.parse(path.read_text("utf-8"))
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr)
    }
    methods = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_private(node.name)
    }
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }
    bases = (HeadMaintainer, RevisionMap, ScriptDirectory)
    own = {
        name
        for name in methods | assigned
        if not any(hasattr(base, name) for base in bases)
    }
    return (attributes | methods) - own


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def revision_of(step: t.Any) -> str:
    return str(step.revision.revision)


def test_every_name_has_a_test() -> None:
    """A name that comes to be used is written down here."""
    used = {name for room in UNDERSCORE_ROOMS for name in used_names(room)}
    assert used == ON_INSTANCES.keys() | ON_CLASSES.keys() | IN_MODULES.keys()


@pytest.mark.parametrize("name", sorted(ON_CLASSES))
def test_class_attribute(name: str) -> None:
    """The class still has it."""
    assert hasattr(ON_CLASSES[name], name)


@pytest.mark.parametrize("name", sorted(ON_INSTANCES))
def test_instance_attribute(
    name: str, context: MigrationContext, script: ScriptDirectory
) -> None:
    """The object still has it."""
    objects = {
        Dispatcher: autogenerate.comparators,
        MigrationContext: context,
        Script: script.get_revision("0002"),
    }
    assert hasattr(objects[ON_INSTANCES[name]], name)


def test_begin_transaction(context: MigrationContext) -> None:
    """A transaction can be begun for a revision, committed and rolled back."""
    assert context.connection is not None

    for end in ("commit", "rollback"):
        transaction = alembic_internals.begin_transaction(context)
        assert transaction is not None
        assert context.connection.in_transaction()
        getattr(transaction, end)()
        assert not context.connection.in_transaction()


@pytest.mark.parametrize("per_migration", [True, False])
@pytest.mark.parametrize("transactional_ddl", [True, False])
def test_begin_transaction_always_begins(
    connection: sa.Connection, per_migration: bool, transactional_ddl: bool
) -> None:
    """That does not depend on the options by which Alembic decides where to begin."""
    options = {
        "transaction_per_migration": per_migration,
        "transactional_ddl": transactional_ddl,
    }
    context = MigrationContext.configure(connection, opts=options)
    transaction = alembic_internals.begin_transaction(context)
    assert transaction is not None
    assert connection.in_transaction()
    transaction.rollback()


@pytest.mark.parametrize("per_migration", [True, False])
@pytest.mark.parametrize("transactional_ddl", [True, False])
def test_autocommit_block(
    connection: sa.Connection, per_migration: bool, transactional_ddl: bool
) -> None:
    """A block without a transaction ends the one that was begun, and begins another:
    the end belongs to that.
    """
    options = {
        "transaction_per_migration": per_migration,
        "transactional_ddl": transactional_ddl,
    }
    context = MigrationContext.configure(connection, opts=options)
    transaction = alembic_internals.begin_transaction(context)
    assert transaction is not None

    with context.autocommit_block():
        assert connection.get_execution_options()["isolation_level"] == "AUTOCOMMIT"

    assert connection.in_transaction()
    transaction.commit()
    assert not connection.in_transaction()


def test_no_transaction_inside_that_of_another(connection: sa.Connection) -> None:
    """Where somebody else began one, none is begun and there is nothing to end."""
    with connection.begin():
        context = MigrationContext.configure(connection)
        assert alembic_internals.in_external_transaction(context)
        assert alembic_internals.begin_transaction(context) is None


def test_own_transaction_is_not_external(context: MigrationContext) -> None:
    """What begins after the context was made is ours."""
    transaction = alembic_internals.begin_transaction(context)
    assert transaction is not None
    assert not alembic_internals.in_external_transaction(context)
    transaction.rollback()


def test_version_table(context: MigrationContext) -> None:
    """The version table is made on demand, and its column can be asked for."""
    assert context.connection is not None
    assert not sa.inspect(context.connection).has_table("alembic_version")
    alembic_internals.ensure_version_table(context)
    alembic_internals.ensure_version_table(context)
    column = alembic_internals.version_column(context)
    (found,) = sa.inspect(context.connection).get_columns(column.table.name)
    assert found["name"] == column.name == "version_num"
    assert isinstance(column.type, sa.String)
    assert column.type.length == 32


def test_reading_makes_no_version_table(context: MigrationContext) -> None:
    """Asking where a database stands leaves it as it is."""
    assert context.connection is not None
    assert context.get_current_heads() == ()
    assert sa.inspect(context.connection).get_table_names() == []


def test_steps(context: MigrationContext, script: ScriptDirectory) -> None:
    """Steps up, down and for a stamp can be found without running them, and write the
    version table one by one.
    """
    alembic_internals.ensure_version_table(context)
    maintainer = version_rows.Maintainer(context, ())
    assert isinstance(maintainer, HeadMaintainer)

    up = alembic_internals.upgrade_steps(script, ["0002"], ())
    assert [revision_of(step) for step in up] == ["0001", "0002"]
    assert all(step.is_upgrade for step in up)

    for step in up:
        maintainer.update_to_step(t.cast(t.Any, step))

    assert maintainer.heads == {"0002"}
    assert context.get_current_heads() == ("0002",)

    (down,) = alembic_internals.downgrade_steps(script, "-1", ("0002",))
    assert not down.is_upgrade
    maintainer.update_to_step(t.cast(t.Any, down))
    assert context.get_current_heads() == ("0001",)

    (stamp,) = alembic_internals.stamp_steps(script, ["0003"], ("0001",))
    assert isinstance(stamp, StampStep)
    assert stamp.to_revisions_no_deps == ("0003",)
    maintainer.update_to_step(t.cast(t.Any, stamp))
    assert context.get_current_heads() == ("0003",)


def test_purge_step(script: ScriptDirectory, context: MigrationContext) -> None:
    """A version table can be written anew, whatever is in it."""
    alembic_internals.ensure_version_table(context)
    maintainer = version_rows.Maintainer(context, ["0001"], ["gone"])
    step = version_rows.PurgeStep(script, ["0002"], ["0001", "gone"])
    assert step.removed == ("0001", "gone")
    assert step.info.source_revision_ids == ("0001",)
    maintainer.update_to_step(step)
    assert list(maintainer.rows) == ["0002"]
    assert context.get_current_heads() == ("0002",)

    step = version_rows.PurgeStep(script, ["0003"], ["0002", "gone"], ["gone"])
    maintainer.update_to_step(step)
    assert step.removed == ("0002",)
    assert (maintainer.heads, maintainer.skipped) == ({"0003"}, ("gone",))
    assert list(maintainer.rows) == ["0003", "gone"]


def test_steps_from_several_heads(script: ScriptDirectory) -> None:
    """All heads of a database can be given at once, and several targets."""
    assert alembic_internals.upgrade_steps(script, ["heads"], ("0002", "0003")) == []
    steps = alembic_internals.upgrade_steps(script, ["0002", "0003"], ("0001",))
    assert {revision_of(step) for step in steps} == {"0002", "0003"}


def test_step_without_function(apps: Apps) -> None:
    """Steps take the functions from the modules, so a missing one is found first."""
    app = apps.flask()
    path = write_revision(app, "0001")
    path.write_text(path.read_text().replace("def upgrade", "def up"))
    script = ScriptDirectory(path.parent, version_locations=[path.parent])

    with pytest.raises(AttributeError) as info:
        alembic_internals.upgrade_steps(script, "head", ())

    revision = script.get_revision("0001")
    assert revision is not None
    assert info.value.obj is revision.module


def test_proxies(context: MigrationContext) -> None:
    """``op`` means the given operations inside, and what it meant before afterwards,
    also after an exception.
    """
    outer, inner = Operations(context), Operations(context)

    def now() -> object:
        return getattr(alembic.op, "_proxy", None)

    with alembic_internals.proxies(outer):
        assert now() is outer

        with pytest.raises(ZeroDivisionError), alembic_internals.proxies(inner):
            assert now() is inner
            raise ZeroDivisionError

        assert now() is outer

    assert now() is None

    with pytest.raises((AttributeError, NameError)):
        alembic.op.execute("SELECT 1")


def test_listing_of_files(script: ScriptDirectory) -> None:
    """The files of a version location can be listed without running them."""
    (folder,) = script._version_locations
    assert folder == Path(script.dir)
    names = [path.name for path in Script._list_py_dir(script, folder)]
    assert sorted(names) == ["0001_.py", "0002_.py", "0003_.py"]


def test_parents(apps: Apps) -> None:
    """What a revision revises is a tuple of ids."""
    app = apps.flask()
    write_revision(app, "0001")
    write_revision(app, "0002", "0001")
    write_revision(app, "0003", "0001")
    folder = write_revision(app, "0004", ("0002", "0003")).parent
    script = ScriptDirectory(folder, version_locations=[folder])
    found = {
        revision.revision: set(revision._versioned_down_revisions)
        for revision in script.walk_revisions()
    }
    assert found == {
        "0001": set(),
        "0002": {"0001"},
        "0003": {"0001"},
        "0004": {"0002", "0003"},
    }


def test_seams_of_the_script_directory() -> None:
    """Alembic calls what the subclass overrides, with the arguments it takes."""
    source = inspect.getsource(ScriptDirectory)
    assert "RevisionMap(self._load_revisions)" in source
    assert "self._generate_template(" in source
    parameters = list(inspect.signature(ScriptDirectory._generate_template).parameters)
    assert parameters == ["self", "src", "dest", "kw"]


def test_path_of_a_new_revision(script: ScriptDirectory, tmp_path: Path) -> None:
    """Alembic asks for it by the folder first, and gets it as a path in there."""
    created = datetime.datetime(2020, 1, 2)
    path = script._rev_path(tmp_path, "0004", "add email", created)
    assert Path(path) == tmp_path / "0004_add_email.py"
    assert "self._rev_path(" in inspect.getsource(ScriptDirectory)


def test_hook_is_invoked(tmp_path: Path) -> None:
    """A hook runs by its type, with the file and its options."""
    calls: list[tuple[str, dict[str, t.Any]]] = []

    @write_hooks.register("flask_alembic_test")
    def hook(path: str, options: dict[str, t.Any]) -> None:
        calls.append((path, options))

    options: t.Any = {"type": "flask_alembic_test", "_hook_name": "mine", "a": "b"}
    write_hooks._invoke("flask_alembic_test", str(tmp_path), options)
    assert calls == [(str(tmp_path), options)]


def test_hooks_are_listed_by_name(apps: Apps, sqlite_url: str) -> None:
    """The config lists its hooks, each with its name under ``_hook_name``."""
    app, alembic_ = apps.plain(
        sqlite_url,
        ALEMBIC={"post_write_hooks": {"hooks": "a", "a.type": "exec", "a.cwd": "/"}},
    )

    with app.app_context():
        assert alembic_.config.get_hooks_list() == [
            {"type": "exec", "cwd": "/", "_hook_name": "a"}
        ]


def test_batch(context: MigrationContext) -> None:
    """What a batch gathers can be done in another way, if it takes a new table."""
    operations = Operations(context)
    operations.create_table("todo", sa.Column("id", sa.Integer()))
    batches: list[alembic_batch.Batch] = []

    with operations.batch_alter_table("todo") as batch_op:
        alembic_batch.batch_by(batch_op, batches.append)
        batch_op.alter_column("id", nullable=False)

    (batch,) = batches
    ((name, args, kwargs),) = batch.steps
    assert (name, args, kwargs["nullable"]) == ("alter_column", ("todo", "id"), False)
    assert batch.impl is context.impl
    assert {*batch.options} >= {
        *("table_name", "schema", "recreate", "copy_from", "table_args"),
        *("table_kwargs", "reflect_args", "reflect_kwargs", "naming_convention"),
        "partial_reordering",
    }
    assert len(batch.options["reflect_kwargs"]["listeners"]) == 1

    with operations.batch_alter_table("todo") as batch_op:
        alembic_batch.batch_by(batch_op, batches.append)
        batch_op.add_column(sa.Column("text", sa.Text()))

    assert len(batches) == 1
    assert alembic_batch.temporary_name("todo") == "_alembic_tmp_todo"
