"""``init`` and the templates: those of the package, of the user, their arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import TemplateError

OWN = '''"""${message} by ${author}"""
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

def upgrade():
    ${upgrades if upgrades else "pass"}

def downgrade():
    ${downgrades if downgrades else "pass"}
'''


@pytest.fixture
def bare(apps: Apps, sqlite_url: str) -> tuple[Flask, Alembic, Path]:
    """An app whose folder is not made yet, and the place of that folder."""
    app, alembic = apps.plain(sqlite_url, name="bare")
    folder = Path(app.root_path, "migrations")
    folder.joinpath("script.py.mako").unlink()
    folder.rmdir()
    return app, alembic, folder


def own_template(folder: Path, text: str = OWN, readme: str | None = None) -> Path:
    """Write a template of the user's."""
    folder.mkdir(parents=True)
    folder.joinpath("script.py.mako").write_text(text)

    if readme is not None:
        folder.joinpath("README.md").write_text(readme)

    return folder


def test_init(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """``init`` makes what ``mkdir`` makes, and tells it once."""
    app, _, folder = bare
    assert db(app, "init").output == f"Made {folder}\n"
    assert [path.name for path in folder.iterdir()] == ["script.py.mako"]
    assert db(app, "init").output == f"{folder} exists already.\n"


def test_report(bare: tuple[Flask, Alembic, Path]) -> None:
    """In Python it returns what it made and what it kept."""
    app, alembic, folder = bare

    with app.app_context():
        report = alembic.init()
        assert (report.folder, report.made, report.kept) == (folder, (folder,), None)
        report = alembic.init(multidb=True)
        assert report.made == ()
        assert report.kept == folder / "script.py.mako.bak"


def test_multidb(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """``--multidb`` takes the other template, and without it the way leads back. What
    was there is always kept.
    """
    app, _, folder = bare
    template = folder / "script.py.mako"
    db(app, "init")
    template.write_text(template.read_text() + "# my own\n")
    customized = template.read_text()
    assert db(app, "init", "--multidb").exit_code == 0
    assert "engine_name" in template.read_text()
    assert (folder / "script.py.mako.bak").read_text() == customized
    several = template.read_text() + "# my own too\n"
    template.write_text(several)
    assert db(app, "init").output == (
        f"Replaced the template. The old one is {folder}/script.py.mako.bak2\n"
    )
    assert "engine_name" not in template.read_text()
    assert (folder / "script.py.mako.bak2").read_text() == several
    assert (folder / "script.py.mako.bak").read_text() == customized


def test_customized_template_stays(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """A template that fits stays, whatever is in it."""
    app, _, folder = bare
    folder.mkdir()
    folder.joinpath("script.py.mako").write_text(OWN)
    assert db(app, "init").output == f"{folder} exists already.\n"
    assert [path.name for path in folder.iterdir()] == ["script.py.mako"]
    assert folder.joinpath("script.py.mako").read_text() == OWN


def test_package(apps: Apps, db: Cli) -> None:
    """``--package`` makes packages of the folders; what is in one stays."""
    app = apps.flask(ALEMBIC={"version_locations": [("users", "users")]})
    Alembic(app)
    root = Path(app.root_path)
    root.joinpath("users", "__init__.py").write_text("x = 1\n")
    assert (
        db(app, "init", "--package").output == f"Made {root}/migrations/__init__.py\n"
    )
    assert root.joinpath("users", "__init__.py").read_text() == "x = 1\n"
    assert db(app, "heads").exit_code == 0


def test_directory(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """Another folder may be named. What has to be set for it is told."""
    app, _, folder = bare
    other = folder.with_name("other")
    assert db(app, "init", "other").output == (
        f"Made {other}\nSet ALEMBIC['script_location'] = 'other' to use it.\n"
    )
    assert not folder.exists()
    assert db(app, "init", "migrations").output == f"Made {folder}\n"


def test_list_templates(apps: Apps, db: Cli) -> None:
    """Each template is told with what its README begins with."""
    app = apps.flask(ALEMBIC={"template_folder": "templates"})
    alembic = Alembic(app)
    folder = Path(app.root_path, "templates")
    own_template(folder / "ours", readme="# With an author\n\nMore.\n")
    own_template(folder / "silent")
    folder.joinpath("nothing").mkdir()
    assert db(app, "list-templates").output == (
        "generic  One database. An upgrade and a downgrade function.\n"
        "multidb  Several databases. Two functions for each of them.\n"
        "ours     With an author\n"
        "silent\n"
    )

    with app.app_context():
        found = {template.name: template for template in alembic.list_templates()}

    assert found["ours"].description == "With an author"
    assert found["ours"].path == folder / "ours" / "script.py.mako"


@pytest.mark.parametrize("name", ["ours", "elsewhere/deep"])
def test_template(apps: Apps, sqlite_url: str, db: Cli, name: str) -> None:
    """A template is asked for by name, or by its folder."""
    config = {"template_folder": "templates"}
    app, _ = apps.plain(sqlite_url, ALEMBIC=config)
    root = Path(app.root_path)
    own_template(root / ("templates/ours" if name == "ours" else name))
    assert db(app, "init", "-t", name).exit_code == 0
    template = root / "migrations" / "script.py.mako"
    assert template.read_text() == OWN
    # Once more: it is the one that is there.
    assert db(app, "init", "-t", name).output.endswith("exists already.\n")


def test_own_default(apps: Apps, sqlite_url: str) -> None:
    """The user's ``generic`` stands in for ours: in the folder, and where no template
    lies in the folder.
    """
    app = apps.flask("app")
    own_template(Path(app.root_path, "templates", "generic"))
    app, alembic = apps.plain(
        sqlite_url,
        name="app",
        ALEMBIC={"template_folder": "templates"},
        ALEMBIC_CONTEXT={"template_args": {"author": "Ada"}},
    )
    template = Path(app.root_path, "migrations", "script.py.mako")
    assert template.read_text() == OWN
    template.unlink()

    with app.app_context():
        (script,) = alembic.revision("change", empty=True)
        assert script is not None
        assert script.doc == "change by Ada"


def test_unknown_template(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """A template that does not exist is an error, and nothing is made."""
    app, alembic, folder = bare
    result = db(app, "init", "-t", "flask")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: There is no template 'flask', and no {app.root_path}/flask/"
        "script.py.mako.\n"
        "Hint: There are generic, multidb: see 'flask db list-templates'.\n"
    )
    assert not folder.exists()

    with app.app_context(), pytest.raises(TemplateError):
        alembic.init(template="flask")


def test_template_and_multidb(bare: tuple[Flask, Alembic, Path], db: Cli) -> None:
    """Two templates at once are wrong usage."""
    app, _, folder = bare
    assert db(app, "init", "-t", "generic", "--multidb").exit_code == 2
    assert not folder.exists()


@pytest.mark.parametrize("empty", [True, False])
def test_template_args(apps: Apps, sqlite_url: str, empty: bool) -> None:
    """``template_args`` reach the template, also where nothing is connected to."""
    url = "sqlite:////nowhere/x.db" if empty else sqlite_url
    app, alembic = apps.plain(url, ALEMBIC_CONTEXT={"template_args": {"author": "Ada"}})
    Path(app.root_path, "migrations", "script.py.mako").write_text(OWN)

    with app.app_context():
        (script,) = alembic.revision("change", empty=empty)
        assert script is not None
        assert script.doc == "change by Ada"


def test_template_args_of_a_merge(apps: Apps, sqlite_url: str) -> None:
    """They reach a merge too."""
    args = {"template_args": {"author": "Ada"}}
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT=args)
    Path(app.root_path, "migrations", "script.py.mako").write_text(OWN)
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")
    write_revision(app, "cccc3", "aaaa1")

    with app.app_context():
        script = alembic.merge(message="join")
        assert script is not None
        assert script.doc == "join by Ada"


@pytest.mark.parametrize("args", [["author"], "Ada", {"message": "mine"}])
def test_bad_template_args(apps: Apps, sqlite_url: str, args: object) -> None:
    """Something else than a dict, or Alembic's own names in it, is an error."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC_CONTEXT={"template_args": args})

    with app.app_context(), pytest.raises(ConfigurationError) as caught:
        alembic.revision("change", empty=True)

    assert caught.value.key == "template_args"


# The folder "versions"


def test_versions(bare: tuple[Flask, Alembic, Path]) -> None:
    """A folder ``versions`` is read too, and new revisions go there."""
    app, alembic, folder = bare
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1", folder="migrations/versions")

    with app.app_context():
        assert [script.revision for script in alembic.log()] == ["bbbb2", "aaaa1"]
        (script,) = alembic.revision("new", empty=True)
        assert script is not None
        assert Path(script.path).parent == folder / "versions"
        assert script.down_revision == "bbbb2"

    with app.app_context():
        (script,) = alembic.revision("here", empty=True, path="migrations")
        assert script is not None
        assert Path(script.path).parent == folder


def test_versions_appear(bare: tuple[Flask, Alembic, Path]) -> None:
    """The folder may come while the app runs."""
    app, alembic, _ = bare
    write_revision(app, "aaaa1")

    with app.app_context():
        assert len(alembic.log()) == 1

    write_revision(app, "bbbb2", "aaaa1", folder="migrations/versions")

    with app.app_context():
        assert len(alembic.log()) == 2


def test_versions_of_a_branch(apps: Apps, sqlite_url: str) -> None:
    """Where it is configured as a location of its own, that counts."""
    locations = [("users", "migrations/versions")]
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"version_locations": locations})
    folder = Path(app.root_path, "migrations")

    with app.app_context():
        (script,) = alembic.revision("one", empty=True)
        assert script is not None
        assert Path(script.path).parent == folder
        (script,) = alembic.revision("two", empty=True, branch="users")
        assert script is not None
        assert Path(script.path).parent == folder / "versions"


def test_version_locations_are_told(bare: tuple[Flask, Alembic, Path]) -> None:
    """An error about a path names the folder among the version locations."""
    app, alembic, folder = bare
    write_revision(app, "aaaa1", folder="migrations/versions")

    with app.app_context(), pytest.raises(Exception) as caught:
        alembic.revision("new", empty=True, path="elsewhere")

    hint = getattr(caught.value, "hint", "")
    assert f"They are {folder}, {folder / 'versions'}." in hint


@pytest.mark.parametrize("recursive", [False, True])
def test_folder_of_another_tool(
    apps: Apps, sqlite_url: str, recursive: bool, db: Cli
) -> None:
    """Nothing in such a folder is changed, and no helper is run."""
    app = apps.flask("app")
    folder = Path(app.root_path, "migrations")
    write_revision(app, "aaaa1", folder="migrations/versions")
    trap = "raise RuntimeError('I was run')\n"
    texts = {
        "env.py": f"revision = 1\n{trap}",
        "helper.py": f"def upgrade(x):\n    pass\n{trap}",
        "versions/helper.py": f"def upgrade(x):\n    pass\n{trap}",
        "alembic.ini": "[alembic]\n",
        "script.py.mako": OWN,
    }

    for name, text in texts.items():
        folder.joinpath(name).write_text(text)

    before = sorted(folder.rglob("*"))
    options = {"recursive_version_locations": recursive}
    app, alembic = apps.plain(sqlite_url, name="app", ALEMBIC=options)

    with app.app_context():
        alembic.mkdir()
        alembic.upgrade()
        assert [script.revision for script in alembic.current()] == ["aaaa1"]

    assert db(app, "init").output == f"{folder} exists already.\n"
    after = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    assert sorted(after) == before
    assert {name: folder.joinpath(name).read_text() for name in texts} == texts
