"""A project that Alembic's command line made carries on with us, and goes back to it.
The files are made by Alembic's own commands.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import tables
from projects import Project
from servers import Databases

MODELS = """\
import os

import sqlalchemy as sa

stage = int(os.environ["STAGE"])
metadatas = {}
urls = {"engine1": os.environ["FIRST_URL"], "engine2": os.environ["SECOND_URL"]}

for name, table in {"engine1": "todo", "engine2": "account"}.items():
    metadatas[name] = sa.MetaData()
    sa.Table(
        table,
        metadatas[name],
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(f"column{n}", sa.String(20)) for n in range(2, stage + 1)),
    )
"""

APP = """\
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic
from models import metadatas, os, urls


def create_app():
    app = Flask(__name__)
    config_file = os.environ.get("CONFIG_FILE")
    app.config["ALEMBIC"] = {"config_file": config_file} if config_file else {}
    engines = {name: sa.create_engine(url) for name, url in urls.items()}

    if os.environ.get("SEVERAL"):
        Alembic(app, metadatas=metadatas, engines=engines)
    else:
        Alembic(app, metadatas=metadatas["engine1"], engines=engines["engine1"])

    return app
"""


def make(folder: Path, template: str) -> Project:
    """A project with three revisions that Alembic wrote, with Alembic's template."""
    project = Project(folder, {"STAGE": "1"})
    project.write("models.py", MODELS)
    project.write("app.py", APP)
    project.set(
        FIRST_URL=f"sqlite:///{folder / 'first.db'}",
        SECOND_URL=f"sqlite:///{folder / 'second.db'}",
    )
    project.run("alembic", "init", "-t", template, "migrations")
    env = "migrations/env.py"

    if template == "multidb":
        project.set(SEVERAL="1")
        project.replace(
            env,
            "target_metadata = {}",
            "from models import metadatas, urls\n"
            "target_metadata = metadatas\n"
            "for name, url in urls.items():\n"
            "    config.set_section_option(name, 'sqlalchemy.url', url)\n",
        )
    else:
        project.replace(
            env,
            "target_metadata = None",
            "from models import metadatas, urls\n"
            "target_metadata = metadatas['engine1']\n"
            "config.set_main_option('sqlalchemy.url', urls['engine1'])\n",
        )

    for stage in ("1", "2", "3"):
        project.set(STAGE=stage)
        project.run("alembic", "revision", "--autogenerate", "-m", f"stage {stage}")
        project.run("alembic", "upgrade", "head")

    return project


@pytest.fixture(scope="module")
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project of one of Alembic's templates."""
    return make(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def project(made: Project, databases: Databases, tmp_path: Path) -> Project:
    """A copy with databases of its own, which Alembic brought to head."""
    folder = tmp_path / "project"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns("*.db"))
    copy = Project(folder, dict(made.variables))
    copy.set(FIRST_URL=databases.make(), SECOND_URL=databases.make())
    copy.run("alembic", "upgrade", "head")
    return copy


servers = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)


def of(*templates: str) -> pytest.MarkDecorator:
    """Run a test with projects of Alembic's templates."""
    return pytest.mark.parametrize("made", templates, indirect=True, scope="module")


def leave_out(project: Project) -> None:
    """Let Alembic's comparing leave out our tables beside the version table."""
    told = project.run("alembic", "check", code=255)
    assert "alembic_version_history" in told
    path = project.folder / "migrations" / "env.py"
    env, imported = path.read_text(), "from alembic import context\n"
    assert imported in env
    env = env.replace(
        imported,
        f"{imported}\n\ndef include_name(name, type_, parent_names):\n"
        '    own = ("alembic_version_history", "alembic_version_journal")\n'
        '    return type_ != "table" or name not in own\n\n',
    )
    path.write_text(
        re.sub(r"(target_metadata=)", r"include_name=include_name, \1", env)
    )


def version(url: str) -> list[str]:
    """The ids in a version table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        rows = connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
        return list(rows)


def columns(url: str, table: str) -> list[str]:
    """The columns of a table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [column["name"] for column in sa.inspect(engine).get_columns(table)]


def ids(project: Project) -> list[str]:
    """The ids of all revisions, oldest first."""
    return list(reversed(re.findall(r"-> (\w+)", project.db("log"))))


@of("generic", "pyproject")
@servers
def test_one_database(project: Project) -> None:
    """Everything goes on: where the database is, up, down, a new revision; and then
    Alembic goes on again.
    """
    url = project.variables["FIRST_URL"]
    before = project.files()
    _, second, third = ids(project)
    assert project.db("current") == f"default: {second} -> {third} (head), stage 3\n"
    project.db("check")

    project.set(STAGE="4")
    project.db("revision", "stage 4")
    (name,) = project.new_files(before)
    assert re.fullmatch(r"versions/\d+_stage_4.py", name)
    assert '"""Upgrade schema."""' in project.files()[name]
    project.db("upgrade")
    project.db("check")
    *_, fourth = ids(project)
    project.db("downgrade", "base")
    assert tables(url) == {"alembic_version"}
    project.db("upgrade", second)

    project.run("alembic", "upgrade", "head")
    assert version(url) == [fourth]
    leave_out(project)
    project.run("alembic", "check")
    project.run("alembic", "downgrade", "-1")
    assert version(url) == [third]
    project.set(STAGE="5")
    project.run("alembic", "upgrade", "head")
    project.run("alembic", "revision", "--autogenerate", "-m", "stage 5")

    project.db("upgrade")
    project.db("check")
    assert len(ids(project)) == 5
    assert columns(url, "todo") == ["id", *(f"column{n}" for n in range(2, 6))]


@of("multidb")
@servers
def test_several_databases(project: Project) -> None:
    """The same with several databases, under the names that they had."""
    urls = project.variables["FIRST_URL"], project.variables["SECOND_URL"]
    before = project.files()
    _, second, third = ids(project)
    assert project.db("current") == (
        f"engine1: {second} -> {third} (head), stage 3\n"
        f"engine2: {second} -> {third} (head), stage 3\n"
    )
    project.db("check")
    project.set(STAGE="4")
    assert project.db("revision", "stage 4").splitlines()[1:] == [
        "  engine1: add column todo.column4",
        "  engine2: add column account.column4",
    ]
    (name,) = project.new_files(before)
    assert "def upgrade_engine2() -> None:" in project.files()[name]
    project.db("upgrade")
    project.db("check")
    project.db("downgrade", "base")
    assert [tables(url) for url in urls] == [{"alembic_version"}] * 2
    project.db("upgrade", second)

    project.run("alembic", "upgrade", "head")
    leave_out(project)
    project.run("alembic", "downgrade", "-1")
    assert version(urls[0]) == version(urls[1]) == [third]
    project.set(STAGE="5")
    project.run("alembic", "upgrade", "head")
    project.run("alembic", "revision", "--autogenerate", "-m", "stage 5")

    project.db("upgrade")
    project.db("check")
    assert "column5" in columns(urls[1], "account")


@of("generic", "pyproject")
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_config_file(project: Project, made: Project) -> None:
    """The options that Alembic reads from its file are read from there."""
    toml = project.folder / "pyproject.toml"
    name = toml.name if toml.exists() else "alembic.ini"
    template = "%%(year)d_%%(rev)s_%%(slug)s"

    if toml.exists():
        project.replace(
            name,
            "[tool.alembic]",
            f'[tool.alembic]\nfile_template = "{template}"\nown = "%(here)s/x"',
        )
        project.write(
            name,
            toml.read_text() + '\n[[tool.alembic.post_write_hooks]]\nname = "note"\n'
            'type = "exec"\nexecutable = "cp"\n'
            'options = "REVISION_SCRIPT_FILENAME %(here)s/noted"\n',
        )
    else:
        project.replace(
            name,
            "[alembic]",
            f"[alembic]\nfile_template = {template}\nown = %(here)s/x",
        )
        project.replace(
            name,
            "[post_write_hooks]",
            "[post_write_hooks]\nhooks = note\nnote.type = exec\n"
            "note.executable = cp\n"
            "note.options = REVISION_SCRIPT_FILENAME %(here)s/noted",
        )

    shutil.move(project.folder / "migrations", project.folder / "db")
    project.replace(name, "%(here)s/migrations", "%(here)s/db")
    project.set(CONFIG_FILE=name, STAGE="4")
    written = project.db("revision", "stage 4")
    assert re.match(r"Wrote db/versions/\d{4}_\d+_stage_4.py\n", written)
    assert (project.folder / "noted").read_text().startswith('"""stage 4')
    assert not (project.folder / "migrations").exists()
    project.db("upgrade")
    # Alembic reads the same file.
    assert "alembic_version_history" in project.run("alembic", "check", code=255)
    project.run("alembic", "upgrade", "head")
