"""Independent branches, several heads, merges, dependencies."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import Script
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import MultipleHeadsError
from flask_alembic import OutOfDateError
from flask_alembic import TargetError
from flask_alembic import UnknownRevisionError

LOCATIONS: t.Final = ["shared", ("users", "users"), ("billing", "deep/billing")]


def one(scripts: t.Sequence[Script | None]) -> Script:
    (script,) = scripts
    assert script is not None
    return script


def place(app: Flask, script: Script) -> str:
    """The folder of a revision, from the app's root on."""
    return Path(script.path).parent.relative_to(app.root_path).as_posix()


def again(app: Flask, alembic: Alembic, script: Script) -> Script:
    """A revision as its file has it."""
    with app.app_context():
        return one(alembic.show(script.revision))


def ids(scripts: t.Iterable[Script]) -> list[str]:
    return sorted(script.revision for script in scripts)


@pytest.fixture
def branchy(sqlite_url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app with a folder of its own for each of two branches, and one for none."""
    return apps.plain(
        sqlite_url, sa.MetaData(), ALEMBIC={"version_locations": LOCATIONS}
    )


@pytest.fixture
def parted(sqlite_url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app with the heads ``bbbb2`` and ``cccc3``, both on ``aaaa1``."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1", branch_labels=("default",))
    write_revision(app, "bbbb2", "aaaa1")
    write_revision(app, "cccc3", "aaaa1")
    return app, alembic


# Independent branches


def test_first_revision(branchy: tuple[Flask, Alembic]) -> None:
    """The first revision of a branch starts at the base, bears the branch's label, and
    lies in the branch's folder.
    """
    app, alembic = branchy

    with app.app_context():
        default = one(alembic.revision("d", empty=True))
        users = one(alembic.revision("u", empty=True, branch="users"))
        billing = one(alembic.revision("b", empty=True, branch="billing"))

    for script, label, folder in [
        (default, "default", "migrations"),
        (users, "users", "users"),
        (billing, "billing", "deep/billing"),
    ]:
        assert place(app, script) == folder
        script = again(app, alembic, script)
        assert script.down_revision is None
        assert script.branch_labels == {label}


def test_later_revisions(branchy: tuple[Flask, Alembic]) -> None:
    """Later revisions of a branch go on at its head, without a label of their own."""
    app, alembic = branchy
    made: dict[str, list[Script]] = {"default": [], "users": []}

    for _ in range(3):
        for branch, scripts in made.items():
            with app.app_context():
                scripts.append(one(alembic.revision("r", empty=True, branch=branch)))

    for branch, (first, second, third) in made.items():
        assert [script.down_revision for script in (first, second, third)] == [
            None,
            first.revision,
            second.revision,
        ]
        assert not vars(third.module)["branch_labels"]
        assert again(app, alembic, third).branch_labels == {branch}
        assert {place(app, script) for script in (first, second, third)} == {
            "migrations" if branch == "default" else branch
        }


def test_branches_within_a_context(branchy: tuple[Flask, Alembic]) -> None:
    """The same holds for revisions that are made in one app context."""
    app, alembic = branchy

    with app.app_context():
        first = one(alembic.revision("u", empty=True, branch="users"))
        second = one(alembic.revision("u", empty=True, branch="users"))
        assert second.down_revision == first.revision
        assert alembic.heads() == (second,)


def test_branch_without_a_folder(branchy: tuple[Flask, Alembic]) -> None:
    """A branch that has no folder of its own lies in the script location."""
    app, alembic = branchy

    with app.app_context():
        script = one(alembic.revision("o", empty=True, branch="other"))

    assert place(app, script) == "migrations"
    assert again(app, alembic, script).branch_labels == {"other"}


def test_folders_are_read(branchy: tuple[Flask, Alembic]) -> None:
    """Revisions are found in all folders, of a branch or not."""
    app, alembic = branchy
    write_revision(app, "aaaa1", folder="shared")
    write_revision(app, "bbbb2", folder="deep/billing")
    write_revision(app, "cccc3")

    with app.app_context():
        assert ids(alembic.heads()) == ["aaaa1", "bbbb2", "cccc3"]


@pytest.mark.parametrize(
    "locations",
    ["users", ["users"], [("users", "users")], [Path("users")], ("users",)],
)
def test_version_locations(
    sqlite_url: str, apps: Apps, locations: str | list[t.Any]
) -> None:
    """A version location is a path, or a branch and a path. One alone will do."""
    app, alembic = apps.plain(
        sqlite_url, sa.MetaData(), ALEMBIC={"version_locations": locations}
    )
    folders = {path.name for path in Path(app.root_path).iterdir() if path.is_dir()}
    assert folders == {"migrations", "users"}

    with app.app_context():
        script = one(alembic.revision("u", empty=True, path="users"))
        assert place(app, script) == "users"


def test_upgrade_of_a_branch(branchy: tuple[Flask, Alembic]) -> None:
    """A branch goes up and down by itself; ``heads`` is for all of them."""
    app, alembic = branchy

    for name in ("users", "billing"):
        create = f"op.create_table({name!r}, sa.Column('id', sa.Integer))"
        drop = f"op.drop_table({name!r})"
        write_revision(
            app,
            f"{name}1",
            upgrade=create,
            downgrade=drop,
            folder="shared",
            branch_labels=(name,),
        )
        write_revision(app, f"{name}2", f"{name}1", folder="shared")

    url = alembic.engines["default"].url.render_as_string()

    with app.app_context():
        alembic.upgrade("users@head")
        assert ids(alembic.current()) == ["users2"]
        assert tables(url) == {"alembic_version", "users"}
        alembic.upgrade("billing@+1")
        assert ids(alembic.current()) == ["billing1", "users2"]
        alembic.downgrade("users@-1")
        assert ids(alembic.current()) == ["billing1", "users1"]
        alembic.downgrade("users@base")
        assert ids(alembic.current()) == ["billing1"]
        assert tables(url) == {"alembic_version", "billing"}
        alembic.upgrade()
        assert ids(alembic.current()) == ["billing2", "users2"]
        assert not alembic.needs_upgrade()
        assert ids(alembic.log("users@base", "users@head")) == ["users1", "users2"]


def test_upgrade_to_a_list(branchy: tuple[Flask, Alembic]) -> None:
    """Heads of several branches may be given together."""
    app, alembic = branchy

    for name in ("aaaa1", "bbbb2", "cccc3"):
        write_revision(app, name)

    with app.app_context():
        alembic.upgrade(["aaaa1", "cccc3"])
        assert ids(alembic.current()) == ["aaaa1", "cccc3"]
        alembic.stamp(["aaaa1", "bbbb2", "cccc3"])
        assert ids(alembic.current()) == ["aaaa1", "bbbb2", "cccc3"]


def test_branch_command(branchy: tuple[Flask, Alembic], db: Cli) -> None:
    """``--branch`` does the same on the command line."""
    app, alembic = branchy
    alembic.rev_id = iter(["aaaa1", "bbbb2"]).__next__  # type: ignore[method-assign]
    result = db(app, "revision", "make users", "--branch", "users", "--empty")
    assert (result.exit_code, result.output) == (
        0,
        f"Wrote {Path('users/aaaa1_make_users.py')}\n",
    )
    result = db(app, "revision", "more", "-b", "users", "--empty")
    assert result.exit_code == 0, result.output
    result = db(app, "heads")
    assert result.output == "aaaa1 -> bbbb2 (users) (head), more\n"


def test_autogenerate_on_a_branch(url: str, apps: Apps) -> None:
    """A branch's revision holds what autogenerate finds, once all heads are applied."""
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    app, alembic = apps.plain(
        url, metadata, ALEMBIC={"version_locations": [("users", "users")]}
    )

    with app.app_context():
        alembic.revision("nothing yet", empty=True)

        with pytest.raises(OutOfDateError):
            alembic.revision("make users", branch="users")

        alembic.upgrade()
        written = alembic.revision("make users", branch="users")
        assert [change.text for change in written.changes] == ["add table users"]
        assert one(written).down_revision is None
        alembic.upgrade()
        assert len(alembic.current()) == 2
        assert alembic.check().ok

    assert tables(url) == {"alembic_version", "users"}


@pytest.mark.parametrize("branch", ["a b", "a@b", "a+1", "head", "base", "ž", "a/b"])
def test_branch_that_can_not_be_a_label(
    branchy: tuple[Flask, Alembic], branch: str
) -> None:
    """A branch has to be what a label can be, and nothing is written otherwise."""
    app, alembic = branchy

    with app.app_context(), pytest.raises(TargetError) as caught:
        alembic.revision("r", empty=True, branch=branch)

    assert str(caught.value) == f"{branch!r} can't be the label of a branch."
    assert not list(Path(app.root_path).rglob("*.py"))


# A history without the label "default"


def test_history_without_label(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A history that another tool began has no label: it goes on from its head."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")

    with app.app_context():
        third = one(alembic.revision("third", empty=True))
        assert third.down_revision == "bbbb2"

    alembic.rev_id = lambda: "dddd4"  # type: ignore[method-assign]
    result = db(app, "revision", "fourth", "--empty")
    assert result.exit_code == 0, result.output

    with app.app_context():
        assert ids(alembic.heads()) == ["dddd4"]
        fourth = one(alembic.heads())
        assert fourth.down_revision == third.revision
        assert not fourth.branch_labels


def test_history_without_label_and_a_branch(sqlite_url: str, apps: Apps) -> None:
    """A named branch beside such a history leaves it alone: both go on."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1")

    with app.app_context():
        users = one(alembic.revision("u", empty=True, branch="users"))
        assert users.down_revision is None

    with app.app_context():
        second = one(alembic.revision("second", empty=True))
        assert second.down_revision == "aaaa1"
        more = one(alembic.revision("more", empty=True, branch="users"))
        assert more.down_revision == users.revision


def test_history_without_label_and_two_heads(sqlite_url: str, apps: Apps) -> None:
    """With two such heads it has to be said which, and how is told."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")
    write_revision(app, "cccc3", "aaaa1")

    with app.app_context():
        with pytest.raises(MultipleHeadsError) as caught:
            alembic.revision("r", empty=True)

        assert str(caught.value) == (
            "The new revision could revise any of 2 heads: bbbb2, cccc3."
        )
        assert caught.value.hint == (
            "Join them with 'flask db merge', or name one: --parent bbbb2."
        )
        assert caught.value.heads == ("bbbb2", "cccc3")
        script = one(alembic.revision("r", empty=True, parent="cccc3"))
        assert script.down_revision == "cccc3"


# Parents


def test_parent(parted: tuple[Flask, Alembic]) -> None:
    """``parent`` names what is revised, by an id, a part of one, or a ``Script``."""
    app, alembic = parted

    with app.app_context():
        second = one(alembic.show("bbbb2"))
        made = one(alembic.revision("r", empty=True, parent="cccc"))
        assert made.down_revision == "cccc3"
        assert not made.branch_labels or made.branch_labels == {"default"}
        assert one(alembic.revision("r", empty=True, parent=second)).down_revision == (
            "bbbb2"
        )


def test_several_parents(parted: tuple[Flask, Alembic]) -> None:
    """Several parents make a merge."""
    app, alembic = parted

    with app.app_context():
        script = one(alembic.revision("r", empty=True, parent=["bbbb2", "cccc3"]))
        assert set(t.cast("tuple[str, ...]", script.down_revision)) == {
            "bbbb2",
            "cccc3",
        }

    with app.app_context():
        assert ids(alembic.heads()) == [script.revision]


def test_two_heads_of_one_branch(parted: tuple[Flask, Alembic]) -> None:
    """``head`` of a branch that has two is an error that names them."""
    app, alembic = parted

    with app.app_context(), pytest.raises(MultipleHeadsError) as caught:
        alembic.revision("r", empty=True)

    assert caught.value.heads == ("bbbb2", "cccc3")
    assert caught.value.hint
    assert len(list(Path(app.root_path, "migrations").glob("*.py"))) == 3


def test_two_heads_of_one_branch_as_target(parted: tuple[Flask, Alembic]) -> None:
    """So it is wherever such a branch is named, and nothing is run."""
    app, alembic = parted

    with app.app_context():
        for method in (alembic.upgrade, alembic.stamp, alembic.show, alembic.log):
            with pytest.raises(MultipleHeadsError) as caught:
                method("default@head")

            assert caught.value.heads == ("bbbb2", "cccc3")
            assert caught.value.hint
            assert alembic.current() == ()

        alembic.upgrade("default@heads")
        assert ids(alembic.current()) == ["bbbb2", "cccc3"]

        with pytest.raises(MultipleHeadsError):
            alembic.downgrade("default@-1")

        alembic.downgrade("cccc3@-1")
        assert ids(alembic.current()) == ["bbbb2"]


def test_splice(parted: tuple[Flask, Alembic]) -> None:
    """Only with ``splice`` may the parent be no head."""
    app, alembic = parted

    with app.app_context():
        with pytest.raises(TargetError) as caught:
            alembic.revision("r", empty=True, parent="aaaa1")

        assert "aaaa1" in str(caught.value)
        assert "splice" in f"{caught.value} {caught.value.hint}"
        assert len(alembic.log()) == 3
        script = one(alembic.revision("r", empty=True, parent="aaaa1", splice=True))
        assert script.down_revision == "aaaa1"
        assert len(alembic.heads()) == 3


def test_base_as_parent(branchy: tuple[Flask, Alembic]) -> None:
    """``parent="base"`` starts a branch again beside the first start of it."""
    app, alembic = branchy

    with app.app_context():
        script = one(alembic.revision("u", empty=True, branch="users", parent="base"))
        assert script.down_revision is None

    assert again(app, alembic, script).branch_labels == {"users"}


@pytest.mark.parametrize("option", ["--parent", "-p"])
def test_parent_command(parted: tuple[Flask, Alembic], db: Cli, option: str) -> None:
    """``--parent``, several times, and ``--splice`` on the command line."""
    app, alembic = parted
    alembic.rev_id = iter(["dddd4", "eeee5"]).__next__  # type: ignore[method-assign]
    result = db(app, "revision", "d", "--empty", option, "bbbb2", option, "cccc3")
    assert result.exit_code == 0, result.output
    result = db(app, "revision", "e", "--empty", option, "aaaa1", "--splice")
    assert result.exit_code == 0, result.output

    with app.app_context():
        (merged,) = alembic.show("dddd4")
        assert set(t.cast("tuple[str, ...]", merged.down_revision)) == {
            "bbbb2",
            "cccc3",
        }
        assert one(alembic.show("eeee5")).down_revision == "aaaa1"


def test_unknown_parent(parted: tuple[Flask, Alembic]) -> None:
    """A parent that does not exist is an error."""
    app, alembic = parted

    with app.app_context(), pytest.raises(UnknownRevisionError):
        alembic.revision("r", empty=True, parent="nothing")


# Labels, dependencies, folders


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("one", {"one"}),
        (["one"], {"one"}),
        (["one", "two"], {"one", "two"}),
        (("one-a", "t.wo"), {"one-a", "t.wo"}),
    ],
)
def test_label(
    branchy: tuple[Flask, Alembic], label: str | list[str], expected: set[str]
) -> None:
    """``label`` adds labels to that of the branch."""
    app, alembic = branchy

    with app.app_context():
        script = one(alembic.revision("r", empty=True, label=label))

    assert again(app, alembic, script).branch_labels == {"default", *expected}

    with app.app_context():
        for name in expected:
            alembic.upgrade(f"{name}@head")
            assert ids(alembic.current()) == [script.revision]
            alembic.downgrade(f"{name}@base")
            assert alembic.current() == ()


@pytest.mark.parametrize("label", ["a b", "a@b", "heads", "a-1", "1-2", ["", "a:b"]])
def test_wrong_label(branchy: tuple[Flask, Alembic], label: str | list[str]) -> None:
    """What can't be a label is an error, and nothing is written. Alembic takes the end
    of ``a-1@head`` for a count.
    """
    app, alembic = branchy

    with app.app_context(), pytest.raises(TargetError):
        alembic.revision("r", empty=True, label=label)

    assert not list(Path(app.root_path).rglob("*.py"))


def test_label_that_is_taken(branchy: tuple[Flask, Alembic]) -> None:
    """A label that another revision bears is an error, and nothing is written."""
    app, alembic = branchy

    with app.app_context():
        alembic.revision("u", empty=True, branch="users")

    with app.app_context():
        with pytest.raises(TargetError):
            alembic.revision("b", empty=True, branch="billing", label="users")

    assert len(list(Path(app.root_path).rglob("*.py"))) == 1

    with app.app_context():
        assert len(alembic.log()) == 1


@pytest.mark.parametrize("depend", ["uuuu", "uuuu1", ["uuuu1"], "users@head"])
def test_depend(branchy: tuple[Flask, Alembic], depend: str | list[str]) -> None:
    """``depend`` names what has to be applied before; an upgrade does so."""
    app, alembic = branchy
    write_revision(app, "uuuu1", folder="users", branch_labels=("users",))

    with app.app_context():
        script = one(alembic.revision("r", empty=True, depend=depend))

    with app.app_context():
        report = alembic.upgrade("default@head")
        assert [step.revision for step in report.steps] == ["uuuu1", script.revision]
        assert not alembic.needs_upgrade()


def test_depend_on_several(branchy: tuple[Flask, Alembic]) -> None:
    """``depend`` may name several revisions, also as ``Script``."""
    app, alembic = branchy
    write_revision(app, "uuuu1", branch_labels=("users",))
    write_revision(app, "bbbb1", branch_labels=("billing",))

    with app.app_context():
        (users,) = alembic.show("uuuu1")
        script = one(alembic.revision("r", empty=True, depend=[users, "bbbb1"]))

    with app.app_context():
        steps = [step.revision for step in alembic.upgrade("default@head").steps]
        assert sorted(steps[:2]) == ["bbbb1", "uuuu1"]
        assert steps[2:] == [script.revision]


def test_depends_on_a_label(sqlite_url: str, apps: Apps) -> None:
    """A file may depend on a branch by its label, as Alembic allows."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "uuuu1", branch_labels=("users",))
    write_revision(app, "aaaa1", branch_labels="default", depends_on="users")

    with app.app_context():
        report = alembic.upgrade("aaaa1")
        assert [step.revision for step in report.steps] == ["uuuu1", "aaaa1"]


def test_depend_command(branchy: tuple[Flask, Alembic], db: Cli) -> None:
    """``--depend`` and ``--label``, several times, on the command line."""
    app, alembic = branchy
    write_revision(app, "uuuu1", branch_labels=("users",))
    write_revision(app, "bbbb1", branch_labels=("billing",))
    alembic.rev_id = lambda: "dddd4"  # type: ignore[method-assign]
    options = ["--depend", "uuuu1", "-d", "bbbb1", "--label", "one", "-l", "two"]
    result = db(app, "revision", "d", "--empty", *options)
    assert result.exit_code == 0, result.output

    with app.app_context():
        script = one(alembic.show("dddd4"))
        assert set(t.cast("tuple[str, ...]", script.dependencies)) == {"bbbb1", "uuuu1"}
        assert script.branch_labels == {"default", "one", "two"}


@pytest.mark.parametrize("path", ["shared", "deep/billing", "migrations"])
def test_path(branchy: tuple[Flask, Alembic], path: str) -> None:
    """``path`` names the folder, from the app's root on, or as an absolute path."""
    app, alembic = branchy

    with app.app_context():
        assert place(app, one(alembic.revision("r", empty=True, path=path))) == path
        absolute = Path(app.root_path, path)
        for given in (str(absolute), absolute):
            script = one(alembic.revision("r", empty=True, path=given))
            assert place(app, script) == path


def test_path_before_branch(branchy: tuple[Flask, Alembic]) -> None:
    """``path`` goes before the branch's folder."""
    app, alembic = branchy

    with app.app_context():
        script = one(alembic.revision("u", empty=True, branch="users", path="shared"))
        assert place(app, script) == "shared"


def test_path_that_is_not_read(branchy: tuple[Flask, Alembic], db: Cli) -> None:
    """A folder that no revision is read from is an error."""
    app, alembic = branchy
    result = db(app, "revision", "r", "--empty", "--path", "nowhere")
    assert result.exit_code == 1
    error, hint = result.output.splitlines()
    assert error == (
        f"Error: {Path(app.root_path, 'nowhere')} is not one of the version locations."
    )
    assert "ALEMBIC['version_locations']" in hint
    assert not list(Path(app.root_path).rglob("*.py"))


# Merge


def test_merge(parted: tuple[Flask, Alembic]) -> None:
    """``merge`` joins all heads, and there is one afterwards."""
    app, alembic = parted

    with app.app_context():
        merged = alembic.merge()
        assert merged is not None
        assert merged.doc == "merge bbbb2, cccc3"
        assert alembic.heads() == (merged,)
        alembic.upgrade("head")

    with app.app_context():
        assert alembic.current() == alembic.heads()
        assert alembic.merge() is None
        assert len(alembic.log()) == 4


def test_merge_of_branches(branchy: tuple[Flask, Alembic]) -> None:
    """Independent branches can be joined; the next revision of each goes on there."""
    app, alembic = branchy

    with app.app_context():
        alembic.revision("d", empty=True)
        alembic.revision("u", empty=True, branch="users")
        merged = alembic.merge(message="join", label="joined")
        assert merged is not None

    merged = again(app, alembic, merged)
    assert merged.doc == "join"
    assert "joined" in merged.branch_labels
    assert place(app, merged) == "migrations"

    with app.app_context():
        assert one(alembic.revision("d", empty=True)).down_revision == merged.revision


@pytest.mark.parametrize("with_scripts", [False, True])
def test_merge_some(parted: tuple[Flask, Alembic], with_scripts: bool) -> None:
    """``merge`` joins the revisions that are given, by id or as ``Script``."""
    app, alembic = parted
    write_revision(app, "dddd4", "aaaa1")

    with app.app_context():
        wanted = alembic.show(["cccc3", "dddd4"]) if with_scripts else ["cccc3", "dddd"]
        merged = alembic.merge(wanted)
        assert merged is not None
        assert merged.doc == "merge cccc3, dddd4"
        assert merged.down_revision == ("cccc3", "dddd4")
        assert set(ids(alembic.heads())) == {"bbbb2", merged.revision}


@pytest.mark.parametrize(
    "revisions", ["heads", "aaaa1", ["aaaa1", "aaaa1"], [], "base"]
)
def test_nothing_to_merge(
    sqlite_url: str, apps: Apps, revisions: str | list[str]
) -> None:
    """Fewer than two revisions are not joined, and nothing is written."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    path = write_revision(app, "aaaa1")

    with app.app_context():
        assert alembic.merge(revisions) is None

    assert list(path.parent.glob("*.py")) == [path]


def test_merge_what_is_no_head(parted: tuple[Flask, Alembic]) -> None:
    """A revision and one that it comes after can't be joined."""
    app, alembic = parted

    with app.app_context():
        with pytest.raises(TargetError):
            alembic.merge(["aaaa1", "bbbb2"])

        assert len(alembic.log()) == 3


# Several heads


def test_several_heads(parted: tuple[Flask, Alembic]) -> None:
    """``heads`` goes to all of several heads, ``head`` asks which."""
    app, alembic = parted

    with app.app_context():
        with pytest.raises(MultipleHeadsError) as caught:
            alembic.upgrade("head")

        assert str(caught.value) == "'head' could be any of 2 heads: bbbb2, cccc3."
        assert caught.value.hint == (
            "Name one, take 'heads' for all, or join them: flask db merge."
        )
        assert alembic.current() == ()
        alembic.upgrade("bbbb2")
        assert alembic.needs_upgrade()
        alembic.upgrade("heads")
        assert ids(alembic.current()) == ["bbbb2", "cccc3"]
        assert not alembic.needs_upgrade()
        assert ids(alembic.log("current")) == ["bbbb2", "cccc3"]


def test_current_head_of_branches(branchy: tuple[Flask, Alembic]) -> None:
    """``"head"`` of the script directory is ambiguous with several heads; the heads by
    branch are not.
    """
    app, alembic = branchy
    write_revision(app, "aaaa1", branch_labels=("default",))
    write_revision(app, "uuuu1", branch_labels=("users",), folder="users")

    with app.app_context():
        found = alembic.script.get_revision("users@head")
        assert found is not None
        assert found.revision == "uuuu1"
        alembic.upgrade("users@head")
        assert alembic.context.get_current_heads() == ("uuuu1",)


def test_branches_on_a_server(url: str, apps: Apps) -> None:
    """On a real server two branches go up and down, each by itself."""
    locations = [("users", "users")]
    app, alembic = apps.plain(
        url, sa.MetaData(), ALEMBIC={"version_locations": locations}
    )

    for id_, folder, label in [
        ("aaaa1", "migrations", "default"),
        ("uuuu1", "users", "users"),
    ]:
        write_revision(
            app,
            id_,
            folder=folder,
            branch_labels=(label,),
            upgrade=f"op.create_table({label!r}, sa.Column('id', sa.Integer))",
            downgrade=f"op.drop_table({label!r})",
        )

    with app.app_context():
        alembic.upgrade("users@head")

    assert tables(url) == {"alembic_version", "users"}

    with app.app_context():
        alembic.upgrade()

    assert tables(url) == {"alembic_version", "default", "users"}

    with app.app_context():
        alembic.downgrade("users@base")
        assert ids(alembic.current()) == ["aaaa1"]

    assert tables(url) == {"alembic_version", "default"}
