"""Value objects in several columns: SQLAlchemy's composites, for frozen attrs classes that know nothing of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import composite
from sqlalchemy.orm.attributes import flag_modified

from domain.aggregate import empty, makers
from domain.attributes import once_for_each_class, set_unstored, stored_names
from domain.errors import InvalidValue
from domain.kinds import wrong_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column
    from sqlalchemy.orm import CompositeProperty, Mapper

VALUE_OBJECT = "value_object"
"""The key in the ``info`` of a composite that holds the class of its values."""

FILLED = "filled"
"""The key in the ``info`` of a column that has no attribute and is filled by the mapping."""

_KEPT = "kept_value_objects"  # the key in SQLAlchemy's ``info`` of an object that is being flushed


def value_object(kind: type[Any], *columns: Column[Any]) -> CompositeProperty[Any]:
    """Map an attribute that holds value objects to one column for each attribute of their class, in its order.

        "price": value_object(Money, products.c.price_amount, products.c.price_currency)

    ``None`` is NULL in all of them. Neither ``__init__`` nor a validator runs when a value is read.
    """
    for column in columns:
        column.info[FILLED] = True
    made: CompositeProperty[Any] = composite(partial(_made, kind), *columns, info={VALUE_OBJECT: kind})
    return made


def _made(kind: type[Any], *values: Any) -> Any:
    if all(value is None for value in values):
        return None
    one = empty(kind)
    for name, value in zip(stored_names(kind), values, strict=True):
        object.__setattr__(one, name, value)
    set_unstored(one)
    return one


def set_up_value_objects(mapper: Mapper[Any]) -> None:
    """Let SQLAlchemy read the value objects of a class that has just been mapped, and keep them when it flushes."""
    kind = mapper.class_
    for prop in composites_of(kind):
        prop.info[VALUE_OBJECT].__composite_values__ = _values
        event.listen(getattr(kind, prop.key), "set", _refuse_other)
    for base in mapper.iterate_to_root() if composites_of(kind) else ():
        for listener in (("before_insert", _keep), ("before_update", _keep)):
            event.listen(base.class_, *listener)
        for listener in (("after_insert", _give_back), ("after_update", _give_back)):
            if event.contains(base.class_, *listener):  # mapping a subclass has put SQLAlchemy's own listener after it
                event.remove(base.class_, *listener)
            event.listen(base.class_, *listener)


@once_for_each_class
def composites_of(kind: Any) -> tuple[CompositeProperty[Any], ...]:
    """Return the attributes of a mapped class that hold value objects in several columns."""
    mapper: Mapper[Any] | None = inspect(kind, raiseerr=False)
    return () if mapper is None else tuple(mapper.composites)


def _values(one: Any) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in stored_names(type(one)))


def _refuse_other(one: Any, value: Any, _before: object, attribute: Any) -> None:
    """Refuse a value of another class before SQLAlchemy raises its own error."""
    mapped: Any = next(kind for kind in type(one).__mro__ if kind in makers)  # it may be of an unmapped subclass
    prop = inspect(mapped).composites[attribute.key]
    wanted = prop.info[VALUE_OBJECT]
    if value is not None and type(value) is not wanted:
        reason = wrong_kind(value, f"a {wanted.__name__}")
        raise InvalidValue(value, f"{type(one).__name__}.{attribute.key} {reason}")
    if value is not None and not any(each is not None for each in _values(value)) and inspect(one).persistent:
        flag_modified(one, prop.columns[0].key)  # it would look like None, and the flush would not see and refuse it


def _keep(_mapper: object, _connection: object, one: Any) -> None:
    inspect(one).info[_KEPT] = {name: vars(one)[name] for name in held_composites(one)}


def _give_back(_mapper: object, _connection: object, one: Any) -> None:
    """Give an object back its value objects. SQLAlchemy drops them, and would make others from the columns."""
    vars(one).update(inspect(one).info.pop(_KEPT, {}))


def held_composites(one: Any) -> list[str]:
    """Return the names of the attributes in which an object now holds value objects."""
    return [prop.key for prop in composites_of(type(one)) if prop.key in vars(one)]


def spread(one: Any) -> None:
    """Set the columns of an object's value objects, which a copy of it lacks."""
    for name in held_composites(one):
        object.__setattr__(one, name, vars(one)[name])


def column_values(one: Any) -> Mapping[str, Any]:
    """Return the values of an object's columns, by their names."""
    held: Mapping[str, Any] = vars(one)
    for prop in composites_of(type(one)):
        value = held[prop.key]
        values = (None,) * len(prop.columns) if value is None else _values(value)
        held = {**held, **{column.key: each for column, each in zip(prop.columns, values, strict=True)}}
    return held
