"""Samples for the random histories alone: each kind of attribute, value objects, subclasses and references.

Other tests state the laws about them. Here they meet every operation of a unit of work, in any order.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from proof.laws.contract.catalog import Article, Label, NameTaken, Offer, Size, euros, new_article
from proof.laws.contract.specimens import ATTRIBUTES, KINDS, Piece, PriceTaken, Specimen, kind_of
from proof.laws.contract.staff import MAKERS, Badge, Director, Engineer, Goal, GoalTaken, Manager
from proof.laws.contract.staff import NameTaken as StaffNameTaken
from proof.laws.contract.wares import Delivery, Line, Sku, Ware, wares_of
from tests.contract.sample import Sample, UniqueValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service_layer.unit_of_work import UnitOfWork

WORDS = ("ann", "bob", "cid", "dan")

Edits = dict[str, "Callable[[Any, int], None]"]


def _rename(one: Any, name: str) -> None:
    one.name = name


def _take(parts: list[Any], number: int) -> list[Any]:
    """Return the part with a number in a list, or nothing."""
    return [parts[number % len(parts)]] if parts else []


def _move(name: str, source: Any, target: Any, number: int) -> None:
    """Move a part from the list of one aggregate into that of another."""
    for part in _take(getattr(source, name), number):
        getattr(source, name).remove(part)
        getattr(target, name).append(part)


# Value objects in several columns.

PRICES = (euros(10), euros(11), euros(12), euros(13), euros(-1), euros(0))
SIZES = (Size(3, 4), Size(3), None, Size(0, 0), Size(-1, None), Size(5, 6))


def _change_article(article: Article, state: int) -> None:
    article.price = PRICES[state]
    article.size = SIZES[state]


def _edit_offer(article: Article, number: int) -> None:
    for offer in _take(article.offers, number):
        offer.price, offer.rebate = PRICES[number], None if number % 2 else euros(number)


def _add_offer(article: Article, number: int) -> None:
    article.offers.append(Offer(pieces=10 * number, price=euros(number)))  # another one may have this number


def _remove_offer(article: Article, number: int) -> None:
    for offer in _take(article.offers, number):
        article.offers.remove(offer)


def _set_labels(article: Article, number: int) -> None:
    article.labels = {Label(text=f"label {each}", size=SIZES[each]) for each in range(number % 3)}


def _set_old_price(article: Article, number: int) -> None:
    article.old_price = None if number % 2 else PRICES[number]


GOODS: Sample[Any] = Sample(
    repository="goods",
    make=new_article,
    word=lambda article: article.name,
    rename=_rename,
    change=_change_article,
    unique=[UniqueValue("name", _rename, None, NameTaken)],
    edits={
        "change an offer": _edit_offer,
        "add an offer": _add_offer,
        "remove an offer": _remove_offer,
        "other labels": _set_labels,
        "old price": _set_old_price,
    },
    moves=partial(_move, "offers"),
)

# Subclasses.

CLASSES = dict(zip(WORDS, ("employee", "manager", "director", "engineer"), strict=True))


def _change_staff(one: Any, state: int) -> None:
    if isinstance(one, Manager):
        one.budget = (euros(9 if isinstance(one, Director) else 5), euros(1), None, euros(2), euros(3), None)[state]
    elif isinstance(one, Engineer):
        one.language = f"C{state or ''}"
    else:
        for badge in one.badges[:1]:
            badge.door = f"b{state or ''}"


def _edit_badges(one: Any, number: int) -> None:
    if number % 3 == 0:
        one.badges.append(Badge(door=str(number)))
    elif number % 3 == 1:
        one.badges.reverse()
    else:
        del one.badges[:1]


def _edit_goals(one: Any, number: int) -> None:
    if isinstance(one, Manager):
        one.goals = [*one.goals[number % 2 :], Goal(text=f"goal {number}")]


def _edit_car(one: Any, number: int) -> None:
    if isinstance(one, Director):
        one.car = None if number % 2 else f"car {number}"


def _set_goal(one: Any, text: Any) -> None:
    for goal in one.goals[:1] if isinstance(one, Manager) and text is not None else []:
        goal.text = text


def _goal_of(one: Any) -> str | None:
    return one.goals[0].text if isinstance(one, Manager) and one.goals else None


STAFF: Sample[Any] = Sample(
    repository="staff",
    make=lambda word: MAKERS[CLASSES[word]](word),
    word=lambda one: one.name,
    rename=_rename,
    change=_change_staff,
    unique=[
        UniqueValue("name", _rename, None, StaffNameTaken),
        UniqueValue("goals.text", _set_goal, None, GoalTaken, read=_goal_of),
    ],
    edits={"badges": _edit_badges, "goals": _edit_goals, "car": _edit_car},
    moves=partial(_move, "badges"),
)

# References: a line of a delivery refers to a ware. Two wares are stored from the beginning.

STOCK = (Sku("stock a"), Sku("stock b"))
SKUS = (*STOCK, STOCK[0], Sku("missing"), STOCK[1], STOCK[0])
_numbers = count(1)


def _store_stock(uow: UnitOfWork) -> None:
    for sku in STOCK:
        wares_of(uow).add(Ware(id=sku, name=sku, remarks=[]))


def _change_delivery(delivery: Delivery, state: int) -> None:
    for line in delivery.lines[:1]:
        line.sku = SKUS[state]


def _add_line(delivery: Delivery, number: int) -> None:
    delivery.lines.append(Line(sku=SKUS[number], quantity=10 + number))


def _remove_line(delivery: Delivery, number: int) -> None:
    for line in _take(delivery.lines, number):
        delivery.lines.remove(line)


DELIVERIES: Sample[Any] = Sample(
    repository="deliveries",
    make=lambda _: Delivery(id=next(_numbers), lines=[Line(sku=STOCK[0], quantity=1), Line(sku=STOCK[1], quantity=2)]),
    word=lambda delivery: str(delivery.id),
    change=_change_delivery,
    edits={"add a line": _add_line, "remove a line": _remove_line},
    moves=partial(_move, "lines"),
    needs=_store_stock,
)

# Attributes.


def _values(attribute: str) -> Sequence[Any]:
    """Return five values of an attribute and a refused one. The fifth is ``None`` where that is allowed."""
    kind = kind_of(attribute)
    given = [pair[0] for pair in kind.values]
    return [*(given * 4)[:4], None if attribute.startswith("maybe_") else given[0], kind.refused[0]]


def _set(attribute: str, one: Any, number: int) -> None:
    setattr(one, attribute, _values(attribute)[number])


def _change_inside(attribute: str, one: Any, _number: int) -> None:
    change, value = kind_of(attribute).change, getattr(one, attribute)
    if change is not None and isinstance(value, dict | list):
        change(value)


def _made() -> Mapping[str, Any]:
    return {name: kind_of(name).values[0][0] for name in KINDS if kind_of(name).change is None}


def _new(kind: type, **more: Any) -> Any:
    return kind(**_made(), facts={"a": 1}, names=["a"], **more)


def _edit_piece(one: Any, number: int) -> None:
    if one.piece is None:
        one.piece = _new(Piece)
    elif number % 3 == 0:
        one.piece = None
    else:
        _set(ATTRIBUTES[7 * number % len(ATTRIBUTES)], one.piece, number % 5)
        one.piece.facts["n"] = number


def _set_price(one: Any, price: Decimal) -> None:
    one.price = price


def _change_specimen(one: Any, state: int) -> None:
    for attribute in ATTRIBUTES[: 2 * len(KINDS)]:
        if not attribute.startswith("maybe_") and kind_of(attribute).change is None:
            _set(attribute, one, min(state, 3))


SPECIMENS: Sample[Any] = Sample(
    repository="specimens",
    make=lambda word: _new(Specimen, price=Decimal(WORDS.index(word)), piece=_new(Piece)),
    word=lambda one: WORDS[int(one.price)],
    change=_change_specimen,
    unique=[UniqueValue("price", _set_price, None, PriceTaken)],
    edits={
        **{f"set {name}": partial(_set, name) for name in ATTRIBUTES},
        **{f"change inside {name}": partial(_change_inside, name) for name in ("facts", "names", "maybe_names")},
        "piece": _edit_piece,
    },
)

MORE: tuple[Sample[Any], ...] = (GOODS, STAFF, DELIVERIES, SPECIMENS)
