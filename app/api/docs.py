"""Swagger UI from our own static files: no CDN, no inline script."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.core.templating import Templates

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    templates: Templates = request.app.state.templates
    return HTMLResponse(templates.render("docs.html", {"request": request}))
