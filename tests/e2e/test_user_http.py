"""Users over HTTP, through a real server on each storage."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service_layer import users
from tests.e2e.http_server import Shared, problem
from tests.storages import Storage

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def http(server: tuple[Shared, httpx.Client], storage: Storage) -> httpx.Client:
    """A client of a server on each storage in turn, where ann is stored."""
    shared, client = server
    shared.storage = storage
    users.create_user("ann", "ann@example.com", storage.unit())
    return client


def test_a_created_user_is_answered_and_stored(http: httpx.Client) -> None:
    """A created user is answered with its place and version. A later read finds the same."""
    created = http.post("/users", json={"username": "BOB", "email": "bob@Example.com"})
    read = http.get(created.headers["location"])
    assert (201, "/users/bob", '"1"') == (created.status_code, created.headers["location"], created.headers["etag"])
    assert (200, '"1"', created.json()) == (read.status_code, read.headers["etag"], read.json())
    assert ["id", "username", "email", "created_at", "active", "version"] == list(created.json())
    assert ("bob", "bob@example.com", True) == tuple(created.json()[key] for key in ("username", "email", "active"))


@pytest.mark.parametrize(
    ("method", "path", "body", "changed"),
    [
        ("PATCH", "", {"email": "ann@example.org"}, {"email": "ann@example.org"}),
        ("PATCH", "", {"username": "Anna", "email": "a@b.org"}, {"username": "anna", "email": "a@b.org"}),
        ("POST", "/deactivate", None, {"active": False}),
    ],
)
def test_a_change_is_answered_and_stored(
    http: httpx.Client, method: str, path: str, body: Any, changed: dict[str, Any]
) -> None:
    """A change is answered and stored. Nothing else changes but the version, which is the ETag."""
    before = http.get("/users/ann").json()
    answer = http.request(method, f"/users/ann{path}", json=body, headers={"If-Match": '"1"'})
    expected = before | changed | {"version": 2}
    assert (200, '"2"', expected) == (answer.status_code, answer.headers["etag"], answer.json())
    assert expected == http.get(f"/users/{expected['username']}").json()


@pytest.mark.parametrize("tags", ["1", "", '"1', '"1", "2"'])
def test_a_change_names_one_version(http: httpx.Client, tags: str) -> None:
    """A change names one version, in quotation marks. Anything else is refused."""
    refused = http.delete("/users/ann", headers={"If-Match": tags})
    assert (422, "/problems/invalid-request") == (refused.status_code, problem(refused)["type"])


def test_a_header_that_is_there_twice_is_a_list(http: httpx.Client) -> None:
    """A header that is sent twice is a list, and no value of it is chosen.

    A change names one version and has one key. A client may know two versions.
    """
    twice = [("If-Match", '"1"'), ("If-Match", '"2"')]
    assert 422 == http.delete("/users/ann", headers=twice).status_code
    keys = [("Idempotency-Key", "key-1"), ("Idempotency-Key", "key-2")]
    assert 422 == http.post("/users", json={"username": "bob", "email": "b@example.com"}, headers=keys).status_code
    assert 304 == http.get("/users/ann", headers=[("If-None-Match", '"7"'), ("If-None-Match", '"1"')]).status_code
    assert ["ann"] == [user["username"] for user in http.get("/users").json()["users"]]


def test_a_user_is_switched_on_again_and_deleted(http: httpx.Client) -> None:
    """A user is reactivated and deleted. A star in ``If-Match`` stands for any version."""
    assert [200, 200, 204, 404] == [
        http.post("/users/ann/deactivate", headers={"If-Match": "*"}).status_code,
        http.post("/users/ann/reactivate", headers={"If-Match": "*"}).status_code,
        http.delete("/users/ann", headers={"If-Match": '"3"'}).status_code,
        http.get("/users/ann").status_code,
    ]


@pytest.mark.parametrize(
    ("tags", "status"), [('"1"', 304), ('W/"1"', 304), ('"7", "1"', 304), ("*", 304), ('"2"', 200), ("1", 422)]
)
def test_a_known_version_is_not_sent_again(http: httpx.Client, tags: str, status: int) -> None:
    """A version that the client knows is answered with 304: its ETag and no body."""
    answer = http.get("/users/ann", headers={"If-None-Match": tags})
    assert (status, status == 304) == (answer.status_code, answer.content == b"")
    assert answer.headers.get("etag") == (None if status == 422 else '"1"')


CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/users/ann", {"email": "ann@example.org"}),
    ("POST", "/users/ann/deactivate", None),
    ("POST", "/users/ann/reactivate", None),
    ("DELETE", "/users/ann", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_change_names_the_version_that_it_changes(http: httpx.Client, method: str, path: str, body: Any) -> None:
    """A change without ``If-Match`` is 428, with a key too. With another version it is 412. Nothing changes."""
    for key in ({}, {"Idempotency-Key": "key-1"}):
        refused = http.request(method, path, json=body, headers=key)
        assert (428, "/problems/precondition-required") == (refused.status_code, problem(refused)["type"])
        for tag in ('"2"', 'W/"1"', '"x"', '"01"'):
            stale = http.request(method, path, json=body, headers={"If-Match": tag, **key})
            assert (412, "/problems/version-mismatch") == (stale.status_code, problem(stale)["type"])
            assert "has version 1, and not" in problem(stale)["detail"]
    assert ("ann@example.com", 1) == (http.get("/users/ann").json()["email"], http.get("/users/ann").json()["version"])


@pytest.mark.parametrize(
    ("body", "status", "name", "detail"),
    [
        ('{"username":"ANN","email":"x@example.com"}', 409, "value-taken", "the username 'ann' is taken already"),
        ('{"username":"bob","email":"ann@example.com"}', 409, "value-taken", "the email 'ann@example.com' is taken"),
        ('{"username":"b b","email":"b@example.com"}', 422, "invalid-value", "'b b' is not a valid username"),
        ('{"username":"bob","email":"nobody"}', 422, "invalid-value", "'nobody' is not a valid email"),
        ('{"username":"bob"}', 422, "invalid-request", "body.email: Field required"),
        (
            '{"username":"..","email":"b@example.com"}',
            422,
            "invalid-request",
            "body.username: a name of one or two dots",
        ),
        (
            '{"username":"．","email":"b@example.com"}',
            422,
            "invalid-request",
            "body.username: a name of one or two dots",
        ),
        ('{"username":"bob","email":null}', 422, "invalid-request", "body.email: Input should be a valid string"),
        ('{"username":1,"email":"b@example.com"}', 422, "invalid-request", "body.username: Input should be a valid"),
        ('{"username":"bob","email":"b@example.com","admin":1}', 422, "invalid-request", "body.admin: Extra inputs"),
        ('{"username":"bob","username":"eve","email":"b@example.com"}', 422, "invalid-request", "the same key twice"),
        ('{"username":"bob","email":NaN}', 422, "invalid-request", "NaN is no JSON"),
        ('{"username":"bob"', 422, "invalid-request", "body"),
        ('["bob"]', 422, "invalid-request", "body"),
        ("", 422, "invalid-request", "body: Field required"),
        ('{"username":"\\ud800","email":"b@example.com"}', 422, "invalid-request", "body.username"),
    ],
)
def test_a_refusal_says_what_is_wrong(http: httpx.Client, body: str, status: int, name: str, detail: str) -> None:
    """A refusal says what is wrong in the words of the domain. Nothing is stored."""
    refused = http.post("/users", content=body, headers=JSON)
    assert (status, f"/problems/{name}") == (refused.status_code, problem(refused)["type"])
    assert detail in problem(refused)["detail"]
    assert ["ann"] == [user["username"] for user in http.get("/users").json()["users"]]


@pytest.mark.parametrize(
    "body", [b"\xff", b"[" * 60_000, b'{"username":' + b"9" * 5_000, '{"username":"bob"}'.encode("utf-16")]
)
def test_a_body_that_is_no_text_is_refused(http: httpx.Client, body: bytes) -> None:
    """A body that is no text is refused with 400, because it cannot be JSON."""
    refused = http.post("/users", content=body, headers=JSON)
    assert (400, "about:blank") == (refused.status_code, problem(refused)["type"])


def test_a_body_has_a_limit(http: httpx.Client) -> None:
    """A body of more than 64 KiB is refused, whether its length is announced or not."""
    for content in (b" " * 65_536, iter([b" " * 32_768] * 2)):
        assert 422 == http.post("/users", content=content, headers=JSON).status_code
    for content in (b" " * 70_000, iter([b" " * 35_000] * 2)):
        refused = http.post("/users", content=content, headers=JSON)
        assert (413, "about:blank") == (refused.status_code, problem(refused)["type"])


def test_a_name_may_hold_what_a_path_is_made_of(http: httpx.Client) -> None:
    """A name may hold a slash, a question mark, a per cent sign, and letters of other scripts."""
    for number, name in enumerate(("a/b", "what?", "100%", "зоя", "a/deactivate")):
        created = http.post("/users", json={"username": name, "email": f"{number}@example.com"})
        assert f"/users/{quote(name, safe='')}" == created.headers["location"]
        assert created.json() == http.get(created.headers["location"]).json()
    assert 422 == http.get("/users/%ff").status_code


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["ann", "bob", "cid"]),
        ("limit=1", ["ann", "bob", "cid"]),
        ("sort=-username&limit=2", ["cid", "bob", "ann"]),
        ("active=false&limit=1", ["bob"]),
        ("active=true&sort=email&limit=1&created_after=2026-01-01T00:00:00Z", ["ann", "cid"]),
        ("created_before=2026-01-01T00:00:00%2B01:00", []),
    ],
)
def test_a_list_is_read_page_by_page(http: httpx.Client, query: str, names: list[str]) -> None:
    """A list is read by the link to the next page, which keeps filters and order, or by ``next``."""
    for name in ("bob", "cid"):
        http.post("/users", json={"username": name, "email": f"{name}@example.com"})
    http.post("/users/bob/deactivate", headers={"If-Match": "*"})
    found: list[str] = []
    following = f"/users?{query}"
    while following and len(found) <= 3:
        page = http.get(following)
        assert 200 == page.status_code
        found += [user["username"] for user in page.json()["users"]]
        following = page.links.get("next", {}).get("url", "")
        assert page.json()["next"] == httpx.URL(following).params.get("after")
    assert names == found


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "sort=active",
        "activ=true",
        "after=ann",
        "created_after=2026-01-01",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "sort=created_at&after=0001-01-01T00:00:00%2B14:00,01a22d66-83ee-76bb-9e4a-86a62dc27919",
    ],
)
def test_a_list_that_cannot_be_is_refused(http: httpx.Client, query: str) -> None:
    """A list that cannot be is refused. A misspelt filter is too: otherwise it would show everyone."""
    refused = http.get(f"/users?{query}")
    assert (422, True) == (refused.status_code, len(problem(refused)["detail"]) > 10)


def test_other_methods_and_paths_are_refused(http: httpx.Client) -> None:
    """Other methods and paths are refused. A 405 names the methods. HEAD is GET without a body."""
    refused = http.put("/users/ann")
    assert (405, "DELETE, GET, PATCH") == (refused.status_code, refused.headers["allow"])
    assert [404, 404] == [http.get(path).status_code for path in ("/nothing", "/users/")]
    head, get = http.head("/users/ann"), http.get("/users/ann")
    assert (200, b"", get.headers["etag"]) == (head.status_code, head.content, head.headers["etag"])
