"""What users configure: config keys, arguments of the extension, and where apps lie."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import FlaskAlembicError
from flask_alembic.option_values import KNOWN_OPTIONS
from flask_alembic.run_settings import KEYS
from flask_alembic.run_settings import RunSettings

FOLDER_NAMES: t.Final = [
    "100% sure",
    "%(here)s",
    "%%",
    "with:colon",
    "a;b",
    "a,b",
    "with space",
    "it's",
    'say "hello"',
    "žluťoučký 🎉",
    "${slug}",
    "back\\slash",
    "[brackets] {braces}",
    "#hash = 1",
    "two\nlines",
]


def other_metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("other", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def option(app: Flask, alembic: Alembic, key: str) -> str | None:
    """What Alembic is told."""
    with app.app_context():
        return alembic.config.get_main_option(key)


def migrate(app: Flask, alembic: Alembic) -> None:
    """Make a revision, and run it."""
    with app.app_context():
        alembic.revision("todo")

    with app.app_context():
        alembic.upgrade()

    with app.app_context():
        assert not alembic.needs_upgrade()
        assert len(alembic.current()) == 1


# Values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        (10, "10"),
        (0, "0"),
        (1.5, "1.5"),
        ("text", "text"),
        ("", ""),
        (Path("a/b"), "a/b"),
        (["a", "b"], "a:b"),
        (("a", Path("b")), "a:b"),
        ([], ""),
        (None, None),
        ("100%", "100%"),
        ("%(here)s", "%(here)s"),
        ("%%", "%%"),
        (Path("100%"), "100%"),
        (["%", "%%"], "%:%%"),
    ],
)
def test_value_means_itself(
    apps: Apps, sqlite_url: str, value: object, expected: str | None
) -> None:
    """Values of Python's types can be written as such, and ``%`` is a ``%``."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"prepend_sys_path": value})
    assert option(app, alembic, "prepend_sys_path") == expected


@pytest.mark.parametrize(
    ("separator", "expected"),
    [("os", "a:b"), ("space", "a b"), ("newline", "a\nb"), (":", "a:b"), (";", "a;b")],
)
def test_list_is_joined_by_the_separator(
    apps: Apps, sqlite_url: str, separator: str, expected: str
) -> None:
    """A list is joined as ``path_separator`` says."""
    config = {"prepend_sys_path": ["a", "b"], "path_separator": separator}
    app, alembic = apps.plain(sqlite_url, ALEMBIC=config)
    assert option(app, alembic, "prepend_sys_path") == expected


@pytest.mark.parametrize("separator", ["os", "space", "newline", ":", ";"])
def test_separator_does_not_split_the_locations(
    apps: Apps, sqlite_url: str, separator: str
) -> None:
    """Version locations are a list, whatever they would be joined by."""
    locations = ["with space", "with:colon/x", "with;semicolon"]
    absolute = [apps.folder / name for name in locations]
    config = {"version_locations": absolute, "path_separator": separator}
    app, alembic = apps.plain(sqlite_url, ALEMBIC=config)

    with app.app_context():
        (script,) = alembic.revision("there", empty=True, path=absolute[1])
        assert script is not None
        assert Path(script.path).parent == absolute[1]

    with app.app_context():
        assert len(alembic.heads()) == 1


def test_section(apps: Apps, sqlite_url: str) -> None:
    """A dict is a section, whose values are treated alike."""
    hooks = {"hooks": "own", "own.type": "exec", "own.options": "50%", "own.n": 5}
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"post_write_hooks": hooks})

    with app.app_context():
        section = alembic.config.get_section("post_write_hooks")

    assert section is not None
    assert {name: section[name] for name in hooks} == {**hooks, "own.n": "5"}


def test_unknown_option_is_passed_on(apps: Apps, sqlite_url: str) -> None:
    """A template may read options of the user's own."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"my_team": "50% of us"})
    assert option(app, alembic, "my_team") == "50% of us"


def test_number_as_a_number(apps: Apps, sqlite_url: str) -> None:
    """An int does what the same text does."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"truncate_slug_length": 5})

    with app.app_context():
        (script,) = alembic.revision("one two three", empty=True)
        assert script is not None
        assert Path(script.path).name == f"{script.revision}_one_.py"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%(rev)s_%(slug)s", "{}_add_todo.py"),
        ("%%(rev)s_%%(slug)s", "{}_add_todo.py"),
        ("rev-%(rev)s", "rev-{}.py"),
        ("%%(slug)s.%%(rev)s", "add_todo.{}.py"),
        (None, "{}_add_todo.py"),
    ],
)
def test_file_template(
    apps: Apps, sqlite_url: str, template: str | None, expected: str
) -> None:
    """A template can be written plainly, or with doubled signs as in an ini file."""
    config = {"file_template": template} if template else {}
    app, alembic = apps.plain(sqlite_url, ALEMBIC=config)

    with app.app_context():
        (script,) = alembic.revision("add todo", empty=True)
        assert script is not None
        assert Path(script.path).name == expected.format(script.revision)

    with app.app_context():
        assert len(alembic.heads()) == 1


# Where apps lie


@pytest.mark.parametrize("name", FOLDER_NAMES)
def test_path_of_the_app(apps: Apps, sqlite_url: str, name: str) -> None:
    """An app may lie in any folder: migrations run, and no other folder is made."""
    app, alembic = apps.plain(sqlite_url, name=name)
    migrate(app, alembic)
    assert tables(sqlite_url) == {"todo", "alembic_version"}
    assert {path.name for path in apps.folder.iterdir()} == {name, "test.db"}
    assert {path.name for path in Path(app.root_path).iterdir()} == {"migrations"}


@pytest.mark.parametrize("name", FOLDER_NAMES)
def test_path_of_a_version_location(apps: Apps, sqlite_url: str, name: str) -> None:
    """So may revisions."""
    folder = apps.folder / name / "versions"
    config = {"version_locations": [("default", folder)]}
    app, alembic = apps.plain(sqlite_url, ALEMBIC=config)
    migrate(app, alembic)
    assert len(list(folder.glob("*.py"))) == 1
    assert tables(sqlite_url) == {"todo", "alembic_version"}


@pytest.mark.parametrize("key", ["script_location", "version_locations"])
def test_package_location(
    apps: Apps, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """``package:folder`` is a folder in a package, and is made."""
    package = apps.folder / "lib" / "some_package_of_ours"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)
    location = "some_package_of_ours:db/history"
    value = location if key == "script_location" else [("default", location)]
    app, alembic = apps.plain(sqlite_url, ALEMBIC={key: value})
    migrate(app, alembic)
    assert len(list(package.joinpath("db/history").glob("*.py"))) == 1
    assert not Path(app.root_path, location).exists()
    assert not Path(app.root_path, "some_package_of_ours").exists()


@pytest.mark.parametrize("key", ["script_location", "version_locations"])
def test_package_that_is_not_found(apps: Apps, sqlite_url: str, key: str) -> None:
    """A package that does not exist is an error that names it."""
    with pytest.raises(ConfigurationError) as info:
        apps.plain(sqlite_url, ALEMBIC={key: "no_such_package:migrations"})

    assert info.value.key == key
    assert "'no_such_package'" in str(info.value)


@pytest.mark.parametrize("as_path", [True, False])
def test_version_locations_as_one_text(
    apps: Apps, sqlite_url: str, as_path: bool
) -> None:
    """One location need not be in a list: it is not taken letter by letter."""
    value = Path("other") if as_path else "other"
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"version_locations": value})
    made = {path.name for path in Path(app.root_path).iterdir()}
    assert made == {"migrations", "other"}

    with app.app_context():
        alembic.revision("there", empty=True, path="other")
        assert len(list(Path(app.root_path, "other").glob("*.py"))) == 1


def test_absolute_script_location(apps: Apps, sqlite_url: str) -> None:
    """The folder need not lie in the app."""
    folder = apps.folder / "elsewhere"
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"script_location": folder})
    migrate(app, alembic)
    assert len(list(folder.glob("*.py"))) == 1
    assert list(Path(app.root_path).iterdir()) == []


def test_working_directory_does_not_matter(
    apps: Apps, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Relative locations start at the app's root."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    migrate(*apps.plain(sqlite_url))
    assert list(elsewhere.iterdir()) == []


# Mistakes


@pytest.mark.parametrize(
    ("key", "meant", "value"),
    [
        ("script_locaton", "script_location", "x"),
        ("version_location", "version_locations", ["x"]),
        ("file_tempate", "file_template", "%(rev)s"),
        ("post_write_hook", "post_write_hooks", {"hooks": "black"}),
        ("timezones", "timezone", "UTC"),
    ],
)
@pytest.mark.parametrize("run_mkdir", [True, False])
def test_misspelt_option(
    apps: Apps, key: str, meant: str, value: object, run_mkdir: bool
) -> None:
    """A misspelt key is an error that names the key, its value and the right one."""
    app = apps.flask(ALEMBIC={key: value})

    with pytest.raises(ConfigurationError) as info:
        alembic = Alembic(app, run_mkdir=run_mkdir)

        with app.app_context():
            alembic.heads()

    assert info.value.key == key
    assert info.value.value == value
    assert f"ALEMBIC['{key}']" in str(info.value)
    assert repr(value) in str(info.value)
    assert f"'{meant}'" in f"{info.value} {info.value.hint}"


@pytest.mark.parametrize(
    ("key", "meant", "value"),
    [
        ("compare_types", "compare_type", True),
        ("compare_server_defaults", "compare_server_default", False),
        ("include_objects", "include_object", len),
        ("render_as_batches", "render_as_batch", True),
        ("version_tables", "version_table", "v"),
        ("transaction_per_migrations", "transaction_per_migration", True),
    ],
)
@pytest.mark.parametrize("verb", ["current", "upgrade", "check", "needs_upgrade"])
def test_misspelt_context_option(
    apps: Apps, sqlite_url: str, verb: str, key: str, meant: str, value: object
) -> None:
    """So it is for the options of the context."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={key: value})

    with app.app_context(), pytest.raises(ConfigurationError) as info:
        getattr(alembic, verb)()

    assert info.value.key == key
    assert info.value.value == value
    assert f"ALEMBIC_CONTEXT['{key}']" in str(info.value)
    assert f"'{meant}'" in f"{info.value} {info.value.hint}"
    assert tables(sqlite_url) == set()


def test_unknown_context_option(apps: Apps, sqlite_url: str) -> None:
    """An option that is like none of Alembic's may be a plugin's: it is passed on, and
    a warning tells of it.
    """
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={"my_plugin": 5})

    with app.app_context(), pytest.warns(UserWarning, match="'my_plugin'"):
        assert alembic.migration_context.opts["my_plugin"] == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("compare_type", False),
        ("compare_type", lambda *_: None),
        ("compare_server_default", False),
        ("include_name", lambda *_: True),
        ("include_object", lambda *_: True),
        ("include_schemas", False),
        ("on_version_apply", lambda **_: None),
        ("process_revision_directives", lambda *_: None),
        ("render_as_batch", False),
        ("render_item", lambda *_: False),
        ("sqlalchemy_module_prefix", "sa."),
        ("alembic_module_prefix", "op."),
        ("user_module_prefix", None),
        ("template_args", {"a": 1}),
        ("transaction_per_migration", True),
        ("transactional_ddl", True),
        ("version_table", "history"),
        ("version_table_pk", False),
        ("version_table_schema", None),
    ],
)
def test_context_option_of_alembic(
    apps: Apps, sqlite_url: str, key: str, value: object
) -> None:
    """Every option that Alembic documents is taken without a word."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={key: value})
    migrate(app, alembic)

    with app.app_context():
        alembic.downgrade("base")


def test_version_table_of_the_user(url: str, apps: Apps) -> None:
    """Another name of the version table is used throughout."""
    app, alembic = apps.plain(url, ALEMBIC_CONTEXT={"version_table": "history"})
    migrate(app, alembic)
    assert tables(url) == {"todo", "history"}

    with app.app_context():
        assert alembic.compare_metadata() == []


@pytest.mark.parametrize("key", ["connection", "target_metadata", "url", "as_sql"])
def test_context_option_of_the_extension(apps: Apps, sqlite_url: str, key: str) -> None:
    """What the extension sets itself is refused, with a hint where to set it."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={key: None})

    with app.app_context(), pytest.raises(ConfigurationError) as info:
        alembic.current()

    assert info.value.key == key
    assert info.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("script_location", None),
        ("script_location", 5),
        ("script_location", ""),
        ("script_location", ["a"]),
        ("version_locations", 5),
        ("version_locations", {"a": "b"}),
        ("version_locations", [5]),
        ("version_locations", [("a",)]),
        ("version_locations", [("a", "b", "c")]),
        ("version_locations", [(1, "a")]),
        ("version_locations", [("a", None)]),
        ("path_separator", "x"),
        ("path_separator", 5),
        ("file_template", object()),
        ("timezone", len),
        ("output_encoding", [b"utf-8"]),
        ("truncate_slug_length", "many"),
        ("truncate_slug_length", True),
        ("truncate_slug_length", -1),
    ],
)
def test_option_of_a_wrong_type(apps: Apps, key: str, value: object) -> None:
    """A value that can't be used is an error that names the key and the value."""
    app = apps.flask(ALEMBIC={key: value})

    with pytest.raises(ConfigurationError) as info:
        alembic = Alembic(app)

        with app.app_context():
            alembic.heads()

    assert info.value.key == key
    assert f"ALEMBIC['{key}']" in str(info.value)


@pytest.mark.parametrize("section", ["ALEMBIC", "ALEMBIC_CONTEXT"])
@pytest.mark.parametrize("value", [[], "migrations", 5, [("script_location", "x")]])
def test_section_of_a_wrong_type(apps: Apps, section: str, value: object) -> None:
    """Both keys hold a dict."""
    app = apps.flask()
    app.config[section] = value

    with pytest.raises(ConfigurationError) as info:
        Alembic(app)

    assert info.value.key == section
    assert section in str(info.value)


@pytest.mark.parametrize("key", [5, None, ("a", "b")])
def test_key_of_a_wrong_type(apps: Apps, key: t.Any) -> None:
    """A key is a text."""
    app = apps.flask(ALEMBIC={key: "x"})

    with pytest.raises(ConfigurationError, match="a key must be a str"):
        Alembic(app)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("compare_type", "yes"),
        ("compare_server_default", 1),
        ("include_object", "todo"),
        ("include_name", ["todo"]),
        ("include_schemas", ["public"]),
        ("process_revision_directives", ["len"]),
        ("render_as_batch", "auto"),
        ("transaction_per_migration", 1),
        ("version_table", 5),
        ("version_table_schema", ["public"]),
    ],
)
def test_context_option_of_a_wrong_type(
    apps: Apps, sqlite_url: str, key: str, value: object
) -> None:
    """So it is for the options of the context."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={key: value})

    with app.app_context(), pytest.raises(ConfigurationError) as info:
        alembic.current()

    assert info.value.key == key
    assert f"ALEMBIC_CONTEXT['{key}'] = {value!r}" in str(info.value)


def test_configuration_error_is_a_runtime_error() -> None:
    """Code that catches what extensions usually raise catches it."""
    assert issubclass(ConfigurationError, RuntimeError)


# How migrations run


def run_settings(apps: Apps, **options: t.Any) -> RunSettings:
    """What the keys of ours become."""
    app = apps.flask(ALEMBIC=options)
    alembic = Alembic(app, run_mkdir=False)

    with app.app_context():
        return alembic.settings.run


def test_run_settings_are_known_options() -> None:
    """Every key of ours is known, so that a misspelling of it is found."""
    assert KEYS - KNOWN_OPTIONS == set()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_run_setting_is_not_passed_on(apps: Apps, sqlite_url: str, key: str) -> None:
    """Alembic is not told the keys of ours; ``None`` stands for the default."""
    default = getattr(RunSettings(), key)
    assert getattr(run_settings(apps, **{key: None}), key) == default
    app, alembic = apps.plain(sqlite_url, ALEMBIC={key: default})
    assert option(app, alembic, key) is None

    with app.app_context():
        assert alembic.config.get_section(key) is None


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        *((key, True, True) for key in ("lock", "show_queries", "journal", "history")),
        *((key, False, False) for key in ("lock", "show_queries", "journal")),
        ("history", "False", False),
        ("lock", "true", True),
        ("lock", migrate, migrate),
        ("lock_timeout", 5, 5.0),
        ("lock_timeout", 0, 0.0),
        ("lock_timeout", "0.5", 0.5),
        ("ddl_lock_timeout", 1.5, 1.5),
        ("ddl_lock_timeout", "0", 0.0),
        ("ddl_lock_retries", 0, 0),
        ("ddl_lock_retries", "3", 3),
        ("ddl_lock_retries", 3.0, 3),
        *(("changed_revisions", name, name) for name in ("ignore", "warn", "error")),
        ("protected", True, True),
        ("protected", "true", True),
        ("protected", "False", False),
        ("protected", "default", ("default",)),
        ("protected", "default, my archive,", ("default", "my archive")),
        ("protected", ["default", "a, b"], ("default", "a, b")),
        ("protected", {"default"}, ("default",)),
        ("protected", [], ()),
    ],
)
def test_run_setting(apps: Apps, key: str, value: object, expected: object) -> None:
    """A value of the right type counts, and so does a text such as in an ini file."""
    found = getattr(run_settings(apps, **{key: value}), key)
    assert found == expected
    assert type(found) is type(expected)


SECONDS: t.Final = "must be a number of seconds, 0 or more."
COUNT: t.Final = "must be a whole number, 0 or more."
BOOLEAN: t.Final = "must be true or false."
REACTION: t.Final = "must be one of 'ignore', 'warn', 'error'."
PROTECTED: t.Final = "must be true, false or a list of databases."


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("lock", "sometimes", BOOLEAN),
        ("lock", 1, BOOLEAN),
        ("journal", "yes", BOOLEAN),
        ("history", [], BOOLEAN),
        ("show_queries", {}, BOOLEAN),
        ("lock_timeout", -1, SECONDS),
        ("lock_timeout", "soon", SECONDS),
        ("lock_timeout", "", SECONDS),
        ("lock_timeout", True, SECONDS),
        ("lock_timeout", float("nan"), SECONDS),
        ("lock_timeout", "inf", SECONDS),
        ("lock_timeout", [], SECONDS),
        ("ddl_lock_timeout", -0.1, SECONDS),
        ("ddl_lock_timeout", False, SECONDS),
        ("ddl_lock_retries", -1, COUNT),
        ("ddl_lock_retries", 2.5, COUNT),
        ("ddl_lock_retries", "2.5", COUNT),
        ("ddl_lock_retries", "often", COUNT),
        ("ddl_lock_retries", True, COUNT),
        ("ddl_lock_retries", float("inf"), COUNT),
        ("changed_revisions", "Warn", REACTION),
        ("changed_revisions", True, REACTION),
        ("changed_revisions", [], REACTION),
        ("protected", 1, PROTECTED),
        ("protected", ["a", 1], PROTECTED),
        ("protected", {"default": 1}, PROTECTED),
    ],
)
def test_run_setting_of_a_wrong_type(
    apps: Apps, key: str, value: object, problem: str
) -> None:
    """A value that can't be used is an error that says what it should be."""
    with pytest.raises(ConfigurationError) as info:
        run_settings(apps, **{key: value})

    assert str(info.value) == f"ALEMBIC[{key!r}] = {value!r} {problem}"
    assert info.value.key == key


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lock_timeot", "lock_timeout"),
        ("ddl_lock_timout", "ddl_lock_timeout"),
        ("ddl_lock_retry", "ddl_lock_retries"),
        ("show_querys", "show_queries"),
        ("journals", "journal"),
        ("histroy", "history"),
        ("changed_revision", "changed_revisions"),
        ("protect", "protected"),
    ],
)
def test_misspelt_run_setting(apps: Apps, key: str, meant: str) -> None:
    """A misspelt key of ours is an error that names the right one."""
    with pytest.raises(ConfigurationError) as info:
        run_settings(apps, **{key: True})

    assert str(info.value) == (
        f"ALEMBIC[{key!r}] = True is not an option: did you mean '{meant}'?"
    )


@pytest.mark.parametrize(
    ("protected", "expected"),
    [
        (True, {"default": True, "other": True}),
        (False, {"default": False, "other": False}),
        (["other"], {"default": False, "other": True}),
    ],
)
def test_which_are_protected(
    apps: Apps, protected: object, expected: dict[str, bool]
) -> None:
    """All databases are protected, none, or those of a list."""
    found = run_settings(apps, protected=protected)
    assert {name: found.is_protected(name) for name in expected} == expected


# The metadatas argument


class Model(DeclarativeBase):
    """The base of some models."""


class Todo(Model):
    """A model."""

    __tablename__ = "todo"
    id = sa.Column(sa.Integer, primary_key=True)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
@pytest.mark.parametrize("in_dict", [True, False])
def test_several_metadatas(
    url: str,
    apps: Apps,
    kind: t.Callable[[t.Iterable[sa.MetaData]], t.Collection[sa.MetaData]],
    in_dict: bool,
) -> None:
    """One database may have several metadatas, in any collection."""
    metadatas = kind([todo_metadata(), other_metadata()])
    value: t.Any = {"default": metadatas} if in_dict else metadatas
    app = apps.flask()
    alembic = Alembic(app, metadatas=value, engines=apps.engine(url))
    migrate(app, alembic)
    assert tables(url) == {"todo", "other", "alembic_version"}


def test_metadatas_of_flask_sqlalchemy(apps: Apps, tmp_path: Path) -> None:
    """Flask-SQLAlchemy's own dict can be passed, whose default has the key ``None``."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app = apps.flask(
        SQLALCHEMY_DATABASE_URI=urls["default"], SQLALCHEMY_BINDS={"auth": urls["auth"]}
    )
    db = SQLAlchemy()
    db.Table("todo", sa.Column("id", sa.Integer, primary_key=True))
    db.Table("user", sa.Column("id", sa.Integer, primary_key=True), bind_key="auth")
    db.init_app(app)
    alembic = Alembic(app, metadatas=db.metadatas)
    migrate(app, alembic)
    assert tables(urls["default"]) == {"todo", "alembic_version"}
    assert tables(urls["auth"]) == {"user", "alembic_version"}

    with app.app_context():
        assert set(alembic.databases) == {"default", "auth"}

        for engine in db.engines.values():
            engine.dispose()


def test_metadata_without_a_name_is_the_default(apps: Apps, sqlite_url: str) -> None:
    """``None`` is another name of the default database, for engines as well."""
    app = apps.flask()
    metadatas: dict[str | None, sa.MetaData] = {None: todo_metadata()}
    engines: dict[str | None, sa.Engine] = {None: apps.engine(sqlite_url)}
    alembic = Alembic(app, metadatas=metadatas, engines=engines)
    migrate(app, alembic)
    assert tables(sqlite_url) == {"todo", "alembic_version"}


@pytest.mark.parametrize("name", ["default", "users", "auth-db", "1st", "class", "ž ů"])
def test_only_database_has_any_name(apps: Apps, sqlite_url: str, name: str) -> None:
    """A single database may be called anything."""
    app = apps.flask()
    metadatas: dict[str | None, sa.MetaData] = {name: todo_metadata()}
    alembic = Alembic(app, metadatas=metadatas, engines=apps.engine(sqlite_url))
    migrate(app, alembic)
    assert tables(sqlite_url) == {"todo", "alembic_version"}

    with app.app_context():
        assert set(alembic.migration_contexts) == {name}
        assert alembic.migration_context is alembic.migration_contexts[name]
        assert alembic.op is alembic.ops[name]


@pytest.mark.parametrize("value", [Model, Todo, SQLAlchemy(), [Model], {"a": Todo}])
def test_model_instead_of_its_metadata(value: t.Any) -> None:
    """The usual mistake: the class, or the extension, and not its metadata."""
    with pytest.raises(ConfigurationError) as info:
        Alembic(metadatas=value)

    assert "metadatas" in str(info.value)
    assert info.value.hint is not None
    assert ".metadata'" in info.value.hint


@pytest.mark.parametrize("value", ["todo", 5, [5], {"a": None}, {"a": [None]}])
def test_metadatas_of_a_wrong_type(value: t.Any) -> None:
    """What is no metadata is an error that shows it."""
    with pytest.raises(ConfigurationError, match="metadatas holds"):
        Alembic(metadatas=value)


@pytest.mark.parametrize("argument", ["metadatas", "engines"])
def test_name_of_a_wrong_type(apps: Apps, sqlite_url: str, argument: str) -> None:
    """A database is named by a text."""
    values = {"metadatas": todo_metadata(), "engines": apps.engine(sqlite_url)}
    arguments: t.Any = {argument: {5: values[argument]}}

    with pytest.raises(ConfigurationError, match="not a str: 5"):
        Alembic(**arguments)


@pytest.mark.parametrize(
    "names", [("auth-db", "auth_db"), ("a b", "a-b"), (None, "default")]
)
def test_names_that_can_not_be_told_apart(names: tuple[str | None, str]) -> None:
    """Names that would be the same in a revision, or are the same, are refused."""
    metadatas: dict[str | None, sa.MetaData] = {name: todo_metadata() for name in names}

    with pytest.raises(ConfigurationError, match="apart|twice|two databases"):
        Alembic(metadatas=metadatas)


# The engines argument


@pytest.mark.parametrize(
    "value",
    ["sqlite://", sa.make_url("sqlite://"), 5, ["sqlite://"], {"a": "sqlite://"}],
)
def test_engines_of_a_wrong_type(value: t.Any) -> None:
    """A URL is no engine."""
    with pytest.raises(ConfigurationError, match="engines holds"):
        Alembic(engines=value)


@pytest.mark.parametrize("named", [False, True])
def test_async_engine(named: bool) -> None:
    """An async engine is as good as a sync one."""
    engine = create_async_engine("postgresql+psycopg://localhost/x")
    alembic = Alembic(engines={"default": engine} if named else engine)
    assert alembic.engines == {"default": engine}


@pytest.mark.parametrize("metadatas", [None, {"a": sa.MetaData(), "b": sa.MetaData()}])
def test_nothing_to_migrate(apps: Apps, sqlite_url: str, metadatas: t.Any) -> None:
    """Without metadata, or with metadata that has no engine, the error says what to
    pass.
    """
    app = apps.flask()
    alembic = Alembic(app, metadatas=metadatas, engines={"a": apps.engine(sqlite_url)})

    with app.app_context(), pytest.raises(ConfigurationError) as info:
        alembic.upgrade()

    assert info.value.hint is not None
    assert "Alembic(" in info.value.hint


# Registering


def test_second_extension(apps: Apps) -> None:
    """Two extensions would read the same config: the second one is refused."""
    app = apps.flask()
    first = Alembic(app)

    with pytest.raises(ConfigurationError, match="has an Alembic extension already"):
        Alembic(app)

    assert app.extensions["alembic"] is first


def test_same_extension_again(apps: Apps, sqlite_url: str) -> None:
    """Calling init_app twice does no harm."""
    app, alembic = apps.plain(sqlite_url)
    alembic.init_app(app)
    migrate(app, alembic)
    assert len(app.teardown_appcontext_funcs) == 1


def test_one_extension_for_several_apps(apps: Apps, tmp_path: Path) -> None:
    """Each app has its own folder and databases."""
    db = SQLAlchemy()
    db.Table("todo", sa.Column("id", sa.Integer, primary_key=True))
    alembic = Alembic()
    made = []

    for name in ("one", "two"):
        url = f"sqlite:///{tmp_path / name}.db"
        app = apps.flask(SQLALCHEMY_DATABASE_URI=url)
        db.init_app(app)
        alembic.init_app(app)
        made.append((app, url))

    (one, url_one), (two, url_two) = made
    migrate(one, alembic)
    assert tables(url_one) == {"todo", "alembic_version"}
    assert tables(url_two) == set()

    with two.app_context():
        assert alembic.heads() == ()

    for app, _ in made:
        with app.app_context():
            db.engine.dispose()


def test_config_of_the_user_is_left_alone(apps: Apps, sqlite_url: str) -> None:
    """The user's dicts may be shared by apps, and are not changed."""
    config = {"version_locations": ["other"], "post_write_hooks": {"hooks": ""}}
    context = {"compare_type": True}
    before = copy.deepcopy((config, context))

    for _ in range(2):
        app, alembic = apps.plain(sqlite_url, ALEMBIC=config, ALEMBIC_CONTEXT=context)
        assert app.config["ALEMBIC"] is not config
        app.config["ALEMBIC"]["mine"] = "x"
        app.config["ALEMBIC_CONTEXT"]["version_table"] = "mine"

        with app.app_context():
            alembic.revision("todo", empty=True)

    assert (config, context) == before


def test_defaults_are_not_shared(apps: Apps) -> None:
    """What one app adds to its defaults is not another app's."""
    one, two = apps.flask(), apps.flask()
    Alembic(one)
    Alembic(two)
    one.config["ALEMBIC"]["version_locations"].append("other")
    assert two.config["ALEMBIC"]["version_locations"] == []


def test_defaults_are_filled_in(apps: Apps) -> None:
    """After init_app the config shows what is used."""
    app = apps.flask(ALEMBIC={"timezone": "UTC"})
    Alembic(app)
    assert app.config["ALEMBIC"] == {
        "script_location": "migrations",
        "version_locations": [],
        "path_separator": "os",
        "timezone": "UTC",
    }
    assert app.config["ALEMBIC_CONTEXT"] == {"compare_server_default": True}


def test_config_without_defaults(apps: Apps, sqlite_url: str) -> None:
    """The dicts may be replaced later by shorter ones."""
    app, alembic = apps.plain(sqlite_url)
    app.config["ALEMBIC"] = {}
    app.config["ALEMBIC_CONTEXT"] = None
    migrate(app, alembic)


# The command group


@pytest.mark.parametrize("name", ["db", "migrate", "my-db"])
def test_command_name(apps: Apps, sqlite_url: str, name: str) -> None:
    """The group is called as one likes."""
    app = apps.flask()
    Alembic(
        app,
        metadatas=todo_metadata(),
        engines=apps.engine(sqlite_url),
        command_name=name,
    )
    result = app.test_cli_runner().invoke(args=[name, "heads"])
    assert result.exit_code == 0, result.output
    assert list(app.cli.commands) == [name]


def test_no_commands(apps: Apps) -> None:
    """The empty string adds no group."""
    app = apps.flask()
    Alembic(app, command_name="")
    assert not app.cli.commands


def test_each_app_has_its_own_group(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """A command that one app adds to the group is not in another app's."""
    one, _ = apps.plain(sqlite_url)
    two, _ = apps.plain(sqlite_url)
    group = one.cli.commands["db"]
    assert isinstance(group, click.Group)

    @group.command()
    def seed() -> None:
        click.echo("seeded")

    assert db(one, "seed").output == "seeded\n"
    assert db(one, "heads").exit_code == 0
    assert db(two, "seed").exit_code == 2
    assert "seed" in db(one, "--help").output
    assert "seed" not in db(two, "--help").output


# Folders


def test_folder_can_not_be_made(apps: Apps, sqlite_url: str) -> None:
    """An app whose folder can't be made starts all the same, with a warning."""
    app = apps.flask()
    Path(app.root_path, "migrations").write_text("a file in the way")

    alembic = Alembic(metadatas=todo_metadata(), engines=apps.engine(sqlite_url))

    with pytest.warns(UserWarning, match="migrations folder can't be made") as caught:
        alembic.init_app(app)

    assert caught[0].filename == __file__

    with app.app_context(), pytest.raises(FlaskAlembicError) as info:
        alembic.heads()

    assert "is not a folder" in str(info.value)
    assert info.value.hint is not None
    assert "flask db mkdir" in info.value.hint


def test_read_only_root() -> None:
    """So does one that lies where nothing can be written, as root neither."""
    app = Flask("app", root_path="/proc/self")

    with pytest.warns(UserWarning, match="migrations folder can't be made"):
        alembic = Alembic(app)

    with app.app_context():
        assert app.extensions["alembic"] is alembic

        with pytest.raises(FlaskAlembicError, match="does not exist"):
            alembic.heads()

        with pytest.raises(OSError):
            alembic.mkdir()


def test_template_can_not_be_made(apps: Apps, sqlite_url: str) -> None:
    """Where only the template is missing nothing is said: the one that comes with the
    extension serves.
    """
    app = apps.flask()
    write_revision(app, "r1")
    # A link that leads nowhere can't be written, also by root.
    Path(app.root_path, "migrations", "script.py.mako").symlink_to("/proc/self/x/y")
    alembic = Alembic(app, metadatas=todo_metadata(), engines=apps.engine(sqlite_url))

    with app.app_context():
        alembic.upgrade()
        assert [script.revision for script in alembic.current()] == ["r1"]


@pytest.mark.parametrize("several", [True, False])
def test_app_without_a_template(apps: Apps, tmp_path: Path, several: bool) -> None:
    """An app may be shipped without ``script.py.mako``, and none is made for it."""
    names = ["default", "other"] if several else ["default"]
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in names}
    app, alembic = apps.several(urls)
    template = Path(app.root_path, "migrations", "script.py.mako")
    template.unlink()
    migrate(app, alembic)
    assert not template.exists()

    for url in urls.values():
        assert tables(url) == {"todo", "alembic_version"}


def test_folder_is_not_made_unasked(apps: Apps, sqlite_url: str) -> None:
    """With ``run_mkdir=False`` nothing is made until somebody calls mkdir."""
    app = apps.flask()
    alembic = Alembic(
        app,
        metadatas=todo_metadata(),
        engines=apps.engine(sqlite_url),
        run_mkdir=False,
    )

    with app.app_context():
        with pytest.raises(FlaskAlembicError, match="does not exist") as info:
            alembic.heads()

        assert info.value.hint is not None
        assert "mkdir" in info.value.hint
        assert list(Path(app.root_path).iterdir()) == []
        alembic.mkdir()

    migrate(app, alembic)


def test_template_of_the_user_stays(apps: Apps, sqlite_url: str) -> None:
    """A template that exists is never written over."""
    app, alembic = apps.plain(sqlite_url)
    template = Path(app.root_path, "migrations", "script.py.mako")
    template.write_text(f"{template.read_text()}\n# our own\n")

    with app.app_context():
        alembic.mkdir()
        (script,) = alembic.revision("todo")
        assert script is not None
        assert Path(script.path).read_text().endswith("# our own\n")


# SQLite


def test_columns_of_sqlite_can_be_altered(apps: Apps, sqlite_url: str) -> None:
    """SQLite alters no columns; revisions for it copy the table."""
    app, alembic = apps.plain(sqlite_url)
    migrate(app, alembic)
    changed = sa.MetaData()
    sa.Table(
        "todo",
        changed,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.String(99), nullable=False, server_default="x"),
    )
    alembic.metadatas = {"default": changed}

    with app.app_context():
        (script,) = alembic.revision("longer")
        assert script is not None
        assert "batch_alter_table" in Path(script.path).read_text()

    with app.app_context():
        alembic.upgrade()
        assert alembic.compare_metadata() == []


@pytest.mark.parametrize("on", [True, False])
def test_batch_mode_of_the_user(apps: Apps, sqlite_url: str, on: bool) -> None:
    """The user's own choice is kept."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={"render_as_batch": on})

    with app.app_context():
        assert alembic.migration_context.opts["render_as_batch"] is on
