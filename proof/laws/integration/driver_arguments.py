"""What an engine says to its driver."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event


def told_to_the_driver(engine: Engine) -> dict[str, Any]:
    """Return the options that the driver of an engine gets, without connecting."""
    told: dict[str, Any] = {}

    @event.listens_for(engine, "do_connect")
    def refuse(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        told.update(named)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.connect()
    return told
