"""Promise 7 for any text: storages agree which texts are equal unique values, to the last character."""

from __future__ import annotations

from typing import Any

import pytest

from proof.laws.contract.orders import ORDERS, OrderNotFound, ReferenceTaken
from tests.contract.sample import Kit
from tests.storages import Storage

# Many texts of one group are equal for some database unless it is set up otherwise. No group has one twice.
TEXTS = {
    "case": ["ann", "Ann", "ANN", "äöü", "ÄÖÜ", "я", "Я", "σ", "ς", "Σ"],
    "accents": ["ann", "änn", "ánn", "ånn", "i", "ı", "İ"],
    "composition": ["\u00e4nn", "a\u0308nn", "\u00c5", "A\u030a", "\u212b"],
    "spaces": ["ann", "ann ", "ann  ", " ann", "ann\t", "ann\n", "ann\r\n", "ann\u00a0", "", " ", "  ", "\n"],
    "four bytes": ["😀", "😁", "𝐚", "𝐛", "a", "𠀀", "𠀁"],
    "width": ["a", "ａ", "1", "１", "ｶ", "カ", "か"],
    "letters": ["ss", "ß", "ẞ", "SS", "fi", "ﬁ", "ae", "æ"],
    "unseen characters": ["ann", "a\u200bnn", "ann\ufe0f", "ann\u00ad", "\ufeffann", "ann\x01", "ann\x7f"],
    "numbers": ["1", "01", "1.0", "+1", "1e0", " 1"],
    "constraints": [
        "PRIMARY",
        "uq_members_email",
        "x' for key 'uq_members_email'",
        "x' for key 'orders.PRIMARY'\n",
        "UNIQUE constraint failed: members.email",
        'duplicate key value violates unique constraint "uq_members_email"',
        "INSERT INTO members",
    ],
    "quotes": ["'", "''", '"', "`", "\\", "\\'", "a'b", "a\u2019b", "ab", ";", "--", "/*"],
    "parameters": ["%", "%%", "%s", "%(reference)s", "_", "{}", "?", ":reference", "$1", "NULL"],
    "statements": [
        '\'; DROP TABLE "order"; --',
        "x'); DELETE FROM members; --",
        "' OR '1'='1",
        "\\.\n",
        "\\.\n\\N\t1",
        "\\N",
    ],
    "length": ["x" * 99, "x" * 100, "x" * 99 + "y", "ß" * 100, "😀" * 100, "'" * 100, "\\" * 100, "\n" * 100],
}

each_group = pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)


@pytest.fixture
def orders(storage: Storage) -> Kit[Any]:
    """Orders on each storage in turn. Their reference is any text."""
    return Kit(storage, ORDERS)


def by_reference(orders: Kit[Any], reference: str) -> Any:
    """Return the order with a reference."""
    with orders.unit(read_only=True) as uow:
        return orders.find(ORDERS.unique[0], uow, reference)


@pytest.mark.promise(7)
@each_group
def test_texts_that_look_alike_are_different(orders: Kit[Any], texts: list[str]) -> None:
    """Texts that look alike are stored side by side. Each is found by itself alone."""
    ids = []
    for text in texts:
        with pytest.raises(OrderNotFound):
            by_reference(orders, text)
        ids.append((orders.stored(text).id, text))
    found = [by_reference(orders, text) for text in texts]
    assert ids == [(order.id, order.reference) for order in found]


@pytest.mark.promise(7)
@each_group
def test_a_taken_text_is_refused_with_that_text(orders: Kit[Any], texts: list[str]) -> None:
    """A taken text is refused with exactly that text, whatever a database makes of it. A bulk leaves it out."""
    other = orders.stored("other")
    for text in texts:
        orders.stored(text)
    before = orders.all_values()
    refused = []
    for text in texts:
        with pytest.raises(ReferenceTaken) as at_addition, orders.unit() as uow:
            orders.of(uow).add(orders.sample.make(text))
            uow.commit()
        with pytest.raises(ReferenceTaken) as at_change, orders.unit() as uow:
            orders.rename(orders.of(uow).get(other.id), text)
            uow.commit()
        with pytest.raises(ReferenceTaken) as in_bulk, orders.unit() as uow:
            orders.of(uow).add_many([orders.sample.make("new"), orders.sample.make(text)])
        refused.append([caught.value.value for caught in (at_addition, at_change, in_bulk)])
    assert [[text, text, None] for text in texts] == refused
    assert before == orders.all_values()


@pytest.mark.promise(7)
def test_a_bulk_stores_texts_that_look_alike(orders: Kit[Any]) -> None:
    """A bulk stores all texts that look alike, and they come back to the character."""
    texts = sorted({text for group in TEXTS.values() for text in group})
    with orders.unit() as uow:
        orders.of(uow).add_many([orders.sample.make(text) for text in texts])
        uow.commit()
    assert texts == orders.words()


@pytest.mark.promise(7)
@each_group
def test_a_change_to_a_text_that_looks_alike(orders: Kit[Any], texts: list[str]) -> None:
    """A text can be changed to one that looks alike. That is a change: it is stored and raises the version."""
    one = orders.stored(texts[0])
    stored = []
    for text in texts[1:]:
        with orders.unit() as uow:
            orders.rename(orders.of(uow).get(one.id), text)
            uow.commit()
        stored += [(row["reference"], row["version"]) for row in orders.all_values()]
    assert [(text, version) for version, text in enumerate(texts[1:], 2)] == stored
