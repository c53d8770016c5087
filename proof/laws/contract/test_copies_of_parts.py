"""Promise 2: copies of parts."""

from __future__ import annotations

import pytest

from proof.laws.contract.parts import lamp_of, products, read, references, stored, texts
from proof.laws.contract.test_copies import COPYING, each_way
from tests.contract.allocation import Note
from tests.contract.graphs import values
from tests.storages import Storage


@pytest.mark.promise(2)
@each_way
def test_a_copy_of_a_part_is_another_part(storage: Storage, way: str) -> None:
    """A copy of a part is another part. It is stored beside the part or in its place."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        batch = COPYING[way](lamp.batches[1])
        batch.reference = "lamp-3"
        lamp.batches.append(batch)
        lamp.notes.insert(0, COPYING[way](lamp.notes.pop()))
        lamp.notes[0].text = "copied"
        uow.commit()
    assert values(lamp) == read(storage)
    assert ["lamp-1", "lamp-2", "lamp-3"] == references(lamp)
    assert ["copied", "new", "heavy"] == texts(lamp)


@pytest.mark.every_case
@pytest.mark.promise(2)
@each_way
def test_a_part_of_a_copied_part_is_stored(storage: Storage, way: str) -> None:
    """A part of a copied part is stored with the copy in place of the original."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.batches.append(COPYING[way](lamp.batches.pop(0)))
        uow.commit()
    assert [batch["reference"] for batch in read(storage)["batches"]] == ["lamp-1", "lamp-2"]
    assert [line.order for line in lamp.batches[1].allocations] == ["lamp-a"]


@pytest.mark.promise(2)
@each_way
def test_a_list_of_a_copy_can_be_changed(storage: Storage, way: str) -> None:
    """A list of a copy can be changed before the copy is added in place of its original, and afterwards."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        copied = COPYING[way](lamp)
        products(uow).remove(lamp)
        copied.notes.append(Note(text="before"))
        products(uow).add(copied)
        copied.notes.insert(0, Note(text="after"))
        uow.commit()
    assert values(copied) == read(storage)
    assert ["after", "new", "heavy", "fragile", "before"] == texts(copied)
