"""Arguments for revisions: ``-x``, ``--tag``, and Alembic's context inside of them."""

import typing as t

import alembic.context
import pytest
import sqlalchemy as sa

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationFailed

IMPORT = "from alembic import context"

KEEP = """
op.get_bind().execute(sa.text(
    "INSERT INTO told VALUES (:name, :value)"
), [{"name": k, "value": v} for k, v in found.items()])
"""

TELL = f"""
op.create_table("told", sa.Column("name", sa.String(50)), sa.Column("value",
    sa.String(200)))
found = {{
    "list": repr(context.get_x_argument()),
    "dict": repr(context.get_x_argument(as_dictionary=True)),
    "tag": repr(context.get_tag_argument()),
    "offline": repr(context.is_offline_mode()),
    "same": repr(context.get_context() is op.get_context()),
    "location": repr(context.config.get_main_option("script_location") != ""),
}}
{KEEP}
"""


def told(url: str) -> dict[str, t.Any]:
    """What the revision found."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT name, value FROM told")).all()

    return {name: eval(value) for name, value in rows}


def test_nothing_is_passed(apps: Apps, url: str) -> None:
    """Without arguments, a revision finds none. It has Alembic's context."""
    app, alembic_ = apps.plain(url)
    write_revision(app, "a1", header=IMPORT, upgrade=TELL)

    with app.app_context():
        alembic_.upgrade()

    assert told(url) == {
        "list": [],
        "dict": {},
        "tag": None,
        "offline": False,
        "same": True,
        "location": True,
    }


@pytest.mark.parametrize(
    ("x", "as_list"),
    [
        ({"a": 1, "b": "x=y"}, ["a=1", "b=x=y"]),
        (["a=1", "flag"], ["a=1", "flag"]),
        ("a=1", ["a=1"]),
    ],
)
def test_from_python(apps: Apps, sqlite_url: str, x: t.Any, as_list: list[str]) -> None:
    """A method passes a dict, or texts."""
    app, alembic_ = apps.plain(sqlite_url)
    write_revision(app, "a1", header=IMPORT, upgrade=TELL)

    with app.app_context():
        alembic_.upgrade(x=x, tag="v1")

    found = told(sqlite_url)
    assert found["list"] == as_list
    assert found["dict"] == {k: v for k, _, v in (i.partition("=") for i in as_list)}
    assert found["tag"] == "v1"


def test_from_the_command_line(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """The group and the command take ``-x``, each of them more than once."""
    app, _ = apps.plain(sqlite_url)
    write_revision(app, "a1", header=IMPORT, upgrade=TELL)
    result = db(app, "-x", "a=1", "upgrade", "-x", "b=2", "-x", "a=3", "--tag", "v 1")
    assert result.exit_code == 0, result.output
    found = told(sqlite_url)
    assert found["list"] == ["a=1", "b=2", "a=3"]
    assert found["dict"] == {"a": "3", "b": "2"}
    assert found["tag"] == "v 1"


def test_blocks_add_up(apps: Apps, sqlite_url: str) -> None:
    """Arguments of a block are added to those around it, and end with it."""
    app, alembic_ = apps.plain(sqlite_url)
    write_revision(app, "a1", header=IMPORT, upgrade=TELL)

    with app.app_context():
        with alembic_.using(x={"a": 1}, tag="outer"):
            alembic_.upgrade(x={"b": 2})

        alembic_.stamp()
        assert alembic_.config.cmd_opts is not None
        assert alembic_.config.cmd_opts.x == []

    found = told(sqlite_url)
    assert found["list"] == ["a=1", "b=2"]
    assert found["tag"] == "outer"


def test_connections_that_are_open(apps: Apps, url: str) -> None:
    """Arguments count too where a connection was open before."""
    app, alembic_ = apps.plain(url)
    write_revision(app, "a1", header=IMPORT, upgrade=TELL)

    with app.app_context():
        assert alembic_.context.get_current_revision() is None
        alembic_.upgrade(x={"a": 1}, tag="v1")
        assert alembic_.context.get_current_revision() == "a1"

    assert told(url)["dict"] == {"a": "1"}
    assert told(url)["tag"] == "v1"


@pytest.mark.parametrize("ending", ["raise RuntimeError", "raise SystemExit"])
def test_context_is_gone_after_a_failure(
    apps: Apps, sqlite_url: str, ending: str
) -> None:
    """``alembic.context`` means nothing after a revision that failed."""
    app, alembic_ = apps.plain(sqlite_url)
    write_revision(app, "a1", header=IMPORT, upgrade=f"assert context.config\n{ending}")

    with app.app_context(), pytest.raises(MigrationFailed):
        alembic_.upgrade()

    with pytest.raises((AttributeError, NameError)):
        alembic.context.is_offline_mode()


def test_a_revision_that_migrates_another_app(apps: Apps, sqlite_url: str) -> None:
    """Afterwards ``context`` is that of the outer revision again."""
    inner, inner_alembic = apps.plain("sqlite://", name="inner")
    write_revision(
        inner, "b1", header=IMPORT, upgrade="assert not context.get_x_argument()"
    )
    app, alembic_ = apps.plain(sqlite_url, name="outer")
    app.extensions["inner"] = (inner, inner_alembic)
    write_revision(
        app,
        "a1",
        header=f"{IMPORT}\nfrom flask import current_app",
        upgrade=(
            "inner, inner_alembic = current_app.extensions['inner']\n"
            "before = context.config\n"
            "with inner.app_context():\n"
            "    inner_alembic.upgrade()\n"
            "assert context.config is before\n"
            "assert context.get_x_argument() == ['a=1']"
        ),
    )

    with app.app_context():
        alembic_.upgrade(x=["a=1"])
        assert [s.revision for s in alembic_.current()] == ["a1"]


def test_hooks_of_a_comparison(apps: Apps, sqlite_url: str) -> None:
    """A hook for new revisions finds the arguments, and that it is a comparison."""
    found = []

    def note(context: t.Any, revision: t.Any, directives: t.Any) -> None:
        options = context.config.cmd_opts
        found.append((options.x, options.tag, options.autogenerate))

    app, alembic_ = apps.plain(
        sqlite_url, ALEMBIC_CONTEXT={"process_revision_directives": note}
    )

    with app.app_context():
        alembic_.revision("first", x={"a": 1}, tag="v1")
        alembic_.upgrade()
        alembic_.check()

    assert found == [(["a=1"], "v1", True), ([], None, False)]


def test_arguments_in_a_template(apps: Apps, sqlite_url: str) -> None:
    """The template of a new revision finds them in the config, also where nothing is
    compared.
    """
    app, alembic_ = apps.plain(sqlite_url)
    template = f"{app.root_path}/migrations/script.py.mako"

    with open(template, "a") as file:
        file.write("\n# ${config.cmd_opts.x} ${config.cmd_opts.tag}\n")

    with app.app_context():
        (script,) = alembic_.revision("first", empty=True, x={"a": 1}, tag="v1")

    assert script is not None

    with open(script.path) as file:
        assert file.read().endswith("\n# ['a=1'] v1\n")


def test_directory(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """``-d`` is another migrations folder, for one command."""
    app, alembic_ = apps.plain(sqlite_url)
    write_revision(app, "a1")
    folder = write_revision(app, "b1", folder="others").parent
    assert db(app, "-d", str(folder), "heads").output == "<base> -> b1 (head), b1\n"
    assert db(app, "heads").output == "<base> -> a1 (head), a1\n"

    with app.app_context():
        with alembic_.using(directory="others"):
            assert [s.revision for s in alembic_.heads()] == ["b1"]
            alembic_.upgrade()

        assert [s.revision for s in alembic_.heads()] == ["a1"]


def test_directory_that_is_missing(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """It is an error, and is not made."""
    app, _ = apps.plain(sqlite_url)
    result = db(app, "-d", str(apps.folder / "none"), "heads")
    assert result.exit_code == 1
    assert result.output == (
        f"Error: The script location {apps.folder / 'none'} does not exist.\n"
        "Hint: Run 'flask db mkdir', or set ALEMBIC['script_location'].\n"
    )


@pytest.fixture
def two(apps: Apps, tmp_path: t.Any) -> tuple[t.Any, Alembic, dict[str, str]]:
    """An app with two databases, and one revision for both."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "users")}
    app, alembic_ = apps.several(urls)

    with app.app_context():
        alembic_.revision("first")

    return app, alembic_, urls


def test_choose_a_database(two: tuple[t.Any, Alembic, dict[str, str]]) -> None:
    """The other database is left alone, and not even connected to."""
    app, alembic_, urls = two

    with app.app_context():
        report = alembic_.upgrade(databases=["users"])
        assert [s.database for s in report.steps] == ["users"]
        assert set(report.databases) == {"users"}
        assert alembic_.needs_upgrade() is True
        assert alembic_.needs_upgrade(databases="users") is False
        assert set(alembic_.current_by_database(databases="users")) == {"users"}
        assert [d.database for d in alembic_.check(databases="users").databases] == [
            "users"
        ]
        assert alembic_.needs_revision(databases="users") is False
        assert not alembic_.compare_metadata(databases="users")
        assert alembic_.compare_metadata(databases="default")
        produced = alembic_.produce_migrations(databases="default")
        assert [o.upgrade_token for o in produced.upgrade_ops_list] == [
            "default_upgrades"
        ]

    assert tables(urls["users"]) == {"alembic_version", "todo"}
    assert tables(urls["default"]) == set()


def test_choose_databases_on_the_command_line(
    two: tuple[t.Any, Alembic, dict[str, str]], db: Cli
) -> None:
    """``--database`` is repeatable, and holds for one command."""
    app, alembic_, urls = two
    result = db(app, "upgrade", "--database", "users")
    assert result.exit_code == 0
    assert result.output.endswith("1 revision applied to users.\n")
    lines = db(app, "current").output.splitlines()
    assert lines[0] == "default: base, no revision is applied"
    assert lines[1].startswith("users: <base> -> ")
    both = db(app, "upgrade", "--database", "users", "--database", "default").output
    assert "1 revision applied to default.\nusers is already at head" in both
    result = db(app, "downgrade", "base", "--database=default")
    assert result.output.endswith("it is at base now.\n")
    assert tables(urls["default"]) == {"alembic_version"}
    assert tables(urls["users"]) == {"alembic_version", "todo"}


def test_revision_of_one_database(
    two: tuple[t.Any, Alembic, dict[str, str]],
) -> None:
    """A revision that compares one database has nothing for the other."""
    app, alembic_, _ = two

    with app.app_context():
        alembic_.upgrade(databases="users")
        metadata = alembic_.databases["users"].metadata
        assert isinstance(metadata, sa.MetaData)
        sa.Table("more", metadata, sa.Column("id", sa.Integer, primary_key=True))
        (script,) = written = alembic_.revision("more", databases="users")
        assert [change.text for change in written.changes] == ["add table more"]
        assert written.tables == {"users": 2}
        assert script is not None
        module = script.module
        assert set(vars(module)) >= {"upgrade_users", "upgrade_default"}
        alembic_.upgrade()


def test_a_database_that_is_unknown(
    two: tuple[t.Any, Alembic, dict[str, str]], db: Cli
) -> None:
    """The name is an error, and nothing is done."""
    app, alembic_, urls = two

    with app.app_context(), pytest.raises(ConfigurationError) as raised:
        alembic_.upgrade(databases=["default", "user"])

    assert raised.value.hint == "Did you mean 'users'?"

    for command in ("upgrade", "log"):
        result = db(app, command, "--database", "nope")
        assert result.exit_code == 1
        assert result.output == (
            "Error: There is no database 'nope'.\nHint: There are: default, users.\n"
        )

    assert tables(urls["default"]) == tables(urls["users"]) == set()


def test_old_revision_and_a_chosen_database(
    two: tuple[t.Any, Alembic, dict[str, str]],
) -> None:
    """A revision from before there were several databases is for the default one,
    also when another one is chosen.
    """
    app, alembic_, urls = two

    with app.app_context():
        (head,) = alembic_.heads()
        write_revision(app, "c1", head.revision, upgrade="op.drop_table('todo')")

    with app.app_context():
        alembic_.upgrade(databases="users")

    assert tables(urls["users"]) == {"alembic_version", "todo"}


def test_default_context_among_the_chosen(
    two: tuple[t.Any, Alembic, dict[str, str]],
) -> None:
    """Where the default database is not chosen, the first of the others stands in."""
    app, alembic_, urls = two

    with app.app_context(), alembic_.using(databases="users"):
        assert set(alembic_.migration_contexts) == {"users"}
        assert alembic_.migration_context is alembic_.migration_contexts["users"]
        alembic_.op.create_table("by_hand", sa.Column("id", sa.Integer))

    assert tables(urls["users"]) == {"by_hand"}
