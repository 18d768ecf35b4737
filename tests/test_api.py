"""The Python API: names, signatures, what is returned, and the seams of subclasses."""

from __future__ import annotations

import copy
import inspect
import re
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import MigrationScript
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep
from alembic.script import Script
from alembic.script import ScriptDirectory
from flask import Flask

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import CheckReport
from flask_alembic import ConnectionFailed
from flask_alembic import Differences
from flask_alembic import HistoryError
from flask_alembic import MigrationFailed
from flask_alembic import MigrationReport
from flask_alembic import MultipleHeadsError
from flask_alembic import NewRevisions
from flask_alembic import TargetError
from flask_alembic import UnknownRevisionError

if t.TYPE_CHECKING:
    from flask_alembic.scripts import RevisionIndex

EMPTY: t.Final = inspect.Parameter.empty
POSITIONAL: t.Final = inspect.Parameter.POSITIONAL_OR_KEYWORD
KEYWORD: t.Final = inspect.Parameter.KEYWORD_ONLY
VARIABLE: t.Final = inspect.Parameter.VAR_KEYWORD

SIGNATURES: dict[str, list[tuple[str, t.Any]]] = {
    "branches": [],
    "compare_metadata": [],
    "current": [],
    "downgrade": [("target", -1)],
    "heads": [("resolve_dependencies", False)],
    "init_app": [("app", EMPTY)],
    "log": [("start", "base"), ("end", "heads")],
    "merge": [("revisions", "heads"), ("message", None), ("label", None)],
    "mkdir": [],
    "needs_revision": [],
    "needs_upgrade": [],
    "produce_migrations": [],
    "rev_id": [],
    "revision": [
        ("message", EMPTY),
        ("empty", False),
        ("branch", "default"),
        ("parent", "head"),
        ("splice", False),
        ("depend", None),
        ("label", None),
        ("path", None),
    ],
    "run_migrations": [("fn", EMPTY)],
    "stamp": [("target", "heads")],
    "upgrade": [("target", "heads")],
}
PROPERTIES: dict[str, type[object]] = {
    "config": Config,
    "context": MigrationContext,
    "env": EnvironmentContext,
    "environment_context": EnvironmentContext,
    "migration_context": MigrationContext,
    "migration_contexts": dict,
    "op": Operations,
    "ops": dict,
    "script": ScriptDirectory,
    "script_directory": ScriptDirectory,
}


def ids(scripts: t.Iterable[Script | None]) -> list[str]:
    return [script.revision for script in scripts if script is not None]


@pytest.fixture
def chain(sqlite_url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app with the revisions ``aaaa1``, ``bbbb2``, ``cccc3``, none applied."""
    app, alembic = apps.plain(sqlite_url)
    create = "op.create_table({!r}, sa.Column('id', sa.Integer))"
    previous = None

    for id_ in ("aaaa1", "bbbb2", "cccc3"):
        write_revision(
            app,
            id_,
            previous,
            upgrade=create.format(id_),
            downgrade=f"op.drop_table({id_!r})",
        )
        previous = id_

    return app, alembic


# Names and signatures


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name: str) -> None:
    """A method takes the same arguments, in the same order, with the same defaults.
    Others can only be given by name.
    """
    parameters = inspect.signature(getattr(Alembic(), name)).parameters.values()
    variable = {p.name for p in parameters if p.kind is VARIABLE}
    assert variable == ({"kwargs"} if name == "run_migrations" else set())
    assert [
        (p.name, p.default) for p in parameters if p.kind not in {KEYWORD, VARIABLE}
    ] == SIGNATURES[name]
    assert {p.kind for p in parameters} <= {POSITIONAL, KEYWORD, VARIABLE}


def test_constructor_signature() -> None:
    """The constructor takes the app, and the rest by name."""
    parameters = inspect.signature(Alembic).parameters.values()
    assert [(p.name, p.default) for p in parameters if p.kind is POSITIONAL] == [
        ("app", None)
    ]
    known = {p.name: p.default for p in parameters if p.kind is KEYWORD}
    assert (
        known.items()
        >= {
            "run_mkdir": True,
            "command_name": "db",
            "metadatas": None,
            "engines": None,
        }.items()
    )


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(sqlite_url: str, apps: Apps, name: str) -> None:
    """A property gives Alembic's object, the same one until the app context ends."""
    assert isinstance(inspect.getattr_static(Alembic, name), property)
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        found = getattr(alembic, name)
        assert isinstance(found, PROPERTIES[name])
        assert getattr(alembic, name) is found


def test_contexts_by_name(sqlite_url: str, apps: Apps) -> None:
    """The plural names hold what the singular ones are, under the database's name."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        assert alembic.migration_contexts == {"default": alembic.migration_context}
        assert alembic.ops == {"default": alembic.op}


def test_return_types(sqlite_url: str, apps: Apps) -> None:
    """What methods return, before there is a revision and after."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        assert alembic.current() == ()
        assert alembic.heads() == ()
        assert alembic.log() == []
        assert alembic.branches() == []
        assert alembic.needs_upgrade() is False
        assert alembic.needs_revision() is True
        assert alembic.mkdir() is None  # type: ignore[func-returns-value]
        assert alembic.merge() is None

        differences = alembic.compare_metadata()
        assert isinstance(differences, list)
        assert isinstance(differences, Differences)
        assert [diff[0] for diff in differences] == ["add_table"]
        assert isinstance(alembic.produce_migrations(), MigrationScript)

        written = alembic.revision("made changes")
        assert isinstance(written, list)
        assert isinstance(written, NewRevisions)
        (script,) = written
        assert isinstance(script, Script)

        assert alembic.needs_upgrade() is True
        assert isinstance(alembic.upgrade(), MigrationReport)
        assert alembic.needs_upgrade() is False
        assert alembic.needs_revision() is False
        assert alembic.current() == (script,)
        assert alembic.heads() == (script,)
        assert alembic.log() == [script]
        assert alembic.branches() == []
        assert alembic.show("head") == [script]
        assert isinstance(alembic.check(), CheckReport)
        assert isinstance(alembic.downgrade(), MigrationReport)
        assert isinstance(alembic.stamp(), MigrationReport)


# The app


def test_extension_object(apps: Apps) -> None:
    """``app.extensions["alembic"]`` is the object."""
    app = apps.flask()
    alembic = Alembic()
    assert alembic.init_app(app) is None  # type: ignore[func-returns-value]
    assert app.extensions["alembic"] is alembic


def test_init_app_twice(apps: Apps) -> None:
    """The same object may be registered again: nothing changes."""
    app = apps.flask()
    alembic = Alembic(app)
    alembic.init_app(app)
    assert app.extensions["alembic"] is alembic


@pytest.mark.parametrize("name", ["db", "database", ""])
def test_command_name(apps: Apps, name: str) -> None:
    """``command_name`` names the command group, and nothing adds none."""
    app = apps.flask()
    before = set(app.cli.commands)
    alembic = Alembic(app, command_name=name)
    assert set(app.cli.commands) - before == ({name} if name else set())
    assert alembic.command_name == name


def test_run_mkdir(apps: Apps) -> None:
    """``run_mkdir=False`` leaves the folder to :meth:`mkdir`."""
    app = apps.flask()
    alembic = Alembic(app, run_mkdir=False)
    assert alembic.run_mkdir is False
    folder = Path(app.root_path, "migrations")
    assert not folder.exists()

    with app.app_context():
        alembic.mkdir()
        alembic.mkdir()

    assert (folder / "script.py.mako").is_file()


def test_mkdir_makes_version_locations(apps: Apps) -> None:
    """``mkdir`` makes the script location and the version locations."""
    locations = ["plain", ("users", "deep/users")]
    config = {"script_location": "db/scripts", "version_locations": locations}
    app = apps.flask(ALEMBIC=config)
    Alembic(app)
    root = Path(app.root_path)
    assert {str(p.relative_to(root)) for p in root.rglob("*") if p.is_dir()} == {
        "db",
        "db/scripts",
        "deep",
        "deep/users",
        "plain",
    }


def test_defaults(apps: Apps) -> None:
    """The defaults are filled in to the app's config."""
    app = apps.flask()
    Alembic(app)
    assert app.config["ALEMBIC"] == {
        "script_location": "migrations",
        "version_locations": [],
        "path_separator": "os",
    }
    assert app.config["ALEMBIC_CONTEXT"] == {"compare_server_default": True}


def test_defaults_leave_what_is_set(apps: Apps) -> None:
    """What the user set stays, beside the defaults."""
    app = apps.flask(
        ALEMBIC={"script_location": "scripts", "file_template": "%(rev)s"},
        ALEMBIC_CONTEXT={"compare_server_default": False, "compare_type": False},
    )
    Alembic(app)
    assert app.config["ALEMBIC"] == {
        "script_location": "scripts",
        "file_template": "%(rev)s",
        "version_locations": [],
        "path_separator": "os",
    }
    assert app.config["ALEMBIC_CONTEXT"] == {
        "compare_server_default": False,
        "compare_type": False,
    }


def test_dicts_of_the_user_stay(sqlite_url: str, apps: Apps) -> None:
    """The user's own dicts, which several apps may share, are not changed."""
    options: dict[str, t.Any] = {"version_locations": [("users", "users")]}
    context: dict[str, t.Any] = {"compare_type": True}
    metadatas = {"default": todo_metadata()}
    engines = {"default": apps.engine(sqlite_url)}
    before = copy.deepcopy((options, context)), dict(metadatas), dict(engines)
    app = apps.flask(ALEMBIC=options, ALEMBIC_CONTEXT=context)
    alembic = Alembic(app, metadatas=metadatas, engines=engines)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()

    assert ((options, context), metadatas, engines) == before


def test_config_is_read_late(sqlite_url: str, apps: Apps) -> None:
    """What is set after ``init_app`` counts, until the next app context."""
    app, alembic = apps.plain(sqlite_url)
    app.config["ALEMBIC"]["file_template"] = "late_%(rev)s"

    with app.app_context():
        (script,) = alembic.revision("made changes")
        assert script is not None
        assert Path(script.path).name == f"late_{script.revision}.py"
        assert alembic.config.get_main_option("file_template") == "late_%(rev)s"


def test_two_apps(tmp_path: Path, apps: Apps) -> None:
    """One object serves several apps, also one inside of the other."""
    alembic = Alembic(metadatas=todo_metadata())
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")}
    flasks = {}

    from flask_sqlalchemy_lite import SQLAlchemy

    db = SQLAlchemy()

    for name, url in urls.items():
        flasks[name] = apps.flask(name, SQLALCHEMY_ENGINES={"default": url})
        db.init_app(flasks[name])
        alembic.init_app(flasks[name])

    with flasks["one"].app_context():
        alembic.revision("first")
        one = alembic.script_directory

        with flasks["two"].app_context():
            assert alembic.log() == []
            alembic.revision("second")
            alembic.upgrade()
            assert [script.doc for script in alembic.current()] == ["second"]
            assert tables(urls["one"]) == set()
            db.engine.dispose()

        assert alembic.script_directory is one
        assert alembic.current() == ()
        alembic.upgrade()
        assert [script.doc for script in alembic.current()] == ["first"]
        db.engine.dispose()

    assert tables(urls["one"]) == tables(urls["two"]) == {"alembic_version", "todo"}


# Ids


def test_rev_id() -> None:
    """An id is the seconds since 1970, and each is greater than the one before."""
    alembic = Alembic()
    found = [alembic.rev_id() for _ in range(3)]
    assert all(re.fullmatch(r"\d{10,}", id_) for id_ in found)
    assert found == sorted(set(found), key=int)


def test_revisions_within_a_second(sqlite_url: str, apps: Apps) -> None:
    """Revisions that are made at the same time get ids of their own."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        made = [alembic.revision(f"r{n}", empty=True)[0] for n in range(3)]
        assert ids(alembic.log()) == list(reversed(ids(made)))


def test_rev_id_of_a_subclass(sqlite_url: str, apps: Apps) -> None:
    """A subclass may give ids of its own: ``revision`` and ``merge`` use them."""

    class Numbered(Alembic):
        number = 0

        def rev_id(self) -> str:
            self.number += 1
            return f"{self.number:04}"

    app, alembic = apps.plain(sqlite_url, extension=Numbered)

    with app.app_context():
        assert ids(alembic.revision("a")) == ["0001"]
        alembic.upgrade()
        assert ids(alembic.revision("b", empty=True)) == ["0002"]
        assert ids(alembic.revision("c", True, parent="0001", splice=True)) == ["0003"]
        merged = alembic.merge()
        assert merged is not None
        assert merged.revision == "0004"


def test_rev_id_assigned(sqlite_url: str, apps: Apps) -> None:
    """A function may be assigned instead."""
    app, alembic = apps.plain(sqlite_url)
    alembic.rev_id = lambda: "mine"  # type: ignore[method-assign]

    with app.app_context():
        assert ids(alembic.revision("a", empty=True)) == ["mine"]


def test_rev_id_again(sqlite_url: str, apps: Apps) -> None:
    """A function that gives an id twice is told, and nothing is written."""
    app, alembic = apps.plain(sqlite_url)
    alembic.rev_id = lambda: "mine"  # type: ignore[method-assign]

    with app.app_context():
        alembic.revision("a", empty=True)

        with pytest.raises(HistoryError) as caught:
            alembic.revision("b", empty=True)

    assert str(caught.value) == (
        "rev_id() returned 'mine', which is the id of another revision."
    )
    assert caught.value.hint == "Let it return a new id at each call."
    assert len(list(Path(app.root_path, "migrations").glob("*.py"))) == 1


# Targets


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (1, "aaaa1"),
        (3, "cccc3"),
        ("1", "aaaa1"),
        ("2", "bbbb2"),
        ("+1", "aaaa1"),
        ("aaaa1", "aaaa1"),
        ("aaaa", "aaaa1"),
        ("aaaa1+1", "bbbb2"),
        ("head", "cccc3"),
        ("heads", "cccc3"),
        (["bbbb2"], "bbbb2"),
        (("bbbb2",), "bbbb2"),
    ],
)
def test_upgrade_target(
    chain: tuple[Flask, Alembic], target: int | str | list[str], expected: str
) -> None:
    """``upgrade`` goes to an id, a part of one, a symbol, or a number of steps."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade(target)
        assert ids(alembic.current()) == [expected]


def test_upgrade_by_default(chain: tuple[Flask, Alembic]) -> None:
    """``upgrade`` goes to the heads, and the report tells what ran."""
    app, alembic = chain

    with app.app_context():
        report = alembic.upgrade()

    assert report.databases == {"default": ("cccc3",)}
    steps = [(s.database, s.revision, s.direction, s.message) for s in report.steps]
    assert steps == [
        ("default", "aaaa1", "upgrade", "aaaa1"),
        ("default", "bbbb2", "upgrade", "bbbb2"),
        ("default", "cccc3", "upgrade", "cccc3"),
    ]

    with app.app_context():
        assert alembic.upgrade() == MigrationReport((), {"default": ("cccc3",)})


def test_script_as_target(chain: tuple[Flask, Alembic]) -> None:
    """Wherever a revision is named, the ``Script`` will do, or a list of them."""
    app, alembic = chain

    with app.app_context():
        third, second, first = alembic.log()
        alembic.upgrade(second)
        assert alembic.current() == (second,)
        alembic.upgrade([third])
        assert alembic.current() == (third,)
        alembic.downgrade(first)
        assert alembic.current() == (first,)
        alembic.stamp(third)
        assert alembic.current() == (third,)
        alembic.stamp([second])
        assert alembic.current() == (second,)
        assert alembic.log(second, third) == [third, second]
        assert alembic.show([first, third]) == [first, third]
        assert alembic.show(first) == [first]
        assert alembic.merge([first, first]) is None
        (written,) = alembic.revision("d", empty=True, parent=third, depend=first)
        assert written is not None
        assert written.down_revision == "cccc3"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (-1, "bbbb2"),
        (-2, "aaaa1"),
        (-3, None),
        (1, "bbbb2"),
        ("-2", "aaaa1"),
        ("2", "aaaa1"),
        ("aaaa1", "aaaa1"),
        ("bbbb", "bbbb2"),
        ("base", None),
        ("cccc3-2", "aaaa1"),
    ],
)
def test_downgrade_target(
    chain: tuple[Flask, Alembic], target: int | str, expected: str | None
) -> None:
    """``downgrade`` goes to an id, a part of one, ``base``, or a number of steps."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade(target)
        assert ids(alembic.current()) == ([expected] if expected else [])


def test_downgrade_by_default(chain: tuple[Flask, Alembic]) -> None:
    """``downgrade`` goes one step, and the report tells which."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade()
        report = alembic.downgrade()

    assert [(step.revision, step.direction) for step in report.steps] == [
        ("cccc3", "downgrade")
    ]
    assert report.databases == {"default": ("bbbb2",)}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("heads", ["cccc3"]),
        ("head", ["cccc3"]),
        ("bbbb", ["bbbb2"]),
        ("base", []),
        (["aaaa1"], ["aaaa1"]),
    ],
)
def test_stamp_target(
    chain: tuple[Flask, Alembic], target: str | list[str], expected: list[str]
) -> None:
    """``stamp`` writes the version table, and runs nothing."""
    app, alembic = chain

    with app.app_context():
        report = alembic.stamp(target)
        assert ids(alembic.current()) == expected
        assert report.databases == {"default": tuple(expected)}
        assert [step.direction for step in report.steps] == ["stamp"] * len(expected)

    assert tables(str(alembic.engines["default"].url)) <= {"alembic_version"}


def test_stamp_down(chain: tuple[Flask, Alembic]) -> None:
    """``stamp`` goes down as well, and leaves the tables."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade()
        alembic.stamp("aaaa1")
        assert ids(alembic.current()) == ["aaaa1"]
        alembic.stamp("base")
        assert alembic.current() == ()

    found = tables(str(alembic.engines["default"].url))
    assert found == {"alembic_version", "aaaa1", "bbbb2", "cccc3"}


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        ("upgrade", 4, TargetError),
        ("upgrade", "nothing", UnknownRevisionError),
        ("upgrade", "nothing@head", UnknownRevisionError),
        ("upgrade", -1, TargetError),
        ("upgrade", ["aaaa1", "bbbb2"], TargetError),
        ("upgrade", True, TargetError),
        ("upgrade", None, TargetError),
        ("downgrade", -4, TargetError),
        ("downgrade", "nothing", UnknownRevisionError),
        ("downgrade", "+1", TargetError),
        ("downgrade", ["aaaa1", "bbbb2"], TargetError),
        ("stamp", "nothing", UnknownRevisionError),
        ("show", "nothing", UnknownRevisionError),
        ("show", "bbbb2-1", TargetError),
        ("log", "nothing", UnknownRevisionError),
    ],
)
def test_wrong_target(
    chain: tuple[Flask, Alembic], method: str, target: t.Any, error: type[TargetError]
) -> None:
    """A target that leads nowhere is an error, and nothing is done."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade("cccc3" if method == "downgrade" else "base")
        before = alembic.current()

        with pytest.raises(error):
            getattr(alembic, method)(target)

        assert alembic.current() == before


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("base", "heads", ["cccc3", "bbbb2", "aaaa1"]),
        ("base", "head", ["cccc3", "bbbb2", "aaaa1"]),
        ("base", "bbbb2", ["bbbb2", "aaaa1"]),
        ("bbbb", "heads", ["cccc3", "bbbb2"]),
        ("current", "heads", ["cccc3", "bbbb2"]),
        ("base", "current", ["bbbb2", "aaaa1"]),
        ("current", "current", ["bbbb2"]),
        ("aaaa1", "aaaa1+1", ["bbbb2", "aaaa1"]),
        ("base", "head-1", ["bbbb2", "aaaa1"]),
    ],
)
def test_log(
    chain: tuple[Flask, Alembic], start: str, end: str, expected: list[str]
) -> None:
    """``log`` gives the revisions from one to another, both included, newest first."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade("bbbb2")
        assert ids(alembic.log(start, end)) == expected
        assert ids(alembic.log(start=start, end=end)) == expected


def test_log_of_nothing_applied(chain: tuple[Flask, Alembic]) -> None:
    """``current`` is the base where nothing is applied."""
    app, alembic = chain

    with app.app_context():
        assert ids(alembic.log("current")) == ["cccc3", "bbbb2", "aaaa1"]
        assert alembic.log("base", "current") == []


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        ("head", ["cccc3"]),
        ("heads", ["cccc3"]),
        ("current", ["bbbb2"]),
        ("aaaa", ["aaaa1"]),
        (["cccc3", "aaaa1"], ["cccc3", "aaaa1"]),
        ("base", []),
    ],
)
def test_show(
    chain: tuple[Flask, Alembic], revisions: str | list[str], expected: list[str]
) -> None:
    """``show`` gives the revisions in the order asked for."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade("bbbb2")
        assert ids(alembic.show(revisions)) == expected


# Branches and dependencies


def test_branches(chain: tuple[Flask, Alembic]) -> None:
    """``branches`` gives the revisions where the history parts."""
    app, alembic = chain
    write_revision(app, "dddd4", "aaaa1")
    write_revision(app, "eeee5", "bbbb2")

    with app.app_context():
        assert ids(alembic.branches()) == ["bbbb2", "aaaa1"]
        assert sorted(ids(alembic.heads())) == ["cccc3", "dddd4", "eeee5"]

        with pytest.raises(MultipleHeadsError) as caught:
            alembic.upgrade("head")

        assert caught.value.heads == ("cccc3", "dddd4", "eeee5")
        alembic.upgrade("heads")
        assert sorted(ids(alembic.current())) == ["cccc3", "dddd4", "eeee5"]

        with pytest.raises(MultipleHeadsError):
            alembic.downgrade()

        alembic.downgrade("eeee5@-1")
        assert sorted(ids(alembic.current())) == ["cccc3", "dddd4"]


def test_dependencies(sqlite_url: str, apps: Apps) -> None:
    """A head that another revision depends on is none if dependencies are resolved,
    and after an upgrade there is nothing left to upgrade.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "aaaa1", branch_labels=("default",))
    write_revision(app, "uuuu1", branch_labels=("users",), depends_on="aaaa1")

    with app.app_context():
        assert sorted(ids(alembic.heads())) == ["aaaa1", "uuuu1"]
        assert ids(alembic.heads(resolve_dependencies=True)) == ["uuuu1"]
        assert ids(alembic.heads(True)) == ["uuuu1"]
        assert alembic.needs_upgrade()
        alembic.upgrade()
        assert not alembic.needs_upgrade()
        assert alembic.check().databases[0].is_behind is False


def test_needs_upgrade(chain: tuple[Flask, Alembic]) -> None:
    """``needs_upgrade`` is so for nothing applied, some, and not for all."""
    app, alembic = chain

    for target in ("aaaa1", "bbbb2", "cccc3"):
        with app.app_context():
            assert alembic.needs_upgrade()
            alembic.upgrade(target)

    with app.app_context():
        assert not alembic.needs_upgrade()


def test_files_of_later(chain: tuple[Flask, Alembic]) -> None:
    """A file that is added while the app runs is seen in the next app context."""
    app, alembic = chain

    with app.app_context():
        alembic.upgrade()
        assert not alembic.needs_upgrade()

    write_revision(app, "dddd4", "cccc3")

    with app.app_context():
        assert alembic.needs_upgrade()
        assert ids(alembic.heads()) == ["dddd4"]


def test_check(sqlite_url: str, apps: Apps) -> None:
    """``check`` tells a database that is behind from models that changed."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        (found,) = alembic.check().databases
        assert not found.ok
        assert not found.is_behind
        assert [change.text for change in found.changes] == ["add table todo"]

        (script,) = alembic.revision("made changes")
        assert script is not None
        (found,) = alembic.check().databases
        assert found.is_behind
        assert (found.current, found.heads) == ((), (script.revision,))
        assert found.changes == ()

        alembic.upgrade()
        report = alembic.check()
        assert report.ok
        (found,) = report.databases
        assert (found.database, found.tables) == ("default", 1)
        assert found.current == found.heads == (script.revision,)


def test_looking_changes_nothing(url: str, apps: Apps) -> None:
    """Methods that look write nothing, not even the version table."""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.revision("made changes")
        alembic.current()
        alembic.current_by_database()
        alembic.needs_upgrade()
        alembic.needs_revision()
        alembic.check()
        alembic.compare_metadata()
        alembic.produce_migrations()
        alembic.log("current")
        alembic.show("current")

    assert tables(url) == set()


def test_connection_after_upgrade(url: str, apps: Apps) -> None:
    """``migration_context.connection`` can be used after a run, by who asks for it
    before or afterwards, until the app context ends.
    """
    app, alembic = apps.plain(url)
    count = sa.text("SELECT count(*) FROM todo")

    with app.app_context():
        alembic.revision("made changes")
        before = alembic.migration_context
        alembic.upgrade()
        after = alembic.migration_context
        assert after is before
        assert after.connection is not None
        assert after.connection.scalar(count) == 0
        alembic.upgrade()
        alembic.current()
        assert after.connection.scalar(count) == 0

    with app.app_context():
        alembic.downgrade()
        alembic.upgrade()
        connection = alembic.migration_context.connection
        assert connection is not None
        assert connection.scalar(count) == 0

    assert connection.closed


# Subclasses


class Calls(Alembic):
    """Notes what is asked of the seams."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        self.calls: list[str] = []
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        self.calls.append("config")
        return super().config

    @property
    def script_directory(self) -> RevisionIndex:
        self.calls.append("script_directory")
        return super().script_directory

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]:
        self.calls.append("migration_contexts")
        return super().migration_contexts

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> MigrationReport:
        self.calls.append("run_migrations")
        return super().run_migrations(fn, **kwargs)


@pytest.mark.parametrize("method", ["upgrade", "downgrade", "stamp", "revision"])
def test_seams(sqlite_url: str, apps: Apps, method: str) -> None:
    """What changes a database, or is made from one, goes through what a subclass may
    override.
    """
    app, alembic = apps.plain(sqlite_url, extension=Calls)
    assert isinstance(alembic, Calls)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()

    with app.app_context():
        alembic.calls.clear()
        getattr(alembic, method)(*(["more"] if method == "revision" else []))

    assert alembic.calls.count("run_migrations") == 1
    assert set(alembic.calls) == {
        "config",
        "migration_contexts",
        "run_migrations",
        "script_directory",
    }


def test_config_of_a_subclass(sqlite_url: str, apps: Apps) -> None:
    """A subclass may add options to Alembic's config."""

    class Dated(Alembic):
        @property
        def config(self) -> Config:
            config = super().config
            config.set_main_option("file_template", "%%(slug)s")
            return config

    app, alembic = apps.plain(sqlite_url, extension=Dated)

    with app.app_context():
        (script,) = alembic.revision("made changes")
        assert script is not None
        assert Path(script.path).name == "made_changes.py"
        alembic.upgrade()


def test_folder_of_a_subclass(sqlite_url: str, apps: Apps, tmp_path: Path) -> None:
    """A subclass may lead Alembic's config to another folder, which is read, and
    written to.
    """
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    class Elsewhere(Alembic):
        @property
        def config(self) -> Config:
            config = super().config
            config.set_main_option("script_location", str(elsewhere))
            config.set_main_option("version_locations", str(elsewhere))
            return config

    app, alembic = apps.plain(sqlite_url, extension=Elsewhere)

    with app.app_context():
        (script,) = alembic.revision("made changes")
        assert script is not None
        assert Path(script.path).parent == elsewhere

    with app.app_context():
        alembic.upgrade()
        assert ids(alembic.current()) == [script.revision]


def test_own_config_of_a_subclass(sqlite_url: str, apps: Apps, tmp_path: Path) -> None:
    """A subclass may make Alembic's config altogether, such as of an ini file."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        "[alembic]\n"
        "script_location = %(here)s/scripts\n"
        "version_locations = %(here)s/scripts\n"
        "path_separator = os\n"
        "file_template = ini_%%(rev)s\n"
    )

    class FromIni(Alembic):
        @property
        def config(self) -> Config:
            return Config(ini)

    app, alembic = apps.plain(sqlite_url, extension=FromIni)

    with app.app_context():
        (script,) = alembic.revision("made changes")
        assert script is not None
        assert Path(script.path) == scripts / f"ini_{script.revision}.py"
        alembic.upgrade()
        assert ids(alembic.current()) == [script.revision]


def test_script_directory_of_a_subclass(sqlite_url: str, apps: Apps) -> None:
    """A subclass may return a script directory of Alembic's own class. All methods
    work with it.
    """

    class Plain(Alembic):
        @property
        def script_directory(self) -> ScriptDirectory:  # type: ignore[override]
            return ScriptDirectory.from_config(self.config)

    app, alembic = apps.plain(sqlite_url, extension=Plain)
    write_revision(
        app, "aaaa1", upgrade="op.create_table('a', sa.Column('i', sa.Date))"
    )
    write_revision(app, "bbbb2", "aaaa1", downgrade="op.drop_table('a')")

    with app.app_context():
        assert ids(alembic.log()) == ["bbbb2", "aaaa1"]
        alembic.upgrade(1)
        assert ids(alembic.current()) == ["aaaa1"]
        assert alembic.needs_upgrade()
        alembic.upgrade()
        alembic.downgrade()
        alembic.stamp()
        assert not alembic.needs_upgrade()
        assert not alembic.check().ok
        assert len(alembic.revision("c", empty=True)) == 1


def test_contexts_of_a_subclass(tmp_path: Path, apps: Apps) -> None:
    """A subclass may leave out databases."""

    class One(Alembic):
        @property
        def migration_contexts(self) -> dict[str, MigrationContext]:
            return {"auth": super().migration_contexts["auth"]}

    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app = apps.flask()
    alembic = One(
        app,
        metadatas={name: todo_metadata() for name in urls},
        engines={name: apps.engine(url) for name, url in urls.items()},
    )

    with app.app_context():
        alembic.revision("made changes")
        report = alembic.upgrade()
        assert list(report.databases) == ["auth"]
        assert not alembic.needs_upgrade()
        assert alembic.compare_metadata() == []

    assert tables(urls["auth"]) == {"alembic_version", "todo"}
    assert tables(urls["default"]) == set()


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_contexts_that_a_subclass_prepares(url: str, apps: Apps) -> None:
    """A subclass may prepare the connections: what it sets holds while revisions run,
    and the revisions are committed.
    """
    is_postgresql = url.startswith("postgresql")
    setting = "lock_timeout" if is_postgresql else "lock_wait_timeout"
    show = f"SHOW {setting}" if is_postgresql else f"SELECT @@{setting}"

    class Prepared(Alembic):
        @property
        def migration_contexts(self) -> dict[str, MigrationContext]:
            contexts = super().migration_contexts

            for context in contexts.values():
                assert context.connection is not None
                context.connection.execute(sa.text(f"SET {setting} = 7"))

            return contexts

    app, alembic = apps.plain(url, extension=Prepared)
    insert = f"op.get_bind().execute(sa.text({show!r})).scalar()"
    write_revision(
        app,
        "aaaa1",
        upgrade="op.create_table('seen', sa.Column('value', sa.String(10)))\n"
        f"value = {insert}\n"
        "op.execute(f\"INSERT INTO seen VALUES ('{value}')\")",
    )

    with app.app_context():
        alembic.upgrade()

    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        (value,) = connection.scalars(sa.text("SELECT value FROM seen"))

    assert value == ("7ms" if is_postgresql else "7")


def test_run_migrations_returning_nothing(sqlite_url: str, apps: Apps) -> None:
    """An override of ``run_migrations`` need not return anything: ``upgrade`` still
    reports.
    """

    class Silent(Alembic):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> None:  # type: ignore[override]
            super().run_migrations(fn, **kwargs)

    app, alembic = apps.plain(sqlite_url, extension=Silent)
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")

    with app.app_context():
        report = alembic.upgrade()
        assert [step.revision for step in report.steps] == ["aaaa1", "bbbb2"]
        assert report.databases == {"default": ("bbbb2",)}
        assert len(alembic.downgrade().steps) == 1
        assert len(alembic.stamp().steps) == 1
        assert len(alembic.revision("made changes").changes) == 1


def test_run_migrations_that_does_nothing(chain: tuple[Flask, Alembic]) -> None:
    """An override of ``run_migrations`` may leave the databases alone. Then nothing is
    reported, least of all the run before.
    """
    app, alembic = chain

    with app.app_context():
        alembic.upgrade(1)
        alembic.run_migrations = lambda fn, **kwargs: None  # type: ignore
        assert alembic.upgrade().steps == ()
        assert ids(alembic.current()) == ["aaaa1"]


class Retrying(Alembic):
    """Tries three times, and mends the cause in between."""

    mend: t.Callable[[], None]
    failures: list[type[BaseException]]

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> MigrationReport:
        self.failures = []

        for _ in range(3):
            try:
                return super().run_migrations(fn, **kwargs)
            except (sa.exc.OperationalError, MigrationFailed) as error:
                self.failures.append(type(error))
                self.mend()

        raise AssertionError("it never worked")


def test_retry_connecting(tmp_path: Path, apps: Apps) -> None:
    """A loop in ``run_migrations`` that waits for the database gets through in one app
    context: the second try runs everything.
    """
    folder = tmp_path / "later"
    url = f"sqlite:///{folder / 'test.db'}"
    app, alembic = apps.plain(url, extension=Retrying)
    assert isinstance(alembic, Retrying)
    alembic.mend = folder.mkdir
    write_revision(
        app, "aaaa1", upgrade="op.create_table('todo', sa.Column('id', sa.Integer))"
    )

    with app.app_context():
        report = alembic.upgrade()
        assert alembic.failures == [ConnectionFailed]
        assert [step.revision for step in report.steps] == ["aaaa1"]
        assert ids(alembic.current()) == ["aaaa1"]

    assert tables(url) == {"alembic_version", "todo"}


def test_retry_revision(tmp_path: Path, apps: Apps) -> None:
    """The same for ``revision``: what the second try finds is written once."""
    folder = tmp_path / "later"
    url = f"sqlite:///{folder / 'test.db'}"
    app, alembic = apps.plain(url, extension=Retrying)
    assert isinstance(alembic, Retrying)
    alembic.mend = folder.mkdir

    with app.app_context():
        written = alembic.revision("made changes")

    assert alembic.failures == [ConnectionFailed]
    assert [change.text for change in written.changes] == ["add table todo"]
    (script,) = written
    assert script is not None
    assert Path(script.path).read_text().count("op.create_table('todo'") == 1


def test_retry_failed_revision(url: str, apps: Apps) -> None:
    """A revision that failed can be tried again at once: what was committed before is
    not run again, and the rest is.
    """
    app, alembic = apps.plain(url, extension=Retrying)
    assert isinstance(alembic, Retrying)
    write_revision(
        app, "aaaa1", upgrade="op.create_table('first', sa.Column('id', sa.Integer))"
    )
    write_revision(
        app, "bbbb2", "aaaa1", upgrade="op.execute('INSERT INTO cause VALUES (1)')"
    )

    def mend() -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool)

        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE cause (id INTEGER)"))

    alembic.mend = mend

    with app.app_context():
        report = alembic.upgrade()
        (failure,) = alembic.failures
        assert issubclass(failure, MigrationFailed)
        assert [step.revision for step in report.steps] == ["aaaa1", "bbbb2"]
        assert ids(alembic.current()) == ["bbbb2"]

    assert tables(url) == {"alembic_version", "cause", "first"}


# run_migrations


def test_run_migrations(url: str, apps: Apps) -> None:
    """``run_migrations`` asks a function for the steps and runs them. Its keyword
    arguments go to the revisions.
    """
    app, alembic = apps.plain(url)
    write_revision(
        app,
        "aaaa1",
        arguments="name, *, length=1",
        upgrade="op.create_table(name, sa.Column('text', sa.String(length)))",
    )
    asked = []

    def steps(
        heads: tuple[str, ...], context: MigrationContext
    ) -> t.Iterable[MigrationStep]:
        asked.append((heads, context))
        found = alembic.script_directory._upgrade_revs("head", heads)  # type: ignore[arg-type]
        return t.cast("list[MigrationStep]", found)

    with app.app_context():
        report = alembic.run_migrations(steps, name="given", length=7)
        assert isinstance(report, MigrationReport)
        assert [step.revision for step in report.steps] == ["aaaa1"]

        alembic.run_migrations(fn=steps, name="again")

    (first, second) = asked
    assert (first[0], second[0]) == ((), ("aaaa1",))
    assert isinstance(first[1], MigrationContext)
    assert tables(url) == {"alembic_version", "given"}


@pytest.mark.parametrize("result", [[], (), None])
def test_run_migrations_without_steps(
    chain: tuple[Flask, Alembic], result: list[t.Any] | None
) -> None:
    """A function that has no steps, or only looks, is fine."""
    app, alembic = chain

    with app.app_context():
        report = alembic.run_migrations(lambda heads, context: result)
        assert report == MigrationReport((), {"default": ()})

    assert tables(str(alembic.engines["default"].url)) == set()


def test_run_migrations_work_in_the_function(url: str, apps: Apps) -> None:
    """What the function itself does lasts, too."""
    app, alembic = apps.plain(url)

    def create(heads: tuple[str, ...], context: MigrationContext) -> None:
        Operations(context).create_table("made", sa.Column("id", sa.Integer))

    with app.app_context():
        alembic.run_migrations(create)

    assert tables(url) == {"made"}


def test_run_migrations_error_in_the_function(chain: tuple[Flask, Alembic]) -> None:
    """An error of the function's own comes through, and the next call works."""
    app, alembic = chain

    def fail(heads: tuple[str, ...], context: MigrationContext) -> None:
        raise ZeroDivisionError

    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            alembic.run_migrations(fail)

        alembic.upgrade()
        assert ids(alembic.current()) == ["cccc3"]
