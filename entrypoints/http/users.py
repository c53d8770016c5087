"""Users over HTTP: each endpoint calls one use case, with a unit of work for this request alone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args
from unicodedata import normalize
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from fastapi import Path as InPath
from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from domain.user import EmailAddress, Username
from entrypoints import user_pages
from entrypoints.http.answers import Answer, Changing, Reading
from entrypoints.http.descriptions import described
from entrypoints.http.routes import router
from entrypoints.http.versions import IfMatch, IfNoneMatch, etag, is_known, version_of
from entrypoints.user_formats import as_record
from service_layer import users
from service_layer.user_filter import UserFilter, UserSort

if TYPE_CHECKING:
    from domain.user import User

users_router = router("users")


def _with_an_address(name: str) -> str:
    """Return a name. Clients would take a path that ends with one or two dots for another one (RFC 3986, 5.2.4)."""
    if normalize("NFKC", name) in {".", ".."}:
        raise ValueError("a name of one or two dots cannot stand in an address")
    return name


Name = Annotated[
    str,
    Field(min_length=1, max_length=Username.MAX_LENGTH, examples=["ann"]),
    AfterValidator(_with_an_address),
]
Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=EmailAddress.MAX_LENGTH,
        json_schema_extra={"format": "email"},
        examples=["ann@example.com"],
    ),
]


class NewUser(BaseModel):
    """What a user is made of."""

    model_config = ConfigDict(extra="forbid", strict=True)

    username: Name
    email: Address


def _without_defaults(schema: dict[str, Any]) -> None:
    for one in schema["properties"].values():
        one.pop("default", None)


class UserChange(BaseModel):
    """What changes of a user; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_without_defaults)

    username: Name = ""
    email: Address = ""


class ShownUser(BaseModel):
    """A user."""

    id: UUID
    username: str
    email: str
    created_at: datetime
    active: bool
    version: int


class UserPage(BaseModel):
    """Some users; next is what after takes for the page that follows, if there is one."""

    users: list[ShownUser]
    next: str | None


def _time(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(_time)]


_PLACE = "^(.*,)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class UserQuery(BaseModel):
    """Which users a list has, and in which order."""

    model_config = ConfigDict(extra="forbid")

    active: bool | None = Field(None, description="Only those who are active, or who are not.")
    created_after: Time | None = Field(None, description="Only those created later, with an offset from UTC.")
    created_before: Time | None = Field(None, description="Only those created earlier, likewise.")
    sort: UserSort = Field(
        "id",
        description="The order; - in front reverses it.",
        json_schema_extra={
            "x-enum-varnames": [re.sub("^-(.*)", r"\1_descending", name) for name in get_args(UserSort)]
        },
    )
    limit: int = Field(50, ge=1, le=1000, description="At most so many.")
    after: str | None = Field(
        None, max_length=400, pattern=_PLACE, description="Where the page begins: next of the page before."
    )


# Decoded here, so that a name can hold a slash.
NameInPath = Annotated[
    str,
    InPath(description="The user's name, in any spelling.", min_length=1, max_length=Username.MAX_LENGTH),
    BeforeValidator(lambda name: unquote(name, errors="strict")),
]


@users_router.post(
    "",
    status_code=201,
    response_model=ShownUser,
    **described(users.create_user, 409, answers={201: ["ETag", "Location"]}),
)
def create_user(values: NewUser, work: Changing) -> Response:
    return work.change(
        lambda uow: users.create_user(values.username, values.email, uow),
        lambda user: shown(user, 201, Location=f"/users/{quote(user.username, safe='')}"),
        lambda uow: uow.users.get_by_username(values.username),
        values.model_dump(mode="json"),
    )


@users_router.get("", response_model=UserPage, **described(users.list_users, answers={200: ["Link"]}))
def list_users(query: Annotated[UserQuery, Query()], work: Reading) -> Response:
    chosen = UserFilter(query.active, query.created_after, query.created_before, query.sort)
    after = user_pages.from_text(query.after, query.sort)
    page = work.read(lambda uow: users.list_users(after, query.limit, uow, chosen))
    following, headers = user_pages.as_text(page.next) if page.next else None, {}
    if following:
        asked = query.model_dump(mode="json", exclude_unset=True, exclude={"after"})
        headers["Link"] = f'</users?{urlencode({**asked, "after": following})}>; rel="next"'
    return Answer(200, {"users": [as_record(user) for user in page.items], "next": following}, headers).response()


@users_router.get(
    "/{username}", response_model=ShownUser, **described(users.get_user, 404, answers={200: ["ETag"], 304: ["ETag"]})
)
def get_user(username: NameInPath, work: Reading, if_none_match: IfNoneMatch = None) -> Response:
    user = work.read(lambda uow: users.get_user(username, uow))
    if is_known(user.version, if_none_match):
        return Answer(304, headers={"ETag": etag(user.version)}).response()
    return shown(user).response()


@users_router.patch(
    "/{username}", response_model=ShownUser, **described(users.update_user, 404, 409, 412, 428, answers={200: ["ETag"]})
)
def update_user(username: NameInPath, values: UserChange, if_match: IfMatch, work: Changing) -> Response:
    return work.change(
        lambda uow: users.update_user(
            username,
            uow,
            new_username=values.username or None,
            email=values.email or None,
            version=version_of(if_match),
        ),
        shown,
        lambda uow: uow.users.get_by_username(values.username or username),
        values.model_dump(mode="json", exclude_unset=True),
    )


@users_router.post(
    "/{username}/deactivate",
    response_model=ShownUser,
    **described(users.deactivate_user, 404, 412, 428, answers={200: ["ETag"]}),
)
def deactivate_user(username: NameInPath, if_match: IfMatch, work: Changing) -> Response:
    return work.change(
        lambda uow: users.deactivate_user(username, uow, version_of(if_match)),
        shown,
        lambda uow: uow.users.get_by_username(username),
    )


@users_router.post(
    "/{username}/reactivate",
    response_model=ShownUser,
    **described(users.reactivate_user, 404, 412, 428, answers={200: ["ETag"]}),
)
def reactivate_user(username: NameInPath, if_match: IfMatch, work: Changing) -> Response:
    return work.change(
        lambda uow: users.reactivate_user(username, uow, version_of(if_match)),
        shown,
        lambda uow: uow.users.get_by_username(username),
    )


@users_router.delete("/{username}", status_code=204, **described(users.delete_user, 404, 412, 428, answers={204: []}))
def delete_user(username: NameInPath, if_match: IfMatch, work: Changing) -> Response:
    return work.change(
        lambda uow: users.delete_user(username, uow, version_of(if_match)), lambda _: Answer(204), lambda _: None
    )


def shown(user: User, status: int = 200, **headers: str) -> Answer:
    """Return the answer that shows a user."""
    return Answer(status, as_record(user), {"ETag": etag(user.version), **headers})
