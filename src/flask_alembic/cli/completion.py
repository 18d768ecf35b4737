"""Completion in the shell: revisions, branch labels, databases. It asks the app and the
files, never a database, and is silent about whatever is wrong with them.
"""

from __future__ import annotations

import io
import os
import typing as t
import warnings
from contextlib import contextmanager
from contextlib import redirect_stderr
from contextlib import redirect_stdout

import click
from flask.cli import ScriptInfo

if t.TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..extension import Alembic

Complete = t.Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]
_Find = t.Callable[["Alembic"], t.Iterable["CompletionItem"]]


def complete_revision(*words: str) -> Complete:
    """Complete what names a revision: its id, a label, a word.

    :param words: The words that may stand there, such as ``head``.
    :return: What Click calls.
    """
    return _completing(lambda alembic: [*map(_item, words), *_named(alembic)])


def complete_range(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete one end of ``START:END``.

    :param ctx: Click's context.
    :param param: The option.
    :param incomplete: What was typed so far.
    :return: What it could become.
    """
    start, colon, end = incomplete.rpartition(":")
    complete = complete_revision("current", "head", "heads", "base")
    return [
        _item(f"{start}{colon}{item.value}", help=item.help)
        for item in complete(ctx, param, end)
    ]


def _completing(find: _Find) -> Complete:
    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            with _silence(), _extension(ctx) as alembic:
                items = list(find(alembic))
        except Exception:
            # The command itself tells what is wrong, when it is run.
            return []

        return [item for item in items if item.value.startswith(incomplete)]

    return complete


@contextmanager
def _extension(ctx: click.Context) -> t.Iterator[Alembic]:
    """The app's extension. Click invokes no group to complete a word, and the context
    that Flask pushed to find the command is over.
    """
    info = ctx.find_object(ScriptInfo)
    assert info is not None
    assert ctx.parent is not None
    app = info.load_app()
    directory = ctx.parent.params.get("directory")

    with app.app_context():
        alembic: Alembic = app.extensions["alembic"]

        with alembic.using(directory=directory and os.path.abspath(directory)):
            yield alembic


@contextmanager
def _silence() -> t.Iterator[None]:
    """The shell reads stdout, and a person is typing: revisions may print."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        with warnings.catch_warnings(action="ignore"):
            yield


def _named(alembic: Alembic) -> t.Iterator[CompletionItem]:
    labels = _labels(alembic)
    yield from labels
    yield from (_item(f"{label.value}@head") for label in labels)

    for script in alembic.log():
        yield _item(script.revision, help=" ".join((script.doc or "").split()))


def _labels(alembic: Alembic) -> list[CompletionItem]:
    labels = {label for script in alembic.log() for label in script.branch_labels}
    return [_item(label) for label in sorted(labels)]


complete_label: t.Final = _completing(_labels)
complete_database: t.Final = _completing(
    lambda alembic: [_item(name) for name in alembic.databases]
)


def _item(value: str, help: str | None = None) -> CompletionItem:
    # A command that is not completed has no need of it.
    from click.shell_completion import CompletionItem

    return CompletionItem(value, help=help)
