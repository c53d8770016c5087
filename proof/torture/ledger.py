"""Compare a client's reports with what is stored: the one law of crashes.

Acknowledged work is there. Work that was StorageUnavailable is not there. All other work may be there or not. Each unit
is there wholly or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define

from proof.torture.clients import ACKNOWLEDGED, INTENDED, UNAVAILABLE, Unit, account_email, account_name
from proof.torture.look import ByName


@define
class Ledger:
    """The account of a client after all checked and removed units: the last one that changed it, and their number."""

    client: int
    last: int = 0
    count: int = 0

    def violations(self, due: Mapping[int, bytes], asked: Mapping[int, bytes], rows: ByName) -> list[str]:
        """Return what is wrong with the rows of the client, in a sentence each.

        ``due`` holds the client's reports of each unit before the look, and ``asked`` its reports after it. It may have
        gone on between the two.
        """
        found: list[str] = []
        stored = [number for number in asked if any(name in rows for name in self._names(number))]
        for number in stored:
            there = [name for name in self._names(number) if name in rows]
            if len(there) < len(self._names(number)):
                found.append(f"torn: of unit {number} of client {self.client}, only {there[0]} is stored")
            if due.get(number) == UNAVAILABLE:
                found.append(f"stored: {there}, and yet the client was told StorageUnavailable")
        found += [
            f"lost: unit {number} of client {self.client} was acknowledged, and is absent"
            for number, told in due.items()
            if told == ACKNOWLEDGED and number not in stored
        ]
        wanted = {name for number in asked for name in self._names(number)}
        unasked = [name for name in rows if name.startswith(f"unit-{self.client}-") and name not in wanted]
        found += [f"stored: {name}, and yet nobody asks for it, or it was absent before" for name in unasked]
        last, count = self._after(stored)
        account = (account_email(self.client, last), 1 + count)
        if rows.get(account_name(self.client)) != account:
            found.append(
                f"torn: the account of client {self.client} is {rows.get(account_name(self.client))}, not {account}"
            )
        return found

    def settle(self, due: Mapping[int, bytes], rows: ByName) -> list[str]:
        """Note that units were checked, and return the users that can be removed."""
        stored = [number for number in due if self._names(number)[0] in rows]
        self.last, self.count = self._after(stored)
        return [name for number in stored for name in self._names(number)]

    def _after(self, stored: Iterable[int]) -> tuple[int, int]:
        """Return the last unit that has changed the account, and how many have, when these are stored too."""
        changing = [number for number in stored if not Unit(self.client, number).is_single]
        return max([*changing, self.last]), self.count + len(changing)

    def _names(self, number: int) -> list[str]:
        return Unit(self.client, number).usernames


def resolved(told: Mapping[int, bytes]) -> dict[int, bytes]:
    """Return the units that have ended in any way."""
    return {number: what for number, what in told.items() if what != INTENDED}
