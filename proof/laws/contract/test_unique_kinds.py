"""Promise 7: unique values of every kind: several together, nullable, of parts, and no texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from domain.errors import DuplicateIdentity, ValueTaken
from proof.laws.contract.accounts import (
    Account,
    Board,
    Card,
    CodeTaken,
    ColoursTaken,
    DayTaken,
    NameTaken,
    NicknameTaken,
    NumberTaken,
    Pin,
    PlaceTaken,
    SlotTaken,
)
from proof.laws.contract.families import store, stored_ids
from tests.contract.shop import of
from tests.storages import Storage

pytestmark = pytest.mark.promise(7)

TENANT = UUID("01890000-0000-7000-8000-0000000000aa")
CODE = UUID("01890000-0000-7000-8000-0000000000bb")
DAY = date(2024, 2, 29)

# Values of an account, the error for them, and its text for the value.
VALUES: dict[str, tuple[dict[str, Any], type[ValueTaken], str]] = {
    "several": ({"tenant_id": TENANT, "name": "ann"}, NameTaken, f"{TENANT}, ann"),
    "nullable": ({"nickname": "ann"}, NicknameTaken, "ann"),
    "int": ({"number": 7}, NumberTaken, "7"),
    "UUID": ({"code": CODE}, CodeTaken, str(CODE)),
    "date": ({"opened": DAY}, DayTaken, "2024-02-29"),
}

each_kind = pytest.mark.parametrize("kind", VALUES)
two_ways = pytest.mark.parametrize("flushed", [True, False])


@each_kind
@two_ways
def test_a_taken_value_of_an_addition(storage: Storage, kind: str, flushed: bool) -> None:
    """An addition with a taken value is refused. The value is a text that is alike everywhere."""
    values, error, text = VALUES[kind]
    store(storage, "accounts", Account(**values))
    with pytest.raises(error) as caught, storage.unit() as uow:
        of(uow, "accounts").add(Account(**values))
        uow.flush() if flushed else uow.commit()
    assert (text, str) == (caught.value.value, type(caught.value.value))


@each_kind
@two_ways
def test_a_taken_value_of_a_change(storage: Storage, kind: str, flushed: bool) -> None:
    """A change to a taken value is refused with all values of the row, even if only the last one changed."""
    values, error, text = VALUES[kind]
    store(storage, "accounts", Account(**values))
    *others, last = values
    mine = store(storage, "accounts", Account(**{name: values[name] for name in others}))
    with pytest.raises(error) as caught, storage.unit() as uow:
        setattr(of(uow, "accounts").get(mine.id), last, values[last])
        uow.flush() if flushed else uow.commit()
    assert text == caught.value.value


def test_the_first_of_two_values_is_changed(storage: Storage) -> None:
    """A change of the first of two values gives an error with both. It names the changed aggregate."""
    for tenant in (TENANT, CODE):
        store(storage, "accounts", Account(tenant_id=tenant, name="ann"))
    mine = store(storage, "accounts", Account(name="ann"))
    with storage.unit() as uow:
        account = of(uow, "accounts").get(mine.id)
        for tenant in (CODE, TENANT):
            with pytest.raises(NameTaken) as caught, uow.savepoint():
                account.tenant_id = tenant
            assert f"{tenant}, ann" == caught.value.value
        account.name = "bob"
        uow.flush()
        account.tenant_id = TENANT
        uow.commit()
    assert (TENANT, "bob", 2) == (account.tenant_id, account.name, account.version)


def test_the_row_that_failed_is_named(storage: Storage) -> None:
    """The row that failed is named, of two that were changed alike in one flush, and of two parts."""
    store(storage, "accounts", Account(tenant_id=TENANT, name="ann"))
    boards = [store(storage, "boards", Board(cards=[Card(place=1, front=front)])) for front in ("b", "a")]
    store(storage, "boards", Board(cards=[Card(place=1, front="a", back="x")]))
    with storage.unit() as uow:
        of(uow, "accounts").add_many([Account(tenant_id=CODE, name="bob"), Account(tenant_id=TENANT, name="bob")])
        mine = of(uow, "accounts").page().items
        with pytest.raises(NameTaken) as caught, uow.savepoint():
            for account in mine[1:]:
                account.name = "ann"
        cards = [of(uow, "boards").get(board.id).cards[0] for board in boards]
        with pytest.raises(ColoursTaken) as of_parts, uow.savepoint():
            for card in cards:
                card.back = "x"
        uow.commit()
    assert (f"{TENANT}, ann", "a, x") == (caught.value.value, of_parts.value.value)


@two_ways
def test_the_card_with_the_smaller_id_is_first(storage: Storage, flushed: bool) -> None:
    """Of two changed cards of a board that take values, that with the smaller id is refused, not the first in order."""
    store(storage, "boards", Board(cards=[Card(place=place, front="a", back=str(place)) for place in (1, 2)]))
    older, newer = Card(place=2), Card(place=1)
    board = store(storage, "boards", Board(cards=[newer, older]))
    with pytest.raises(ColoursTaken) as caught, storage.unit() as uow:
        for card in of(uow, "boards").get(board.id).cards:
            card.front, card.back = "a", str(card.place)
        uow.flush() if flushed else uow.commit()
    assert "a, 2" == caught.value.value


def test_one_of_two_values_may_be_shared(storage: Storage) -> None:
    """One of two values may be shared: only both together are unique."""
    for account in (
        Account(tenant_id=TENANT, name="ann"),
        Account(tenant_id=TENANT, name="bob"),
        Account(tenant_id=CODE, name="ann"),
    ):
        store(storage, "accounts", account)
    assert 3 == len(stored_ids(storage, "accounts"))


def test_texts_together_stay_separate(storage: Storage) -> None:
    """Two pairs that look alike with a comma between them are different."""
    for front, back in (("a, b", "c"), ("a", "b, c"), ("a,", "b, c")):
        store(storage, "boards", Board(cards=[Card(place=1, front=front, back=back)]))
    with pytest.raises(ColoursTaken) as caught:
        store(storage, "boards", Board(cards=[Card(place=1, front="a", back="b, c")]))
    assert "a, b, c" == caught.value.value


@each_kind
@pytest.mark.parametrize("stored", [True, False])
def test_a_taken_value_in_a_bulk(storage: Storage, kind: str, stored: bool) -> None:
    """A taken value in a bulk is refused without the value, whether it is stored or of the same call."""
    values, error, _ = VALUES[kind]
    if stored:
        store(storage, "accounts", Account(**values))
    before = stored_ids(storage, "accounts")
    with pytest.raises(error) as caught, storage.unit() as uow:
        of(uow, "accounts").add_many([Account()] + [Account(**values) for _ in range(2 - stored)])
    assert None is caught.value.value
    assert before == stored_ids(storage, "accounts")


def test_none_clashes_with_nothing(storage: Storage) -> None:
    """None clashes with nothing, on add, in bulk and on change. One None among several values frees the others."""
    with storage.unit() as uow:
        of(uow, "accounts").add(Account())
        of(uow, "accounts").add(named := Account(nickname="ann", number=1, code=CODE, opened=DAY))
        of(uow, "accounts").add_many([Account(), Account()])
        of(uow, "boards").add(Board(cards=[Card(place=1, front="a"), Card(place=2, front="a"), Card(place=3)]))
        of(uow, "boards").add_many([Board(cards=[Card(place=1, front="a"), Card(place=2, back="b")])])
        uow.commit()
    with storage.unit() as uow:
        mine = of(uow, "accounts").get(named.id)
        mine.nickname = mine.number = mine.code = mine.opened = None
        uow.flush()
        of(uow, "accounts").add(Account(nickname="ann", number=1, code=CODE, opened=DAY))
        uow.commit()
    assert (5, 2) == (len(stored_ids(storage, "accounts")), len(stored_ids(storage, "boards")))


# Ways to give two parts of a board one value, and the error.
PARTS: dict[str, tuple[Callable[[Board], object], type[ValueTaken], str]] = {
    "with an id": (lambda board: board.cards.append(Card(place=1)), PlaceTaken, "1"),
    "with an id, changed": (lambda board: setattr(board.cards[1], "place", 1), PlaceTaken, "1"),
    "without an id": (lambda board: board.pins.add(Pin(slot=1, colour="blue")), SlotTaken, "1"),
    "several values": (
        lambda board: board.cards.append(Card(place=3, front="a", back="b")),
        ColoursTaken,
        "a, b",
    ),
    "several values, changed": (lambda board: setattr(board.cards[1], "back", "b"), ColoursTaken, "a, b"),
}


def new_board() -> Board:
    """Return a board with parts of each kind."""
    cards = [Card(place=1, front="a", back="b"), Card(place=2, front="a")]
    return Board(cards=cards, pins={Pin(slot=1), Pin(slot=2)})


@pytest.mark.parametrize("how", PARTS)
def test_a_taken_value_of_a_part(storage: Storage, how: str) -> None:
    """A taken value of a part in one board is refused with its value."""
    clash, error, text = PARTS[how]
    board = store(storage, "boards", new_board())
    with storage.unit() as uow:
        mine = of(uow, "boards").get(board.id)
        with pytest.raises(error) as caught, uow.savepoint():
            clash(mine)
        uow.commit()
    assert text == caught.value.value


def test_parts_of_two_parents_do_not_clash(storage: Storage) -> None:
    """Parts of two parents do not clash in a value per parent. A moved part does not clash with its old place."""
    boards = [store(storage, "boards", Board(cards=[Card(place=1)], pins={Pin(slot=1)})) for _ in range(2)]
    with storage.unit() as uow:
        of(uow, "boards").add_many([Board(cards=[Card(place=1)], pins={Pin(slot=1)}) for _ in range(2)])
        one, other = (of(uow, "boards").get(board.id) for board in boards)
        with pytest.raises(PlaceTaken) as caught, uow.savepoint():
            other.cards.append(one.cards.pop())
        assert "1" == caught.value.value
        one.cards[0].place = 2
        uow.flush()
        other.cards.append(one.cards.pop())
        one.cards.append(Card(place=2))
        uow.commit()
    assert ([2], [1, 2]) == ([card.place for card in one.cards], [card.place for card in other.cards])


@pytest.mark.parametrize("in_bulk", [True, False])
def test_the_first_broken_one_in_the_port_counts(storage: Storage, in_bulk: bool) -> None:
    """If a row breaks several constraints, the key counts first, then the unique values in their order."""
    values = {name: value for some, *_ in VALUES.values() for name, value in some.items()}
    stored = store(storage, "accounts", Account(**values))
    errors: list[Any] = [DuplicateIdentity, *(error for _, error, _ in VALUES.values())]
    names = ["id", "name", "nickname", "number", "code", "opened"]
    values["id"] = stored.id
    for place, error in enumerate(errors):
        broken = {name: values[name] for name in names[place:]}
        broken |= {"tenant_id": TENANT} if "name" in broken else {}
        with pytest.raises((DuplicateIdentity, ValueTaken)) as caught, storage.unit() as uow:
            if in_bulk:
                of(uow, "accounts").add_many([Account(**broken)])
            else:
                of(uow, "accounts").add(Account(**broken))
                uow.commit()
        assert error is caught.type


def test_the_first_broken_one_of_parts_counts(storage: Storage) -> None:
    """If a part breaks several constraints, its id counts first, then its unique values in the order of the port."""
    board = store(storage, "boards", new_board())
    card = board.cards[0]
    for new, error in (
        (Card(id=card.id, place=1, front="a", back="b"), DuplicateIdentity),
        (Card(place=1, front="a", back="b"), PlaceTaken),
        (Card(place=4, front="a", back="b"), ColoursTaken),
    ):
        with pytest.raises((DuplicateIdentity, ValueTaken)) as caught, storage.unit() as uow:
            of(uow, "boards").get(board.id).cards.append(new)
            uow.commit()
        assert error is caught.type
