"""Names and addresses of users, as value objects."""

from __future__ import annotations

import pickle
import re
import unicodedata
from typing import Any

import precis_i18n
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidValue
from domain.user import EmailAddress, InvalidEmail, InvalidUsername, User, Username


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
    ann = User.create("ann", "ann@example.com")
    assert ("ann", "ann@example.com") == (ann.username, ann.email)
    assert f"{ann.username} <{ann.email}>" == "ann <ann@example.com>"
    assert [Username("ann"), Username("bob")] == sorted([Username("bob"), Username("ann")])
    for value in (ann.username, ann.email):
        copy = pickle.loads(pickle.dumps(value))  # noqa: S301  # made in this line
        assert (type(value), value) == (type(copy), copy)
