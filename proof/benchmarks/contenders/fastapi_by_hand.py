"""FastAPI on SQLAlchemy's ORM by hand, as their documentation advises. ``proof.benchmarks.http`` measures it.

    DATABASE_URL=postgresql+psycopg2://... uvicorn proof.benchmarks.contenders.fastapi_by_hand:app

It answers as the skeleton does where nothing goes wrong, and refuses a value that is taken. It has no ETags to compare,
no keys, no limits, no problem details, and does not say which value was taken. It makes the same kind of ids.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, EmailStr
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker

from domain.aggregate import new_id
from proof.benchmarks.contenders.sqlalchemy_orm import User

app = FastAPI()
# As many connections as the skeleton keeps. With the pool's defaults it would be slower.
engine = create_engine(os.environ["DATABASE_URL"], pool_size=15, max_overflow=0, pool_use_lifo=True)
make_session = sessionmaker(engine, expire_on_commit=False)


class NewUser(BaseModel):
    """What a user is made of."""

    model_config = ConfigDict(extra="forbid")

    username: str
    email: EmailStr


class ShownUser(BaseModel):
    """A user."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    username: str
    email: str
    created_at: datetime
    active: bool
    version: int


class UserPage(BaseModel):
    """Some users."""

    users: list[ShownUser]


@app.post("/users", status_code=201, response_model=ShownUser)
def create_user(values: NewUser, response: Response) -> User:
    """Store a new user, by one commit."""
    username = values.username.lower()
    with make_session() as session:
        user = User(id=new_id(), username=username, email=values.email, created_at=datetime.now(UTC), active=True)
        session.add(user)
        try:
            session.commit()
        except IntegrityError as error:
            raise HTTPException(409) from error
    response.headers["Location"] = f"/users/{user.username}"
    response.headers["ETag"] = f'"{user.version}"'
    return user


@app.get("/users", response_model=UserPage)
def list_users(
    response: Response, limit: Annotated[int, Query(ge=1, le=1000)] = 50, after: UUID | None = None
) -> dict[str, Sequence[User]]:
    """Return a page of users, in the order of their ids."""
    query = select(User).order_by(User.id).limit(limit + 1)
    if after is not None:
        query = query.where(User.id > after)
    with make_session() as session:
        users = session.scalars(query).all()
    if len(users) > limit:
        response.headers["Link"] = f'</users?limit={limit}&after={users[limit - 1].id}>; rel="next"'
    return {"users": users[:limit]}


@app.get("/users/{username}", response_model=ShownUser)
def get_user(username: str, response: Response) -> User:
    """Return a user by the name."""
    with make_session() as session:
        user = session.scalar(select(User).where(User.username == username.lower()))
    if user is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"{user.version}"'
    return user
