"""Run a use case again when its work certainly did not happen and may succeed the next time.

    retrying(change_email, "ann", "ann@example.org", uow)

(Why the pauses grow and are random: Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import iscoroutinefunction
from typing import ParamSpec, TypeVar

from attrs import frozen

from domain.errors import DomainError, StorageError, shown

P = ParamSpec("P")
R = TypeVar("R")

# In seconds. The first pause is short because most conflicts are over by then. A random part keeps two runs that
# clashed from clashing again.
_FIRST_PAUSE = 0.05
_RANDOM_PART = 0.1
_LONGEST_PAUSE = 5.0


@frozen
class Retrying:
    """How to run a use case until it succeeds, and when to give up.

    It runs at most ``attempts`` times. A failure after ``timeout`` seconds is the last one. No run is cut short. The
    pauses between two runs double, from about a tenth of a second to five.
    """

    attempts: int = 6
    timeout: float = 30.0

    def __call__(self, use_case: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the use case returns for these arguments. One of them is its unit of work.

        Each run opens that unit anew, so it is a new transaction. Only a ``retryable`` error of :mod:`domain.errors`
        leads to another run. The last one goes on to the caller. Any other error goes on immediately, above all
        :class:`~domain.errors.CommitOutcomeUnknown`. stamina logs each further run under its own name: the use case and
        the error, without the arguments.

        Each run repeats what a use case does outside of its unit. With several units, it repeats those that are
        committed when a later one fails. A use case that takes or returns an iterator is refused with ``TypeError``:
        the next run would miss what has been read from it. So is a coroutine function.
        """
        # Imported only here, because many programs that never run a use case import this module, such as the help of
        # the command line.
        import stamina

        for value in (*args, *kwargs.values()):
            _refuse_iterator(use_case, "is given", value)
        if iscoroutinefunction(use_case):
            raise TypeError(f"{shown(use_case)} is a coroutine function, which is not run by calling it")

        # Without arguments, because stamina logs those of the function that it runs.
        @stamina.retry(
            on=_is_retryable,
            attempts=self.attempts,
            timeout=self.timeout,
            wait_initial=_FIRST_PAUSE,
            wait_jitter=_RANDOM_PART,
            wait_max=_LONGEST_PAUSE,
        )
        @wraps(use_case)
        def run() -> R:
            return use_case(*args, **kwargs)

        result = run()
        _refuse_iterator(use_case, "returns", result)
        return result


retrying = Retrying()
"""Runs a use case for a person who waits for the answer. The pauses take about two seconds in all."""


def _is_retryable(error: Exception) -> bool:
    return isinstance(error, DomainError | StorageError) and error.retryable


def _refuse_iterator(use_case: object, verb: str, value: object) -> None:
    if isinstance(value, Iterator):
        raise TypeError(
            f"{shown(use_case)} {verb} an iterator, which cannot be read from its beginning again:"
            " call it without retrying, or give it a list"
        )
