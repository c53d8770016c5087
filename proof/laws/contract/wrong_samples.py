"""Wrong samples, each with its error: which function, what it did and what to write."""

from __future__ import annotations

from itertools import count
from typing import Any

from attrs import evolve

from domain.errors import ValueTaken
from proof.laws.contract.orders import ORDERS, Order
from tests.contract.allocation import Product
from tests.contract.members import MEMBERS, EmailTaken, Member
from tests.contract.products import PRODUCTS
from tests.contract.sample import Sample, UniqueValue

_calls = count()


def nothing(*_: Any) -> None:
    """Do nothing."""


def unique_name(**functions: Any) -> list[UniqueValue[Member]]:
    """Return the unique values of members, with another value for the name."""
    return [evolve(MEMBERS.unique[0], **functions), MEMBERS.unique[1]]


def rename_and_deactivate(member: Member, state: int) -> None:
    """Touch a unique value in a change."""
    member.rename(f"{member.name}{state}" if state else member.name)


def raise_key_error(*_: Any) -> None:
    """Fail in an unexpected state."""
    raise KeyError("tea")


def without_lines(word: str) -> Product:
    """Make a product whose batches serve no order."""
    product: Product = PRODUCTS.make(word)
    for batch in product.batches:
        batch.allocations.clear()
    return product


def edits_without(part: str) -> dict[str, Any]:
    """Return the edits of a product, without those whose names mention a part."""
    return {name: edit for name, edit in PRODUCTS.edits.items() if part not in name}


WRONG: dict[str, tuple[Sample[Any], str]] = {
    "make: no aggregate": (
        evolve(MEMBERS, make=lambda word: word),  # type: ignore[arg-type, return-value]  # that is what is wrong with it
        "'members': make('ann') returned 'ann': return a new aggregate",
    ),
    "make: not the same": (
        evolve(MEMBERS, make=lambda word: Member.create(word, f"{word}{next(_calls)}@example.com")),
        "'members': make('ann') gives another 'email' each time: let all but ids and times depend on the word alone",
    ),
    "make: one for all words": (
        evolve(MEMBERS, make=lambda word: Member.create(word, "ann@example.com")),
        (
            "'members': make('ann') and make('bob') have the same 'email', 'ann@example.com':"
            " make each unique value from the word"
        ),
    ),
    "make: no parts": (
        evolve(ORDERS, make=lambda word: Order(reference=word)),
        (
            "'orders': Order holds parts in 'lines', which make('ann') leaves empty:"
            " put at least one part into each list and set"
        ),
    ),
    "make: no parts of parts": (
        evolve(PRODUCTS, make=without_lines),
        (
            "'products': Product holds parts in 'batches.allocations', which make('ann') leaves empty:"
            " put at least one part into each list and set"
        ),
    ),
    "word": (
        evolve(MEMBERS, word=lambda member: member.email),
        "'members': word(make('ann')) returned 'ann@example.com': return the word it was made for",
    ),
    "rename": (
        evolve(MEMBERS, rename=nothing),
        (
            "'members': after rename(aggregate, 'bob') the word is 'ann': change what word(aggregate) reads,"
            " or write rename=None where nothing can change it"
        ),
    ),
    "repository: unknown": (
        evolve(MEMBERS, repository="people"),
        (
            "'people': a unit of work has no attribute 'people': write repository='...', the attribute that holds the"
            " repository of Member, and make it in each unit of work"
        ),
    ),
    "repository: of others": (
        evolve(MEMBERS, repository="orders"),
        "'orders': uow.orders takes Order objects, and make('ann') returned a Member: name the repository of Member",
    ),
    "change: 0 changes": (
        evolve(MEMBERS, change=lambda member, _: member.deactivate()),
        (
            "'members': change(aggregate, 0) changed 'active' of what make('ann') made:"
            " let 0 be the state in which make makes it"
        ),
    ),
    "change: nothing": (
        evolve(MEMBERS, change=nothing),
        "'members': change(aggregate, 1) changed nothing: let the states 0 and 1 differ in what is stored",
    ),
    "change: not the same": (
        evolve(MEMBERS, change=lambda member, _: member.deactivate() if next(_calls) % 2 else member.reactivate()),
        (
            "'members': change(aggregate, 0) gives another 'active' each time: let it depend on the number alone,"
            " not on time, chance or earlier calls; new_id() may be used"
        ),
    ),
    "change: no way back": (
        evolve(MEMBERS, change=lambda member, state: member.deactivate() if state else None),
        (
            "'members': change(aggregate, 0) after change(aggregate, 1) leaves another 'active':"
            " put the aggregate into the state of the number, whatever its state was"
        ),
    ),
    "change: a unique value": (
        evolve(MEMBERS, change=rename_and_deactivate),
        "'members': change(aggregate, 1) changed the unique value 'name': leave that to rename and set",
    ),
    "unique: no attribute": (
        evolve(MEMBERS, unique=unique_name(attribute="nick")),
        (
            "'members': the unique value 'nick' raised AttributeError: 'Member' object has no attribute 'nick':"
            " name an attribute of the root, or say by read=... how to read 'nick'"
        ),
    ),
    "unique: read": (
        evolve(
            MEMBERS,
            unique=unique_name(read=lambda member: (member.name,), set=lambda member, names: member.rename(names[0])),
        ),
        (
            "'members': the unique value 'name': read returned ('ann',), and the error has 'ann': let read return what"
            " the error has: several values are a text, joined by ', '"
        ),
    ),
    "unique: set": (
        evolve(MEMBERS, unique=unique_name(set=Member.change_email)),
        (
            "'members': set of the unique value 'name' raised InvalidEmail: 'bob' is not a valid email: write at"
            " most 254 characters, with an @ among them: let set change what is read, or write set=None where the"
            " domain does not let it change"
        ),
    ),
    "unique: find": (
        evolve(MEMBERS, unique=unique_name(find=lambda members, name: members.get_by_nick(name))),
        (
            "'members': find of the unique value 'name' raised AttributeError: 'FakeMemberRepository' object has no"
            " attribute 'get_by_nick': ask the repository for the aggregate of a value, or write find=None where it"
            " cannot be asked"
        ),
    ),
    "unique: another error": (
        evolve(MEMBERS, unique=unique_name(taken=EmailTaken)),
        (
            "'members': the unique value 'name' has taken=EmailTaken, and the repository raised"
            " NameTaken(value='ann'): write taken=NameTaken, or declare EmailTaken in the repository"
        ),
    ),
    "unique: not unique": (
        evolve(MEMBERS, unique=[UniqueValue("created_at", None, None, ValueTaken)]),
        "'members': the unique value 'created_at' may be that of two aggregates: declare it unique in the repository",
    ),
    "unique: none": (
        evolve(MEMBERS, unique=()),
        (
            "'members': FakeMemberRepository declares 'name' unique, and the sample has no such unique value:"
            " add UniqueValue('name', ...) with NameTaken to unique"
        ),
    ),
    "unique: one of two": (
        evolve(MEMBERS, unique=MEMBERS.unique[:1]),
        (
            "'members': FakeMemberRepository declares 'email' unique, and the sample has no such unique value:"
            " add UniqueValue('email', ...) with EmailTaken to unique"
        ),
    ),
    "unique: none of parts": (
        evolve(PRODUCTS, unique=PRODUCTS.unique[:1]),
        (
            "'products': FakeProductRepository declares 'batches.reference' unique, and the sample has no such unique"
            " value: add UniqueValue('batches.reference', ...) with BatchReferenceTaken to unique"
        ),
    ),
    "edits: none": (
        evolve(ORDERS, edits={}),
        (
            "'orders': Order holds parts in 'lines', and no edit changes them, with any number from 0 to 5:"
            " write edits={...}, functions that add, change, move and remove a part there"
        ),
    ),
    "edits: of the root alone": (
        evolve(ORDERS, edits={"rename": lambda order, number: order.change_reference(f"order {number}")}),
        (
            "'orders': Order holds parts in 'lines', and no edit changes them, with any number from 0 to 5:"
            " write edits={...}, functions that add, change, move and remove a part there"
        ),
    ),
    "edits: of some parts": (
        evolve(PRODUCTS, edits=edits_without("note")),
        (
            "'products': Product holds parts in 'notes', and no edit changes them, with any number from 0 to 5:"
            " write edits={...}, functions that add, change, move and remove a part there"
        ),
    ),
    "edits: of no parts of parts": (
        # Removing a batch with its lines is no edit of its lines.
        evolve(
            PRODUCTS, edits={name: edit for name, edit in edits_without("line").items() if name != "change a batch"}
        ),
        (
            "'products': Product holds parts in 'batches.allocations', and no edit changes them, with any number from 0"
            " to 5: write edits={...}, functions that add, change, move and remove a part there"
        ),
    ),
    "edits: an error": (
        evolve(ORDERS, edits={"remove tea": raise_key_error}),
        (
            "'orders': edits['remove tea'](aggregate, 0) raised KeyError: 'tea':"
            " let it do nothing where there is nothing to do"
        ),
    ),
    "edits: nothing": (
        evolve(ORDERS, edits={"remove tea": nothing}),
        (
            "'orders': edits['remove tea'] changes nothing of what make('ann') made, with any number from 0 to 5:"
            " let make return an aggregate in which there is something to edit"
        ),
    ),
    "edits: not the same": (
        evolve(ORDERS, edits={"more tea": lambda order, _: order.set_quantity("tea", 2 + next(_calls))}),
        (
            "'orders': edits['more tea'](aggregate, 0) gives another 'lines' each time: let it depend on the number"
            " alone, not on time, chance or earlier calls; new_id() may be used"
        ),
    ),
    "moves: none": (
        evolve(ORDERS, moves=None),
        (
            "'orders': Order holds parts in 'lines', and the sample has moves=None:"
            " write moves=..., a function that moves a part from one aggregate to another"
        ),
    ),
    "moves: nothing": (
        evolve(ORDERS, moves=nothing),
        (
            "'orders': moves(ann, bob, number) moves nothing, with any number from 0 to 5:"
            " move a part from the first aggregate to the second, the same one for the same number"
        ),
    ),
}
