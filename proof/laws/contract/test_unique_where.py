"""Promise 7: values that are unique only in some rows, those whose other attributes have certain values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from domain.errors import DuplicateIdentity, ValueTaken
from domain.query import Where
from proof.laws.contract.accounts import Board, Card, Label, LabelTaken, SlugTaken, TagTaken
from proof.laws.contract.families import store, stored_ids
from tests.contract.shop import of
from tests.storages import Storage

pytestmark = pytest.mark.promise(7)

DAY = date(2024, 2, 29)


def test_a_value_is_unique_where_it_counts(storage: Storage) -> None:
    """A value is unique where it counts: names of labels that are not deleted, slugs that are open and not archived."""
    store(storage, "labels", Label(name="ann", deleted_at=DAY))
    store(storage, "labels", Label(name="ann", deleted_at=DAY))
    store(storage, "labels", Label(name="ann"))
    with pytest.raises(LabelTaken) as caught:
        store(storage, "labels", Label(name="ann"))
    assert "ann" == caught.value.value
    for number, (state, archived) in enumerate([("closed", False), ("open", True), ("Open", False), ("open", False)]):
        store(storage, "labels", Label(name=str(number), slug="s", state=state, archived=archived))
    with pytest.raises(SlugTaken) as taken:
        store(storage, "labels", Label(name="other", slug="s", state="open"))
    assert "s" == taken.value.value


def _restore(label: Label) -> None:
    label.deleted_at = None


def _open(label: Label) -> None:
    label.state = "open"


def _take_out(label: Label) -> None:
    label.archived = False


COMING_BACK: dict[str, tuple[Callable[[Label], None], dict[str, Any], type[ValueTaken], str]] = {
    "restored": (_restore, {"deleted_at": DAY}, LabelTaken, "ann"),
    "opened": (_open, {"name": "bob", "state": "closed"}, SlugTaken, "s"),
    "taken out": (_take_out, {"name": "bob", "archived": True}, SlugTaken, "s"),
}


@pytest.mark.parametrize("how", COMING_BACK)
def test_a_row_that_comes_to_count(storage: Storage, how: str) -> None:
    """A row that comes to count is refused, and accepted once the other one no longer counts."""
    come_back, values, error, text = COMING_BACK[how]
    first = store(storage, "labels", Label(name="ann", slug="s", state="open"))
    made: dict[str, Any] = {"name": "ann", "slug": "s", "state": "open", "archived": True, **values}
    second = store(storage, "labels", Label(**made))
    with storage.unit() as uow:
        other, mine = of(uow, "labels").get(first.id), of(uow, "labels").get(second.id)
        if how == "restored":
            mine.state = "closed"
        elif how == "opened":
            mine.archived = False
            uow.flush()
        with pytest.raises(error) as caught, uow.savepoint():
            come_back(mine)
        other.deleted_at, other.archived = DAY, True
        uow.flush()
        come_back(mine)
        uow.commit()
    assert text == caught.value.value


@pytest.mark.every_case
def test_a_bulk_keeps_values_where_they_count(storage: Storage) -> None:
    """In a bulk the generated column counts as well."""
    with pytest.raises(LabelTaken), storage.unit() as uow:
        of(uow, "labels").add_many([Label(name="ann", deleted_at=DAY), Label(name="ann"), Label(name="ann")])
    with storage.unit() as uow:
        of(uow, "labels").add_many([Label(name="ann", deleted_at=DAY), Label(name="ann")])
        uow.commit()
    assert 2 == len(stored_ids(storage, "labels"))


def test_parts_are_unique_where_they_count(storage: Storage) -> None:
    """Parts of one board are unique unless they are hidden or have no tag. Other boards never clash."""
    cards = [Card(place=1, tag="t"), Card(place=2, tag="t", hidden=True), Card(place=3), Card(place=4)]
    board = store(storage, "boards", Board(cards=cards))
    store(storage, "boards", Board(cards=[Card(place=1, tag="t")]))
    with storage.unit() as uow:
        mine = of(uow, "boards").get(board.id)
        with pytest.raises(TagTaken) as added, uow.savepoint():
            mine.cards.append(Card(place=5, tag="t"))
        with pytest.raises(TagTaken) as shown, uow.savepoint():
            mine.cards[1].hidden = False
        mine.cards[0].hidden = True
        uow.flush()
        mine.cards[1].hidden = False
        uow.commit()
    assert ["t", "t"] == [added.value.value, shown.value.value]


def test_a_query_finds_what_cannot_clash(storage: Storage) -> None:
    """A query by a value that is unique in some rows finds the others too."""
    deleted = store(storage, "labels", Label(name="ann", deleted_at=DAY))
    label = store(storage, "labels", Label(name="ann"))
    with storage.unit(read_only=True) as uow:
        found = of(uow, "labels").list_where(Where("name", "==", "ann"))
    assert sorted([deleted.id, label.id]) == [one.id for one in found]


@pytest.mark.promise(4, 10)
@pytest.mark.parametrize("how", ["a rollback", "an undone savepoint", "its removal", "its removal and a bulk"])
def test_one_that_was_stored_is_added_again(storage: Storage, how: str) -> None:
    """An object that was once stored can be added again: it brings no generated value. A stored id is taken."""
    label = Label(name="ann")
    with storage.unit() as uow:
        of(uow, "labels").add(label)
        uow.flush()
        uow.rollback()
    if how != "a rollback":
        store(storage, "labels", label)
        with pytest.raises(DuplicateIdentity):
            store(storage, "labels", label)
    with storage.unit() as uow:
        if how == "an undone savepoint":
            with pytest.raises(ZeroDivisionError), uow.savepoint():
                of(uow, "labels").remove(of(uow, "labels").get(label.id))
                raise ZeroDivisionError
        if how != "a rollback":
            label = of(uow, "labels").get(label.id)
            of(uow, "labels").remove(label)
        of(uow, "labels").add_many([label]) if how.endswith("bulk") else of(uow, "labels").add(label)
        uow.commit()
    assert [label.id] == stored_ids(storage, "labels")
