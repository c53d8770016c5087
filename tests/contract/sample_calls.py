"""Calls of the functions of a sample. Each error of theirs is reported as one of the sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import frozen

if TYPE_CHECKING:
    from tests.contract.sample import Sample, UniqueValue
    from tests.contract.sample_gaps import Gap


class WrongSample(Exception):
    """A sample of the contract suite is wrong. The message names it and its function, and says what to write."""


@frozen
class Calls:
    """The functions of a sample."""

    sample: Sample[Any]

    def fail(self, what: str, write: str) -> NoReturn:
        """Raise the error for what is wrong. ``write`` is the advice."""
        raise WrongSample(f"the sample {self.sample.repository!r}: {what}: {write}")

    def none(self, gaps: Iterable[Gap]) -> None:
        """Fail for the first thing that is left out."""
        for what, write in gaps:
            self.fail(what, write)

    def call(self, what: str, write: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the sample. ``write`` is the advice when it raises an error."""
        try:
            return function(*arguments)
        except Exception as error:
            raise WrongSample(
                f"the sample {self.sample.repository!r}: {what} raised {type(error).__name__}: {error}: {write}"
            ) from error

    def made(self, word: str) -> Any:
        """Return a new aggregate for a word."""
        return self.call(f"make({word!r})", "return a new aggregate for any word", self.sample.make, word)

    def word(self, one: Any) -> Any:
        """Return the word of an aggregate."""
        return self.call("word(aggregate)", "return the word that it was made for", self.sample.word, one)

    def value(self, unique: UniqueValue[Any], one: Any) -> Any:
        """Return a unique value of an aggregate."""
        name = unique.attribute
        write = f"name an attribute of the root, or say by read=... how to read {name!r}"
        return self.call(f"the unique value {name!r}", write, unique.value, one)
