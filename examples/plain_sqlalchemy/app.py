"""Plain SQLAlchemy: no database extension, an engine that the application made."""

from pathlib import Path

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_alembic import Alembic


class Model(DeclarativeBase):
    pass


class Todo(Model):
    __tablename__ = "todo"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def create_app() -> Flask:
    app = Flask(__name__, instance_relative_config=True)
    instance = Path(app.instance_path)
    instance.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{instance / 'todo.sqlite'}")
    Alembic(app, metadatas=Model.metadata, engines=engine)
    return app
