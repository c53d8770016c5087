"""The settings that the environment makes."""

from __future__ import annotations

import pytest

from domain.errors import ConfigurationError
from entrypoints.config import Settings


def test_what_is_not_set_has_its_default() -> None:
    """A new checkout runs on a local SQLite file without any settings."""
    assert Settings("sqlite:///plumbline.db", 10.0, False) == Settings.from_environment({})


def test_what_is_set_to_nothing_has_its_default() -> None:
    """An empty variable is how many tools say that there is none."""
    assert Settings() == Settings.from_environment({"DATABASE_URL": "", "DATABASE_TIMEOUT": "", "DATABASE_PING": ""})
    assert Settings() == Settings.from_environment({"DATABASE_ACCEPT_NEWER": ""})


def test_what_is_set_counts() -> None:
    """As text for the URL, as a number of seconds for the time limit, and as yes or no for the others."""
    environment = {"DATABASE_URL": "memory://", "DATABASE_TIMEOUT": "2.5", "DATABASE_PING": "1"}
    assert Settings("memory://", 2.5, True, False) == Settings.from_environment(environment)
    environment |= {"DATABASE_PING": "0", "DATABASE_ACCEPT_NEWER": "1"}
    assert Settings("memory://", 2.5, False, True) == Settings.from_environment(environment)


def test_settings_do_not_show_the_url() -> None:
    """It can hold a password, and whatever is printed ends in a log some day."""
    assert "Settings(database_timeout=10.0, database_ping=False, database_accept_newer=False)" == repr(
        Settings("postgresql://user:secret@localhost/database")
    )


def test_the_environment_of_the_process_is_read_when_the_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is set after the import of the module counts too."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    assert "sqlite:///other.db" == Settings.from_environment().database_url


@pytest.mark.parametrize("seconds", ["0.1", "3600", " 5 "])
def test_the_time_limit_is_between_a_tenth_of_a_second_and_an_hour(seconds: str) -> None:
    """The bounds themselves are within."""
    assert float(seconds) == Settings.from_environment({"DATABASE_TIMEOUT": seconds}).database_timeout


@pytest.mark.parametrize("seconds", ["soon", "0", "0.09", "3601", "-1", "inf", "1\n2"])
def test_a_time_limit_that_cannot_be_used_is_refused(seconds: str) -> None:
    """With the variable, the value and what would be right, in one line."""
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({"DATABASE_TIMEOUT": seconds})
    expected = f"DATABASE_TIMEOUT is {seconds!r}: set it to seconds, from 0.1 to 3600"
    assert expected == str(refusal.value)


def test_nan_is_no_time_limit() -> None:
    """Though it is neither less nor more than the bounds."""
    with pytest.raises(ConfigurationError, match="DATABASE_TIMEOUT is 'nan'"):
        Settings.from_environment({"DATABASE_TIMEOUT": "nan"})


def test_a_ping_can_be_switched_off() -> None:
    """0 is what it is without a setting."""
    assert Settings() == Settings.from_environment({"DATABASE_PING": "0"})


@pytest.mark.parametrize("name", ["DATABASE_PING", "DATABASE_ACCEPT_NEWER"])
@pytest.mark.parametrize("value", ["yes", "2", " 1", "true"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(name: str, value: str) -> None:
    """With the variable, the value and what would be right."""
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({name: value})
    assert f"{name} is {value!r}: set it to 1 or 0" == str(refusal.value)
