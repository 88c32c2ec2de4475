"""SQLAdmin as it comes, over a table of its own: what our half is hardened against."""

import enum
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from sqladmin import Admin, ModelView, action
from sqlalchemy import JSON, Engine, Enum, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tests.conftest import client_of


class StockBase(DeclarativeBase):
    pass


class State(enum.StrEnum):
    DRAFT = "draft"
    LIVE = "live"


class Note(StockBase):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    body: Mapped[str] = mapped_column(default="body")
    data: Mapped[object] = mapped_column(JSON, default=list)
    state: Mapped[State] = mapped_column(
        Enum(State, values_callable=lambda members: [m.value for m in members]),
        default=State.LIVE,
    )


class NoteView(ModelView, model=Note):
    column_list = "__all__"
    column_searchable_list = (Note.title,)
    column_sortable_list = (Note.title,)
    form_columns = (Note.title, Note.body, Note.data, Note.state)

    @action(name="wipe")
    async def wipe(self, request: Request) -> Response:
        return PlainTextResponse("wiped")


@dataclass
class Stock:
    """A client of the stock admin, its rows and the statements it sends."""

    client: httpx2.AsyncClient
    engine: Engine
    sessions: sessionmaker[Session]
    statements: list[str]

    def add(self, **values: object) -> int:
        with Session(self.engine, expire_on_commit=False) as session:
            note = Note(**values)
            session.add(note)
            session.commit()
            return note.id

    def get(self, note_id: int) -> Note | None:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.get(Note, note_id)

    def sent(self, condition: Callable[[str], bool]) -> bool:
        return any(condition(statement) for statement in self.statements)


@asynccontextmanager
async def stock_admin() -> AsyncIterator[Stock]:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    StockBase.metadata.create_all(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    app = FastAPI()
    sessions = sessionmaker(engine)
    # By default it would find our templates, which are in its default folder.
    Admin(app, engine, session_maker=sessions, templates_dir="/nowhere").add_view(NoteView)
    async with client_of(app) as client:
        yield Stock(client, engine, sessions, statements)
    engine.dispose()
