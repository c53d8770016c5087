"""Promise 16: pages, streams and bulk, and the answers of a repository to a search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.errors import ConcurrentChange, InvalidValue, shown
from domain.repository import MAX_PAGE
from tests.contract.graphs import values
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique_that_is_found
from tests.contract.shop import Shop


def store_many(kit: Kit[Any], count: int, *, from_iterator: bool = False) -> list[Any]:
    """Store aggregates in one unit and return them in the order of their ids."""
    made = [kit.sample.make(f"word{number:05}") for number in range(count)]
    with kit.unit() as uow:
        kit.of(uow).add_many(iter(made) if from_iterator else made[::-1])
        uow.commit()
    return sorted(made, key=lambda one: one.id)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
def test_pages_show_every_aggregate_once(kit: Kit[Any], limit: int) -> None:
    """Pages of any size show every aggregate once, in the order of ids. The last page says that none follows."""
    stored = store_many(kit, 7)
    seen: list[Any] = []
    with kit.unit() as uow:
        page = kit.of(uow).page(limit=limit)
        seen += page.items
        while page.next is not None and len(seen) <= len(stored):
            assert len(page.items) == limit
            page = kit.of(uow).page(page.next, limit)
            seen += page.items
    assert [{**values(one), "version": 1} for one in stored] == [values(one) for one in seen]


@pytest.mark.promise(16)
def test_a_page_follows_a_removed_key(kit: Kit[Any]) -> None:
    """A page goes on after a key that was removed or never existed: it is a place in the order, not an aggregate."""
    stored = store_many(kit, 4)
    with kit.unit() as uow:
        page = kit.of(uow).page(limit=2)
        kit.of(uow).remove(page.items[1])
        assert page.next is not None
        following = kit.of(uow).page(page.next)
        beyond = kit.of(uow).page(kit.sample.make("zoe").id)
        uow.rollback()
    assert stored[2:] == list(following.items)
    assert ((), None) == (beyond.items, beyond.next)


@pytest.mark.promise(16)
def test_a_page_has_fifty_by_default(kit: Kit[Any]) -> None:
    """A page has fifty aggregates unless another number is given, and says that more follow."""
    with kit.unit() as uow:
        kit.of(uow).add_many(kit.sample.make(f"member{number}") for number in range(51))
        page = kit.of(uow).page()
        uow.rollback()
    assert (50, page.items[-1].id) == (len(page.items), page.next)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, "5", 2.5, None])
def test_a_page_of_an_impossible_size_is_refused(kit: Kit[Any], limit: object) -> None:
    """A page of an impossible size is refused with the value and the range."""
    with kit.unit() as uow, pytest.raises(InvalidValue, match="a page holds 1 to 1000") as caught:
        kit.of(uow).page(limit=limit)  # type: ignore[arg-type]  # the wrong type is the point
    assert limit == caught.value.value


@pytest.mark.promise(16)
def test_a_stream_yields_every_aggregate_once(kit: Kit[Any], small_batches: int) -> None:
    """A stream yields every aggregate once, in the order of ids, across the ends of its batches."""
    stored = store_many(kit, 2 * small_batches + 1)
    with kit.unit() as uow:
        assert [one.id for one in stored] == [one.id for one in kit.of(uow).stream()]


@pytest.mark.promise(16)
def test_streamed_aggregates_can_be_changed(kit: Kit[Any], small_batches: int) -> None:
    """Aggregates can be changed and removed during a stream. Each comes once, whatever happens to earlier ones."""
    store_many(kit, small_batches + 5)
    met, changed = 0, []
    with kit.unit() as uow:
        for met, one in enumerate(kit.of(uow).stream(), start=1):
            if met % 2:
                kit.of(uow).remove(one)
            elif met % 10 == 0:
                changed.append(kit.change(one))
        uow.commit()
    left = kit.all_values()
    assert (small_batches + 5, (small_batches + 5) // 2, 2) == (met, len(left), len(changed))
    assert [{**given, "version": 2} for given in changed] == [row for row in left if row["version"] > 1]


@pytest.mark.promise(16)
def test_a_stream_of_replaced_aggregates_ends(kit: Kit[Any]) -> None:
    """A stream ends even if each aggregate is replaced.

    New aggregates sort after the last batch. That batch was not full, so the stream ends.
    """
    store_many(kit, 25)
    with kit.unit() as uow:
        for met, one in enumerate(kit.of(uow).stream(), start=1):
            kit.of(uow).remove(one)
            kit.of(uow).add(kit.sample.make(f"other{met}"))
        uow.commit()
    assert sorted(f"other{number}" for number in range(1, 26)) == kit.words()


@pytest.mark.promise(16)
def test_the_end_of_a_stream_is_no_call(kit: Kit[Any]) -> None:
    """The end of a stream is no call of the unit. So a caller may commit at the last aggregate."""
    store_many(kit, 25)
    with kit.unit() as uow:
        for met, one in enumerate(kit.of(uow).stream(), start=1):
            if met == 25:
                kit.change(one)
                uow.commit()
    assert 2 == kit.all_values()[-1]["version"]


@pytest.mark.promise(8)
def test_a_stream_goes_on_after_a_failed_savepoint(kit: Kit[Any]) -> None:
    """A stream that began in a failed savepoint goes on after it, with the restored aggregates."""
    last = store_many(kit, 25)[-1]
    before = kit.all_values()
    with kit.unit() as uow:
        with pytest.raises(ZeroDivisionError), uow.savepoint():
            kit.change(kit.of(uow).get(last.id))
            stream = kit.of(uow).stream()
            met = [values(next(stream))]
            raise ZeroDivisionError
        met += [values(one) for one in stream]
        uow.commit()
    assert before == met == kit.all_values()


@pytest.mark.promise(5)
def test_a_stream_outlives_its_block(kit: Kit[Any]) -> None:
    """A stream still yields the batch it has read after its block. The next block of the unit reads again."""
    last = store_many(kit, 25)[-1]
    unit = kit.unit()
    with unit as uow:
        stream = kit.of(uow).stream()
        next(stream)
    kit.change_elsewhere(last)
    with unit as uow:
        rest = list(stream)
        now = values(kit.of(uow).get(last.id))
    assert 24 == len(rest)
    assert kit.all_values()[-1] == now != values(rest[-1])


@pytest.mark.promise(16)
def test_a_bulk_takes_any_iterator(kit: Kit[Any], small_batches: int) -> None:
    """A bulk takes an iterator of any length, also an empty one, and counts it."""
    length = 2 * small_batches + 1
    with kit.unit() as uow:
        counts = [
            kit.of(uow).add_many(iter([])),
            kit.of(uow).add_many(kit.sample.make(f"word{number:05}") for number in range(length)),
        ]
        uow.commit()
    assert [0, length] == counts
    assert {f"word{number:05}" for number in range(length)} == set(kit.words())


@pytest.mark.promise(16)
def test_a_bulk_reads_its_source_in_batches(kit: Kit[Any], small_batches: int) -> None:
    """A bulk reads its source a batch at a time. The source may be of the same unit, which survives its errors."""

    def source(uow: Shop) -> Iterator[Any]:
        for number in range(small_batches + 1):
            yield kit.sample.make(f"word{number:05}")
        stored.append(sum(1 for _ in kit.of(uow).stream()))
        raise ZeroDivisionError

    stored: list[int] = []
    with kit.unit() as uow:
        with pytest.raises(ZeroDivisionError):
            kit.of(uow).add_many(source(uow))
        uow.commit()
    assert [small_batches] == stored
    assert len(kit.words()) == small_batches


@pytest.mark.promise(16)
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_is_one_batch_of_a_bulk_addition(
    kit: Kit[Any], kind: Callable[[list[Any]], Any], small_batches: int
) -> None:
    """A list is one batch of a bulk. If one aggregate is wrong, nothing is stored and the unit goes on."""
    made = [kit.sample.make(f"word{number:05}") for number in range(small_batches + 1)]
    with kit.unit() as uow:
        with pytest.raises(TypeError):
            kit.of(uow).add_many(kind([*made, None]))
        assert 1 == kit.of(uow).add_many(kind(made[-1:]))
        uow.commit()
    assert [f"word{small_batches:05}"] == kit.words()


@pytest.mark.promise(16)
def test_a_bulk_does_not_track_its_objects(kit: Kit[Any]) -> None:
    """A bulk does not change the objects, and changing them afterwards changes nothing stored."""
    ann = kit.sample.make("ann")
    made = values(ann)
    with kit.unit() as uow:
        kit.of(uow).add_many([ann])
        unchanged = values(ann)
        kit.sample.change(ann, 1)
        found = kit.of(uow).get(ann.id)
        uow.commit()
    assert found is not ann
    assert (made, {**made, "version": 1}) == (unchanged, values(found))
    assert [{**made, "version": 1}] == kit.all_values()


@pytest.mark.promise(8)
def test_a_removed_aggregate_can_be_bulk_added(kit: Kit[Any]) -> None:
    """A removed aggregate can be added again in bulk, one version further. A change of the removed one is refused."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            kit.of(other).remove(kit.of(other).get(ann.id))
            kit.of(other).add_many([ann])
            other.commit()
        kit.sample.change(mine, 1)
        with pytest.raises(ConcurrentChange):
            uow.commit()
    assert [{**values(ann), "version": 2}] == kit.all_values()


def test_what_is_not_stored_is_not_found(kit: Kit[Any]) -> None:
    """A missing aggregate is not found. The error has the key, the value and what to do. The unit goes on."""
    ann, unknown = kit.stored("ann"), kit.sample.make("bob").id
    with kit.unit() as uow:
        repository = kit.of(uow)
        missing = f"no {repository.not_found.kind} has the id {shown(unknown)}: check its spelling"
        with pytest.raises(repository.not_found, match=missing) as caught:
            repository.get(unknown)
        assert (caught.value.key, caught.value.value) == ("id", unknown)
        assert repository.get(ann.id) == ann


@each_unique_that_is_found
def test_an_unknown_unique_value_is_not_found(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A unique value without a holder is not found. The error has the attribute and the value. The unit goes on."""
    ann, unknown = kit.stored("ann"), unique.value(kit.sample.make("bob"))
    with kit.unit() as uow:
        repository = kit.of(uow)
        missing = re.escape(f"no {repository.not_found.kind} has the {unique.attribute} {shown(unknown)}")
        with pytest.raises(repository.not_found, match=missing) as caught:
            kit.find(unique, uow, unknown)
        assert (caught.value.key, caught.value.value) == (unique.attribute, unknown)
        assert kit.find(unique, uow, unique.value(ann)) == ann


def test_a_key_that_cannot_be_an_id_is_refused(kit: Kit[Any]) -> None:
    """The domain refuses a key that cannot be an id before any database sees it."""
    key: Any = object()
    with kit.unit() as uow:
        with pytest.raises(InvalidValue, match=r"the id of .+ is of type"):
            kit.of(uow).get(key)
        with pytest.raises(InvalidValue, match=r"the id of .+ is of type"):
            kit.of(uow).page(after=key)
