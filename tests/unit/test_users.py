"""The user aggregate and its value objects: what they accept, what they refuse, and in which form they keep it."""

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
        (["ann", "Ann", "ANN", "ＡＮＮ"], "ann"),  # the last one is of full width
        (["j\u00fcrgen", "ju\u0308rgen", "J\u00dcRGEN"], "j\u00fcrgen"),
        (["ΟΔΟΣ"], "οδος"),
        (["李小龙"], "李小龙"),
        (["מרים1"], "מרים1"),
        (["o'brien", "O'Brien"], "o'brien"),
        (["a@b"], "a@b"),
    ],
)
def test_spellings_of_one_name_are_one_name(spellings: list[str], name: str) -> None:
    """Case, width and Unicode form make no difference (RFC 8265, section 3.3)."""
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
def test_what_cannot_be_a_name_is_refused_with_the_reason(value: str, reason: str) -> None:
    """The message shows the value, escaped so that it can be printed anywhere."""
    with pytest.raises(InvalidUsername, match=reason) as caught:
        Username(value)
    assert str(caught.value).encode("utf-8")
    assert caught.value.value is value


@pytest.mark.parametrize("letter", ["a", "é", "e\u0301", "𠀀"])
def test_a_name_has_at_most_64_characters_in_its_stored_form(letter: str) -> None:
    """Counted after normalization, so all spellings of a name are treated alike."""
    assert len(Username(letter * 64)) == 64
    with pytest.raises(InvalidUsername, match="it has 65 characters, and at most 64 are allowed") as caught:
        Username(letter * 65)
    assert caught.value.value == letter * 65


@pytest.mark.parametrize("value_object", [Username, EmailAddress])
def test_a_gigantic_value_is_refused_with_its_length_and_a_short_message(value_object: type[str]) -> None:
    """Ten million characters, named by their number."""
    with pytest.raises(InvalidValue, match="10000000") as caught:
        value_object("a" * 10_000_000)
    assert len(str(caught.value)) < 300


def test_every_ascii_character_is_treated_as_the_profile_says() -> None:
    """Alone, in the middle, and in capitals: accepted in the same form, or refused."""
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


@settings(max_examples=50)  # unit tests are to stay quick
@given(st.text(max_size=10))
def test_a_name_prepared_once_stays_as_it_is(text: str) -> None:
    """What is stored is the name itself: preparing it again changes nothing."""
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
def test_a_real_address_is_accepted_in_its_normalized_form(value: str, address: str) -> None:
    """Tags, apostrophes, quoted and international ones, and long ones; the local part keeps its case."""
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
    """By a library that knows the standards, in the domain's words."""
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
    """In the words that people meet."""
    with pytest.raises(InvalidValue) as caught:
        kind(value)
    assert (value, reason) == (caught.value.value, caught.value.reason)


@settings(max_examples=50)  # likewise
@given(st.emails())
def test_an_address_normalized_once_stays_as_it_is(text: str) -> None:
    """Addresses after RFC 5322 are accepted and stable, or refused in the domain's words; nothing else is raised."""
    try:
        address = EmailAddress(text)
    except InvalidEmail:
        return
    assert address == EmailAddress(str(address))


@settings(max_examples=50)  # likewise
@given(
    st.text("ab1._+-", min_size=1, max_size=4),
    st.text("a1-.", min_size=1, max_size=4),
    st.sampled_from(["", "a.com", "a.test", "xn--bcher-kva.com"]),
)
def test_an_address_is_judged_as_the_library_judges_it(local: str, domain: str, rest: str) -> None:
    """At first, and when its domain is known: the same form, or refused for the same reason."""
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
def test_a_value_is_the_text_itself_and_not_what_its_class_shows_of_it(value_object: type[str]) -> None:
    """As a member of an enumeration may show its name."""

    class Loud(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "LOUD"

    assert value_object(Loud("ann@example.com")) == "ann@example.com"


def test_an_address_has_at_most_254_characters_though_its_domain_is_known() -> None:
    """The domain alone says nothing of the length."""
    domain = ".".join(["b" * 63] * 3) + ".com"
    assert EmailAddress(f"a@{domain}")
    assert EmailAddress("a" * 58 + f"@{domain}")
    with pytest.raises(InvalidEmail, match=r"too long \(1 character too many\)"):
        EmailAddress("a" * 59 + f"@{domain}")


def test_a_long_local_part_is_judged_by_the_library() -> None:
    """Whose versions do not agree on more than 64 characters."""
    assert EmailAddress("a" * 64 + "@example.com")
    long = "a" * 65 + "@example.com"
    try:
        expected = validate_email(long, check_deliverability=False).normalized
    except EmailNotValidError as refused:
        with pytest.raises(InvalidEmail, match=re.escape(str(refused).rstrip("."))):
            EmailAddress(long)
    else:
        assert expected == EmailAddress(long)


def test_value_objects_are_text_and_survive_pickling() -> None:
    """They compare, sort and print as the text they hold."""
    ann = user()
    assert ("ann", "ann@example.com") == (ann.username, ann.email)
    assert f"{ann.username} <{ann.email}>" == "ann <ann@example.com>"
    assert [Username("ann"), Username("bob")] == sorted([Username("bob"), Username("ann")])
    for value in (ann.username, ann.email):
        copy = pickle.loads(pickle.dumps(value))  # noqa: S301  # made in this line
        assert (type(value), value) == (type(copy), copy)


def test_a_new_user_is_active_unstored_and_created_now() -> None:
    """With an id of its own, in the order of creation."""
    before = datetime.now(UTC)
    ann, bob = User.create("ann", "ann@example.com"), User.create("bob", "bob@example.com")
    assert (True, 0) == (ann.active, ann.version)
    assert before <= ann.created_at <= bob.created_at <= datetime.now(UTC)
    assert ann.created_at.tzinfo is UTC
    assert ann.id < bob.id


def test_ids_are_uuids_of_version_7_that_tell_their_time() -> None:
    """Milliseconds since 1970 in the first 48 bits, the version and the variant where RFC 9562 wants them."""
    before = datetime.now(UTC)
    id = user().id
    made = datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
    assert (7, "specified in RFC 4122") == (id.version, id.variant)
    assert timedelta(0) <= made - before + timedelta(milliseconds=1) < timedelta(seconds=10)


@pytest.mark.parametrize(("nanoseconds", "fraction"), [(0, 0), (500_000, 2048), (999_999, 4095)])
def test_an_id_tells_the_fraction_of_its_millisecond(
    monkeypatch: pytest.MonkeyPatch, nanoseconds: int, fraction: int
) -> None:
    """In 4096 steps, beside the version, which it never touches; nor does chance touch the variant."""
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_000_000 + nanoseconds)
    monkeypatch.setattr("secrets.randbits", lambda bits: 2**bits - 1)
    expected = 1_700_000_000_123 << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | 2**62 - 1
    assert expected == new_id().int


def test_ids_never_repeat() -> None:
    """Not even when many are made in one moment."""
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_users_are_equal_by_identity_alone() -> None:
    """Whatever else they hold; and never equal to anything but a user."""
    ann = user()
    same = User(id=ann.id, username="bob", email="bob@example.com", created_at=CREATED)
    assert ann == same
    assert hash(ann) == hash(same) != hash(user())
    assert ann != user()
    assert ann != ann.id


def test_behaviour_changes_what_it_names() -> None:
    """Names and addresses pass the same rules as at creation; switching off twice is no mistake."""
    ann = user()
    ann.change_username("BOB")
    ann.change_email("bob@EXAMPLE.com")
    ann.deactivate()
    ann.deactivate()
    off = ann.active
    ann.reactivate()
    assert ("bob", "bob@example.com", False, True) == (ann.username, ann.email, off, ann.active)


def test_a_refused_change_leaves_the_user_as_it_was() -> None:
    """By a method and by assignment alike."""
    ann = user()
    with pytest.raises(InvalidUsername):
        ann.change_username("a b")
    with pytest.raises(InvalidEmail):
        ann.email = "nobody"  # type: ignore[assignment]  # the converter accepts any text
    assert ("ann", "ann@example.com") == (ann.username, ann.email)


@pytest.mark.parametrize(("name", "value"), [("id", UUID(int=1)), ("created_at", CREATED)])
def test_identity_and_creation_cannot_be_changed(name: str, value: object) -> None:
    """They are facts."""
    with pytest.raises(FrozenAttributeError):
        setattr(user(), name, value)


def test_the_time_of_creation_is_kept_in_utc() -> None:
    """Whatever zone it was given in; without one it is refused."""
    berlin = timezone(timedelta(hours=1))
    ann = User(username="ann", email="ann@example.com", created_at=CREATED.astimezone(berlin))
    assert (CREATED, UTC) == (ann.created_at, ann.created_at.tzinfo)
    for wrong in (datetime(2026, 1, 2), "2026-01-02"):  # noqa: DTZ001  # that is the point
        with pytest.raises(
            InvalidValue, match=r": a point in time needs a time zone: write datetime\.now\(UTC\), for example$"
        ):
            User(username="ann", email="ann@example.com", created_at=wrong)  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize(("name", "value"), [("id", "no uuid"), ("active", "yes")])
def test_a_wrong_type_is_refused_at_once(name: str, value: object) -> None:
    """Not by the one database that minds."""
    with pytest.raises(TypeError, match=name):
        evolve(user(), **{name: value})  # type: ignore[arg-type]  # that is the point
