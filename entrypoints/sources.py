"""Text to read from files and pipes: in which encoding it is, and which one it looks like when it is not UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from functools import cached_property, lru_cache
from typing import BinaryIO

from domain.errors import shown

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_HEAD = 65_536
"""How many bytes of the beginning are looked at; fewer of a pipe that has fewer ready."""

# What offices save. Of a few words, the library finds too many encodings equally likely when it may name any.
_LIKELY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "cp949", "mac_roman"]
_WITH_NUL = ["utf_16_le", "utf_16_be"]

_LOST = "\ufffd".encode()  # as a file of rejects holds a character that could not be read

_BAD_BYTE = re.compile("[\udc80-\udcff]")  # as the error handler surrogateescape writes it


_OF_HOST_NAMES = ("idna", "punycode")


def is_encoding(name: str) -> bool:
    """Return whether text can be read in an encoding of this name."""
    try:
        b"username,email\xff".decode(name, "replace")
        return codecs.lookup(name).name not in _OF_HOST_NAMES
    except (LookupError, ValueError):  # unknown, or not for text; or it cannot replace what it cannot read
        return False


class Source(io.TextIOWrapper):
    """The text of a file, which need not be able to seek.

    Its encoding is the one that is given, or that of its byte-order mark, or UTF-8. Bytes that are not UTF-8 become
    lone surrogates. What another encoding cannot read becomes U+FFFD. No name and no address may hold either.
    """

    def __init__(self, file: BinaryIO, encoding: str | None = None) -> None:
        beginning = _ReadAhead(file)
        self._head = beginning.head
        self._sample = b""
        codec = _codec(self._head, encoding)
        self.encoding_name = codec.removesuffix("-sig").upper() if codec.startswith("utf") else codec
        """The name of the encoding, as a message shows it."""
        errors = "surrogateescape" if self.encoding_name == "UTF-8" else "replace"
        super().__init__(io.BufferedReader(beginning, _HEAD), encoding=codec, errors=errors, newline="")

    @property
    def first_character(self) -> str:
        """The first character that is no white space; empty if the beginning has none."""
        return self._head.decode(self.encoding, "ignore").lstrip()[:1]

    def bad_bytes(self, text: str) -> bytes | None:
        """Return the bytes of a text of this file if they are not UTF-8, and should be."""
        if self.errors != "surrogateescape" or text.isascii() or not _BAD_BYTE.search(text):
            return None
        return text.encode(errors="surrogateescape")

    @property
    def is_misread(self) -> bool:
        """Whether the beginning is UTF-8, and more than ASCII, though another encoding was given."""
        return not (self.encoding_name.startswith("UTF") or self._head.isascii()) and self._is_well_begun()

    def restored(self, text: str) -> str:
        """Return a text of this file as UTF-8 reads it, if its bytes hold U+FFFD in UTF-8.

        A file of rejects holds them. Other encodings read them as letters.
        """
        if text.isascii() or self.encoding_name.startswith("UTF"):
            return text
        found = text.encode(self.encoding, "replace")
        return found.decode(errors="replace") if _LOST in found else text

    def why_not_utf_8(self, found: bytes) -> str:
        """Return why these bytes of the file cannot be read, and what to do about it."""
        self._sample = self._sample or (found if self._is_well_begun() else self._head)
        guess = _guess(self._sample)
        if guess is None:
            return "it is not UTF-8: save the file as UTF-8, or name its encoding by --encoding"
        return f"it is not UTF-8; {_advice(guess, found)}"

    @cached_property
    def hint(self) -> str:
        """What a message about unusable text adds: another encoding, if the beginning looks like it."""
        guess = None if self.encoding_name != "UTF-8" or self._is_well_begun() else _guess(self._head)
        return f"; {_advice(guess, self._head)}" if guess else ""

    def _is_well_begun(self) -> bool:
        try:
            return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(self._head)
        except UnicodeDecodeError:
            return False


class _ReadAhead(io.RawIOBase):
    """A file that is read from its beginning, though some of that has been looked at already."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.head = b""
        while len(self.head) < 8 and (piece := file.read(_HEAD)):  # a mark and a character, however a pipe brings them
            self.head += piece
        self._ahead = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # it is never given another kind
        piece = self._ahead[: len(buffer)] or self._file.read(len(buffer))
        self._ahead = self._ahead[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


def _codec(head: bytes, encoding: str | None) -> str:
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8-sig")
    if encoding is None:
        return marked
    name = codecs.lookup(encoding).name
    if name.startswith(marked.removesuffix("-sig")):
        return marked  # which passes over the mark
    if name not in ("utf-16", "utf-32"):
        return name
    zeros_first = head[::2].count(0) > head[1::2].count(0)  # of ASCII, which each line has
    return f"{name}-be" if zeros_first else f"{name}-le"


def _advice(guess: str, found: bytes) -> str:
    """Return what to do with a file, and as an example the first line that needs the encoding."""
    lines = found.decode(guess, "replace").strip().splitlines() or [""]
    example = next((line for line in lines if not line.isascii()), lines[0])
    return f"it may be {guess} ({shown(example)}): if that reads right, say --encoding {guess} for the original file"


@lru_cache(maxsize=1)  # a file may have many such rows
def _guess(sample: bytes) -> str | None:
    """Return the encoding that a sample looks like; where several fit equally well, the one of Western Windows."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=_WITH_NUL if b"\0" in sample else _LIKELY)
    best = found.best()
    if best is None:
        return None
    equal = [match.encoding for match in found if (match.chaos, -match.coherence) <= (best.chaos, -best.coherence)]
    return "cp1252" if "cp1252" in (*equal, *best.could_be_from_charset) else best.encoding.replace("_", "-")
