"""One way to answer with a page, a fragment, a redirect or an error."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.api.deps import find_staff, session_token
from app.api.frame import ENROLMENT_PATH, frame_for, with_notice
from app.core.actor import Via
from app.core.database_errors import as_app_error
from app.core.templating import Templates
from app.core.texts import lazy
from app.exceptions import (
    AppError,
    ReauthenticationRequired,
    SecondFactorRequired,
    Unauthorized,
    Unavailable,
)
from app.pages.cookies import keep_renewed_session

VARY = "HX-Request, HX-Request-Type"
TITLES: Mapping[int, str] = {
    400: lazy("That request cannot be read"),
    401: lazy("Please log in"),
    403: lazy("You may not do this"),
    404: lazy("There is nothing here"),
    405: lazy("That does not work here"),
    409: lazy("That is not possible right now"),
    412: lazy("Someone saved in between"),
    413: lazy("That is too large"),
    415: lazy("That cannot be read as it is"),
    429: lazy("Too many requests"),
    422: lazy("Some of the input is not valid"),
    503: lazy("The database is not reachable"),
}
OURS = lazy("Something went wrong")
# In place of the bare phrases of the protocol, which the router answers with.
INSTEAD: Mapping[str, str] = {
    "Not Found": lazy("No page has this address. It may be mistyped, or what was here is gone."),
    "Method Not Allowed": lazy("This address takes no such request."),
}
# The same request may well succeed in a moment.
PASSING = frozenset({429, 500, 503})


class LoginRequired(Unauthorized):
    """A staff page without a live session."""


class EnrolmentRequired(SecondFactorRequired):
    """A staff page, before the second factor that the instance asks for is set up."""


class ConfirmIdentity(ReauthenticationRequired):
    """A sensitive page or change: asks for the password, then goes on with what was posted."""

    def __init__(self, message: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = fields


def is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def wants_fragment(request: Request) -> bool:
    """htmx asks for a part of the page; its history restore asks for the whole."""
    return is_htmx(request) and request.headers.get("hx-request-type") == "partial"


def render(
    request: Request,
    name: str,
    context: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    templates: Templates = request.app.state.templates
    body = templates.render(
        name,
        {"request": request, "frame": getattr(request.state, "frame", None), **context},
    )
    response = HTMLResponse(body, status, {"Vary": VARY, **(headers or {})})
    keep_renewed_session(request, response)
    return response


def redirect(
    request: Request, url: str, notice: str | None = None, undo: str | None = None
) -> Response:
    """303 for a browser, ``HX-Redirect`` for htmx."""
    target = with_notice(url, notice, undo) if notice else url
    response = (
        Response(status_code=200, headers={"HX-Redirect": target})
        if is_htmx(request)
        else RedirectResponse(target, status_code=303)
    )
    keep_renewed_session(request, response)
    return response


def local_path(target: str | None) -> str:
    """A path of this site to go on to, ``/`` for anything else: no open redirect."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    safe = all(character.isprintable() for character in target) and "\\" not in target
    return target if safe else "/"


def login_url(request: Request) -> str:
    path = request.url.path
    if request.url.query:
        path = f"{path}?{request.url.query}"
    return f"/login?{urlencode({'next': path})}" if request.method == "GET" else "/login"


def confirmation_page(request: Request, error: ReauthenticationRequired) -> Response:
    """Asks for the password; with it the same request is made again, so nothing typed is lost."""
    repeats = isinstance(error, ConfirmIdentity) and request.method == "POST"
    path = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.url.query else ""
    context = {
        "message": error.message,
        "action": request.url.path + query if repeats else "/reauthenticate",
        "fields": error.fields if repeats and isinstance(error, ConfirmIdentity) else (),
        "next": None if repeats else local_path(path + query),
    }
    return render(request, "pages/login/reauthenticate.html", context, error.status)


async def render_error(request: Request, error: AppError) -> Response:
    """The page half of the error table."""
    if isinstance(error, LoginRequired):
        if is_htmx(request):
            return Response(status_code=401, headers={"HX-Redirect": "/login"})
        return RedirectResponse(login_url(request), status_code=303)
    if isinstance(error, EnrolmentRequired):
        return redirect(request, ENROLMENT_PATH)
    if isinstance(error, ReauthenticationRequired):
        return confirmation_page(request, error)
    await frame_lost_page(request, error)
    context = {
        "status": error.status,
        "title": TITLES.get(error.status, OURS),
        "message": INSTEAD.get(str(error.message), error.message),
        "again": error.status in PASSING and request.method == "GET",
        "was_sent": request.method == "POST",
        "details": [str(detail.get("message", "")) for detail in error.details if not error.field],
        "request_id": getattr(request.state, "request_id", None),
    }
    name = "errors/_toast.html" if wants_fragment(request) else "errors/page.html"
    headers = {k: v for k, v in error.headers.items() if k != "WWW-Authenticate"}
    return render(request, name, context, error.status, headers)


async def frame_lost_page(request: Request, error: AppError) -> None:
    """Staff find their way from an address that no route answers: no dependency saw who asks."""
    state, wanted = request.app.state, request.headers.get("accept", "")
    is_framed = getattr(request.state, "frame", None) is not None
    if error.status != 404 or is_framed or "text/html" not in wanted:
        return
    if session_token(request, state.settings) is None:
        return
    try:
        async with state.database.unit_of_work() as session:
            found = await find_staff(request, session, state.settings, Via.PAGE)
    except Exception as failure:
        if not isinstance(as_app_error(failure), Unavailable):
            raise
        return  # the answer is that no page is there, with or without the way on
    if found is not None and not found.must_enrol:
        request.state.frame = frame_for(request, found.user, found.actor)
