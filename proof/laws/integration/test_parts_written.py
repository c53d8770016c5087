"""Parts on real databases: a root is never stored without them, however few statements its commit has."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from domain.errors import DuplicateIdentity
from proof.laws.contract.orders import ORDERS, Order, OrderLine
from proof.laws.contract.parts import lamp_of, read, stored, texts
from tests.contract.allocation import Note, notes
from tests.contract.sample import Kit
from tests.storages import sql_storage


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", ["added", "changed"])
def test_a_root_is_not_stored_without_its_parts(engine: Engine, how: str) -> None:
    """A root whose parts are refused is not stored, though it is written before them."""
    kit: Kit[Any] = Kit(sql_storage(engine), ORDERS)
    ann = kit.stored("ann")
    taken = next(iter(kit.stored("cid").lines)).id
    before = kit.all_values()
    lines = {OrderLine(id=taken, sku="tea", quantity=1)}
    with kit.unit() as uow:
        if how == "added":
            kit.of(uow).add(Order(reference="bob", lines=lines))
        else:
            kit.of(uow).get(ann.id).lines = lines
        with pytest.raises(DuplicateIdentity):
            uow.commit()
    assert before == kit.all_values()


@pytest.mark.promise(2)
def test_a_list_with_gaps_is_no_change(engine: Engine) -> None:
    """A list whose stored numbers have gaps, as from another program, is no change. Parts can be put in between."""
    storage = sql_storage(engine)
    stored(storage, "lamp")
    with engine.begin() as connection:
        connection.execute(notes.delete().where(notes.c.position == 1))
        connection.execute(notes.update().values(position=notes.c.position * 10 + 5))
    with storage.unit() as uow:
        lamp_of(uow)
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        assert ["new", "fragile"] == texts(lamp)
        assert 1 == lamp.version
        lamp.notes.insert(1, Note(text="between"))
        uow.commit()
    assert ["new", "between", "fragile"] == [note["text"] for note in read(storage)["notes"]]
