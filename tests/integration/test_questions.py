"""What the questions about a class that is to be mapped answer where a mapping alone does not show it."""

from __future__ import annotations

from attrs import define, field, setters
from attrs.validators import instance_of

from adapters.sql.questions import can_change


@define(slots=False, kw_only=True)
class Checked:
    """An attribute that does not take everything."""

    amount: int = field(validator=instance_of(int))


@define(slots=False, on_setattr=setters.frozen, kw_only=True)
class Fixed:
    """An attribute that takes nothing."""

    amount: int


def test_what_a_validator_refuses_can_be_changed_to_something_else() -> None:
    """Only what is frozen cannot be changed."""
    assert [True, False] == [can_change(Checked), can_change(Fixed)]
