"""What every request meets, whatever it asks for: hosts, tokens, limits, health, and what the log says."""

from __future__ import annotations

import json
import logging
import signal
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from queue import Queue

import httpx
import pytest
from fastapi import FastAPI

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import ConfigurationError, StorageUnavailable
from entrypoints.http import serving as serving_module
from entrypoints.http.serving import listen, log_to, serve, server_of
from entrypoints.http.settings import LOCAL, HttpSettings
from service_layer.unit_of_work import UnitOfWork
from tests.e2e.http_server import problem, serving

OLD, NEW = "the-old-secret-of-this-server", "the-new-secret-of-this-server"


def unit(*, read_only: bool = False) -> UnitOfWork:
    """Return a unit of work on an empty fake database."""
    return FakeUnitOfWork(read_only=read_only)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of a server as it is by default."""
    with serving(unit) as client:
        yield client


def test_every_answer_has_headers_for_safety(http: httpx.Client) -> None:
    """Every answer has headers for safety. So do errors."""
    for path in ("/health/live", "/nothing", "/docs"):
        headers = http.get(path).headers
        assert "nosniff" == headers["x-content-type-options"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "no-referrer" == headers["referrer-policy"]
        assert "server" not in headers


@pytest.mark.parametrize(("given", "is_kept"), [("abc-1.2_3", True), ("", False), ("a b", False), ("x" * 65, False)])
def test_a_request_id_is_returned(http: httpx.Client, given: str, is_kept: bool) -> None:
    """The answer has the client's request id if a log can hold it, and a new one otherwise."""
    found = http.get("/health/live", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert is_kept == (given == found)
    assert len(found) == 32 or is_kept


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost.", ""])
def test_a_foreign_host_is_refused(http: httpx.Client, host: str) -> None:
    """A foreign host is refused, so a web page cannot reach the server under its own name."""
    refused = http.get("/health/live", headers={"Host": host})
    assert 400 == refused.status_code
    assert "HTTP_HOSTS" in problem(refused)["detail"]


def test_known_hosts_are_let_in() -> None:
    """Known hosts are let in with any port and in any case."""
    with serving(unit, HttpSettings(hosts=(*LOCAL, "users.example.com"))) as http:
        hosts = ("users.example.com", "Users.Example.COM:443", "localhost:8000", "[::1]:80")
        assert [204] * 4 == [http.get("/health/live", headers={"Host": host}).status_code for host in hosts]


def test_a_token_is_asked_for() -> None:
    """Each request needs one of the tokens. Health and the description of the interface need none."""
    with serving(unit, HttpSettings(tokens=(OLD, NEW))) as http:
        wrong = ["", "Bearer", f"Basic {OLD}", f"Bearer {OLD}x", "Bearer " + OLD[:-1], f"Bearer {OLD} {NEW}"]
        refused = [http.get("/nothing", headers={"Authorization": one} if one else {}) for one in wrong]
        assert [(401, "Bearer")] * 6 == [(one.status_code, one.headers["www-authenticate"]) for one in refused]
        assert "send a token" in problem(refused[0])["detail"]
        let_in = [
            http.get("/nothing", headers={"Authorization": f"{scheme} {token}"})
            for scheme, token in (("Bearer", OLD), ("bearer", NEW))
        ]
        assert [404, 404] == [one.status_code for one in let_in]
        assert [204, 200, 200] == [http.get(path).status_code for path in ("/health/ready", "/docs", "/openapi.json")]
        schema = http.get("/openapi.json").json()
        assert [{"token": []}] == schema["security"]
        open_ones = [path for path, ways in schema["paths"].items() if ways.get("get", {}).get("security") == []]
        assert ["/health/live", "/health/ready"] == open_ones


def test_scripts_of_named_pages_alone_may_call() -> None:
    """CORS lets in the origins that are set. By default it lets in none."""
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    with serving(unit, HttpSettings(origins=("https://app.example.com",), tokens=(NEW,))) as http:
        allowed = http.options("/users", headers=asked)
        assert (200, "https://app.example.com") == (
            allowed.status_code,
            allowed.headers["access-control-allow-origin"],
        )
        shown = http.get("/users", headers={"Origin": "https://app.example.com"}).headers[
            "access-control-expose-headers"
        ]
        assert "etag, link, location, retry-after, x-request-id" == shown.lower()
        for method in ("GET", "PATCH", "DELETE"):
            assert 200 == http.options("/users", headers={**asked, "Access-Control-Request-Method": method}).status_code
        other = http.options("/users", headers={**asked, "Origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in other.headers
    with serving(unit) as http:
        assert "access-control-allow-origin" not in http.options("/users", headers=asked).headers


def test_the_page_of_the_interface_needs_no_other_server(http: httpx.Client) -> None:
    """The page ``/docs`` loads its script and its styles from this server alone."""
    page = http.get("/docs").text
    assert "://" not in page
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/static-offline-docs/{file}" in page
        assert 200 == http.get(f"/static-offline-docs/{file}").status_code


def test_every_operation_is_described(http: httpx.Client) -> None:
    """Every operation is described by a sentence, and each of its errors as a problem."""
    schema = http.get("/openapi.json").json()
    operations = [one for path, ways in schema["paths"].items() if "health" not in path for one in ways.values()]
    assert all(one["summary"] and " " in one["summary"] for one in operations)
    problems = [one for operation in operations for status, one in operation["responses"].items() if status[0] in "45"]
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert all(content == one["content"] for one in problems)
    assert "Problem" in schema["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(operations)


def test_the_server_is_ready_as_long_as_a_table_can_be_read() -> None:
    """The server is ready as long as it can read a table. Otherwise it says so, and stays alive."""
    database = FakeDatabase()
    with serving(lambda *, read_only=False: FakeUnitOfWork(database, read_only=read_only)) as http:
        database.fail("read", StorageUnavailable("secret"))
        away = http.get("/health/ready")
        assert (503, "the database does not answer") == (away.status_code, problem(away)["detail"])
        assert [204, 204] == [http.get(f"/health/{path}").status_code for path in ("ready", "live")]


def test_a_failure_of_the_program_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the traceback of a failure of the program. The client learns no more than 500."""

    def broken(**_options: bool) -> UnitOfWork:
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR), serving(broken) as http:
        failed = http.get("/health/ready")
    assert (500, "about:blank") == (failed.status_code, problem(failed)["type"])
    assert "secret" not in failed.text
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize("as_json", [True, False])
def test_the_log_has_a_line_for_each_request(as_json: bool) -> None:
    """The log has a line for each request, with its id and its route, but not its path."""
    stream = StringIO()
    kept = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        log_to(stream, as_json=as_json)
        with serving(unit) as http:
            http.get("/health/live", headers={"X-Request-ID": "id-1"})
            http.get("/nothing/secret", headers={"X-Request-ID": "id-2"})
        logging.getLogger("http").error("it failed", exc_info=ZeroDivisionError())
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = kept
    lines = [line for line in stream.getvalue().splitlines() if "id-" in line]
    assert ["GET /health/live 204 in", "GET - 404 in"] == [
        (json.loads(line)["message"] if as_json else line.partition("id-")[2][2:]).partition(" in ")[0] + " in"
        for line in lines
    ]
    assert "ZeroDivisionError" in stream.getvalue()
    assert "secret" not in stream.getvalue()
    if as_json:
        records = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert {"id-1", "id-2"} <= {one["request_id"] for one in records}
        assert ["http"] * 3 == [one["logger"] for one in records if one["logger"] == "http"]
        assert "ZeroDivisionError" in records[-1]["traceback"]


def test_requests_are_counted(http: httpx.Client) -> None:
    """Requests are counted by method, route and status. A path that a client makes up adds none."""
    http.request("BREW", "/health/live")
    http.get("/nothing/at/all")
    text = http.get("/metrics").text
    assert 'http_requests_seconds_count{method="other",route="/health/live",status="405"}' in text
    assert 'http_requests_seconds_count{method="GET",route="-",status="404"}' in text
    assert "at/all" not in text


def test_the_environment_makes_the_settings(tmp_path: Path) -> None:
    """Settings come from the environment. Tokens come from a variable and from a file."""
    assert ("x" * 20,) == HttpSettings.from_environment({"HTTP_TOKENS": "x" * 20}).tokens
    (tmp_path / "tokens").write_text(f"{NEW}\n\n")
    made = HttpSettings.from_environment(
        {
            "HTTP_TOKENS": f" {OLD} ,",
            "HTTP_TOKENS_FILE": f"{tmp_path}/tokens",
            "HTTP_HOSTS": "Users.example.com",
            "HTTP_ORIGINS": "https://a.example.com, https://b.example.com",
            "HTTP_LOG": "json",
        }
    )
    assert ((OLD, NEW), (*LOCAL, "users.example.com")) == (made.tokens, made.hosts)
    assert (("https://a.example.com", "https://b.example.com"), True) == (made.origins, made.json_logs)
    assert OLD not in repr(made)
    assert HttpSettings() == HttpSettings.from_environment({})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"HTTP_TOKENS": "short"}, "a token in HTTP_TOKENS is too short"),
        ({"HTTP_TOKENS": "x" * 19}, "make one of 20 or more characters"),
        ({"HTTP_TOKENS": "\u00fc" * 20}, "characters of ASCII"),
        ({"HTTP_TOKENS_FILE": "/no/such/file"}, "HTTP_TOKENS_FILE cannot be read"),
        ({"HTTP_TOKENS_FILE": "/dev/null"}, "holds no token"),
        ({"HTTP_LOG": "xml"}, "HTTP_LOG is 'xml': set it to human or json"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(environment: dict[str, str], message: str) -> None:
    """A setting that cannot be used is refused. The error says what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        HttpSettings.from_environment(environment)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "192.0.2.1"])  # noqa: S104  # it is refused
def test_others_reach_no_server_without_a_token(host: str) -> None:
    """Without a token the server takes no address but 127.0.0.1. The error names the settings to use."""
    with pytest.raises(ConfigurationError, match=r"everybody may call a server without a token.* set HTTP_TOKENS or"):
        HttpSettings().check_address(host)
    with pytest.raises(ConfigurationError, match="everybody may call a server without a token"):
        serve(host, 0)
    HttpSettings(tokens=(NEW,)).check_address(host)
    HttpSettings().check_address("127.0.0.1")


def test_an_address_in_use_is_refused() -> None:
    """An address in use is refused, and the socket is closed."""
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])
    with listen("::1", 0) as other:
        assert (socket.AF_INET6, socket.IPPROTO_TCP) == (other.family, other.proto)


def test_a_server_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is asked to end, and has not ended when its time is over, is ended with exit code 1."""
    ended = Queue[int]()
    monkeypatch.setattr(serving_module, "LONGEST_END", 0.01)
    monkeypatch.setattr("os._exit", ended.put)
    server = server_of(FastAPI())
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
    assert 1 == ended.get(timeout=5)
