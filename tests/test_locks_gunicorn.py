"""A server whose workers all migrate when they start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from apps import Apps
from apps import write_revision
from conftest import tables

pytestmark = pytest.mark.faults

APP = """
import os
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic


def create_app():
    app = Flask("app", root_path=os.environ["ROOT"])
    engine = sa.create_engine(os.environ["URL"])
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    @app.get("/")
    def index():
        with engine.connect() as connection:
            return str(connection.scalar(sa.text("SELECT n FROM counter")))

    with app.app_context():
        alembic.upgrade()

    return app
"""


def test_workers(url: str, apps: Apps, tmp_path: Path) -> None:
    """Four workers of gunicorn that call ``upgrade()`` when they start serve requests:
    one of them migrates, the others wait, and none dies.
    """
    app, _ = apps.plain(url)
    (tmp_path / "served.py").write_text(APP)
    make = "op.create_table('counter', sa.Column('n', sa.Integer))"
    make += "\nop.execute('INSERT INTO counter VALUES (0)')"
    write_revision(app, "r1", upgrade=f"{make}\nimport time; time.sleep(0.5)")
    write_revision(
        app, "r2", "r1", upgrade="op.execute('UPDATE counter SET n = n + 1')"
    )

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    log = tmp_path / "log"
    arguments = ["-w", "4", "-b", f"127.0.0.1:{port}", "--no-control-socket"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, "served:create_app()"],
            cwd=tmp_path,
            env={**os.environ, "ROOT": app.root_path, "URL": url},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )

    try:
        answers = [ask(process, port) for _ in range(20)]
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)

    text = log.read_text()
    assert answers == ["1"] * 20, text
    assert code == 0, text
    assert text.count("Booting worker") == 4, text
    assert "Traceback" not in text
    assert tables(url) == {"counter", "alembic_version"}


def ask(process: subprocess.Popen[bytes], port: int) -> str:
    """Send a request, as soon as the server listens."""
    for _ in range(600):
        assert process.poll() is None, "gunicorn has ended"

        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as got:
                return str(got.read().decode())
        except ConnectionError:
            time.sleep(0.05)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise

            time.sleep(0.05)

    raise AssertionError("gunicorn does not answer")
