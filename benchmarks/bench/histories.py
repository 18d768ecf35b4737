"""Makes histories of revisions, of shapes that cost differently, and writes them."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass
from pathlib import Path

FILE: t.Final = '''\
"""Step {number}

Revision ID: {id}
Revises: {down}
Create Date: 2026-01-01 12:00:00.000000

"""
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = None
depends_on = {depends_on!r}


def upgrade():
{upgrade}


def downgrade():
    pass
'''

CREATE: t.Final = """\
op.create_table(
    "{table}",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(40), nullable=False, server_default="x"),
    sa.Column("parent_id", sa.Integer(), {parent}),
)
op.create_index("ix_{table}_name", "{table}", ["name"])
"""
ADD: t.Final = """\
op.add_column("{table}", sa.Column("code", sa.String(20)))
op.add_column("{table}", sa.Column("amount", sa.Integer()))
op.create_index("ix_{table}_code", "{table}", ["code"])
"""
FILL: t.Final = """\
op.execute("UPDATE {table} SET amount = 1")
op.create_index("ix_{table}_amount", "{table}", ["amount"])
"""
CHANGE: t.Final = """\
op.add_column("{table}", sa.Column("note", sa.String(80)))
op.drop_index("ix_{table}_code", "{table}")
op.drop_column("{table}", "code")
"""
DROP: t.Final = """\
op.drop_table("{table}")
"""


@dataclass(frozen=True)
class Step:
    """A revision."""

    number: int
    down: tuple[int, ...]
    """The numbers of those that it revises."""
    depends_on: tuple[int, ...] = ()
    upgrade: str = "pass\n"

    @property
    def id(self) -> str:
        """Its id, which has nothing to do with the order of the revisions."""
        return id_of(self.number)


def id_of(number: int) -> str:
    """The id of a revision.

    :param number: Its number.
    """
    return hashlib.sha256(str(number).encode()).hexdigest()[:12]


def linear(count: int) -> list[Step]:
    """A chain. Every fourth revision makes a table, those after it change that."""
    return [Step(n, _before(n), upgrade=_growing(n)) for n in range(count)]


def rotating(count: int) -> list[Step]:
    """A chain whose every fourth revision drops the table of the three before, so that
    the schema stays small.
    """
    return [Step(n, _before(n), upgrade=_rotating(n)) for n in range(count)]


def merging(count: int) -> list[Step]:
    """Of five revisions, two are side by side, and the next one merges them."""
    steps = [Step(0, ())]

    for n in range(1, count):
        # The second one revises what the first one does, the third one both.
        down = {2: (n - 2,), 3: (n - 2, n - 1)}.get(n % 5, (n - 1,))
        steps.append(Step(n, down))

    return steps


def depending(count: int) -> list[Step]:
    """Two bases, each with a chain. Each revision of the second one depends on that of
    the first one beside it.
    """
    return [
        Step(n, (n - 2,) if n > 1 else (), depends_on=(n - 1,) if n % 2 else ())
        for n in range(count)
    ]


def table_count(revisions: int) -> int:
    """How many tables a :func:`linear` history of some length leaves."""
    return -(-revisions // 4)


def write(steps: t.Iterable[Step], folder: Path) -> None:
    """Write a file for each revision.

    :param steps: The revisions.
    :param folder: Where the files go; it is made.
    """
    folder.mkdir(parents=True, exist_ok=True)

    for step in steps:
        text = FILE.format(
            number=step.number,
            id=step.id,
            down=_ids(step.down),
            depends_on=_ids(step.depends_on),
            upgrade="".join(
                f"    {line}\n" for line in step.upgrade.splitlines()
            ).rstrip(),
        )
        (folder / f"{step.id}_step_{step.number}.py").write_text(text)


def _before(number: int) -> tuple[int, ...]:
    return (number - 1,) if number else ()


def _ids(numbers: tuple[int, ...]) -> str | tuple[str, ...] | None:
    ids = tuple(map(id_of, numbers))
    return (ids[0] if len(ids) == 1 else ids) or None


def _growing(number: int) -> str:
    return _operations(number, (CREATE, ADD, FILL, CHANGE))


def _rotating(number: int) -> str:
    return _operations(number, (CREATE, ADD, FILL, DROP), refers=False)


def _operations(number: int, cycle: tuple[str, ...], *, refers: bool = True) -> str:
    table = number // 4
    parent = f'sa.ForeignKey("t{table - 1}.id")' if refers and table else "index=False"
    return cycle[number % 4].format(table=f"t{table}", parent=parent)
