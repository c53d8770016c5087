"""Processes that are forked after the application was made, as by a web server that loads it first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import Engine

from tests.contract.members import stored_names
from tests.storages import sql_storage

# In a separate process, because the tests have threads, which a fork does not copy.
PROGRAM = """
import os, sys
from entrypoints.bootstrap import bootstrap
from tests.contract.members import Member, create_member
from tests.contract.shop import SqlShop
from tests.storages import engine_of

application = bootstrap(sys.argv[1])
engine = engine_of(application)
children = []
for child in range(2):
    children.append(os.fork())
    if not children[-1]:
        for number in range(0, 4, 2):
            create_member(f"ann{child}{number}", f"ann{child}{number}@example.com", SqlShop(engine))
            with SqlShop(engine) as uow:  # in a transaction
                uow.members.add(Member.create(f"ann{child}{number + 1}", f"ann{child}{number + 1}@example.com"))
                uow.members.page()
                uow.commit()
        sys.exit()
create_member("bob", "bob@example.com", SqlShop(engine))
ended = [os.waitpid(child, 0)[1] for child in children]
create_member("cid", "cid@example.com", SqlShop(engine))
sys.exit(any(ended))
"""


@pytest.mark.promise(2, 14)
def test_each_process_has_connections_of_its_own(engine: Engine) -> None:
    """Each process has its own connections. On a shared one, each would get the answers of the other."""
    url = engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", PROGRAM, url], check=True, timeout=60)
    names = ["bob", "cid", *(f"ann{child}{number}" for child in range(2) for number in range(4))]
    assert sorted(names) == sorted(stored_names(sql_storage(engine)))
