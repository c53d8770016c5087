"""Ids that are texts or numbers: every storage keeps, sorts, finds and refuses them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import attrs
import pytest
from attrs import field, setters

from domain import repository as repositories
from domain.aggregate import Aggregate
from domain.errors import ConcurrentChange, DuplicateIdentity, InvalidValue, NotFound
from domain.query import Where
from domain.repository import Repository
from proof.laws.contract.wares import (
    Delivery,
    DeliveryNotFound,
    Line,
    Remark,
    Sku,
    Ware,
    WareDelivered,
    WareMissing,
    WareNotFound,
    deliveries_of,
    wares_of,
)
from tests.storages import Storage

# By code point. A collation would mix capitals, accents and punctuation with other letters, and cut the last space.
TEXTS = ("", " a", "-b", "10", "9", "A", "B", "Z", "_c", "a", "a ", "ab", "b", "z", "Ä", "ä", "é", "\uffff", "𠀀")
NUMBERS = (-(2**63), -5, -1, 0, 1, 7, 10, 2**31, 2**32 + 1, 2**63 - 1)


class Oops(Exception):
    """The error with which a savepoint is left."""


def ware(id: str) -> Ware:
    """Return a new ware."""
    return Ware(id=Sku(id), name=f"name of {id}", remarks=[Remark(text="new")])


def store(storage: Storage, *wares: Ware, deliveries: Iterable[Delivery] = ()) -> None:
    """Store wares, then deliveries."""
    with storage.unit() as uow:
        wares_of(uow).add_many(wares)
        for one in deliveries:
            deliveries_of(uow).add(one)
        uow.commit()


def ids(found: Iterable[Aggregate[Any]]) -> list[Any]:
    """Return the ids of aggregates."""
    return [one.id for one in found]


def pages(items: Any, **options: Any) -> list[Any]:
    """Return the ids on all pages of three."""
    found: list[Any] = []
    page = items.page(limit=3, **options)
    while page.next is not None and len(found) < 100:
        found += ids(page.items)
        page = items.page(page.next, 3, **options)
    return found + ids(page.items)


@pytest.mark.promise(16)
def test_texts_sort_by_code_point(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts sort by code point in lists, pages, streams and comparisons, in both directions."""
    monkeypatch.setattr(repositories, "STREAM_BATCH", 4)
    store(storage, *map(ware, reversed(TEXTS)))
    with storage.unit(read_only=True) as uow:
        items = wares_of(uow)
        for found in (ids(items.list_where()), pages(items), ids(items.stream())):
            assert list(TEXTS) == found
        assert list(reversed(TEXTS)) == pages(items, order_by="-id")
        assert [*TEXTS[:5]] == ids(items.list_where(Where("id", "<", Sku("A"))))
        assert [id for id in TEXTS if id > "a "] == ids(items.list_where(Where("id", ">", Sku("a "))))


@pytest.mark.promise(16)
def test_numbers_sort_by_their_value(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers sort by their value, from the least to the greatest of 64 bits."""
    monkeypatch.setattr(repositories, "STREAM_BATCH", 4)
    store(storage, deliveries=[Delivery(id=id) for id in reversed(NUMBERS)])
    with storage.unit(read_only=True) as uow:
        items = deliveries_of(uow)
        for found in (ids(items.list_where()), pages(items), ids(items.stream())):
            assert list(NUMBERS) == found
        assert list(reversed(NUMBERS)) == pages(items, order_by="-id")


def test_an_id_comes_back_in_its_class(storage: Storage) -> None:
    """An id comes back in its class, as the id of a root and in a reference."""
    store(storage, ware("A-1"), deliveries=[Delivery(id=7, lines=[Line(sku=Sku("A-1"), quantity=1)])])
    with storage.unit(read_only=True) as uow:
        lamp, delivery = wares_of(uow).get(Sku("A-1")), deliveries_of(uow).get(7)
        assert (Sku, int, Sku) == (type(lamp.id), type(delivery.id), type(delivery.lines[0].sku))
        assert ["new"] == [remark.text for remark in lamp.remarks]


def test_each_way_to_ask_for_an_id(storage: Storage) -> None:
    """An id is found by get, find, get_many and exists. A text in another spelling is another id."""
    store(storage, *map(ware, ("a", "A", "a ")), deliveries=[Delivery(id=id) for id in (0, 1)])
    with storage.unit(read_only=True) as uow:
        items, deliveries = wares_of(uow), deliveries_of(uow)
        assert "A" == items.get(Sku("A")).id
        assert items.find(Sku("Ä")) is None
        assert ["a", "a "] == ids(items.get_many(map(Sku, ("a ", "a", "b"))))
        assert (True, False) == (items.exists(Sku("a ")), items.exists(Sku("A ")))
        assert (0, None) == (deliveries.get(0).id, deliveries.find(-1))
        assert [0, 1] == ids(deliveries.get_many([1, 2, 0]))
        with pytest.raises(WareNotFound, match="no ware has the id 'b'"):
            items.get(Sku("b"))
        with pytest.raises(DeliveryNotFound, match="no delivery has the id 2"):
            deliveries.get(2)


WRONG: dict[str, tuple[Callable[[Any], Any], Any, str]] = {
    "str for Sku": (wares_of, "a", "the id of Ware is of type Sku, not str"),
    "bool for int": (deliveries_of, True, "the id of Delivery is of type int, not bool"),
    "float for int": (deliveries_of, 1.0, "the id of Delivery is of type int, not float"),
    "UUID as a text": (lambda uow: uow.members, "ann", "the id of Member is of type UUID, not str"),
    "65 bits": (deliveries_of, 2**63, "a number that is an id has at most 64 bits"),
    "NUL": (wares_of, Sku("a\0"), "a text that is an id has no NUL characters and no surrogates"),
    "long": (wares_of, Sku("a" * 61), "the id of Ware has at most 60 characters"),
    "surrogate": (wares_of, Sku("\ud800"), "a text that is an id has no NUL characters and no surrogates"),
}


@pytest.mark.every_case
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_id_is_refused(storage: Storage, wrong: str) -> None:
    """Each method that takes an id refuses another value, and names the type that the class declares."""
    of, value, says = WRONG[wrong]
    with storage.unit() as uow:
        items = of(uow)
        calls: list[Callable[[], Any]] = [
            lambda: items.get(value),
            lambda: items.get(value, lock=True),
            lambda: items.find(value),
            lambda: items.exists(value),
            lambda: items.get_many([value]),
            lambda: items.page(value),
            lambda: items.list_where(Where("id", "<", value)),
            lambda: items.count(Where("id", "in", [value])),
        ]
        for call in calls:
            with pytest.raises(InvalidValue) as caught:
                call()
            assert says == caught.value.reason


def test_an_aggregate_of_a_wrong_id_is_refused(storage: Storage) -> None:
    """An aggregate with a wrong id is refused when it is added, alone or in bulk."""
    wrong: Any = "a"
    with storage.unit() as uow:
        for add in (wares_of(uow).add, lambda one: wares_of(uow).add_many([one])):
            with pytest.raises(InvalidValue, match="is of type Sku, not str"):
                add(Ware(id=wrong, name="a"))
        with pytest.raises(InvalidValue, match="64 bits"):
            deliveries_of(uow).add(Delivery(id=2**63))


def test_the_key_of_a_page_is_a_pair(storage: Storage) -> None:
    """The key of a page under another sort key is a pair. A text is not taken for one."""
    with storage.unit(read_only=True) as uow, pytest.raises(InvalidValue, match="the pair of name and id"):
        wares_of(uow).page("ab", order_by="name")


@pytest.mark.promise(7)
@pytest.mark.parametrize("id", ["a", "it's 'a'"])
def test_a_stored_id_is_refused(storage: Storage, id: str) -> None:
    """A stored id is refused. The error has the id in its class, except in a bulk."""
    store(storage, ware(id), deliveries=[Delivery(id=0)])
    with pytest.raises(DuplicateIdentity) as caught, storage.unit() as uow:
        wares_of(uow).add(ware(id))
        uow.commit()
    assert (id, Sku) == (caught.value.id, type(caught.value.id))
    with pytest.raises(DuplicateIdentity, match="the id 0 is stored already") as caught, storage.unit() as uow:
        deliveries_of(uow).add(Delivery(id=0))
        uow.commit()
    with pytest.raises(DuplicateIdentity) as caught, storage.unit() as uow:
        deliveries_of(uow).add_many([Delivery(id=1), Delivery(id=0)])
        uow.commit()
    assert caught.value.id is None


@pytest.mark.promise(7)
def test_references_to_texts_are_kept(storage: Storage) -> None:
    """References to texts are kept: a missing one and one still in use are named by id."""
    store(storage, ware("a"), deliveries=[Delivery(id=1, lines=[Line(sku=Sku("a"), quantity=1)])])
    with pytest.raises(WareMissing) as caught, storage.unit() as uow:
        deliveries_of(uow).get(1).lines.append(Line(sku=Sku("b"), quantity=2))
        uow.commit()
    assert "b" == caught.value.value
    with pytest.raises(WareDelivered) as used, storage.unit() as uow:
        wares_of(uow).remove(wares_of(uow).get(Sku("a")))
        uow.commit()
    assert "a" == used.value.value
    with storage.unit() as uow:
        deliveries_of(uow).remove(deliveries_of(uow).get(1))
        wares_of(uow).remove(wares_of(uow).get(Sku("a")))
        uow.commit()


@pytest.mark.promise(8)
def test_a_change_to_a_line_moves_the_version(storage: Storage) -> None:
    """A changed line raises the version of a root with a number as its id.

    A second unit that changes it is refused, and a locked read is the newest.
    """
    store(storage, ware("a"), deliveries=[Delivery(id=0, lines=[Line(sku=Sku("a"), quantity=1)])])
    with storage.unit() as uow:
        delivery = deliveries_of(uow).get(0)
        with storage.unit() as other:
            deliveries_of(other).get(0).lines[0].quantity = 2
            other.commit()
        assert 2 == deliveries_of(uow).get(0, lock=True).version
        delivery.lines[0].quantity += 1
        uow.commit()
    with storage.unit() as uow:
        delivery = deliveries_of(uow).get(0)
        assert (3, 3) == (delivery.version, delivery.lines[0].quantity)
        with storage.unit() as other:
            deliveries_of(other).get(0).lines.clear()
            other.commit()
        delivery.lines[0].quantity = 5
        with pytest.raises(ConcurrentChange, match="Delivery 0 since"):
            uow.commit()


@pytest.mark.promise(10)
def test_a_savepoint_undoes_numbers_too(storage: Storage) -> None:
    """A savepoint undoes a change, an addition and a removal of aggregates whose ids are numbers."""
    store(storage, ware("a"), deliveries=[Delivery(id=id, lines=[Line(sku=Sku("a"), quantity=1)]) for id in (0, 1)])
    with storage.unit() as uow:
        zero, one = deliveries_of(uow).get_many([0, 1])
        with pytest.raises(Oops), uow.savepoint():
            zero.lines[0].quantity = 9
            deliveries_of(uow).add(Delivery(id=2))
            deliveries_of(uow).remove(one)
            uow.flush()
            raise Oops
        assert [0, 1] == ids(deliveries_of(uow).list_where())
        zero.lines[0].quantity += 1
        deliveries_of(uow).add(Delivery(id=-1))
        uow.commit()
    with storage.unit(read_only=True) as uow:
        assert [-1, 0, 1] == ids(deliveries_of(uow).list_where())
        assert 2 == deliveries_of(uow).get(0).lines[0].quantity


def aggregates(key: Any, **options: Any) -> type[Any]:
    """Return a class of aggregates with ids of a type."""
    id = field(**{"on_setattr": setters.frozen, **options})
    return attrs.make_class("Root", {"id": id}, bases=(Aggregate[key],), slots=False, eq=False, kw_only=True)


class Colour(StrEnum):
    """An enumeration."""

    RED = "red"


class Folded(str):
    """A text that compares in another way."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.casefold() == other.casefold()

    def __hash__(self) -> int:
        return hash(self.casefold())


REFUSED: dict[str, tuple[Callable[[], type[Any]], str]] = {
    "float": (lambda: aggregates(float), "the ids of Root cannot be of type float: derive it from"),
    "bool": (lambda: aggregates(bool), "the ids of Root cannot be of type bool: derive it from"),
    "enum": (lambda: aggregates(Colour), "the ids of Root cannot be of type Colour: derive it from"),
    "several columns": (lambda: aggregates(tuple[int, int]), "the ids of Root cannot be of type tuple: derive it from"),
    "other comparison": (lambda: aggregates(Folded), "the ids of Root cannot be of type Folded: derive it from"),
    "open": (lambda: aggregates(int, on_setattr=None), r"Root needs its own id: int = field\(on_setattr"),
    "no length": (lambda: aggregates(str), "the ids of Root need a greatest length of 1 to 255"),
    "too long": (lambda: aggregates(str, metadata={"max_length": 256}), "need a greatest length of 1 to 255"),
    "not declared": (
        lambda: attrs.make_class("Root", {}, bases=(Aggregate[Sku],), slots=False, eq=False, kw_only=True),
        r"Root needs its own id: Sku = field\(on_setattr=setters.frozen\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ids_that_cannot_be_alike_are_refused(case: str) -> None:
    """Ids that cannot be alike on every storage are refused when their repository is declared."""
    make, says = REFUSED[case]
    with pytest.raises(TypeError, match=says):
        type("Roots", (Repository,), {"aggregate": make(), "not_found": NotFound})
