"""The settings from the environment."""

from __future__ import annotations

import pytest

from domain.errors import ConfigurationError
from entrypoints.config import Settings


def test_what_is_not_set_has_its_default() -> None:
    """A setting that is not set has its default: a new checkout runs on a local SQLite file."""
    assert Settings("sqlite:///plumbline.db", 10.0, False) == Settings.from_environment({})


def test_what_is_set_to_nothing_has_its_default() -> None:
    """A setting that is set to nothing has its default: many tools unset a variable in this way."""
    assert Settings() == Settings.from_environment({"DATABASE_URL": "", "DATABASE_TIMEOUT": "", "DATABASE_PING": ""})
    assert Settings() == Settings.from_environment({"DATABASE_ACCEPT_NEWER": ""})


def test_what_is_set_counts() -> None:
    """A setting counts: text for the URL, seconds for the time limit, and yes or no for the others."""
    environment = {"DATABASE_URL": "memory://", "DATABASE_TIMEOUT": "2.5", "DATABASE_PING": "1"}
    assert Settings("memory://", 2.5, True, False) == Settings.from_environment(environment)
    environment |= {"DATABASE_PING": "0", "DATABASE_ACCEPT_NEWER": "1"}
    assert Settings("memory://", 2.5, False, True) == Settings.from_environment(environment)


def test_settings_do_not_show_the_url() -> None:
    """Settings do not show the URL: it can hold a password, and printed text ends in logs."""
    assert "Settings(database_timeout=10.0, database_ping=False, database_accept_newer=False)" == repr(
        Settings("postgresql://user:secret@localhost/database")
    )


def test_the_environment_is_read_for_each_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read when the settings are made, so a variable set after the import counts."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    assert "sqlite:///other.db" == Settings.from_environment().database_url


@pytest.mark.parametrize("seconds", ["0.1", "3600", " 5 "])
def test_the_time_limit_has_bounds(seconds: str) -> None:
    """The time limit is between a tenth of a second and an hour, both included."""
    assert float(seconds) == Settings.from_environment({"DATABASE_TIMEOUT": seconds}).database_timeout


@pytest.mark.parametrize("seconds", ["soon", "0", "0.09", "3601", "-1", "inf", "1\n2"])
def test_an_unusable_time_limit_is_refused(seconds: str) -> None:
    """An unusable time limit is refused in one line, with the variable, the value and what would be right."""
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({"DATABASE_TIMEOUT": seconds})
    expected = f"DATABASE_TIMEOUT is {seconds!r}: set it to seconds, from 0.1 to 3600"
    assert expected == str(refusal.value)


def test_nan_is_no_time_limit() -> None:
    """NaN is no time limit, though it is neither less nor more than the bounds."""
    with pytest.raises(ConfigurationError, match="DATABASE_TIMEOUT is 'nan'"):
        Settings.from_environment({"DATABASE_TIMEOUT": "nan"})


def test_a_ping_can_be_switched_off() -> None:
    """A ping can be switched off: 0 is the default."""
    assert Settings() == Settings.from_environment({"DATABASE_PING": "0"})


@pytest.mark.parametrize("name", ["DATABASE_PING", "DATABASE_ACCEPT_NEWER"])
@pytest.mark.parametrize("value", ["yes", "2", "true"])
def test_a_switch_neither_on_nor_off_is_refused(name: str, value: str) -> None:
    """A switch that is neither on nor off is refused with the variable, the value and what would be right."""
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({name: value})
    assert f"{name} is {value!r}: set it to 1 or 0" == str(refusal.value)
