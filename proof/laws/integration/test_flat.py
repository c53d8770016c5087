"""Aggregates that are mapped with ``flat=True``: written as rows, and refused if they are more than a row."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event, inspect
from sqlalchemy.orm import Mapper

from adapters.sql.flat import flat_classes
from adapters.sql.mapping import map_aggregate, map_part
from proof.laws.integration.mappings import SORTED, a_part, a_part_table, a_root, a_table, owns
from tests.contract.members import Member, new_member
from tests.contract.shop import SqlShop


@pytest.mark.usefixtures("unmapped")
def test_flat_is_refused_with_parts() -> None:
    """Flat is refused with parts, and nothing is mapped."""
    root = a_table()
    parts = a_part_table(root)
    map_part(part := a_part(), parts)
    kind = a_root(parts=SORTED)
    with pytest.raises(ValueError, match="Root cannot be mapped: flat=True is for a class that is one row"):
        map_aggregate(kind, root, flat=True, properties={"parts": owns(part, order_by=parts.c.name)})
    assert inspect(kind, raiseerr=False) is None
    assert kind not in flat_classes


@pytest.mark.usefixtures("unmapped")
def test_flat_is_refused_with_listeners() -> None:
    """Flat is refused with listeners to what SQLAlchemy does with each object of any class."""

    def audit(*_: object) -> None:
        pass

    event.listen(Mapper, "before_update", audit)
    try:
        with pytest.raises(ValueError, match="flat=True would pass its event listeners by"):
            map_aggregate(a_root(), a_table(), flat=True)
    finally:
        event.remove(Mapper, "before_update", audit)


def test_a_written_flat_object_is_tracked(engine: Engine) -> None:
    """A written flat object can be changed and written again in the same unit. Updates hold only changed columns."""
    assert Member in flat_classes
    sent: list[str] = []
    ann = new_member("ann")
    with SqlShop(engine) as uow:
        uow.members.add(ann)
        uow.flush()
        event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
        ann.deactivate()
        uow.flush()
        ann.reactivate()
        uow.commit()
    written = [one.partition(" WHERE")[0] for one in sent if one.startswith("UPDATE")]
    assert 2 == len(written)
    assert not any("name" in one for one in written)
    with SqlShop(engine) as uow:
        found = uow.members.get(ann.id)
        assert (True, 1) == (found.active, found.version)
