"""The fenced code blocks of a Markdown file, so that tests can do what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}) *(?P<language>[^\s`]*)[^`]*")


@frozen
class Block:
    """A fenced block: the first word after its fence, its lines, and its place.

    ``before`` is the paragraph right before it, as it is written. It is empty when another block comes first. ``line``
    is the number of the line with the opening fence, from 1.
    """

    language: str
    text: str
    before: str
    line: int


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a file in their order. Raises ``ValueError`` for a fence that is never closed."""
    found = []
    paragraph: list[str] = []
    ended = True
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        opening = _FENCE.fullmatch(line)
        if opening:
            inside = []
            for _, following in lines:
                if re.fullmatch(rf" *{opening['fence']}`* *", following):
                    break
                # The indent of the fence, in a list for example, is no part of the code.
                inside.append(re.sub(rf"^ {{,{len(opening['indent'])}}}", "", following) + "\n")
            else:
                raise ValueError(f"{path}:{number}: this fence is never closed")
            found.append(Block(opening["language"], "".join(inside), "\n".join(paragraph), number))
            paragraph = []
        elif not line.strip():
            ended = True
        else:
            paragraph = [line] if ended else [*paragraph, line]
            ended = False
    return found
