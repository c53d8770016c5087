"""A mapping that is not possible is refused when it is made, in words that say what to write instead."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import configure_mappers

from adapters.sql import refused, refused_composites, refused_inheritance, refused_parts, refused_values
from adapters.sql.mapping import mapped_tables
from domain.aggregate import makers
from proof.laws.integration.wrong_classes import WRONG_CLASSES
from proof.laws.integration.wrong_composites import WRONG_COMPOSITES
from proof.laws.integration.wrong_parts import WRONG_PARTS
from proof.laws.integration.wrong_subclasses import WRONG_SUBCLASSES
from proof.laws.integration.wrong_values import WRONG_VALUES

pytestmark = pytest.mark.usefixtures("unmapped")

CASES = {**WRONG_CLASSES, **WRONG_PARTS, **WRONG_VALUES, **WRONG_COMPOSITES, **WRONG_SUBCLASSES}

ROWS = (
    *refused.CLASSES,
    *refused.ROOTS,
    *refused.PARTS,
    *refused.COLUMNS,
    *refused.OPTIONS,
    *refused.PROPERTIES,
    *refused.ATTRIBUTES,
    *refused_parts.RELATIONSHIPS,
    *refused_values.VALUES,
    *refused_composites.VALUE_OBJECTS,
    *refused_inheritance.INHERITANCE,
)


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_mapped_is_refused(case: str) -> None:
    """A wrong mapping is refused. The message names it and says what to write. Then it can be mapped rightly."""
    wrong, name, advice = CASES[case]
    tables, kinds = mapped_tables(), set(makers)
    with pytest.raises(ValueError, match="cannot be mapped") as caught:
        wrong()
    assert f"{name} cannot be mapped: {advice}" == str(caught.value)
    mapped = {kind.__name__ for kind in set(makers) - kinds}  # such as valid parts
    assert name.partition(".")[0] not in mapped
    assert len(tables) + len(mapped) == len(mapped_tables())
    configure_mappers()


def test_each_row_of_the_tables_has_a_case() -> None:
    """Each row of the tables has a case, and each case meets a row."""
    assert sorted(advice for _, advice in ROWS) == sorted({advice for _, _, advice in CASES.values()})
