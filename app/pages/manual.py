"""The manual, beside the product that it is about."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import FileResponse, Response

from app.core.manual import HOME, Manual, pictures, read_manual
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import NotFound
from app.pages.deps import requires
from app.pages.render import render

router = APIRouter(prefix="/help", dependencies=[requires(Permission.BACK_OFFICE)])


def get_manual() -> Manual:
    """In a thread, as FastAPI calls what is not async: the first one reads files."""
    return read_manual()


ManualDep = Annotated[Manual, Depends(get_manual)]


@router.get("")
async def show_manual(
    request: Request, manual: ManualDep, q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    if not q.strip():
        return show(request, manual, HOME)
    context = {"manual": manual, "q": q, "hits": manual.find(q), "page": None}
    return render(request, "pages/manual/search.html", context)


@router.get("/img/{name}")
async def show_picture(name: str) -> Response:
    found = pictures().get(name)
    if found is None:
        raise NotFound(lazy("There is no such picture."))
    return FileResponse(found)


@router.get("/{name}")
async def show_page(request: Request, manual: ManualDep, name: str) -> Response:
    return show(request, manual, name)


def show(request: Request, manual: Manual, name: str) -> Response:
    page = manual.pages.get(name)
    if page is None:
        raise NotFound(lazy("The manual has no such page."))
    before, after = manual.beside(page)
    context = {"manual": manual, "page": page, "before": before, "after": after, "q": ""}
    return render(request, "pages/manual/detail.html", context)
