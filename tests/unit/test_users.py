"""The user aggregate and its value objects: what they accept and refuse, and in which form they keep it."""

from __future__ import annotations

import pickle
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import precis_i18n
import pytest
from attrs import evolve
from attrs.exceptions import FrozenAttributeError
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregate import new_id
from domain.errors import InvalidValue
from domain.user import EmailAddress, InvalidEmail, InvalidUsername, User, Username

CREATED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def user() -> User:
    """Return a user."""
    return User(username="ann", email="ann@example.com", created_at=CREATED)


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["ann", "Ann", "ANN", "ＡＮＮ"], "ann"),  # the last one is full-width
        (["j\u00fcrgen", "ju\u0308rgen", "J\u00dcRGEN"], "j\u00fcrgen"),
        (["ΟΔΟΣ"], "οδος"),
        (["李小龙"], "李小龙"),
        (["מרים1"], "מרים1"),
        (["o'brien", "O'Brien"], "o'brien"),
        (["a@b"], "a@b"),
    ],
)
def test_spellings_of_one_name_are_one_name(spellings: list[str], name: str) -> None:
    """Spellings of one name are one name: case, width and Unicode form make no difference (RFC 8265, section 3.3)."""
    assert {name} == {Username(spelling) for spelling in spellings}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "it is empty"),
        (" ann", "^' ann' is not a valid username: it begins or ends with white space: remove that$"),
        ("ann\n", "white space"),
        ("a b", r"' ' is not allowed \(RFC 8265: spaces\)"),
        ("a\x00b", r"'\\x00' is not allowed \(RFC 8265: controls\)"),
        ("a\x07b", "controls"),
        ("a\ud800b", r"'\\ud800' is not allowed"),
        ("a\u200bb", "precis ignorable properties"),
        ("\u202eann", "not allowed"),
        ("1עברית", "bidi rule"),
        ("👍", "symbols"),
        ("ﬁ", "has compat"),
        (None, "it must be text, not NoneType"),
        (5, "it must be text, not int"),
        (b"ann", "it must be text, not bytes"),
    ],
)
def test_an_invalid_name_is_refused(value: str, reason: str) -> None:
    """An invalid name is refused with the reason. The message shows the value escaped, ready to print."""
    with pytest.raises(InvalidUsername, match=reason) as caught:
        Username(value)
    assert str(caught.value).encode("utf-8")
    assert caught.value.value is value


@pytest.mark.parametrize("letter", ["a", "é", "e\u0301", "𠀀"])
def test_a_name_has_at_most_64_characters(letter: str) -> None:
    """A name has at most 64 characters after normalization, so all its spellings are treated alike."""
    assert len(Username(letter * 64)) == 64
    with pytest.raises(InvalidUsername, match="it has 65 characters, and at most 64 are allowed") as caught:
        Username(letter * 65)
    assert caught.value.value == letter * 65


@pytest.mark.parametrize("value_object", [Username, EmailAddress])
def test_a_gigantic_value_is_refused(value_object: type[str]) -> None:
    """A gigantic value is refused with its length and a short message: ten million characters, by their number."""
    with pytest.raises(InvalidValue, match="10000000") as caught:
        value_object("a" * 10_000_000)
    assert len(str(caught.value)) < 300


def test_ascii_is_treated_as_the_profile_says() -> None:
    """Every ASCII character is accepted unchanged or refused as the profile says: alone, in the middle, in capitals."""
    profile = precis_i18n.get_profile("UsernameCaseMapped")
    for code in range(128):
        for text in (chr(code), f"a{chr(code)}b", f"A{chr(code)}"):
            try:
                expected = profile.enforce(text)
            except UnicodeEncodeError:
                with pytest.raises(InvalidUsername):
                    Username(text)
            else:
                assert expected == Username(text)


@settings(max_examples=50)  # unit tests must stay quick
@given(st.text(max_size=10))
def test_a_name_prepared_once_stays_as_it_is(text: str) -> None:
    """A name prepared once stays as it is: preparing it again changes nothing."""
    try:
        name = Username(text)
    except InvalidUsername:
        return
    assert name == Username(str(name)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("Ann@EXAMPLE.com", "Ann@example.com"),
        ("ann+tag@example.com", "ann+tag@example.com"),
        ("o'brien@example.ie", "o'brien@example.ie"),
        ('"a b"@example.com', '"a b"@example.com'),
        ("ü@bücher.example.com", "ü@bücher.example.com"),
        ("ann@xn--bcher-kva.example.com", "ann@bücher.example.com"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("a@" + ".".join(["b" * 60] * 4) + ".com", "a@" + ".".join(["b" * 60] * 4) + ".com"),
    ],
)
def test_a_real_address_is_normalized(value: str, address: str) -> None:
    """A real address is accepted in its normalized form: with tags, apostrophes, quoted, international, or long.

    The local part keeps its case.
    """
    assert address == EmailAddress(value) == EmailAddress(str(EmailAddress(value)))


@pytest.mark.parametrize(
    "value",
    [
        *("", "ann", "ann@", "@example.com", "ann@example", " ann@example.com", "ann@example.com\n", "a b@example.com"),
        *("ann@localhost", "Ann <ann@example.com>", "a\x00@example.com", "a\ud800@example.com", "ann@example..com"),
        *("ann@" + "b" * 64 + ".com", "ann@[127.0.0.1]", None, 5, b"ann@example.com"),
    ],
)
def test_what_is_no_address_is_refused(value: str) -> None:
    """An invalid address is refused by a library that knows the standards, in the domain's words."""
    with pytest.raises(InvalidEmail, match="is not a valid email") as caught:
        EmailAddress(value)
    assert str(caught.value).encode("utf-8")
    assert value == caught.value.value


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (EmailAddress, " ann@example.com", "it begins or ends with white space: remove that"),
        (EmailAddress, 5, "it must be text, not int"),
        (EmailAddress, "a" * 2000, "it has 2000 characters, and at most 254 are allowed"),
        (EmailAddress, "ann", "An email address must have an @-sign"),
        (Username, "ann ", "it begins or ends with white space: remove that"),
        (Username, "", "it is empty"),
        (Username, 5, "it must be text, not int"),
    ],
)
def test_what_is_refused_says_why_and_what_to_do(kind: Any, value: Any, reason: str) -> None:
    """A refusal says why and what to do, in words for the user."""
    with pytest.raises(InvalidValue) as caught:
        kind(value)
    assert (value, reason) == (caught.value.value, caught.value.reason)


@settings(max_examples=50)  # as above
@given(st.emails())
def test_a_normalized_address_stays_as_it_is(text: str) -> None:
    """An RFC 5322 address is accepted and then stable, or refused in the domain's words. No other error is raised."""
    try:
        address = EmailAddress(text)
    except InvalidEmail:
        return
    assert address == EmailAddress(str(address))


@settings(max_examples=50)  # as above
@given(
    st.text("ab1._+-", min_size=1, max_size=4),
    st.text("a1-.", min_size=1, max_size=4),
    st.sampled_from(["", "a.com", "a.test", "xn--bcher-kva.com"]),
)
def test_the_library_judges_every_address(local: str, domain: str, rest: str) -> None:
    """The library judges every address, also when its domain is known: the same form or the same reason."""
    address = f"{local}@{domain}{rest}"
    try:
        expected = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError as refused:
        expected = str(InvalidEmail(address, str(refused).rstrip(".")))
    found = []
    for _ in range(2):
        try:
            found.append(str(EmailAddress(address)))
        except InvalidEmail as refused:
            found.append(str(refused))
    assert [expected] * 2 == found


@pytest.mark.parametrize("value_object", [Username, EmailAddress])
def test_a_value_is_the_text_itself(value_object: type[str]) -> None:
    """A value is the text itself, not what its class shows, as a member of an enumeration may show its name."""

    class Loud(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "LOUD"

    assert value_object(Loud("ann@example.com")) == "ann@example.com"


def test_an_address_has_at_most_254_characters() -> None:
    """An address has at most 254 characters, even if its domain is known: the domain says nothing of the length."""
    domain = ".".join(["b" * 63] * 3) + ".com"
    assert EmailAddress(f"a@{domain}")
    assert EmailAddress("a" * 58 + f"@{domain}")
    with pytest.raises(InvalidEmail, match=r"too long \(1 character too many\)"):
        EmailAddress("a" * 59 + f"@{domain}")


def test_the_library_judges_a_long_local_part() -> None:
    """The library judges a local part of more than 64 characters. Its versions do not agree about it."""
    assert EmailAddress("a" * 64 + "@example.com")
    long = "a" * 65 + "@example.com"
    try:
        expected = validate_email(long, check_deliverability=False).normalized
    except EmailNotValidError as refused:
        with pytest.raises(InvalidEmail, match=re.escape(str(refused).rstrip("."))):
            EmailAddress(long)
    else:
        assert expected == EmailAddress(long)


def test_value_objects_are_text() -> None:
    """Value objects compare, sort, print and pickle as the text they hold."""
    ann = user()
    assert ("ann", "ann@example.com") == (ann.username, ann.email)
    assert f"{ann.username} <{ann.email}>" == "ann <ann@example.com>"
    assert [Username("ann"), Username("bob")] == sorted([Username("bob"), Username("ann")])
    for value in (ann.username, ann.email):
        copy = pickle.loads(pickle.dumps(value))  # noqa: S301  # made in this line
        assert (type(value), value) == (type(copy), copy)


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
