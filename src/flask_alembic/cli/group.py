"""The command group of one app, which loads each command when it is asked for."""

from __future__ import annotations

import importlib
import os
import typing as t

import click
from flask import current_app
from flask.cli import ScriptInfo

_COMMANDS: t.Final = {
    "adopt": "adopt",
    "branches": "read",
    "check": "read",
    "current": "read",
    "downgrade": "run",
    "edit": "write",
    "ensure-version": "run",
    "heads": "read",
    "history": "read",
    "init": "folder",
    "list-templates": "folder",
    "log": "read",
    "merge": "write",
    "migrate": "write",
    "mkdir": "folder",
    "prepare": "fresh",
    "repair": "repair",
    "resume": "run",
    "revision": "write",
    "show": "read",
    "snapshot": "fresh",
    "stamp": "run",
    "status": "tenants",
    "upgrade": "run",
    "verify-snapshot": "fresh",
}

QUIET: t.Final = "flask_alembic.quiet"
"""Where Click's context notes that commands are not to tell what they did."""

TRACEBACK: t.Final = "flask_alembic.traceback"
"""Where it notes that an error comes with its whole traceback."""


class DatabaseGroup(click.Group):
    """The ``db`` group. Each app has its own.

    :param name: What the group is called.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, help="Migrate the database.", params=_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands.

        :param ctx: Click's context.
        :return: The names, sorted.
        """
        own = super().list_commands(ctx)
        return sorted({*_COMMANDS, *shared.commands, *own})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command.

        :param ctx: Click's context.
        :param cmd_name: Its name.
        :return: The command, or ``None`` if there is none of that name.
        """
        own = super().get_command(ctx, cmd_name) or shared.commands.get(cmd_name)
        return own or load(cmd_name)

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run a command in an app context, and tell of errors in a line.

        :param ctx: Click's context.
        :return: What the command returns.
        """
        from .told import told

        if os.environ.get("NO_COLOR"):
            ctx.color = False

        find_extension(ctx)
        ctx.meta[QUIET] = ctx.params["quiet"]
        ctx.meta[TRACEBACK] = ctx.params["traceback"]
        directory = ctx.params["directory"]

        with told(ctx.obj, full=ctx.meta[TRACEBACK]):
            with ctx.obj.using(
                x=ctx.params["x"],
                directory=directory and os.path.abspath(directory),
            ):
                return super().invoke(ctx)


def _options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-x"],
            metavar="KEY=VALUE",
            multiple=True,
            help="An argument for the revisions. Repeatable.",
        ),
        click.Option(
            ["-d", "--directory"],
            type=click.Path(),
            help="The migrations folder, instead of the configured one.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            help="Print answers and errors, but not what was done.",
        ),
        click.Option(
            ["--traceback"],
            is_flag=True,
            help="Print the whole traceback of an error.",
        ),
    ]


shared: t.Final = DatabaseGroup("db")
"""For an app that adds the group to a program of its own, or commands to the group of
all apps.
"""


def load(name: str) -> click.Command | None:
    """A command of ours.

    :param name: Its name.
    :return: The command, or ``None`` if there is none of that name.
    """
    if name not in _COMMANDS:
        return None

    module = importlib.import_module(f"flask_alembic.cli.{_COMMANDS[name]}")
    return t.cast("click.Command", getattr(module, name.replace("-", "_")))


def find_extension(ctx: click.Context) -> None:
    """Let the extension be Click's ``obj``, unless the user's own group has done that.

    :param ctx: Click's context.
    """
    # Flask's own command pushes a context; its test runner does not.
    if not current_app:
        app = ctx.ensure_object(ScriptInfo).load_app()
        ctx.with_resource(app.app_context())

    if ctx.obj is None or isinstance(ctx.obj, ScriptInfo):
        if "alembic" not in current_app.extensions:
            raise click.UsageError(
                f"The app '{current_app.name}' has no Alembic extension. Did you forget"
                " to call alembic.init_app(app)?"
            )

        ctx.obj = current_app.extensions["alembic"]
