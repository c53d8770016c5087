"""Which users list-users shows, and in which order."""

from __future__ import annotations

import shlex
import time

import pytest

from tests.e2e.conftest import Run


@pytest.fixture
def people(call: Run) -> Run:
    """The command line, with three users, of whom bob is inactive."""
    for name in ("cid", "ann", "bob"):
        call("create-user", name, f"{name}@example.com")
    call("deactivate-user", "bob")
    return call


def shown(call: Run, *options: str) -> list[str]:
    """Return the names that list-users shows with some options."""
    return [user["username"] for user in call("list-users", "--json", *options).json["users"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["cid", "ann", "bob"]),
        ("--active --sort username", ["ann", "cid"]),
        ("--inactive", ["bob"]),
        ("--sort=-email", ["cid", "bob", "ann"]),
        ("--created-after 2026-01-01", ["cid", "ann", "bob"]),
        ("--created-after 2026-01-01T12:30:00+02:00 --created-before 2026-01-02", []),
        ("--created-before 9999-12-31T00:00Z --sort -created_at", ["bob", "ann", "cid"]),
    ],
)
def test_a_list_takes_filters_and_a_sort_key(people: Run, options: str, expected: list[str]) -> None:
    """A list takes filters and a sort key. All filters hold."""
    assert expected == shown(people, *options.split())


def test_the_hint_of_a_page_leads_to_the_rest_of_the_same_list(people: Run) -> None:
    """The hint of a page leads to the rest of the same list, by its filters and its order."""
    people("change-username", "--", "ann", "-ann;")
    given = ["--active", "--sort", "username", "--limit", "1", "--created-after", "2026-01-01"]
    hint = people("list-users", *given).err.partition(": app ")[2]
    assert "list-users --after='-ann;," in hint
    assert "--limit 1 --active --created-after 2026-01-01T00:00:00+00:00 --sort=username" in hint
    assert ["cid"] == [line.split()[0] for line in people(*shlex.split(hint)).out.splitlines()[1:]]
    assert "" == people("list-users", "--inactive", "--limit", "1").err
    people("deactivate-user", "cid")
    assert people("list-users", "--inactive", "--limit", "1").err.endswith(" --limit 1 --inactive\n")


def test_a_time_without_a_zone_is_utc(people: Run) -> None:
    """A time without a zone is one of UTC, whatever the zone of the machine."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        hint = people("list-users", "--limit", "1", "--created-after", "2026-01-01").err
    time.tzset()
    assert " --created-after 2026-01-01T00:00:00+00:00\n" in hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--created-after", "soon"], "'soon' is no time: write 2026-01-31 or 2026-01-31T12:30Z"),
        (["--sort", "active"], "'active' is not one of 'id', '-id', 'created_at'"),
        (["--after", "ann"], "'ann' is not a valid value: it is no place in a list that is sorted by id"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_wrong_command_line(call: Run, options: list[str], message: str) -> None:
    """An option that cannot be used is a wrong command line, with exit code 2."""
    refused = call("list-users", *options)
    assert (2, "") == (refused.code, refused.out)
    assert message in " ".join(refused.err.replace("│", " ").split())
