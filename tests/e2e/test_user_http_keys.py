"""Requests that are sent again under their key, and answers that are true although a commit fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import CommitOutcomeUnknown, IntegrityViolation, StorageUnavailable
from service_layer import users
from tests.e2e.http_server import Shared, problem
from tests.storages import Storage

KEY = {"Idempotency-Key": "key-1"}
BOB = {"username": "bob", "email": "bob@example.com"}


@pytest.fixture
def http(server: tuple[Shared, httpx.Client], storage: Storage) -> httpx.Client:
    """A client of a server on each storage in turn, where ann is stored."""
    shared, client = server
    shared.storage = storage
    users.create_user("ann", "ann@example.com", storage.unit())
    return client


def said(answer: httpx.Response) -> tuple[int, bytes, list[str | None]]:
    """Return all that an answer says to the one who has asked."""
    return answer.status_code, answer.content, [answer.headers.get(name) for name in ("etag", "location")]


REQUESTS: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "/users", BOB),
    "update": ("PATCH", "/users/ann", {"username": "anna"}),
    "deactivate": ("POST", "/users/ann/deactivate", None),
    "reactivate": ("POST", "/users/ann/reactivate", None),
    "delete": ("DELETE", "/users/ann", None),
}


def send(http: httpx.Client, which: str, **headers: str) -> httpx.Response:
    """Send one of the requests, under the key."""
    method, path, body = REQUESTS[which]
    return http.request(method, path, json=body, headers={"If-Match": '"1"', **KEY, **headers})


@pytest.mark.parametrize("which", REQUESTS)
def test_the_same_request_gets_the_first_answer(http: httpx.Client, which: str) -> None:
    """The same request gets the first answer, even if another client has deleted all users since."""
    first = send(http, which)
    assert 200 <= first.status_code < 300
    for name in ("ann", "anna", "bob"):
        http.delete(f"/users/{name}", headers={"If-Match": "*"})
    assert said(first) == said(send(http, which))
    assert [] == http.get("/users").json()["users"]


@pytest.mark.parametrize("which", REQUESTS)
def test_a_key_changes_no_answer(http: httpx.Client, storage: Storage, which: str) -> None:
    """A request with a key gets the answer that it would get without one."""
    method, path, body = REQUESTS[which]
    keyed = send(http, which)
    with storage.unit() as uow:
        for user in uow.users.list_where():
            uow.users.remove(user)
        uow.commit()
    users.create_user("ann", "ann@example.com", storage.unit())
    plain = http.request(method, path, json=body, headers={"If-Match": '"1"'})
    assert (keyed.status_code, keyed.headers.get("etag"), keyed.headers.get("location")) == (
        plain.status_code,
        plain.headers.get("etag"),
        plain.headers.get("location"),
    )
    told = [{**one.json(), "id": "", "created_at": ""} if one.content else {} for one in (keyed, plain)]
    assert told[0] == told[1]


def test_another_request_under_the_key_is_refused(http: httpx.Client) -> None:
    """A request with another body, path, method or version is refused under the same key."""
    assert 201 == send(http, "create").status_code
    others = [
        http.post("/users", json={**BOB, "email": "b@example.com"}, headers=KEY),
        http.patch("/users/bob", json=BOB, headers={"If-Match": '"1"', **KEY}),
        http.delete("/users/bob", headers={"If-Match": '"1"', **KEY}),
        send(http, "create", **{"If-Match": '"2"'}),
    ]
    assert 204 == http.delete("/users/ann", headers={"If-Match": "*", "Idempotency-Key": "another"}).status_code
    others.append(http.delete("/users/bob", headers={"If-Match": "*", "Idempotency-Key": "another"}))
    assert [(422, "/problems/key-reused")] * 5 == [(one.status_code, problem(one)["type"]) for one in others]
    assert ["bob"] == [user["username"] for user in http.get("/users").json()["users"]]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_what_cannot_be_a_key_is_refused(http: httpx.Client, key: str) -> None:
    """A request whose key cannot be one is refused, and nothing is done."""
    refused = http.post("/users", json=BOB, headers={"Idempotency-Key": key})
    assert (422, "/problems/invalid-request") == (refused.status_code, problem(refused)["type"])
    assert 404 == http.get("/users/bob").status_code


def test_a_refusal_is_judged_again(http: httpx.Client) -> None:
    """A refused request is judged again. The key stores only what was done."""
    taken = {**BOB, "email": "ann@example.com"}
    assert 409 == http.post("/users", json=taken, headers=KEY).status_code
    http.delete("/users/ann", headers={"If-Match": "*"})
    assert [201, 201] == [http.post("/users", json=taken, headers=KEY).status_code for _ in range(2)]


@pytest.mark.every_case
@pytest.mark.parametrize("which", ["create", "update", "delete"])
def test_two_at_the_same_time_have_one_effect(http: httpx.Client, which: str) -> None:
    """Equal requests at the same time have one effect, and all get the same answer."""
    with ThreadPoolExecutor(6) as threads:
        answers = [one.result() for one in [threads.submit(send, http, which) for _ in range(6)]]
    assert 1 == len({said(answer)[:2] for answer in answers})
    assert 200 <= answers[0].status_code < 300
    shown = [(user["username"], user["version"]) for user in http.get("/users").json()["users"]]
    assert {"create": [("ann", 1), ("bob", 1)], "update": [("anna", 2)], "delete": []}[which] == shown


@pytest.fixture
def failing(server: tuple[Shared, httpx.Client]) -> tuple[FakeDatabase, httpx.Client]:
    """A fake database that can fail, and a client of a server on it."""
    database = FakeDatabase()
    server[0].storage = Storage("fake", lambda *, read_only=False: FakeUnitOfWork(database, read_only=read_only))  # type: ignore[arg-type,return-value]  # a shop has more
    return database, server[1]


def test_units_of_work_are_counted_by_their_outcome(failing: tuple[FakeDatabase, httpx.Client]) -> None:
    """Units of work are counted by outcome. A repeated request is a read. Each retry counts."""
    database, http = failing

    def counts() -> dict[str, int]:
        lines = [line.split() for line in http.get("/metrics").text.splitlines() if "units_of_work_total{" in line]
        return {name.split('"')[1]: round(float(count)) for name, count in lines}

    before = counts()
    failures = (IntegrityViolation("x", "check"), CommitOutcomeUnknown(), StorageUnavailable(), StorageUnavailable())
    for call_number, error in enumerate(failures, start=1):
        database.fail("commit", error, call=call_number)
    for _ in range(3):
        send(http, "create")
    send(http, "create")
    send(http, "delete")
    http.get("/users/bob")
    changed = {name: count - before[name] for name, count in counts().items()}
    assert {"committed": 1, "read": 2, "refused": 1, "retried": 2, "rolled_back": 1, "unknown": 1} == changed


@pytest.mark.parametrize("stored", [True, False])
def test_an_unknown_outcome_is_settled_by_the_same_request(
    failing: tuple[FakeDatabase, httpx.Client], stored: bool
) -> None:
    """The same request settles an unknown outcome: its answer is true whether the work was stored or not."""
    database, http = failing
    database.fail("commit", CommitOutcomeUnknown("secret words of a driver"), stored=stored)
    unknown = send(http, "create")
    assert (503, "/problems/outcome-unknown") == (unknown.status_code, problem(unknown)["type"])
    assert "send the same request with the same key again" in problem(unknown)["detail"]
    assert "secret" not in unknown.text
    assert [201, 201] == [send(http, "create").status_code for _ in range(2)]
    assert [("bob", 1)] == [(user["username"], user["version"]) for user in http.get("/users").json()["users"]]


@pytest.mark.parametrize(
    ("error", "times", "status", "name"),
    [
        (StorageUnavailable("secret"), 1, 201, ""),
        (StorageUnavailable("secret"), 100, 503, "/problems/unavailable"),
        (IntegrityViolation("secret", "check"), 1, 500, "/problems/storage-error"),
        (RuntimeError("secret"), 1, 500, "about:blank"),
    ],
)
@pytest.mark.parametrize("key", [{}, KEY])
def test_a_2xx_is_sent_only_after_the_commit(  # a table of cases
    failing: tuple[FakeDatabase, httpx.Client],
    error: Exception,
    times: int,
    status: int,
    name: str,
    key: dict[str, str],
) -> None:
    """A 2xx is sent only after the commit. A failed commit is retried where that can help.

    Otherwise the answer says that nothing is stored.
    """
    database, http = failing
    for _ in range(times):
        database.fail("commit", error)
    answer = http.post("/users", json=BOB, headers=key)
    assert status == answer.status_code
    if status != 201:
        assert name == problem(answer)["type"]
        assert "secret" not in answer.text
    assert (["bob"] if status == 201 else []) == [user["username"] for user in http.get("/users").json()["users"]]
