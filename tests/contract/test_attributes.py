"""Every kind of attribute comes back equal and of its type from every storage, or is refused by all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest

from domain.errors import InvalidValue, UncommittedChanges
from service_layer.unit_of_work import UnitOfWork
from tests.contract.specimens import ATTRIBUTES, KINDS, Piece, Specimen, kind_of, specimens_of
from tests.contract.worlds import Oops
from tests.storages import Storage

each_attribute = pytest.mark.parametrize("attribute", ATTRIBUTES)

JSON = [name for name in ATTRIBUTES if kind_of(name).change]
each_json = pytest.mark.parametrize("attribute", JSON)

WAYS = [
    *((name, "replace") for name in ATTRIBUTES),
    *((name, "None") for name in ATTRIBUTES if name.startswith("maybe_")),
    *((name, "in place") for name in JSON),
]
each_way = pytest.mark.parametrize(("attribute", "way"), WAYS)


def new_specimen(**values: Any) -> Specimen:
    """Return a specimen with a piece; both have these values, and the first of its kind in every other attribute."""
    given = {name: deepcopy(kind_of(name).values[0][0]) for name in ATTRIBUTES} | values
    return Specimen(**given, piece=Piece(**deepcopy(given)))


def read(storage: Storage) -> list[Specimen]:
    """Return all specimens that are stored."""
    with storage.unit(read_only=True) as uow:
        return list(specimens_of(uow).stream())


def store(storage: Storage, *all_specimens: Specimen) -> None:
    """Store specimens."""
    with storage.unit() as uow:
        for one in all_specimens:
            specimens_of(uow).add(one)
        uow.commit()


def looks(one: Any, attribute: str) -> list[tuple[type, str]]:
    """Return what a specimen and its piece hold: the class, and all that can be seen of the value."""
    found = [getattr(each, attribute) for each in (one, one.piece)]
    return [(type(value), repr(value)) for value in found]


def expected(value: Any) -> list[tuple[type, str]]:
    """Return the same for the value that is to be found in both."""
    return [(type(value), repr(value))] * 2


def edit(one: Any, attribute: str, way: str) -> Any:
    """Change what a specimen and its piece hold, and return the value that they have then."""
    kind = kind_of(attribute)
    for each in (one, one.piece):
        if way == "in place" and kind.change:
            kind.change(getattr(each, attribute))
        else:
            setattr(each, attribute, None if way == "None" else deepcopy(kind.values[1][0]))
    return getattr(one, attribute)


@each_attribute
def test_a_value_comes_back(storage: Storage, attribute: str) -> None:
    """Equal and of the same type, from a root and from a part, however it was added."""
    kind = kind_of(attribute)
    pairs = [*kind.values, *([(None, None)] if attribute.startswith("maybe_") else [])]
    for given, found in pairs:
        store(storage, new_specimen(**{attribute: given}))
        with storage.unit() as uow:
            specimens_of(uow).add_many([new_specimen(**{attribute: given})])
            uow.commit()
        for one in read(storage):
            assert expected(found) == looks(one, attribute)
        with storage.unit() as uow:
            for one in list(specimens_of(uow).stream()):
                specimens_of(uow).remove(one)
            uow.commit()


@each_way
def test_a_changed_value_comes_back(storage: Storage, attribute: str, way: str) -> None:
    """Whether it was replaced, cleared, or changed in place; the version rises by one."""
    store(storage, new_specimen())
    for version in (2, 3):
        with storage.unit() as uow:
            [one] = specimens_of(uow).page().items
            value = deepcopy(edit(one, attribute, way))
            uow.commit()
        if version == 2 or way == "in place":
            assert version == one.version
        [found] = read(storage)
        assert one.version == found.version
        assert expected(value) == looks(found, attribute)


@each_way
@pytest.mark.parametrize("flushed", [False, True], ids=["pending", "flushed"])
def test_an_undone_savepoint_gives_a_value_back(storage: Storage, attribute: str, way: str, flushed: bool) -> None:
    """In the object and in the storage; it can be changed again then."""
    store(storage, new_specimen())
    before = expected(kind_of(attribute).values[0][1])
    with storage.unit() as uow:
        [one] = specimens_of(uow).page().items
        with pytest.raises(Oops), uow.savepoint():
            edit(one, attribute, way)
            if flushed:
                uow.flush()
            raise Oops
        assert before == looks(one, attribute)
        uow.commit()
    [found] = read(storage)
    assert (1, before) == (found.version, looks(found, attribute))
    with storage.unit() as uow:
        [one] = specimens_of(uow).page().items
        with pytest.raises(Oops), uow.savepoint():
            edit(one, attribute, way)
            raise Oops
        value = deepcopy(edit(one, attribute, way))
        uow.commit()
    [found] = read(storage)
    assert (2, expected(value)) == (found.version, looks(found, attribute))


def _added(uow: UnitOfWork, attribute: str, value: Any) -> None:
    specimens_of(uow).add(new_specimen(**{attribute: value}))
    uow.flush()


def _added_in_a_part(uow: UnitOfWork, attribute: str, value: Any) -> None:
    made = new_specimen()
    setattr(made.piece, attribute, value)
    specimens_of(uow).add(made)
    uow.flush()


def _added_in_bulk(uow: UnitOfWork, attribute: str, value: Any) -> None:
    specimens_of(uow).add_many([new_specimen(), new_specimen(**{attribute: value})])


def _changed(uow: UnitOfWork, attribute: str, value: Any) -> None:
    [one] = specimens_of(uow).page().items
    setattr(one, attribute, value)
    specimens_of(uow).page()


def _changed_in_a_part(uow: UnitOfWork, attribute: str, value: Any) -> None:
    [one] = specimens_of(uow).page().items
    setattr(one.piece, attribute, value)
    uow.commit()


CALLS: Sequence[Callable[[UnitOfWork, str, Any], None]] = (
    _added,
    _added_in_a_part,
    _added_in_bulk,
    _changed,
    _changed_in_a_part,
)


@each_attribute
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_what_cannot_be_stored_is_refused(
    storage: Storage, attribute: str, call: Callable[[UnitOfWork, str, Any], None]
) -> None:
    """By the domain's error, which names class and attribute, before anything is written."""
    store(storage, new_specimen())
    name = "Piece" if "part" in call.__name__ else "Specimen"
    stored, nothing = kind_of(attribute).values[0][1], [] if attribute.startswith("maybe_") else [None]
    for value in [*(one for one in kind_of(attribute).refused if one != stored), *nothing]:
        with storage.unit() as uow, pytest.raises(InvalidValue) as caught:
            call(uow, attribute, value)
        assert caught.value.value is value
        assert caught.value.reason.startswith(f"{name}.{attribute} ")
    [found] = read(storage)
    assert (1, expected(stored)) == (found.version, looks(found, attribute))


@each_attribute
def test_an_equal_value_of_another_class_changes_nothing(storage: Storage, attribute: str) -> None:
    """Such as 1 for True: it is not written, and so not refused."""
    store(storage, new_specimen())
    stored = kind_of(attribute).values[0][1]
    for value in (one for one in kind_of(attribute).refused if one == stored):
        with storage.unit() as uow:
            [one] = specimens_of(uow).page().items
            setattr(one, attribute, value)
            uow.commit()
        [found] = read(storage)
        assert (1, expected(stored)) == (found.version, looks(found, attribute))


def test_a_refused_value_can_be_mended_after_a_savepoint(storage: Storage) -> None:
    """As after any error of the domain."""
    store(storage, new_specimen())
    with storage.unit() as uow:
        [one] = specimens_of(uow).page().items
        with pytest.raises(InvalidValue, match="must not be None"), uow.savepoint():
            one.text = None
        one.text = "mended"
        uow.commit()
    assert ["mended"] == [one.text for one in read(storage)]


@each_json
def test_json_that_is_the_same_is_not_written(storage: Storage, attribute: str) -> None:
    """Neither when it was only read, nor when it was replaced by what is equal, or changed and changed back."""
    store(storage, new_specimen())
    with storage.unit() as uow:
        [one] = specimens_of(uow).page().items
        same = deepcopy(getattr(one, attribute))
        edit(one, attribute, "in place")
        setattr(one, attribute, same)
        setattr(one.piece, attribute, deepcopy(same))
        uow.commit()
    assert [1] == [one.version for one in read(storage)]


@each_json
def test_json_of_a_part_moves_the_root(storage: Storage, attribute: str) -> None:
    """Though nothing else has changed."""
    store(storage, new_specimen())
    with storage.unit() as uow:
        [one] = specimens_of(uow).page().items
        change = kind_of(attribute).change
        assert change
        change(getattr(one.piece, attribute))
        uow.commit()
    [found] = read(storage)
    assert 2 == found.version
    assert looks(one, attribute) == looks(found, attribute)


@each_json
def test_json_of_a_streamed_object_is_written(storage: Storage, attribute: str) -> None:
    """As long as the caller has the object."""
    store(storage, new_specimen(), new_specimen())
    with storage.unit() as uow:
        for one in list(specimens_of(uow).stream()):
            edit(one, attribute, "in place")
        uow.commit()
    assert [2, 2] == [one.version for one in read(storage)]


@each_json
def test_json_is_shared_with_no_storage(storage: Storage, attribute: str) -> None:
    """What is changed after the commit, or of two aggregates that were given the same, changes nothing stored."""
    shared = deepcopy(kind_of(attribute).values[0][0])
    one, other = new_specimen(**{attribute: shared}), new_specimen(**{attribute: shared})
    store(storage, one, other)
    edit(one, attribute, "in place")
    for found in read(storage):
        assert expected(kind_of(attribute).values[0][1]) == looks(found, attribute)


def test_json_that_was_changed_warns_when_it_is_not_committed(storage: Storage) -> None:
    """Like any other change."""
    store(storage, new_specimen())
    uow = storage.unit()
    uow.__enter__()
    [one] = specimens_of(uow).page().items
    one.facts["b"] = 2
    with pytest.warns(UncommittedChanges):
        uow.__exit__(None, None, None)


def test_all_kinds_are_here() -> None:
    """Each with two values that differ."""
    for kind in KINDS.values():
        assert repr(kind.values[0][1]) != repr(kind.values[1][1])
