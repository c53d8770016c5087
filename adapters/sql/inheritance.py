"""Subclasses of an aggregate that are stored with it, in its table or in their own tables beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_attribute

from adapters.sql.value_objects import FILLED

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper


def whole_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options for reading a class with its subclasses by one query."""
    if not {"inherits", "polymorphic_on"} & options.keys():
        return {}
    if "polymorphic_on" in options:
        options["polymorphic_on"].info[FILLED] = True
    return {"with_polymorphic": "*"}


def is_inherited(kind: Any) -> bool:
    """Return whether objects of a mapped class are read as its subclasses, or belong to a subclass."""
    return inspect(kind).polymorphic_on is not None


def set_class(one: Any) -> None:
    """Set the column that names the class of an object. Otherwise only ``__init__`` sets it."""
    mapper: Mapper[Any] = inspect(type(one))
    if mapper.polymorphic_on is not None:
        set_attribute(one, mapper.get_property_by_column(mapper.polymorphic_on).key, mapper.polymorphic_identity)
