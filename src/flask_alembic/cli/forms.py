"""The forms of an answer: lines for people, ids or JSON for machines."""

from __future__ import annotations

import typing as t

import click

from ..render import revisions

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..extension import Alembic
    from ..revisions.graph import Revision

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

Form = t.Literal["ids", "json"] | None
Ids = t.Mapping[str, t.Sequence[str]]
AnyScript = t.Union["Script", "Revision"]


def json_option(command: F) -> F:
    """The option ``--json`` of a command that acts. It is the parameter ``form``.

    :param command: The command's function.
    :return: The same, with the option.
    """
    option = click.option("--json", "form", flag_value="json", help="Answer in JSON.")
    return option(command)


def machine_forms(command: F) -> F:
    """The options ``--ids`` and ``--json`` of a command that answers, of which the last
    one counts. They are the parameter ``form``.

    :param command: The command's function.
    :return: The same, with the options.
    """
    ids = click.option(
        "--ids", "form", flag_value="ids", help="Answer with the ids only, one a line."
    )
    json = click.option("--json", "form", flag_value="json", help="Answer in JSON.")
    return ids(json(command))


def echo_revisions(
    alembic: Alembic,
    scripts: t.Iterable[AnyScript],
    form: Form,
    *,
    verbose: bool,
    current: Ids | None = None,
) -> None:
    """Print some revisions.

    :param alembic: The extension.
    :param scripts: The revisions.
    :param form: How.
    :param verbose: Whether to tell people all of each revision.
    :param current: The ids that each database is at, if that is to be told too.
    """
    if form == "ids":
        echo_ids(script.revision for script in scripts)
    elif form == "json":
        _echo_json(alembic, scripts, current)
    else:
        _echo_lines(alembic, scripts, current, verbose=verbose)


def echo_ids(ids: t.Iterable[str]) -> None:
    """Print ids, each once.

    :param ids: The ids of revisions.
    """
    if lines := list(dict.fromkeys(ids)):
        click.echo("\n".join(lines))


def echo_current_json(
    alembic: Alembic,
    current: t.Mapping[str, t.Iterable[AnyScript]],
    unknown: Ids,
) -> None:
    """Print where each database is.

    :param alembic: The extension.
    :param current: Name to revisions.
    :param unknown: Name to the ids that no file has.
    """
    from ..operations.revision_info import revision_info
    from ..render import json

    folder = alembic.revisions.folder
    at = _databases_at({n: [s.revision for s in found] for n, found in current.items()})
    click.echo(
        json.current_json(
            {
                name: [revision_info(s, folder, at[s.revision]) for s in scripts]
                for name, scripts in current.items()
            },
            unknown,
        )
    )


def _echo_json(
    alembic: Alembic, scripts: t.Iterable[AnyScript], current: Ids | None
) -> None:
    from ..operations.revision_info import revision_info
    from ..render import json

    folder = alembic.revisions.folder
    at, asked = _databases_at(current or {}), current is not None
    click.echo(
        json.revisions_json(
            revision_info(s, folder, at.get(s.revision, ()) if asked else None)
            for s in scripts
        )
    )


def _echo_lines(
    alembic: Alembic,
    scripts: t.Iterable[AnyScript],
    current: Ids | None,
    *,
    verbose: bool,
) -> None:
    at = _databases_at(current or {})
    several = len(alembic.databases) > 1 if at else False
    lines = []

    for script in scripts:
        names = at.get(script.revision)
        told = names if several or names is None else ()
        lines.append(revisions.script_text(script, verbose=verbose, databases=told))

    # In one piece: to ask for each line what stdout is takes longer than to make it.
    if lines:
        click.echo("\n".join(lines))


def _databases_at(current: Ids) -> dict[str, list[str]]:
    """The databases that are at each id."""
    result: dict[str, list[str]] = {}

    for name, ids in current.items():
        for id_ in ids:
            result.setdefault(id_, []).append(name)

    return result
