"""Promise 16: pages, streams and bulk; and what a repository answers to whoever looks for something."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.errors import ConcurrentChange, InvalidValue, shown
from domain.repository import BULK_BATCH, MAX_PAGE, STREAM_BATCH
from tests.contract.graphs import values
from tests.contract.members import (
    MEMBERS,
    InvalidEmail,
    InvalidName,
    MemberEmail,
    MemberName,
    MemberNotFound,
    new_member,
    stored_member,
)
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique_that_is_found
from tests.contract.shop import Shop
from tests.storages import Storage


def store_many(kit: Kit[Any], count: int, *, from_iterator: bool = False) -> list[Any]:
    """Store aggregates in one unit and return them in the order of their ids."""
    made = [kit.sample.make(f"word{number:05}") for number in range(count)]
    with kit.unit() as uow:
        kit.of(uow).add_many(iter(made) if from_iterator else made[::-1])
        uow.commit()
    return sorted(made, key=lambda one: one.id)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
def test_pages_show_every_aggregate_once_in_the_order_of_ids(kit: Kit[Any], limit: int) -> None:
    """Whatever their size; the last one says that none follows."""
    stored = store_many(kit, 7)
    seen: list[Any] = []
    with kit.unit() as uow:
        page = kit.of(uow).page(limit=limit)
        seen += page.items
        while page.next is not None:
            assert len(page.items) == limit
            page = kit.of(uow).page(page.next, limit)
            seen += page.items
    assert [{**values(one), "version": 1} for one in stored] == [values(one) for one in seen]


@pytest.mark.promise(16)
def test_a_page_goes_on_after_a_key_that_has_been_removed(kit: Kit[Any]) -> None:
    """The key is a place in the order, not an aggregate; and so is one that never existed."""
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
def test_a_page_has_fifty_aggregates_unless_another_number_is_asked_for(kit: Kit[Any]) -> None:
    """And says that there are more."""
    with kit.unit() as uow:
        kit.of(uow).add_many(kit.sample.make(f"member{number}") for number in range(51))
        page = kit.of(uow).page()
        uow.rollback()
    assert (50, page.items[-1].id) == (len(page.items), page.next)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, "5", 2.5, None])
def test_a_page_of_an_impossible_size_is_refused(kit: Kit[Any], limit: object) -> None:
    """With the value and the range."""
    with kit.unit() as uow, pytest.raises(InvalidValue, match="a page holds 1 to 1000") as caught:
        kit.of(uow).page(limit=limit)  # type: ignore[arg-type]  # the wrong type is the point
    assert limit == caught.value.value


@pytest.mark.promise(16)
def test_a_stream_yields_every_aggregate_once_in_the_order_of_ids(kit: Kit[Any], small_batches: int) -> None:
    """Across the ends of its batches."""
    stored = store_many(kit, 2 * small_batches + 1)
    with kit.unit() as uow:
        assert [one.id for one in stored] == [one.id for one in kit.of(uow).stream()]


@pytest.mark.promise(16)
def test_aggregates_can_be_changed_and_removed_while_they_are_streamed(kit: Kit[Any], small_batches: int) -> None:
    """Each is met once, whatever happens to those that were met before."""
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
def test_a_stream_ends_though_each_that_it_yields_is_replaced_by_another_one(kit: Kit[Any]) -> None:
    """What is added meanwhile is behind the batch that was read, and the last one was not full."""
    store_many(kit, 25)
    with kit.unit() as uow:
        for met, one in enumerate(kit.of(uow).stream(), start=1):
            kit.of(uow).remove(one)
            kit.of(uow).add(kit.sample.make(f"other{met}"))
        uow.commit()
    assert sorted(f"other{number}" for number in range(1, 26)) == kit.words()


@pytest.mark.promise(16)
def test_the_end_of_a_stream_is_no_call_of_the_unit(kit: Kit[Any]) -> None:
    """Whoever commits at the last one leaves the loop in peace."""
    store_many(kit, 25)
    with kit.unit() as uow:
        for met, one in enumerate(kit.of(uow).stream(), start=1):
            if met == 25:
                kit.change(one)
                uow.commit()
    assert 2 == kit.all_values()[-1]["version"]


@pytest.mark.promise(8)
def test_a_stream_goes_on_with_what_is_left_after_a_savepoint_that_failed(kit: Kit[Any]) -> None:
    """It had read what was changed in there."""
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
def test_what_a_stream_has_read_still_comes_after_its_block_and_is_of_no_other(kit: Kit[Any]) -> None:
    """The next block of the same unit sees what is stored then."""
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
def test_bulk_addition_takes_an_iterator_of_any_length_and_counts_it(kit: Kit[Any], small_batches: int) -> None:
    """Also an empty one."""
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
def test_bulk_addition_reads_its_source_a_batch_at_a_time(kit: Kit[Any], small_batches: int) -> None:
    """It may come from the same unit of work; what is raised in it leaves the unit usable."""

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
    """Of which nothing is stored when one is wrong, however late, and the unit goes on."""
    made = [kit.sample.make(f"word{number:05}") for number in range(small_batches + 1)]
    with kit.unit() as uow:
        with pytest.raises(TypeError):
            kit.of(uow).add_many(kind([*made, None]))
        assert 1 == kit.of(uow).add_many(kind(made[-1:]))
        uow.commit()
    assert [f"word{small_batches:05}"] == kit.words()


@pytest.mark.promise(16)
def test_the_greatest_batches_and_pages_lose_nothing(storage: Storage) -> None:
    """One more than fits into each: a bulk of 2,000, streams of 500, a page of 1,000."""
    kit = Kit(storage, MEMBERS)
    stored = [one.id for one in store_many(kit, BULK_BATCH + 1, from_iterator=True)]
    with storage.unit(read_only=True) as uow:
        streamed = [member.id for member in uow.members.stream()]
        page = uow.members.page(limit=MAX_PAGE)
        last = uow.members.page(stored[-MAX_PAGE - 1], MAX_PAGE)
    assert BULK_BATCH > STREAM_BATCH
    assert stored == streamed
    assert (stored[:MAX_PAGE], stored[MAX_PAGE - 1]) == ([member.id for member in page.items], page.next)
    assert (stored[-MAX_PAGE:], None) == ([member.id for member in last.items], last.next)


@pytest.mark.promise(16)
def test_bulk_addition_lets_go_of_the_objects(kit: Kit[Any]) -> None:
    """They are not changed, and changing them afterwards changes nothing stored."""
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
def test_a_removed_aggregate_can_be_added_again_in_bulk(kit: Kit[Any]) -> None:
    """One version further, so that a change of the one that was removed is refused."""
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
    """The error names the key and the value, and what to do; the unit goes on."""
    ann, unknown = kit.stored("ann"), kit.sample.make("bob").id
    with kit.unit() as uow:
        repository = kit.of(uow)
        missing = f"no {repository.not_found.kind} has the id {shown(unknown)}: check its spelling"
        with pytest.raises(repository.not_found, match=missing) as caught:
            repository.get(unknown)
        assert (caught.value.key, caught.value.value) == ("id", unknown)
        assert repository.get(ann.id) == ann


@each_unique_that_is_found
def test_a_unique_value_that_nobody_has_is_not_found(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """The error names the attribute and the value; the unit goes on."""
    ann, unknown = kit.stored("ann"), unique.value(kit.sample.make("bob"))
    with kit.unit() as uow:
        repository = kit.of(uow)
        missing = re.escape(f"no {repository.not_found.kind} has the {unique.attribute} {shown(unknown)}")
        with pytest.raises(repository.not_found, match=missing) as caught:
            kit.find(unique, uow, unknown)
        assert (caught.value.key, caught.value.value) == (unique.attribute, unknown)
        assert kit.find(unique, uow, unique.value(ann)) == ann


def test_a_member_who_is_not_stored_is_not_found_in_any_spelling(storage: Storage) -> None:
    """The error shows the form that was looked for."""
    stored_member(storage, "ann")
    with storage.unit() as uow:
        with pytest.raises(MemberNotFound, match="no member has the name 'bob'"):
            uow.members.get_by_name("BOB")
        with pytest.raises(MemberNotFound, match=r"no member has the email 'bob@example\.com'"):
            uow.members.get_by_email("bob@EXAMPLE.com")
        assert uow.members.get_by_name("ANN").email == "ann@example.com"


def test_a_key_that_cannot_be_an_id_is_refused(kit: Kit[Any]) -> None:
    """By the domain, before any database sees it."""
    key: Any = object()
    with kit.unit() as uow:
        with pytest.raises(InvalidValue, match=r"the id of .+ is of type"):
            kit.of(uow).get(key)
        with pytest.raises(InvalidValue, match=r"the id of .+ is of type"):
            kit.of(uow).page(after=key)


def test_a_key_that_cannot_be_a_name_or_an_address_is_refused(uow: Shop) -> None:
    """Likewise."""
    with uow:
        with pytest.raises(InvalidName):
            uow.members.get_by_name("a\x00b")
        with pytest.raises(InvalidEmail):
            uow.members.get_by_email("ann")


def test_those_who_hold_a_name_or_an_address_are_listed_once_each(storage: Storage) -> None:
    """In the order of ids; names and addresses that nobody has do no harm."""
    members = [new_member(name) for name in ("ann", "bob", "cid", "dan")]
    with storage.unit() as uow:
        uow.members.add_many(reversed(members))
        uow.commit()
    names = {MemberName("ann"), MemberName("bob"), MemberName("nobody")}
    emails = {MemberEmail("bob@example.com"), MemberEmail("dan@example.com")}
    with storage.unit() as uow:
        found = [member.name for member in uow.members.list_holding(names, emails)]
        nobody = uow.members.list_holding([], [])
    assert ["ann", "bob", "dan"] == found
    assert nobody == []
