"""Checksums of revisions: formatting does not change them, a real change does."""

from __future__ import annotations

import keyword
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_alembic.checksum import checksum
from flask_alembic.checksum import file_hash
from flask_alembic.checksum import is_same

REVISION = '''\
"""add email

Revision ID: 1700000001
Revises: 1700000000
Create Date: 2026-01-05 12:00:00
"""

from alembic import op
import sqlalchemy as sa

revision = '1700000001'
down_revision = '1700000000'
branch_labels = ()
depends_on = None


def upgrade():
    """Add it."""
    op.add_column('account', sa.Column('email', sa.String(length=50), nullable=True))
    op.execute("UPDATE account SET email = name || '@example.com' WHERE id > 3")


def downgrade():
    # Not the rows.
    op.drop_column('account', 'email')
'''

RUFF = Path(sys.executable).with_name("ruff")


def of(source: str) -> str:
    found = checksum(source.encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'account'", '"account"'),
        ("'account'", "'acc' 'ount'"),
        ("'account'", "u'account'"),
        ("'account'", "'\\x61ccount'"),
        ("op.add_column('account', ", "op.add_column(\n        'account',\n        "),
        ("nullable=True))", "nullable=True,),)"),
        ("sa.String(length=50)", "(sa.String(length=(0x32)))"),
        ("    # Not the rows.\n", ""),
        ("    # Not the rows.\n", "    # Nor anything else.\n\n"),
        ("def upgrade():\n", "\n\n\ndef upgrade():  # here\n\n"),
        ('    """Add it."""\n', ""),
        ("add email\n\n", "add the column email\n\n"),
        ("Revises: 1700000000", "Revises: 1600000000"),
        ("revision = '1700000001'", 'revision: str = "1700000002"'),
        ("down_revision = '1700000000'\n", "down_revision = ('a', 'b')\n"),
        ("branch_labels = ()\n", ""),
        ("depends_on = None", "depends_on = ['a']"),
        (
            "revision = '1700000001'\ndown_revision = '1700000000'\n",
            "revision, down_revision = '1700000001', None\n",
        ),
        ("    # Not the rows.\n", "    pass\n"),
        ("op.execute(", "op.execute ("),
        ("\n", "\r\n"),
        ("import sqlalchemy as sa\n", "import sqlalchemy as sa;\n"),
    ],
)
def test_same(old: str, new: str) -> None:
    """What does the same has the same checksum, and another hash."""
    assert old in REVISION
    changed = REVISION.replace(old, new)
    assert of(changed) == of(REVISION)
    assert file_hash(changed.encode()) != file_hash(REVISION.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = f'{a}' 'b' 'c'", "x = f'{a}bc'"),
        ("x = f'{a:>{w}}' ''", 'x = f"{a:>{w}}"'),
        ("del (a, b)", "del a, b"),
        ("class A():\n    pass", "class A: 'text'"),
        ("with (a as b, c as d):\n    e()", "with a as b, c as d:\n    e()"),
        ("x = 1 if (a and b) else (2)", "x = (1 if a and b else 2)"),
        ("if a:\n    pass\nelse:\n    pass", "if a: pass\nelse: pass"),
        ("x = 1_000", "x = 1000"),
        ("def f(a, *, b=1,): return (a)", "def f(a, *, b=1):\n    return a"),
        ("x = '''a\nb'''", 'x = "a\\nb"'),
        ("# -*- coding: latin-1 -*-\nx = '\\xe4'", "x = 'ä'"),
        ("(x): int = 1", "x: int = 1"),
        ("x = 'a' \\\n    'b'", "x = 'ab'"),
        ("x = '\\d'", "x = '\\\\d'"),
    ],
)
def test_same_code(one: str, other: str) -> None:
    """The same for code of other kinds."""
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'email', sa", "'mail', sa"),
        ("length=50", "length=51"),
        ("length=50", "length='50'"),
        ("nullable=True", "nullable=False"),
        ("nullable=True", "nullable=None"),
        (", nullable=True", ""),
        ("id > 3", "id >= 3"),
        ("    op.drop_column('account', 'email')\n", "    pass\n"),
        ("op.drop_column", "op.drop_table"),
        ("def downgrade", "def down"),
        ("def upgrade():", "def upgrade(x=1):"),
        ("def upgrade():", "@late\ndef upgrade():"),
        ("import sqlalchemy as sa\n", "import sqlalchemy as sa\nimport os\n"),
        ("depends_on = None", "on = None"),
        (
            "    op.drop_column('account', 'email')\n",
            "    if True:\n        op.drop_column('account', 'email')\n",
        ),
        ("'account', 'email')\n", "'email', 'account')\n"),
    ],
)
def test_changed(old: str, new: str) -> None:
    """What does something else has another checksum."""
    assert old in REVISION
    assert of(REVISION.replace(old, new)) != of(REVISION)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = a + b", "x = a - b"),
        ("x = [1, 2]", "x = (1, 2)"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = a and b", "x = a or b"),
        ("x = f'{a}b'", "x = f'{b}a'"),
        ("x = f'{a!r}'", "x = f'{a}'"),
        ("x = not a", "x = a"),
        ("a(b)(c)", "a(b, c)"),
        ("a = b = 1", "a = 1; b = 1"),
        ("revision, x = 1, 2", "revision, x = 1, 3"),
        ("class A:\n    revision = 1", "class A:\n    revision = 2"),
        ("try:\n    a()\nfinally:\n    b()", "a()\nb()"),
        ("for a in b:\n    c()\nelse:\n    d()", "for a in b:\n    c()\nd()"),
        ("'x'; 'y'", "'x'; 'z'"),
    ],
)
def test_changed_code(one: str, other: str) -> None:
    """The same for code of other kinds."""
    assert of(one) != of(other)


def test_all_versions_of_python() -> None:
    """The checksum is the same one wherever the test runs: no part of it is left to
    Python's version.
    """
    source = (
        "import a.b as c\nfrom . import d\n"
        "x: int = -1 + 2.5e10 * 3j\n"
        "y = f'{x!r:>{y}}ä\U0001fae8' + u'\\u2028' + b'\\xff'.decode()\n"
        "async def f(a, /, b=..., *c, d: int, **e) -> None:\n"
        "    '''Text.'''\n"
        "    async with a() as b, c: await d\n"
        "    return [i async for i in (yield) if not i], {**a}, {b}\n"
        "j = lambda: c[1:2, ::3]\n"
        "@g\nclass H(I, metaclass=J):\n    k = l = None\n"
        "match m:\n    case {'n': [o, *_], **p} if q: pass\n"
        "    case R(s=1) | None: t()\n"
        "try:\n    u += 1\nexcept* V as w:\n    raise w from None\n"
        "else:\n    assert a, b\n"
        "while a < b <= c is not d: break\n"
        "if (z := 1): del z, y\n"
    )
    assert of(source) == (
        "1-269a75d9230db9f76e5bef7815ff80337988c1aabafe9c575b4b775930694aea"
    )


@pytest.mark.parametrize(
    "content", [b"x = (", b"\x00", b"\xff\xfe", b"x = " + b"(" * 999]
)
def test_no_source(content: bytes) -> None:
    """What can't be parsed, as a compiled file, has a hash and no checksum."""
    assert checksum(content) is None
    assert len(file_hash(content)) == 64


def test_unknown() -> None:
    """Nothing is said of a file that has no checksum, or one of another kind."""
    assert is_same("1-a", "1-a")
    assert not is_same("1-a", "1-b")
    assert is_same(None, "1-a")
    assert is_same("1-a", None)
    assert is_same("1-a", "2-b")


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=2)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)
calls = st.builds(
    lambda name, args, kwargs: (
        f"    op.{name}("
        + ", ".join(
            [*map(repr, args), *(f"{key}_={value!r}" for key, value in kwargs.items())]
        )
        + ")\n"
    ),
    names,
    st.lists(values, max_size=3),
    st.dictionaries(names, values, max_size=3),
)
bodies = st.lists(calls, min_size=1, max_size=4)


def source_of(body: list[str]) -> str:
    return f"revision = 'a'\n\n\ndef upgrade():\n{''.join(body)}"


@given(bodies, st.data())
def test_comments_and_lines(body: list[str], data: st.DataObject) -> None:
    """Comments and empty lines never count."""
    noise = st.text(st.sampled_from("# \n"), max_size=5).map(
        lambda text: "".join(f"    # {line}\n\n" for line in text.split("\n"))
    )
    noisy = [f"{data.draw(noise)}{call}" for call in body]
    assert of(source_of(noisy)) == of(source_of(body))


@given(bodies, bodies)
def test_other_calls(one: list[str], other: list[str]) -> None:
    """Two revisions have one checksum only if they do the same."""
    same = of(source_of(one)) == of(source_of(other))
    assert same == (one == other)


@pytest.mark.skipif(not RUFF.exists(), reason="Ruff is not installed.")
@settings(max_examples=10, deadline=None)
@given(st.lists(bodies, min_size=5, max_size=20))
def test_ruff_format(several: list[list[str]]) -> None:
    """A formatter never changes it."""
    sources = [source_of(body) for body in [*several]]
    joined = "\n".join(
        source.replace("def upgrade", f"def upgrade{n}")
        for n, source in enumerate([REVISION, *sources])
    )
    assert of(formatted(joined)) == of(joined)


def formatted(source: str) -> str:
    return subprocess.run(
        [RUFF, "format", "--isolated", "--line-length", "50", "-"],
        input=source,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
