"""The contenders. Each has its own file beside this one, written as the documentation of its library advises."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from proof.benchmarks.contenders.contender import Contender


@frozen
class Entry:
    """A contender: its name in tables, the name of its class, and the distribution and package it needs, if any."""

    title: str
    kind: str
    distribution: str | None = None
    package: str = "sqlalchemy"


# The figures are about the first one. All are compared with the second one.
CONTENDERS = {
    "skeleton": Entry("Plumbline", "Skeleton"),
    "sqlalchemy_orm": Entry("SQLAlchemy ORM", "HandWrittenOrm"),
    "sqlalchemy_core": Entry("SQLAlchemy Core", "HandWrittenCore"),
    "driver": Entry("bare driver", "Driver"),
    "textbook": Entry("textbook unit of work", "Textbook"),
    "advanced_alchemy_": Entry("Advanced Alchemy", "AdvancedAlchemy", "advanced-alchemy", "advanced_alchemy"),
    "sqlmodel_": Entry("SQLModel", "SqlModel", "sqlmodel", "sqlmodel"),
    "django_orm": Entry("Django ORM", "Django", "django", "django"),
    "peewee_": Entry("Peewee", "Peewee", "peewee", "peewee"),
}
REFERENCE = "sqlalchemy_orm"


def installed() -> list[str]:
    """Return the contenders whose libraries are installed."""
    return [name for name, entry in CONTENDERS.items() if find_spec(entry.package)]


def load(name: str, url: str) -> Contender:
    """Return a contender on a database. Only its own libraries are loaded."""
    module = import_module(f"proof.benchmarks.contenders.{name}")
    contender: Contender = getattr(module, CONTENDERS[name].kind)(url)
    return contender
