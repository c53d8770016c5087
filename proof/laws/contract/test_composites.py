"""Promises 2 to 10 for value objects in several columns, of roots and of parts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, frozen

from domain.errors import InvalidValue, UnitOfWorkMisuse
from domain.query import Where
from proof.laws.contract.catalog import (
    Article,
    Label,
    Money,
    NameTaken,
    Size,
    Stamp,
    articles_of,
    euros,
    new_article,
    read,
    stamps_of,
    stored_article,
)
from proof.laws.contract.test_copies import COPYING
from tests.contract.graphs import exact, values
from tests.storages import Storage


def raise_price(one: Article) -> None:
    """Change an amount alone."""
    one.price = euros(11)


def change_currency(one: Article) -> None:
    """Change a currency alone."""
    one.price = evolve(one.price, currency="CHF")


def set_to_none(one: Article) -> None:
    """Set the size to ``None``."""
    one.size = None


def forget_height(one: Article) -> None:
    """Set one of the two values to ``None``."""
    one.size = Size(3)


def set_from_none(one: Article) -> None:
    """Set the old price."""
    one.old_price = one.price


def change_in_part(one: Article) -> None:
    """Change a part alone."""
    one.offers[0].price = euros(7)


def exchange_in_parts(one: Article) -> None:
    """Swap values, one of which is ``None``."""
    first, second = one.offers
    first.rebate, second.rebate = second.rebate, first.rebate


def replace_label(one: Article) -> None:
    """Replace a frozen part."""
    one.labels = {Label(text="new", size=Size(1, 2))}


each_change = pytest.mark.parametrize(
    "change",
    [
        raise_price,
        change_currency,
        set_to_none,
        forget_height,
        set_from_none,
        change_in_part,
        exchange_in_parts,
        replace_label,
    ],
    ids=lambda change: change.__name__.replace("_", " "),
)

each_flush = pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])


@pytest.mark.every_case
@pytest.mark.promise(2)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_value_objects_are_stored(storage: Storage, bulk: bool) -> None:
    """Value objects of roots and parts are stored, and ``None`` is ``None`` again."""
    made, stamps = new_article(), [Stamp(name="a", price=euros(1)), Stamp(name="b", price=euros(2), old_price=euros(1))]
    with storage.unit() as uow:
        if bulk:
            articles_of(uow).add_many([made])
            stamps_of(uow).add_many(stamps)
        else:
            articles_of(uow).add(made)
            for one in stamps:
                stamps_of(uow).add(one)
        uow.commit()
    assert {**exact(made), "version": ("int", 1)} == exact(read(storage, made))
    with storage.unit() as uow:
        found = stamps_of(uow).list_where(order_by="name")
    assert [{**exact(one), "version": ("int", 1)} for one in stamps] == list(map(exact, found))


@pytest.mark.promise(2, 8)
@each_flush
@each_change
def test_a_changed_value_object_is_stored(storage: Storage, change: Callable[[Article], None], flushed: bool) -> None:
    """A changed value object is stored, in a part too. The version rises once."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        mine = articles_of(uow).get(ann.id)
        change(mine)
        if flushed:
            uow.flush()
            mine.name = "torch"
        uow.commit()
    assert 2 == mine.version
    assert values(ann) != values(mine)
    assert exact(mine) == exact(read(storage, ann))


@pytest.mark.promise(10)
@each_flush
@each_change
def test_an_undone_value_object_is_given_back(
    storage: Storage, change: Callable[[Article], None], flushed: bool
) -> None:
    """A savepoint gives an undone value object back. It can be changed further."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        mine = articles_of(uow).get(ann.id)
        with pytest.raises(KeyError), uow.savepoint():
            change(mine)
            if flushed:
                uow.flush()
            raise KeyError
        assert exact(ann) == exact(mine)
        mine.price = euros(12)
        uow.commit()
    assert exact(mine) == exact(read(storage, ann))


@pytest.mark.promise(8)
def test_an_equal_value_object_is_no_change(storage: Storage) -> None:
    """An equal value object is no change: leaving the unit does not warn, and the version stays."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        mine = articles_of(uow).get(ann.id)
        mine.price, mine.offers[1].rebate, mine.old_price = euros(10), euros(1), None
    assert 1 == read(storage, ann).version


@pytest.mark.promise(3)
def test_an_object_keeps_its_very_value_object(storage: Storage) -> None:
    """An object keeps its very value object, with its unstored attributes, through additions, changes and a commit."""
    ann, price = new_article(), Money(Decimal(5), "EUR", seen=1)
    ann.price = price
    with storage.unit() as uow:
        articles_of(uow).add(ann)
        uow.flush()
        assert price is ann.price
        ann.offers[0].price = price
        uow.commit()
    assert price is ann.price
    assert price is ann.offers[0].price


@pytest.mark.promise(2)
def test_reading_a_value_object_checks_nothing(storage: Storage) -> None:
    """Reading does not check a value object: stored values were valid. Unstored attributes get their defaults."""
    ann = new_article()
    old = Money(Decimal(5), "EUR", seen=1)
    object.__setattr__(old, "currency", "old")
    ann.price = old
    with storage.unit() as uow:
        articles_of(uow).add(ann)
        uow.commit()
    found = read(storage, ann).price
    assert ("old", 0) == (found.currency, found.seen)
    assert old == found


@pytest.mark.promise(4)
def test_a_value_object_moves_to_another_unit(storage: Storage) -> None:
    """A value object moves to another unit with its object when that is stored anew."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        articles_of(uow).remove(articles_of(uow).get(ann.id))
        uow.commit()
    gone = values(ann)
    with storage.unit() as uow:
        articles_of(uow).add(ann)
        uow.commit()
    assert gone == {**values(read(storage, ann)), "version": 1}


@pytest.mark.every_case
@pytest.mark.promise(3, 11)
@pytest.mark.parametrize("kind", ["new", "read"])
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize("way", COPYING)
def test_a_copy_has_the_value_objects(storage: Storage, way: str, bulk: bool, kind: str) -> None:
    """A copy has the value objects, however it was copied and whether its original was stored."""
    with storage.unit() as uow:
        ann, stamp = new_article(), Stamp(name="a", price=euros(1))
        if kind == "read":
            articles_of(uow).add(ann)
            stamps_of(uow).add(stamp)
            uow.flush()
        copies: list[Any] = [COPYING[way](ann), COPYING[way](stamp)]
        uow.rollback()
    before = list(map(exact, copies))
    for one in copies:
        one.version = 0
    with storage.unit() as uow:
        both: list[Any] = [articles_of(uow), stamps_of(uow)]
        for items, one in zip(both, copies, strict=True):
            if bulk:
                items.add_many([one])
            else:
                items.add(one)
        uow.commit()
    with storage.unit() as uow:
        found = [articles_of(uow).get(ann.id), stamps_of(uow).get(stamp.id)]
    assert [{**one, "version": ("int", 1)} for one in before] == list(map(exact, found))


@pytest.mark.promise(8)
def test_a_locked_read_has_the_newest_value(storage: Storage) -> None:
    """A locked read brings the newest value object into the object that the unit already holds."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        mine = articles_of(uow).get(ann.id)
        with storage.unit() as other:
            articles_of(other).get(ann.id).price = euros(11)
            articles_of(other).get(ann.id).size = None
            other.commit()
        assert mine is articles_of(uow).get(ann.id, lock=True)
        assert (euros(11), None) == (mine.price, mine.size)


@pytest.mark.promise(7, 10)
def test_a_failed_write_leaves_the_value_objects(storage: Storage) -> None:
    """A failed write keeps the value objects of the refused object."""
    stored_article(storage)
    ann = new_article()
    before = values(ann)
    with storage.unit() as uow:
        with pytest.raises(NameTaken), uow.savepoint():
            articles_of(uow).add(ann)
            uow.flush()
        assert before == values(ann)
        ann.name = "torch"
        articles_of(uow).add(ann)
        uow.commit()
    assert {**before, "name": "torch", "version": 1} == values(read(storage, ann))


@frozen
class _Other(Money):
    """A class of value objects other than the declared one."""


@pytest.mark.promise(11)
@pytest.mark.parametrize("wrong", [5, Size(1), _Other(Decimal(1), "EUR")], ids=["number", "other", "subclass"])
def test_what_is_no_value_object_is_refused(storage: Storage, wrong: Any) -> None:
    """A value of another class is refused in words of the domain, and the object keeps its value."""
    ann = stored_article(storage)
    with storage.unit() as uow:
        mine = articles_of(uow).get(ann.id)
        for one in (mine, mine.offers[0]):
            with pytest.raises(InvalidValue) as caught:
                one.price = wrong
            assert f"price holds a Money, not a value of type {type(wrong).__name__}" in str(caught.value)
        assert exact(ann) == exact(mine)


@pytest.mark.promise(7)
@pytest.mark.parametrize("wrong", [Decimal("0.001"), None], ids=["too exact", "None"])
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_what_a_value_object_holds_is_checked(storage: Storage, wrong: Any, bulk: bool) -> None:
    """A value object is checked against the declarations of its class before anything is written."""
    ann = new_article()
    ann.offers[0].price = Money(wrong, "EUR")
    with storage.unit() as uow:
        with pytest.raises(InvalidValue, match=r"Offer\.price cannot hold this, because Money\.amount"):
            if bulk:
                articles_of(uow).add_many([ann])
            else:
                articles_of(uow).add(ann)
                uow.flush()
        uow.rollback()


@pytest.mark.promise(11)
@pytest.mark.parametrize("new", [True, False], ids=["new", "stored"])
def test_a_deleted_value_object_is_refused(storage: Storage, new: bool) -> None:
    """A deleted value object is refused like any other deleted attribute."""
    ann = new_article() if new else stored_article(storage)
    with (
        pytest.raises(UnitOfWorkMisuse, match=r"the attribute old_price of Article .* was deleted"),
        storage.unit() as uow,
    ):
        if new:
            articles_of(uow).add(ann)
        mine = ann if new else articles_of(uow).get(ann.id)
        mine.name = "torch"
        del mine.old_price
        uow.commit()


@pytest.mark.promise(16)
@pytest.mark.parametrize(
    ("where", "order_by"),
    [
        ((Where("price", "==", euros(1)),), "id"),
        ((Where("price", "in", [euros(1)]),), "id"),
        ((Where("price", "<", euros(1)),), "id"),
        ((Where("price", "==", None),), "id"),
        ((Where("name", "==", "lamp"), Where("price", "!=", None)), "id"),
        ((), "price"),
        ((), "-price"),
    ],
)
def test_a_port_does_not_compare_value_objects(storage: Storage, where: tuple[Where, ...], order_by: str) -> None:
    """A port neither compares nor sorts by value objects: in several columns they have no common order."""
    with storage.unit() as uow, pytest.raises(TypeError) as caught:
        articles_of(uow).list_where(*where, order_by=order_by)
    assert "Article.price is a value object: compare what is in it, by a query in each adapter" == str(caught.value)


@pytest.mark.promise(14)
def test_a_value_object_of_none_alone_is_refused(storage: Storage) -> None:
    """A value object of ``None`` alone is refused. It is not taken for the ``None`` that was there before."""
    empty: Any = Money(None, None)  # type: ignore[arg-type]  # the wrong type is the point
    article = stored_article(storage)
    with storage.unit() as uow:
        articles_of(uow).get(article.id).old_price = empty
        with pytest.raises(InvalidValue, match=r"old_price cannot hold this, because Money\.amount must not be None"):
            uow.commit()
        uow.rollback()
    assert read(storage, article).old_price is None


def test_an_unmapped_subclass_can_be_made() -> None:
    """An object of an unmapped subclass can be made. The repository refuses it like any other class."""

    class Special(Article):
        """An article that no repository holds."""

    assert euros(1) == Special(name="lamp", price=euros(1)).price
