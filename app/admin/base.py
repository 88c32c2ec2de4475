"""The base of every view: rows come from the service's ``visible``, changes go through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel
from sqladmin import ModelView
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request

from app.admin.auth import actor_of, database_of
from app.admin.cells import Cell, cell_of
from app.admin.filters import Filter
from app.admin.forms import RowForm, changed, given, version_of
from app.admin.paging import Order
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import BadRequest, NotFound
from app.schemas.base import MAX_BIGINT
from app.services.base import BaseService

BASE_URL = "/admin"
MAX_BULK = 200
SECRETS = frozenset(
    {
        "hashed_password",
        "secret_sha256",
        "token_sha256",
        "sealed",
        "sealed_secret",
        "sealed_old_secret",
        "search",
    }
)
Row = Any  # a row of the view's model; SQLAdmin's views are not generic


@dataclass(frozen=True, slots=True)
class Names:
    """Where the name of a referred row is, and the view that shows it to whom."""

    column: InstrumentedAttribute[Any]  # columns of any type
    readable: Permission
    prefix: str = ""

    @property
    def view(self) -> str:
        table: str = self.column.class_.__tablename__
        return table

    @property
    def key(self) -> InstrumentedAttribute[Any]:  # as the other
        key: InstrumentedAttribute[Any] = self.column.class_.id
        return key


def in_sentence(name: str) -> str:
    return name if name.startswith("API") else name.lower()


class ServiceView(ModelView):
    """One table. Subclasses say what is shown and by which service it is read and changed."""

    service: ClassVar[type[BaseService[Any, Any, Any]]]
    about: ClassVar[str]
    # SQLAdmin's action, "list" or "action:trash", to what it takes; the rest is for nobody.
    # Whether changes ask for the password when it was last given long ago.
    sensitive: ClassVar[bool] = False
    permissions: ClassVar[Mapping[str, Permission]] = {}
    columns: ClassVar[tuple[str, ...]]
    # What the page of one row shows beside the columns of the list.
    more_columns: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[Mapping[str, str]] = {}
    names: ClassVar[Mapping[str, Names]] = {}
    list_filters: ClassVar[tuple[Filter, ...]] = ()
    search_hint: ClassVar[str] = ""
    sorts: ClassVar[tuple[str, ...]] = ("created_at",)
    default_sort: ClassVar[str] = "-created_at"
    page_path: ClassVar[str] = ""  # the same row in the other half
    create_form: ClassVar[type[RowForm] | None] = None
    edit_form: ClassVar[type[RowForm] | None] = None
    create_schema: ClassVar[type[BaseModel]]
    update_schema: ClassVar[type[BaseModel]]
    can_import = False
    can_delete = False
    export_types = ["csv"]  # noqa: RUF012  (declared as a class variable in the base)
    list_template = "sqladmin/list.html"
    details_template = "sqladmin/details.html"
    create_template = edit_template = "sqladmin/form.html"

    def __init_subclass__(cls) -> None:
        """Say the same to SQLAdmin, for whatever of it still reads its own options."""
        super().__init_subclass__()
        shown = (*getattr(cls, "columns", ()), *cls.more_columns)
        if SECRETS & set(shown):
            raise ValueError(f"{cls.__name__} would show a secret column.")
        cls.column_list = cls.column_export_list = cls.form_columns = list(shown)
        cls.column_details_list = list(shown)
        cls.can_create = cls.create_form is not None
        cls.can_edit = cls.edit_form is not None

    @property
    def noun(self) -> str:
        """The name inside a sentence."""
        return in_sentence(self.name)

    # What may be seen

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        """The only way to select: the service's row rule, the trash apart."""
        return self.service(session, actor).visible(trashed=trashed)

    def has_trash(self) -> bool:
        return "action:restore" in self.permissions

    def search_rule(self, term: str) -> ColumnElement[bool]:
        """Subclasses with a ``search_hint`` say which index answers."""
        raise BadRequest(lazy("%(rows)s cannot be searched.", rows=self.name_plural))

    def order(self, sort: str) -> Order:
        """Allow-listed columns only, the key last. Raise ``BadRequest`` for any other."""
        name = sort.removeprefix("-")
        if name not in self.sorts:
            raise BadRequest(
                lazy("Cannot sort by that. Allowed: %(sorts)s.", sorts=", ".join(self.sorts))
            )
        columns = (getattr(self.model, name), *self.key_columns())
        return Order(columns, descending=sort.startswith("-"))

    def key_columns(self) -> tuple[InstrumentedAttribute[Any], ...]:  # keys of any type
        return (self.model.id,)  # type: ignore[attr-defined]  # other keys override this

    def key_of(self, row: Row) -> str:
        """The row's key as it stands in URLs."""
        return str(row.id)

    def key_rule(self, text: str) -> ColumnElement[bool]:
        """Raise ``NotFound`` for text that no key can be."""
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_BIGINT):
            raise NotFound(lazy("There is no such %(noun)s.", noun=self.noun))
        [key] = self.key_columns()
        return key == int(text)

    async def find(
        self, session: AsyncSession, actor: Actor, key: str, *, trashed: bool = False
    ) -> Row:
        """The row with all that its page shows. Raise ``NotFound``."""
        statement = self.visible(session, actor, trashed=trashed).where(self.key_rule(key))
        row = await session.scalar(statement)
        if row is None:
            raise NotFound(lazy("There is no such %(noun)s.", noun=self.noun))
        return row

    async def cells(
        self, session: AsyncSession, actor: Actor, rows: Sequence[Row], columns: Sequence[str]
    ) -> list[list[Cell]]:
        """What the rows show. One query for each kind of referred row, however many rows."""
        found = {
            name: await self._names_in(session, self.names[name], [getattr(r, name) for r in rows])
            for name in columns
            if name in self.names
        }
        return [[self._cell(actor, row, name, found) for name in columns] for row in rows]

    @staticmethod
    async def _names_in(
        session: AsyncSession, names: Names, ids: Sequence[int | None]
    ) -> dict[int, str]:
        wanted = {row_id for row_id in ids if row_id is not None}
        if not wanted:
            return {}
        result = await session.execute(select(names.key, names.column).where(names.key.in_(wanted)))
        return {row_id: f"{names.prefix}{name}" for row_id, name in result}

    def _cell(
        self, actor: Actor, row: Row, name: str, found: Mapping[str, Mapping[int, str]]
    ) -> Cell:
        value = getattr(row, name)
        if name not in found or value is None:
            return cell_of(value)
        names = self.names[name]
        href = f"{BASE_URL}/{names.view}/details/{value}" if actor.may(names.readable) else None
        return Cell(found[name].get(value, f"#{value}"), "text", href)

    def label(self, name: str) -> str:
        plain = name.removeprefix("is_").removesuffix("_id").replace("_", " ").capitalize()
        return self.labels.get(name, plain)

    def is_number(self, name: str) -> bool:
        """Whether the column is set as numbers are; the keys of other rows show names."""
        kind = getattr(self.model, name).type.python_type
        return issubclass(kind, int | Decimal) and kind is not bool and name not in self.names

    def details_href(self, row: Row, *, trashed: bool = False) -> str:
        return (
            f"{BASE_URL}/{self.identity}/details/{self.key_of(row)}{'?trash=1' if trashed else ''}"
        )

    # What may be changed

    async def build_form(
        self, session: AsyncSession, actor: Actor, row: Row | None, data: FormData | None
    ) -> RowForm:
        """The form of a new row or of this one, filled with what was posted if anything was."""
        kind = self.create_form if row is None else self.edit_form
        if kind is None:
            raise BadRequest(lazy("%(rows)s are not changed here.", rows=self.name_plural))
        stored = {} if row is None else self.form_values(row, kind)
        form = kind(data, data=stored)
        await self.fill_choices(session, actor, form, row)
        return form

    def form_values(self, row: Row, kind: type[RowForm]) -> dict[str, Any]:
        """The row's values by field name."""
        fields = [name for name in vars(kind) if hasattr(row, name)]
        return {name: getattr(row, name) for name in (*fields, "row_version")}

    async def fill_choices(
        self, session: AsyncSession, actor: Actor, form: RowForm, row: Row | None
    ) -> None:
        """For fields whose choices come from the database."""

    async def insert_model(self, request: Request, data: dict[str, Any]) -> Row:
        """Validate, create and record in one transaction, committed when this returns."""
        data.pop("row_version", None)
        async with database_of(request).unit_of_work() as session:
            valid = self.create_schema.model_validate(given(self.create_schema, data))
            return await self.service(session, actor_of(request)).create(valid)

    async def update_model(self, request: Request, pk: str, data: dict[str, Any]) -> Row:
        """The same for a change. Raise ``StaleVersion`` when someone saved in between."""
        version = version_of(data)
        actor = actor_of(request)
        async with database_of(request).unit_of_work() as session:
            row = await self.find(session, actor, pk)
            valid = self.update_schema.model_validate(changed(row, data))
            return await self.service(session, actor).update(row.id, valid, version)

    async def delete_model(self, request: Request, pk: str) -> None:
        await self.delete_rows(request, [pk])

    async def delete_rows(self, request: Request, keys: Sequence[str]) -> None:
        """All of them or none, to the trash where the table has one."""
        actor = actor_of(request)
        async with database_of(request).unit_of_work() as session:
            service = self.service(session, actor)
            for row_id in self.ids_of(keys):
                await service.delete(row_id)

    def ids_of(self, keys: Sequence[str]) -> list[int]:
        """In one order for everyone, so that two bulk changes cannot lock each other out."""
        for key in keys:
            self.key_rule(key)
        if not 0 < len(keys) <= MAX_BULK:
            raise BadRequest(lazy("Select between 1 and %(max_bulk)s rows.", max_bulk=MAX_BULK))
        return sorted({int(key) for key in keys})


def keys_in(params: QueryParams | FormData) -> list[str]:
    """The keys of ``pks``, repeated or with commas. Raise ``BadRequest`` when there are none."""
    texts = [value for value in params.getlist("pks") if isinstance(value, str)]
    keys = [key.strip() for text in texts for key in text.split(",") if key.strip()]
    if not keys:
        raise BadRequest(lazy("Select at least one row."))
    return keys
