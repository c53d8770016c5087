"""Every kind of attribute comes back equal and of its type from every storage, or is refused by all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any
from weakref import ref

import pytest
from attrs import frozen

from domain.errors import InvalidValue, UncommittedChanges
from domain.query import Where
from domain.repository import Repository
from proof.laws.contract.specimens import ATTRIBUTES, KINDS, Leaflet, Piece, PriceTaken, Specimen, kind_of
from service_layer.unit_of_work import UnitOfWork
from tests.contract.worlds import Oops
from tests.storages import Storage

JSON = [name for name in ATTRIBUTES if kind_of(name).change]
NULLABLE = [name for name in ATTRIBUTES if name.startswith("maybe_")]

WAYS = {"replace": ATTRIBUTES, "clear": NULLABLE, "change in place": JSON}
each_way = pytest.mark.parametrize("way", WAYS)


@frozen
class Shelf:
    """Specimens, which have a part with the same attributes, or leaflets, which have no parts, on a storage."""

    storage: Storage
    repository: str

    def of(self, uow: UnitOfWork) -> Repository[Any]:
        """Return the repository in a unit of work."""
        found: Repository[Any] = getattr(uow, self.repository)
        return found

    def new(self, **values: Any) -> Any:
        """Return an aggregate with these values, and the first of its kind in every other attribute."""
        given = {name: deepcopy(first(name)) for name in ATTRIBUTES} | values
        if self.repository == "leaflets":
            return Leaflet(**given)
        return Specimen(**given, piece=Piece(**deepcopy(given)))

    def store(self, *some: Any) -> None:
        """Store aggregates in a separate unit."""
        with self.storage.unit() as uow:
            for one in some:
                self.of(uow).add(one)
            uow.commit()

    def stored(self) -> Any:
        """Store a new aggregate and return it."""
        self.store(made := self.new())
        return made

    def read(self, one: Any) -> Any:
        """Return an aggregate as another unit reads it."""
        with self.storage.unit(read_only=True) as uow:
            return self.of(uow).get(one.id)


@pytest.fixture(params=["specimens", "leaflets"])
def shelf(storage: Storage, request: pytest.FixtureRequest) -> Shelf:
    """Aggregates with and without parts, on each storage."""
    return Shelf(storage, request.param)


def first(attribute: str) -> Any:
    """Return the value with which an aggregate is made."""
    return kind_of(attribute).values[0][1]


def holders(one: Any) -> list[Any]:
    """Return an aggregate and its part, if it has one."""
    return [one, one.piece] if isinstance(one, Specimen) else [one]


def look(one: Any, attribute: str) -> tuple[Any, ...]:
    """Return the class and the visible value of an attribute, on an aggregate and its part."""
    values = [getattr(each, attribute) for each in holders(one)]
    return attribute, *((type(value), repr(value)) for value in values)


def seen(one: Any, attribute: str, value: Any) -> tuple[Any, ...]:
    """Return the same for a value that is to be found."""
    return attribute, *[(type(value), repr(value))] * len(holders(one))


def edit(one: Any, attribute: str, way: str) -> Any:
    """Change what an aggregate and its part hold. Return a copy of the value that they have then."""
    kind = kind_of(attribute)
    for each in holders(one):
        if way == "change in place" and kind.change:
            kind.change(getattr(each, attribute))
        else:
            setattr(each, attribute, None if way == "clear" else deepcopy(kind.values[1][0]))
    return deepcopy(getattr(one, attribute))


@pytest.mark.every_case
def test_a_value_comes_back(shelf: Shelf) -> None:
    """A value comes back equal and of the same type, however it was added."""
    pairs = {name: [*kind_of(name).values, *([(None, None)] if name in NULLABLE else [])] for name in ATTRIBUTES}
    rounds = [{name: some[n % len(some)] for name, some in pairs.items()} for n in range(max(map(len, pairs.values())))]
    expected, new = {}, []
    for some in (one for one in rounds for _ in range(2)):
        new.append(shelf.new(**{name: given for name, (given, _) in some.items()}))
        expected[new[-1].id] = some
    with shelf.storage.unit() as uow:
        shelf.of(uow).add_many(new[::2])
        for one in new[1::2]:
            shelf.of(uow).add(one)
        uow.commit()
    with shelf.storage.unit(read_only=True) as uow:
        for read in shelf.of(uow).stream():
            for name, (_, value) in expected.pop(read.id).items():
                assert seen(read, name, value) == look(read, name)
    assert not expected


def test_a_value_is_found_by_an_equal_one(shelf: Shelf) -> None:
    """A value of any kind but JSON is found by an equal one."""
    kinds = {name: kind_of(name).values for name in ATTRIBUTES if name not in JSON}
    count = max(map(len, kinds.values()))
    new = [shelf.new(**{name: some[n % len(some)][0] for name, some in kinds.items()}) for n in range(count)]
    shelf.store(*new)
    with shelf.storage.unit(read_only=True) as uow:
        for name, some in kinds.items():
            for number, (given, _) in enumerate(some):
                found = shelf.of(uow).list_where(Where(name, "==", given))
                assert new[number].id in [each.id for each in found], name


@each_way
def test_a_changed_value_comes_back(shelf: Shelf, way: str) -> None:
    """A changed value comes back, whether it was replaced, cleared or changed in place. The version rises by one."""
    one = shelf.stored()
    for version, name in enumerate(WAYS[way], start=2):
        with shelf.storage.unit() as uow:
            mine = shelf.of(uow).get(one.id)
            value = edit(mine, name, way)
            uow.commit()
        found = shelf.read(one)
        assert (version, seen(found, name, value)) == (found.version, look(found, name))
        assert (version, look(found, name)) == (mine.version, look(mine, name))


@each_way
@pytest.mark.parametrize("flushed", [False, True], ids=["pending", "flushed"])
def test_an_undone_savepoint_gives_a_value_back(shelf: Shelf, way: str, flushed: bool) -> None:
    """An undone savepoint gives a value back, in the object and in the storage. It can be changed again."""
    one = shelf.stored()
    for version, name in enumerate(WAYS[way], start=2):
        with shelf.storage.unit() as uow:
            mine = shelf.of(uow).get(one.id)
            with pytest.raises(Oops), uow.savepoint():
                edit(mine, name, way)
                if flushed:
                    uow.flush()
                raise Oops
            assert (version - 1, seen(mine, name, first(name))) == (mine.version, look(mine, name))
            uow.commit()
        found = shelf.read(one)
        assert (version - 1, seen(found, name, first(name))) == (found.version, look(found, name))
        with shelf.storage.unit() as uow:
            mine = shelf.of(uow).get(one.id)
            with pytest.raises(Oops), uow.savepoint():
                edit(mine, name, way)
                raise Oops
            value = edit(mine, name, way)
            uow.commit()
        found = shelf.read(one)
        assert (version, seen(found, name, value)) == (found.version, look(found, name))


Put = Callable[[Shelf, UnitOfWork, Any, str, Any], None]


def _add(shelf: Shelf, uow: UnitOfWork, _: Any, name: str, value: Any) -> None:
    shelf.of(uow).add(shelf.new(**{name: value}))
    uow.flush()


def _add_in_bulk(shelf: Shelf, uow: UnitOfWork, _: Any, name: str, value: Any) -> None:
    shelf.of(uow).add_many([shelf.new(), shelf.new(**{name: value})])


def _change(shelf: Shelf, uow: UnitOfWork, id: Any, name: str, value: Any) -> None:
    setattr(holders(shelf.of(uow).get(id))[-1], name, value)
    shelf.of(uow).page()


@pytest.mark.parametrize("put", [_add, _add_in_bulk, pytest.param(_change, marks=pytest.mark.every_case)])
def test_what_cannot_be_stored_is_refused(shelf: Shelf, put: Put) -> None:
    """A value that cannot be stored is refused by the same call everywhere. The error names class and attribute.

    Nothing is written.
    """
    one = shelf.stored()
    kind = type(holders(one)[-1] if put is _change else one)
    for name in ATTRIBUTES:
        wrong = [value for value in kind_of(name).refused if put is not _change or value != first(name)]
        for value in wrong[:1] if name in NULLABLE else [*wrong, None]:
            with shelf.storage.unit() as uow, pytest.raises(InvalidValue) as caught:
                put(shelf, uow, one.id, name, value)
            assert caught.value.value is value
            assert caught.value.reason.startswith(f"{kind.__name__}.{name} ")
    with shelf.storage.unit(read_only=True) as uow:
        assert [1] == [each.version for each in shelf.of(uow).stream()]


def test_an_equal_value_is_no_change(shelf: Shelf) -> None:
    """An equal value of another class, such as 1 for True, changes nothing. It is not written, so it is not refused."""
    one = shelf.stored()
    for name in ATTRIBUTES:
        for value in (each for each in kind_of(name).refused if each == first(name)):
            with shelf.storage.unit() as uow:
                setattr(shelf.of(uow).get(one.id), name, value)
                uow.commit()
            found = shelf.read(one)
            assert (1, seen(found, name, first(name))) == (found.version, look(found, name))


def test_a_taken_value_is_shown_as_stored(storage: Storage) -> None:
    """The error for a taken value shows it as it is stored, in the same words on every storage."""
    shelf = Shelf(storage, "specimens")
    shelf.store(one := shelf.new(), other := shelf.new())
    for mine, price in ((one, Decimal("1.5")), (other, Decimal("1.500"))):
        with storage.unit() as uow:
            shelf.of(uow).get(mine.id).price = price
            if mine is one:
                uow.commit()
                continue
            with pytest.raises(PriceTaken) as caught:
                uow.commit()
    assert "1.50" == caught.value.value


def test_a_refused_value_can_be_corrected(shelf: Shelf) -> None:
    """After a savepoint, a refused value can be corrected, as after any error of the domain."""
    one = shelf.stored()
    with shelf.storage.unit() as uow:
        mine = shelf.of(uow).get(one.id)
        with pytest.raises(InvalidValue, match="must not be None"), uow.savepoint():
            mine.text = None
        mine.text = "mended"
        uow.commit()
    assert "mended" == shelf.read(one).text


def test_json_that_is_the_same_is_not_written(shelf: Shelf) -> None:
    """Unchanged JSON is not written, even if it was changed and changed back or replaced by an equal value."""
    one = shelf.stored()
    for name in JSON:
        with shelf.storage.unit() as uow:
            mine = shelf.of(uow).get(one.id)
            edit(mine, name, "change in place")
            for each in holders(mine):
                setattr(each, name, deepcopy(first(name)))
            uow.commit()
        assert (name, 1) == (name, shelf.read(one).version)


def test_json_of_a_part_moves_the_root(storage: Storage) -> None:
    """A change of a part's JSON alone raises the version of the root."""
    shelf = Shelf(storage, "specimens")
    one = shelf.stored()
    with storage.unit() as uow:
        mine = shelf.of(uow).get(one.id)
        mine.piece.facts["b"] = [2]
        uow.flush()
        mine.piece.facts["b"].append(3)
        uow.commit()
    found = shelf.read(one)
    assert (2, {"a": 1, "b": [2, 3]}, {"a": 1}) == (found.version, found.piece.facts, found.facts)


def test_json_of_a_streamed_object_is_written(shelf: Shelf) -> None:
    """Changed JSON of a streamed object is written, even if the caller no longer holds the object."""
    one, other = shelf.stored(), shelf.stored()
    with shelf.storage.unit() as uow:
        for mine in shelf.of(uow).stream():
            mine.facts["b"] = 2
        uow.commit()
    assert [{"a": 1, "b": 2}] * 2 == [shelf.read(each).facts for each in (one, other)]


def test_json_is_shared_with_no_storage(shelf: Shelf) -> None:
    """No storage shares JSON: a change after the commit or after the end of the unit changes nothing stored."""
    shared: dict[str, Any] = {"in": []}
    one, other = shelf.new(facts=shared), shelf.new(facts=shared)
    shelf.store(one, other)
    shared["in"].append(1)
    shelf.read(one).facts["in"].append(2)
    assert [{"in": []}] * 2 == [shelf.read(each).facts for each in (one, other)]


def test_changed_json_that_is_not_committed_warns(shelf: Shelf) -> None:
    """Changed JSON that is not committed warns like any other change."""
    one = shelf.stored()
    uow = shelf.storage.unit()
    uow.__enter__()
    shelf.of(uow).get(one.id).facts["b"] = 2
    with pytest.warns(UncommittedChanges):
        uow.__exit__(None, None, None)


def test_each_kind_has_two_values() -> None:
    """Each kind has two different values, so a change from the first to the second is a change."""
    assert all(repr(kind.values[0][1]) != repr(kind.values[1][1]) for kind in KINDS.values())


@pytest.mark.promise(15)
def test_an_ended_unit_keeps_no_object(shelf: Shelf) -> None:
    """A unit that has ended keeps no object, even if the unit itself is kept and used again."""
    id = shelf.stored().id
    uow = shelf.storage.unit()
    with uow:
        held = [ref(shelf.of(uow).get(id)), *map(ref, shelf.of(uow).stream())]
    gc.collect()
    assert [None, None] == [one() for one in held]
