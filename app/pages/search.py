"""Finding anything from anywhere: the page of the search box, and the palette's answer."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.pages.deps import requires
from app.pages.render import render
from app.pages.search_view import FinderDep

router = APIRouter(dependencies=[requires(Permission.BACK_OFFICE)])
Words = Annotated[str, Query(max_length=200)]
ON_PAGE, IN_PALETTE = 10, 5


def cleaned(text: str) -> str:
    return text.replace("\x00", "").strip()


@router.get("/search")
async def search(request: Request, finder: FinderDep, q: Words = "") -> Response:
    text = cleaned(q)
    groups = await finder.groups(text, ON_PAGE) if text else []
    return render(request, "pages/search/list.html", {"q": text, "groups": groups})


@router.get("/palette")
async def palette(request: Request, finder: FinderDep, q: Words = "") -> Response:
    """The options for what is typed so far: a fragment."""
    text = cleaned(q)
    groups = await finder.groups(text, IN_PALETTE)
    return render(request, "pages/search/_options.html", {"q": text, "groups": groups})
