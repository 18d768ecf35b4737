"""After the faults: type the command again, and look at what the database holds."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .rounds import Round

ATTEMPTS: t.Final = 3
QUICKLY: t.Final = 10.0
"""Seconds for a command that has nothing to do."""

OURS: t.Final = ("alembic_", "flask_alembic_")
"""How tables begin that migrations keep for themselves."""


def converge(round_: Round) -> None:
    """Upgrade until that works, then once more, and check everything.

    :param round_: The round, whose processes have ended.
    """
    codes: list[int | str] = []

    while len(codes) < ATTEMPTS and 0 not in codes:
        codes.append(round_.start().wait())

    if 0 not in codes:
        round_.found.add("not converged", f"more upgrades ended with {codes}")
    elif (code := round_.start().wait(QUICKLY)) != 0:
        round_.found.add("not converged", f"at head, an upgrade ended with {code}")

    _check(round_, converged=0 in codes)


def _check(round_: Round, *, converged: bool) -> None:
    with round_.database.connect() as connection:
        _check_tally(round_, connection, converged=converged)
        _check_rows(round_, connection, converged=converged)

        if converged:
            for problem in _schema_problems(round_, connection):
                round_.found.add("not converged", problem)


def _check_tally(round_: Round, connection: sa.Connection, *, converged: bool) -> None:
    """Of a database that stays behind, revisions are not lost: they are to come."""
    statement = "SELECT revision, runs FROM tally ORDER BY revision"

    for revision, runs in connection.execute(sa.text(statement)):
        if runs > 1:
            round_.found.add("run twice", f"{revision} was run {runs} times")
        elif runs == 0 and converged:
            round_.found.add("lost", f"{revision} was not run")


def _check_rows(round_: Round, connection: sa.Connection, *, converged: bool) -> None:
    tables = set(sa.inspect(connection).get_table_names())
    expected = round_.plan.expected.rows
    wanted = expected if converged else {t: expected[t] for t in ("parent", "child")}

    for table, number in wanted.items():
        if table not in tables:
            if not converged:
                round_.found.add("rows lost", f"the table {table} is gone")

            continue

        rows = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
        assert rows is not None

        if rows < number:
            round_.found.add("rows lost", f"{table} has {rows} rows, not {number}")
        elif rows > number:
            round_.found.add("run twice", f"{table} has {rows} rows, not {number}")


def _schema_problems(round_: Round, connection: sa.Connection) -> t.Iterator[str]:
    inspector = sa.inspect(connection)
    expected = round_.plan.expected
    found = {name for name in inspector.get_table_names() if not name.startswith(OURS)}
    yield from _difference("tables", found, set(expected.columns))

    for table in found & set(expected.columns):
        columns = {str(column["name"]) for column in inspector.get_columns(table)}
        yield from _difference(f"columns of {table}", columns, expected.columns[table])
        # MariaDB makes indexes of its own for foreign keys.
        named = _named(inspector, table) & expected.named[table]
        yield from _difference(f"indexes of {table}", named, expected.named[table])

    version = connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
    yield from _difference("the versions", set(version), {round_.plan.head})

    if round_.database.kind == "postgresql":
        yield from _invalid_indexes(connection)


def _named(inspector: sa.Inspector, table: str) -> set[str]:
    indexes = inspector.get_indexes(table)
    uniques = inspector.get_unique_constraints(table)
    return {str(each["name"]) for each in (*indexes, *uniques)}


def _difference(what: str, found: set[t.Any], expected: set[str]) -> t.Iterator[str]:
    if missing := sorted(expected - found):
        yield f"{what}: {', '.join(missing)} missing"

    if too_many := sorted(map(str, found - expected)):
        yield f"{what}: {', '.join(too_many)} left over"


def _invalid_indexes(connection: sa.Connection) -> t.Iterator[str]:
    statement = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    invalid = set(connection.scalars(sa.text(statement)))
    yield from _difference("valid indexes", set(), invalid)
