"""The files of users that the program writes are private to their owner, since they hold names and addresses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrypoints import user_files


@pytest.mark.parametrize("name", ["open_target", "open_rejects"])
def test_a_new_file_of_users_is_private(tmp_path: Path, name: str) -> None:
    """A new export or file of refused rows is private, and an old one keeps its rights, without any umask."""
    (tmp_path / "old.csv").write_text("of yesterday")
    (tmp_path / "old.csv").chmod(0o640)
    before = os.umask(0)
    try:
        for file in ("new.csv", "old.csv"):
            with getattr(user_files, name)(tmp_path / file):
                pass
    finally:
        os.umask(before)
    rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"new.csv": 0o600, "old.csv": 0o640} == rights
