"""Log in to the JSON API, stay logged in, log out; a forgotten or changed password."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.api.attempts import (
    claim_attempt,
    factor_subjects,
    own_try,
    reset_subjects,
    subjects_of,
)
from app.api.deps import (
    ActorDep,
    OpenLoginServiceDep,
    OpenUserTokenServiceDep,
    RefreshTokenServiceDep,
    UserServiceDep,
    presented_token,
    session_token,
)
from app.api.errors import UnsupportedMediaType, json_answer
from app.api.limits import count_address
from app.api.mails import request_reset
from app.api.openapi import responses
from app.api.strict_json import StrictRoute, parse
from app.exceptions import BadRequest, Forbidden, SecondFactorRequired, Unauthorized, WrongCode
from app.models import AttemptKind
from app.schemas.auth import (
    LoginRequest,
    LogoutRequest,
    Me,
    PasswordForgotten,
    PasswordReset,
    RefreshRequest,
    Tokens,
)
from app.schemas.users import NewPassword, PasswordChange
from app.services.refresh_tokens import TokenPair

router = APIRouter(
    prefix="/auth",
    tags=["auth"],
    dependencies=[Depends(count_address)],
    route_class=StrictRoute,
)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TOKEN_OVER = "This refresh token is over. Log in again."  # noqa: S105  (a message)
KEYS_HAVE_NO_PASSWORD = "An API key cannot change a password; log in as the person."  # noqa: S105
LOGIN_BODY: dict[str, Any] = {  # OpenAPI
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                # In place: it is read by hand, so no route declares it.
                "schema": LoginRequest.model_json_schema(),
                "example": {"email": "ada@example.com", "password": "Better-Horse-8"},
            },
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "username": {"type": "string"},
                        "password": {"type": "string", "format": "password"},
                        "code": {"type": "string"},
                    },
                }
            },
        },
    }
}


async def credentials(request: Request) -> LoginRequest:
    """JSON, or the form that OAuth2 clients and the Authorize button of /docs send."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == JSON:
        return LoginRequest.model_validate(parse(await request.body()))
    if media_type != FORM:
        raise UnsupportedMediaType(f"Send {JSON} or {FORM}.")
    form = await request.form()
    given = {"email": form.get("username", ""), "password": form.get("password", "")}
    return LoginRequest.model_validate(given | {"code": form.get("code") or None})


def tokens_of(pair: TokenPair, response: Response) -> Tokens:
    response.headers["Cache-Control"] = "no-store"
    return Tokens(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type="bearer",  # noqa: S106  (its kind, RFC 6750)
        expires_in=pair.expires_in_s,
    )


@router.post(
    "/login",
    response_model=Tokens,
    responses=responses(401, 403, 413, 415),
    openapi_extra=LOGIN_BODY,
)
async def log_in(
    request: Request,
    response: Response,
    data: Annotated[LoginRequest, Depends(credentials)],
    logins: OpenLoginServiceDep,
    tokens: RefreshTokenServiceDep,
) -> Any:
    """E-mail and password, and a code where there is a second factor, for a pair of tokens."""
    email = data.email.replace("\x00", "").strip()
    subjects = subjects_of(request, logins.settings, email)
    attempts = await claim_attempt(request, AttemptKind.PASSWORD, subjects)
    code_attempts: list[int] = []
    if data.code is not None:
        codes = factor_subjects(request, email)
        code_attempts = await claim_attempt(request, AttemptKind.SECOND_FACTOR, codes)
    try:
        password = data.password.get_secret_value()
        user = await logins.authenticate(email, password, data.code)
        await logins.succeed(user, attempts + code_attempts)
    except Unauthorized as error:
        # Answered, not raised: the record of the refusal is to be kept.
        logins.record_refusal(email)
        if not isinstance(error, WrongCode):
            # Or whoever knows no password could use up the owner's tries of a code.
            await logins.give_back(code_attempts)
        return json_answer(request, error)
    except SecondFactorRequired as error:
        await logins.give_back(attempts + code_attempts)
        return json_answer(request, error)
    return tokens_of(await tokens.open(user, request.headers.get("user-agent")), response)


@router.post("/token/refresh", response_model=Tokens, responses=responses(401, 403, 413, 415))
async def refresh_token(
    data: RefreshRequest, tokens: RefreshTokenServiceDep, request: Request, response: Response
) -> Any:
    """A new pair for a refresh token, which is over after that. Retry within 10 seconds."""
    pair = await tokens.rotate(data.refresh_token, request.headers.get("user-agent"))
    if pair is None:
        # Answered, not raised: reuse has ended the family, and that is to be kept.
        return json_answer(request, Unauthorized(TOKEN_OVER))
    return tokens_of(pair, response)


@router.post("/logout", status_code=204, responses=responses(401, 413, 415))
async def log_out(
    tokens: RefreshTokenServiceDep, request: Request, data: LogoutRequest | None = None
) -> None:
    """End this login: every token that came from it is over at once. Repeating does no harm."""
    refresh = data.refresh_token if data else None
    access = presented_token(request)
    if refresh is None and access is None:
        raise BadRequest("Send the refresh token, or the access token as Authorization: Bearer.")
    await tokens.log_out(refresh, access)


@router.get("/me", response_model=Me, responses=responses(401, 403))
async def who_am_i(actor: ActorDep) -> Me:
    """Who this request is made as: a person, or a key of theirs."""
    return Me(
        user_id=actor.user_id or 0,
        role=actor.role,
        permissions=sorted(actor.permissions),
        api_key_id=actor.api_key_id,
        agent_id=actor.only_agent_id,
        recently_authenticated=actor.recently_authenticated,
    )


@router.post("/password/forgot", status_code=202, responses=responses(413, 415))
async def forget_password(
    data: PasswordForgotten,
    tokens: OpenUserTokenServiceDep,
    request: Request,
) -> None:
    """Send a link to choose a new password, if there is such an account; it never says."""
    email = data.email.replace("\x00", "").strip()
    await claim_attempt(request, AttemptKind.RESET, reset_subjects(request, email))
    await request_reset(request, tokens, email)


@router.post("/password/reset", status_code=204, responses=responses(404, 413, 415))
async def reset_password(data: PasswordReset, tokens: OpenUserTokenServiceDep) -> None:
    """Choose a new password with the token of a link. Every login of that person ends."""
    password = NewPassword(password=data.password, confirm_password=data.confirm_password)
    await tokens.redeem(data.token, password)


@router.post("/password/change", status_code=204, responses=responses(401, 403, 413, 415))
async def change_password(
    data: PasswordChange,
    actor: ActorDep,
    users: UserServiceDep,
    logins: OpenLoginServiceDep,
    request: Request,
) -> None:
    """Every other login of yours ends; with a token, this one too."""
    if actor.api_key_id is not None:
        raise Forbidden(KEYS_HAVE_NO_PASSWORD)
    async with own_try(request, logins, actor):
        await users.change_own_password(data, keep_token=session_token(request, logins.settings))
