"""Read the values of a URL's options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def value_of(name: str, text: str, read: Callable[[str], Any]) -> Any:
    """Return an option's value. Raises :class:`~domain.errors.ConfigurationError` for a text that ``read`` refuses."""
    try:
        return read(text)
    except ValueError as error:
        raise ConfigurationError(f"DATABASE_URL has the option {name}, which {error}") from None


def existing_file(text: str) -> str:
    """Return the path of an existing file or folder. Raises ``ValueError`` if it does not exist."""
    if not Path(text).exists():
        raise ValueError(f"names a file that is not there: {text}")
    return text


def truth(text: str) -> bool:
    """Return whether a text says yes. Raises ``ValueError`` for one that says neither yes nor no."""
    if text.lower() not in _TRUTHS:
        raise ValueError("is true or false")
    return _TRUTHS[text.lower()]


def whole_number(text: str) -> int:
    """Return a number from 1 on. Raises ``ValueError`` for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("is a whole number from 1 on")
    return int(text)
