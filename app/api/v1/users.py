"""People over JSON, for superusers. Nobody sets another's password: links do."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import (
    IfMatchDep,
    UserServiceDep,
    UserTokenServiceDep,
    etag,
    recently_authenticated,
    requires,
)
from app.api.idempotency import OnceDep
from app.api.mails import issue_link
from app.api.openapi import created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS, page_of
from app.core.permissions import Permission
from app.models import TokenPurpose, User
from app.schemas.base import MAX_BIGINT, Page
from app.schemas.users import (
    LinkSent,
    UserCreate,
    UserInvite,
    UserInvited,
    UserQuery,
    UserRead,
    UserUpdate,
)

router = APIRouter(prefix="/users", tags=["users"], route_class=StrictRoute)
UserId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
READ = [requires(Permission.USERS_READ)]
MANAGE = [requires(Permission.USERS_MANAGE), recently_authenticated]
NEVER_STORED = {"Cache-Control": "no-store"}


@router.post(
    "",
    status_code=201,
    response_model=UserInvited,
    dependencies=MANAGE,
    responses={**created(UserInvited), **CREATE_ERRORS},
)
async def invite_user(
    data: UserInvite,
    users: UserServiceDep,
    tokens: UserTokenServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> UserInvited:
    """Invite someone: they choose their password by the link."""
    user = await users.create(UserCreate(**data.model_dump()))
    link = await issue_link(request, tokens, user, TokenPurpose.INVITATION)
    response.headers["Location"] = f"{request.url.path}/{user.id}"
    response.headers.update(NEVER_STORED | {"ETag": etag(user.row_version)})
    read = UserRead.model_validate(user).model_dump()
    invited = UserInvited(**read, mail_sent=link is None, link=link)
    return await once.keep(invited, response, 201, shown_once="link")


@router.get("", response_model=Page[UserRead], dependencies=READ, responses=LIST_ERRORS)
async def list_users(query: Annotated[UserQuery, Query()], users: UserServiceDep) -> Any:
    """Everyone, by name. Sorts: full_name, created_at; `-` descends."""
    return page_of(await users.list_page(query), query)


@router.get("/{user_id}", response_model=UserRead, dependencies=READ, responses=READ_ERRORS)
async def get_user(user_id: UserId, users: UserServiceDep, response: Response) -> User:
    """One person; the ETag is their row version."""
    user = await users.get(user_id)
    response.headers["ETag"] = etag(user.row_version)
    return user


@router.patch("/{user_id}", response_model=UserRead, dependencies=MANAGE, responses=CHANGE_ERRORS)
async def update_user(
    user_id: UserId,
    data: UserUpdate,
    users: UserServiceDep,
    version: IfMatchDep,
    response: Response,
) -> User:
    """Change what is sent; another role or state ends their sessions and tokens."""
    user = await users.update(user_id, data, version)
    response.headers["ETag"] = etag(user.row_version)
    return user


@router.delete("/{user_id}", status_code=204, dependencies=MANAGE, responses=CHANGE_ERRORS)
async def delete_user(user_id: UserId, users: UserServiceDep, version: IfMatchDep) -> None:
    """Move to the trash; they are out at once. The last superuser stays."""
    await users.delete(user_id, version)


@router.post(
    "/{user_id}/restore", response_model=UserRead, dependencies=MANAGE, responses=CHANGE_ERRORS
)
async def restore_user(user_id: UserId, users: UserServiceDep) -> User:
    """Bring back from the trash."""
    return await users.restore(user_id)


@router.post(
    "/{user_id}/password-link",
    response_model=LinkSent,
    dependencies=MANAGE,
    responses=CHANGE_ERRORS,
)
async def send_password_link(
    user_id: UserId,
    users: UserServiceDep,
    tokens: UserTokenServiceDep,
    request: Request,
    response: Response,
) -> LinkSent:
    """A link to set a new password, or the invitation again."""
    user = await users.get_for_link(user_id)
    purpose = TokenPurpose.PASSWORD_RESET if user.hashed_password else TokenPurpose.INVITATION
    link = await issue_link(request, tokens, user, purpose)
    response.headers.update(NEVER_STORED)
    return LinkSent(mail_sent=link is None, link=link)
