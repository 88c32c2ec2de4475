"""SQLAdmin with our routes: its views, forms and actions, without the doors it leaves open."""

from collections.abc import Sequence
from types import MethodType
from typing import Any, cast

from fastapi import FastAPI
from pydantic import ValidationError
from sqladmin import Admin
from sqladmin.authentication import login_required
from sqladmin.authorization import Action
from sqladmin.models import BaseView, ModelView
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import async_sessionmaker
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from app.admin.actions import buttons
from app.admin.auth import (
    RoleAuthorization,
    StaffAuthentication,
    actor_of,
    database_of,
    require_recent,
)
from app.admin.base import BASE_URL, Row, ServiceView, in_sentence, keys_in
from app.admin.exports import MAX_ROWS, export_csv
from app.admin.forms import CHECK_FIELDS, RowForm, known_error, posted, put_errors, sent
from app.admin.listing import ListQuery, list_context
from app.api.frame import with_notice
from app.core.templating import TEMPLATES, Templates
from app.core.texts import _, lazy
from app.exceptions import AppError, Forbidden, NotFound

CHANGES = frozenset({Action.CREATE, Action.EDIT, Action.DELETE})


class DataAdmin(Admin):
    """Every route is listed here: nothing of SQLAdmin is reachable that is not meant to be.

    Left out are its file downloads (they serve any path a text column holds), its import (it
    passes the services by), its lookups and its own login.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            app,
            # SQLAdmin reconfigures the maker it gets, so it must not be the product's.
            session_maker=async_sessionmaker(app.state.database.engine, expire_on_commit=False),
            base_url=BASE_URL,
            title="Data admin",
            templates_dir=str(TEMPLATES),
            authentication_backend=StaffAuthentication(),
            authorization_backend=RoleAuthorization(),
        )
        self.admin.state = app.state
        self.admin.router.routes = self._routes()
        # Errors rise to the product's own table, instead of SQLAdmin's page that shows them.
        self.admin.middleware_stack = self.admin.router

    def _routes(self) -> list[Any]:  # as Starlette's router declares it
        return [
            Route("/", self.index, name="index"),
            Route("/login", self.login, name="login", methods=["GET"]),
            Route("/logout", self.logout, name="logout", methods=["POST"]),
            Route("/{identity}/list", self.list, name="list"),
            Route("/{identity}/details/{pk:path}", self.details, name="details"),
            Route("/{identity}/delete", self.delete, name="delete", methods=["DELETE"]),
            Route("/{identity}/create", self.create, name="create", methods=["GET", "POST"]),
            Route("/{identity}/edit/{pk:path}", self.edit, name="edit", methods=["GET", "POST"]),
            Route("/{identity}/export/{export_type}", self.export, name="export"),
        ]

    def _handle_action_decorated_func(
        self, func: MethodType, view: type[BaseView], view_instance: BaseView
    ) -> None:
        """SQLAdmin runs actions on GET, which a link on any site can send; ours need a POST."""
        before = len(self.admin.router.routes)
        super()._handle_action_decorated_func(func, view, view_instance)
        for route in self.admin.router.routes[before:]:
            cast("Route", route).methods = {"POST"}

    def add_model_view(self, view: type[ModelView]) -> None:
        """One plural stem in every layer: the table's name is the view's, too."""
        view.identity = view.model.__tablename__  # type: ignore[attr-defined]  # any mapped class
        super().add_model_view(view)

    # Pages

    @login_required
    async def index(self, request: Request) -> Response:
        return await self.page(request, "sqladmin/index.html", {})

    @login_required
    async def list(self, request: Request) -> Response:
        view = self.allowed(request, Action.LIST)
        query = ListQuery.read(view, request.query_params)
        async with database_of(request).unit_of_work() as session:
            context = await list_context(view, session, actor_of(request), query)
        context |= {
            "buttons": buttons(view, request, trashed=query.trashed),
            "export_limit": MAX_ROWS,
        }
        return await self.page(request, view.list_template, {"view": view, **context})

    @login_required
    async def details(self, request: Request) -> Response:
        view = self.allowed(request, Action.DETAILS)
        trashed = request.query_params.get("trash") == "1" and view.has_trash()
        columns = (*view.columns, *view.more_columns)
        key, actor = request.path_params["pk"], actor_of(request)
        async with database_of(request).unit_of_work() as session:
            row = await view.find(session, actor, key, trashed=trashed)
            [cells] = await view.cells(session, actor, [row], columns)
        context = {
            "view": view,
            "row": row,
            "key": view.key_of(row),
            "trashed": trashed,
            "values": [(view.label(n), c) for n, c in zip(columns, cells, strict=True)],
            "buttons": buttons(view, request, trashed=trashed),
            "edit_href": self.edit_href(request, view, row, trashed),
            "page_href": f"{view.page_path}/{row.id}" if view.page_path and not trashed else None,
        }
        return await self.page(request, view.details_template, context)

    @staticmethod
    def edit_href(request: Request, view: ServiceView, row: Row, trashed: bool) -> str | None:
        may = view.can_edit and not trashed and view.has_permission(request, Action.EDIT)
        return f"{BASE_URL}/{view.identity}/edit/{view.key_of(row)}" if may else None

    @login_required
    async def create(self, request: Request) -> Response:
        view = self.allowed(request, Action.CREATE)
        return await self.form_page(request, view, None)

    @login_required
    async def edit(self, request: Request) -> Response:
        view = self.allowed(request, Action.EDIT)
        return await self.form_page(request, view, request.path_params["pk"])

    async def form_page(self, request: Request, view: ServiceView, key: str | None) -> Response:
        data = await posted(request) if request.method == "POST" else None
        actor = actor_of(request)
        async with database_of(request).unit_of_work() as session:
            row = None if key is None else await view.find(session, actor, key)
            form = await view.build_form(session, actor, row, data)
        if data is None:
            return await self.form_answer(request, view, row, form)
        return await self.save(request, view, row, form)

    async def save(
        self, request: Request, view: ServiceView, row: Row | None, form: RowForm
    ) -> Response:
        """On to the row when saved; else the form again, as typed, with the true status."""
        if not form.validate():
            return await self.form_answer(request, view, row, form, (422, CHECK_FIELDS))
        try:
            if row is None:
                saved = await view.insert_model(request, sent(form))
            else:
                saved = await view.update_model(request, view.key_of(row), sent(form))
        except (AppError, ValidationError, SQLAlchemyError) as error:
            known = known_error(error)
            schema = view.create_schema if row is None else view.update_schema
            message = put_errors(form, known, schema)
            return await self.form_answer(request, view, row, form, (known.status, message))
        notice = "created" if row is None else "saved"
        return RedirectResponse(with_notice(view.details_href(saved), notice), status_code=303)

    async def form_answer(
        self,
        request: Request,
        view: ServiceView,
        row: Row | None,
        form: RowForm,
        problem: tuple[int, str] = (200, ""),
    ) -> Response:
        status, message = problem
        context = {
            "view": view,
            "form": form,
            "message": message,
            "problems": [(f"f-{name}", text) for name, [text, *_] in form.errors.items()],
            "required": {n for n, f in view.create_schema.model_fields.items() if f.is_required()},
            "stale": status == 412,
            "title": _("New %(name)s", name=view.noun)
            if row is None
            else _("Edit %(name)s", name=row),
            "action": f"{BASE_URL}/{view.identity}/create"
            if row is None
            else f"{BASE_URL}/{view.identity}/edit/{view.key_of(row)}",
            "back_href": f"{BASE_URL}/{view.identity}/list"
            if row is None
            else view.details_href(row),
        }
        return await self.page(request, view.edit_template, context, status)

    # Changes

    @login_required
    async def delete(self, request: Request) -> Response:
        view = self.allowed(request, Action.DELETE)
        await view.delete_rows(request, keys_in(request.query_params))
        return PlainTextResponse(f"{BASE_URL}/{view.identity}/list?notice=trashed")

    @login_required
    async def export(self, request: Request) -> Response:
        view = self.allowed(request, Action.EXPORT)
        if request.path_params["export_type"] not in view.export_types:
            raise NotFound(lazy("There is no export of that type."))
        return await export_csv(view, request)

    async def login(self, request: Request) -> Response:
        return RedirectResponse("/login?next=/admin/", status_code=303)

    async def logout(self, request: Request) -> Response:
        # 307 keeps the method: the other half ends the session, on a POST only.
        return RedirectResponse("/logout", status_code=307)

    # What they share

    def allowed(self, request: Request, action: Action) -> ServiceView:
        """The view of the URL. Raise ``NotFound`` without one, ``Forbidden`` without permission."""
        view = cast("ServiceView", self._find_model_view(request.path_params["identity"]))
        if not view.has_permission(request, action):
            rows = in_sentence(view.name_plural)
            raise Forbidden(lazy("You may not do this with %(rows)s.", rows=rows))
        if action in CHANGES:
            require_recent(view, request)
        return view

    def tabs(self, request: Request) -> Sequence[ServiceView]:
        """The views of this person, for the navigation."""
        if not hasattr(request.state, "actor"):
            return []
        views = cast("Sequence[ServiceView]", self.views)
        return [view for view in views if view.has_permission(request, Action.LIST)]

    async def page(
        self, request: Request, template: str, context: dict[str, Any], status: int = 200
    ) -> Response:
        """By the product's own environment: its templates, filters and languages."""
        shared = {
            "request": request,
            "frame": getattr(request.state, "frame", None),
            "tabs": self.tabs(request),
        }
        templates: Templates = request.app.state.templates
        return HTMLResponse(templates.render(template, shared | context), status)
