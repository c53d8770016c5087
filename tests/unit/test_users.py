"""The user aggregate and its value objects: what they accept and refuse, and in which form they keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from attrs import evolve
from attrs.exceptions import FrozenAttributeError

from domain.aggregate import new_id
from domain.errors import InvalidValue
from domain.user import InvalidEmail, InvalidUsername, User

CREATED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def user() -> User:
    """Return a user."""
    return User(username="ann", email="ann@example.com", created_at=CREATED)


def test_a_new_user_is_active_and_unstored() -> None:
    """A new user is active, unstored and created now, with a new id in the order of creation."""
    before = datetime.now(UTC)
    ann, bob = User.create("ann", "ann@example.com"), User.create("bob", "bob@example.com")
    assert (True, 0) == (ann.active, ann.version)
    assert before <= ann.created_at <= bob.created_at <= datetime.now(UTC)
    assert ann.created_at.tzinfo is UTC
    assert ann.id < bob.id


def test_ids_are_uuids_of_version_7() -> None:
    """Ids are UUIDs of version 7: milliseconds since 1970 in the first 48 bits, version and variant as in RFC 9562."""
    before = datetime.now(UTC)
    id = user().id
    made = datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
    assert (7, "specified in RFC 4122") == (id.version, id.variant)
    assert timedelta(0) <= made - before + timedelta(milliseconds=1) < timedelta(seconds=10)


@pytest.mark.parametrize(("nanoseconds", "fraction"), [(0, 0), (500_000, 2048), (999_999, 4095)])
def test_an_id_has_the_fraction_of_a_millisecond(
    monkeypatch: pytest.MonkeyPatch, nanoseconds: int, fraction: int
) -> None:
    """An id has the fraction of its millisecond in 4096 steps. It never touches the version.

    The random bits never touch the variant.
    """
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_000_000 + nanoseconds)
    monkeypatch.setattr("secrets.randbits", lambda bits: 2**bits - 1)
    expected = 1_700_000_000_123 << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | 2**62 - 1
    assert expected == new_id().int


def test_ids_never_repeat() -> None:
    """Ids never repeat, even when many are made in one moment."""
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_users_are_equal_by_identity_alone() -> None:
    """Users are equal by identity alone, whatever else they hold. They never equal anything but a user."""
    ann = user()
    same = User(id=ann.id, username="bob", email="bob@example.com", created_at=CREATED)
    assert ann == same
    assert hash(ann) == hash(same) != hash(user())
    assert ann != user()
    assert ann != ann.id


def test_behaviour_changes_what_it_names() -> None:
    """Methods change what they name, by the same rules. Switching off twice is no mistake."""
    ann = user()
    ann.change_username("BOB")
    ann.change_email("bob@EXAMPLE.com")
    ann.deactivate()
    ann.deactivate()
    off = ann.active
    ann.reactivate()
    assert ("bob", "bob@example.com", False, True) == (ann.username, ann.email, off, ann.active)


def test_a_refused_change_changes_nothing() -> None:
    """A refused change leaves the user unchanged, by a method and by assignment."""
    ann = user()
    with pytest.raises(InvalidUsername):
        ann.change_username("a b")
    with pytest.raises(InvalidEmail):
        ann.email = "nobody"  # type: ignore[assignment]  # the converter accepts any text
    assert ("ann", "ann@example.com") == (ann.username, ann.email)


@pytest.mark.parametrize(("name", "value"), [("id", UUID(int=1)), ("created_at", CREATED)])
def test_identity_and_creation_cannot_be_changed(name: str, value: object) -> None:
    """Identity and creation cannot be changed, since they are facts."""
    with pytest.raises(FrozenAttributeError):
        setattr(user(), name, value)


def test_the_time_of_creation_is_kept_in_utc() -> None:
    """The time of creation is kept in UTC, whatever its zone. Without a zone it is refused."""
    berlin = timezone(timedelta(hours=1))
    ann = User(username="ann", email="ann@example.com", created_at=CREATED.astimezone(berlin))
    assert (CREATED, UTC) == (ann.created_at, ann.created_at.tzinfo)
    for wrong in (datetime(2026, 1, 2), "2026-01-02"):  # noqa: DTZ001  # that is the point
        with pytest.raises(
            InvalidValue, match=r": a point in time needs a time zone: write datetime\.now\(UTC\), for example$"
        ):
            User(username="ann", email="ann@example.com", created_at=wrong)  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize(("name", "value"), [("id", "no uuid"), ("active", "yes")])
def test_a_wrong_type_is_refused_immediately(name: str, value: object) -> None:
    """A wrong type is refused immediately, and not by the one database that minds."""
    with pytest.raises(TypeError, match=name):
        evolve(user(), **{name: value})  # type: ignore[arg-type]  # that is the point
