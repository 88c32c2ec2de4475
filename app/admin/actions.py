"""Changes of selected rows that several views share: to the trash, and back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqladmin import action
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.admin.auth import actor_of, database_of, require_recent
from app.admin.base import BASE_URL, ServiceView, keys_in
from app.admin.forms import posted
from app.api.frame import UNDO_PATHS, with_notice

FOR_GOOD = frozenset({"revoke"})
Change = Callable[[Any, int], Awaitable[object]]  # of a service of the view's kind, and an id


@dataclass(frozen=True, slots=True)
class Button:
    """An action as the page offers it; ``confirm`` is asked first.

    ``typed`` is to be typed before what cannot be undone.
    """

    slug: str
    label: str
    href: str
    confirm: str | None
    danger: bool
    typed: str


async def change_selected(view: ServiceView, request: Request, change: Change) -> list[int]:
    """All of the selected rows or none, with their audit events, in one transaction."""
    require_recent(view, request)
    row_ids = view.ids_of(keys_in(await posted(request)))
    async with database_of(request).unit_of_work() as session:
        service = view.service(session, actor_of(request))
        for row_id in row_ids:
            await change(service, row_id)
    return row_ids


def back_to_list(
    view: ServiceView, notice: str, undo: str | None = None, *, trashed: bool = False
) -> Response:
    path = f"{BASE_URL}/{view.identity}/list{'?trash=1' if trashed else ''}"
    return RedirectResponse(with_notice(path, notice, undo), status_code=303)


def buttons(view: ServiceView, request: Request, *, trashed: bool) -> list[Button]:
    """What this person may do with the rows of this list."""
    offered = view._visible_custom_actions(request)
    return [
        Button(
            slug,
            label,
            f"{BASE_URL}/{view.identity}/action/{slug}",
            view._custom_actions_confirmation.get(slug),
            slug != "restore",
            slug if slug in FOR_GOOD else "",
        )
        for slug, label in offered.items()
        if (slug == "restore") == trashed
    ]


class TrashView(ServiceView):
    """A table whose rows go to the trash before they are gone."""

    @action(name="trash", label="Move to trash")
    async def trash(self, request: Request) -> Response:
        row_ids = await change_selected(self, request, lambda rows, row_id: rows.delete(row_id))
        return back_to_list(self, "trashed", self._undo(row_ids))

    @action(name="restore", label="Restore")
    async def restore(self, request: Request) -> Response:
        await change_selected(self, request, lambda rows, row_id: rows.restore(row_id))
        return back_to_list(self, "restored", trashed=True)

    def _undo(self, row_ids: list[int]) -> str | None:
        single = len(row_ids) == 1 and self.identity in UNDO_PATHS
        return f"{self.identity}:{row_ids[0]}" if single else None
