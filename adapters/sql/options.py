"""The values of a URL's options: which text stands for what."""

from __future__ import annotations

from pathlib import Path

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def existing_file(text: str) -> str:
    """Return the path of a file or folder; raises ``ValueError`` if there is none."""
    if not Path(text).exists():
        raise ValueError(f"names a file that is not there: {text}")
    return text


def truth(text: str) -> bool:
    """Return whether a text says yes; raises ``ValueError`` for one that says neither yes nor no."""
    if text.lower() not in _TRUTHS:
        raise ValueError("is true or false")
    return _TRUTHS[text.lower()]


def whole_number(text: str) -> int:
    """Return a number from 1 on; raises ``ValueError`` for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("is a whole number from 1 on")
    return int(text)
