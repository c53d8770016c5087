"""A server as many tutorials have it: a dependency yields a session, and commits when the endpoint has returned."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Body, Depends, FastAPI, HTTPException, Response
from sqlalchemy.orm import Session, sessionmaker

from adapters.sql.engine import make_engine
from adapters.sql.users import users
from domain.aggregate import new_id

app = FastAPI()
sessions = sessionmaker(make_engine(os.environ["DATABASE_URL"]))


def session() -> Iterator[Session]:
    """Yield a session, and commit afterwards."""
    with sessions() as session:
        yield session
        session.commit()


InSession = Annotated[Session, Depends(session)]


@app.post("/users", status_code=201)
def create_user(values: Annotated[dict[str, str], Body()], session: InSession, response: Response) -> dict[str, Any]:
    """Store a user."""
    if session.query(users.c.id).filter(users.c.username == values["username"]).first():
        raise HTTPException(409, {"type": "taken"})
    row = {**values, "id": new_id(), "created_at": datetime.now(UTC), "active": True, "version": 1}
    session.execute(users.insert().values(row))
    response.headers["ETag"] = '"1"'
    return {"email": values["email"], "version": 1}


@app.patch("/users/{username}")
def change_user(username: str, values: Annotated[dict[str, str], Body()], session: InSession) -> dict[str, Any]:
    """Change the address of a user."""
    session.execute(users.update().where(users.c.username == username).values(email=values["email"], version=2))
    return {"email": values["email"], "version": 2}


if __name__ == "__main__":
    print("serving", flush=True)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="critical")
