"""URLs of databases as people write them: how they are understood, and which are refused before connecting."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from adapters.sql.engine import make_engine
from adapters.sql.errors import name_of
from domain.errors import ConfigurationError
from entrypoints.bootstrap import bootstrap
from entrypoints.config import Settings
from proof.laws.integration.driver_arguments import told_to_the_driver


@pytest.mark.parametrize(
    ("url", "host", "port", "name"),
    [
        ("postgresql://u:p@h1:5001,h2:5002/db", "h1,h2", "5001,5002", "u:***@h1:5001,h2:5002/db"),
        ("postgresql://u@h1,h2:5002/db", "h1,h2", ",5002", "u@h1,h2:5002/db"),
        ("postgresql://u@h1,h2/db?port=7", "h1,h2", "7,7", "u@h1:7,h2:7/db"),
        ("postgresql://u@/db?host=h1:5001&host=h2", "h1,h2", "5001,", "u@h1:5001,h2/db"),
        ("postgresql://u@/db?host=h1,h2&port=1,2", "h1,h2", "1,2", "u@h1:1,h2:2/db"),
        ("postgresql://[::1]:5,[::2]/db", "::1,::2", "5,", "[::1]:5,[::2]/db"),
        ("postgresql://u@%2Fvar%2Frun/db", "/var/run", "", "u@%2Fvar%2Frun/db"),
        ("postgresql://h:5433/db", "h", 5433, "h:5433/db"),
        ("POSTGRESQL://u@/db?host=h:5433", "h", 5433, "u@h:5433/db"),
        ("postgresql://u@/db?host=[::1]:5&host=h", "::1,h", "5,", "u@[::1]:5,h/db"),
        ("postgresql://u@/db?host=h1&host=h2&port=1&port=2", "h1,h2", "1,2", "u@h1:1,h2:2/db"),
    ],
)
def test_libpqs_own_forms_are_understood(url: str, host: str, port: object, name: str) -> None:
    """The forms of libpq are understood: several hosts, and the folder of a socket. Messages name all hosts."""
    arguments = told_to_the_driver(make_engine(url))
    assert (host, port) == (arguments["host"], arguments["port"])
    assert f"postgresql+psycopg2://{name}" == name_of(make_engine(url))


@pytest.mark.parametrize("space", ["\n", "\r\n", " ", "\t"])
def test_white_space_around_a_url_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str) -> None:
    """White space around a URL is ignored: a file with a secret ends with it. No file of another name is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"{space}sqlite:///people.db{space}")
    with bootstrap():
        assert "people.db" in {path.name for path in tmp_path.iterdir()}
    assert {"people.db"} == {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert "memory://" == Settings(database_url=f"memory://{space}").database_url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("'postgresql://u:secret@h/db'", "has quotation marks around it: leave them out$"),
        ('"postgresql://u:secret@h/db"', "has quotation marks around it: leave them out$"),
        ("\u201cpostgresql://u:secret@h/db\u201d", "has quotation marks around it: leave them out$"),
        ("memory", "is memory: write memory:// for the fake$"),
        ("postgresql", "cannot be read"),
        ("postgresql://u:secret@h/db?application_name=\udcff", "has bytes that are not UTF-8"),
        ("postgresql://u:secret@/db?host=a:1&host=b&port=2", "has ports behind its hosts and the option port"),
        ("postgresql://u:secret@h/db?replication=true", "option replication, which PostgreSQL does not know"),
        ("postgresql://u:secret@h/db?application_name=a&sslmode=", "the option sslmode without a value"),
        ("postgresql://u:secret@h/db?connect_timeout=", "the option connect_timeout without a value"),
        ("postgresql://u:secret@h/db?=x", "before what is no option"),
        ("mysql://u:secret@h:secret/db", "cannot be read"),
        ("mysql://u:secret@%2Frun%2Fmysqld.sock/db", r"write \?unix_socket=/path instead$"),
        ("mysql://u:secret@h/db?init_command=SET @x=1", r"or behind the \?, as %40$"),
        ("mysql://u:secret@h/db?ssl_ca=", "the option ssl_ca without a value"),
        ("mysql://u:secret@h/db?ssl_verify_identity=true", "verified against nothing: write ssl_ca="),
        ("mysql://u:secret@h/db?ssl_verify_cert=true", "verified against nothing: write ssl_ca="),
        (
            f"mysql://u:secret@h/db?ssl_ca={__file__}&ssl_verify_identity=yes&ssl_check_hostname=no",
            "ssl_verify_identity and ssl_check_hostname, which are one$",
        ),
        (
            f"mysql://u:secret@h/db?ssl_ca={__file__}&ssl_verify_cert=no&ssl_verify_identity=yes",
            "verifies the name of a server, but not its certificate: do both$",
        ),
        ("sqlite://people.db", "has two slashes before people.db: write sqlite:///people.db$"),
        ("sqlite:///people?.db", r"has a \? before what is no option: .*, and none in the name of a file$"),
        ("mysql://u:secret@h", "names no database: write it like mysql://user:password@host/database$"),
        ("mariadb://u:secret@h/", "names no database"),
        ("postgresql://u:secret@h1,h2,h3/db?port=1,2", "has 3 hosts and 2 ports: write one for each$"),
        ("postgresql://u:secret/word@h/db", "cannot be read"),
        ("postgresql://u:secret%zz@h/db", "cannot be read"),
        (
            "postgresql://u:secret@h/db?pgbouncer=true",
            "option pgbouncer, which PostgreSQL does not know: leave it out$",
        ),
        ("postgresql://u:secret@h/db?schema=x", "option schema, .*: write options=-csearch_path%3DNAME$"),
        ("postgresql://u:secret@h/db?ssl=require", "option ssl, .*: write sslmode=require$"),
        ("postgresql://u:secret@h/db?ssl=true", "option ssl, .*: write sslmode=require$"),
        ("postgresql://u:secret@h/db?sslrootcert=/missing.pem", "sslrootcert, .* that is not there: /missing.pem$"),
        ("mysql://u:secret@h/db?ssl=true", "option ssl, .*: write ssl_ca=/path/of/ca.pem$"),
        ("mysql://u:secret@h/db?compress=true", "option compress, which is not known here: leave it out$"),
        ("mysql://u:secret@h/db?connect_timeout=0", "connect_timeout, which is a whole number from 1 on$"),
        ("mysql://u:secret@h/db?read_timeout=soon", "read_timeout, which is a whole number from 1 on$"),
        ("mysql://u:secret@h/db?use_unicode=0", "use_unicode, .*: leave it out, texts are Unicode$"),
        ("mysql://u:secret@h/db?autocommit=1", "autocommit, .*: leave it out, the unit of work commits$"),
        ("mysql://u:secret@h/db?charset=latin1", "charset, which is utf8mb4, the one that holds every character$"),
        ("mysql://u:secret@h/db?port=abc", "port, .*: write it behind the host$"),
        ("mysql://u:secret@h/db?ssl_ca=/missing.pem", "ssl_ca, which names a file that is not there: /missing.pem$"),
        ("mysql://u:secret@h/db?ssl_verify_cert=perhaps", "ssl_verify_cert, which is true or false$"),
        (f"mysql://u:secret@h/db?ssl_ca={__file__}&ssl_disabled=yes", "ssl_disabled beside other options of TLS"),
    ],
)
def test_a_url_is_refused_with_what_is_meant(url: str, reason: str) -> None:
    """A wrong URL is refused with the right form, without the password, before anything is sent."""
    with pytest.raises(ConfigurationError, match=f"DATABASE_URL .*{reason}") as caught:
        make_engine(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None or "secret" not in str(caught.value.__context__)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("ssl_ca=/", "IsADirectoryError"),
        (f"ssl_ca={__file__}", "SSLError"),
        ("ssl_cipher=x", "SSLError"),
        ("connect_timeout=31536001", "connect_timeout should be >0 and <=31536000$"),
        (f"read_default_file={__file__}", r"has lines that are no options, or none below \[client\]$"),
    ],
)
def test_what_the_driver_refuses_is_an_option(option: str, reason: str) -> None:
    """What the driver refuses is an option of the URL, before anything is sent. What its file holds is not shown."""
    pytest.importorskip("pymysql")
    with pytest.raises(ConfigurationError, match=f"an option that cannot be used: .*{reason}"):
        make_engine(f"mysql://u:secret@127.0.0.1:1/db?{option}").connect()


def test_a_host_that_cannot_be_one_is_named() -> None:
    """A host that cannot be one is named, such as one with an empty part."""
    pytest.importorskip("pymysql")
    with pytest.raises(ConfigurationError, match=r"a host that cannot be one: h\.\.example\.com$"):
        make_engine("mysql://u:secret@h..example.com/db").connect()


def test_a_url_may_leave_all_to_the_environment(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL may leave everything to the environment, as libpq reads it."""
    url = make_url(postgres_database)
    for name, value in (("HOST", url.host), ("PORT", url.port), ("USER", url.username), ("DATABASE", url.database)):
        monkeypatch.setenv(f"PG{name}", str(value))
    monkeypatch.setenv("PGPASSWORD", str(url.password))
    engine = make_engine("postgresql://")
    with engine.connect() as connection:
        assert url.database == connection.exec_driver_sql("SELECT current_database()").scalar()
    engine.dispose()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("ssl_ca={file}&ssl_disabled=false", {"ssl": {"ca": "{file}"}, "ssl_disabled": False}),
        ("ssl_ca={file}&ssl_verify_identity=false", {"ssl": {"ca": "{file}", "check_hostname": False}}),
        ("ssl_ca={file}&ssl_verify_cert=true", {"ssl": {"ca": "{file}", "verify_mode": True}}),
        ("ssl_verify_cert=false", {"ssl": {"verify_mode": False, "check_hostname": False}}),
        ("ssl_disabled=true", {"ssl_disabled": True}),
        ("local_infile=no&read_timeout=7", {"local_infile": False, "read_timeout": 7}),
        ("charset=utf8mb4", {"charset": "utf8mb4"}),
    ],
)
def test_options_of_mariadb_mean_what_they_say(options: str, expected: dict[str, Any]) -> None:
    """Options of MariaDB mean what they say: false is false, and a certificate authority verifies the server."""
    pytest.importorskip("pymysql")
    url = f"mysql://u@h/db?{options}".replace("{file}", __file__)
    wanted = eval(repr(expected).replace("{file}", __file__))  # noqa: S307  # of the cases above
    assert wanted.items() <= told_to_the_driver(make_engine(url)).items()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("sslmode=no", 'invalid sslmode value: "no"$'),
        ("target_session_attrs=best", 'invalid target_session_attrs value: "best"$'),
        ("keepalives=often", 'invalid integer value "often" for connection option "keepalives"$'),
        ("options=-cno_such_parameter%3D1", 'unrecognized configuration parameter "no_such_parameter"$'),
        ("options=geqo%3Doff", "invalid command-line argument for server process: geqo=off$"),
        ("hostaddr=abc", 'could not parse network address "abc"'),
        ("service=none", 'definition of service "none" not found$'),
        ("options=-clock_timeout%3Dsoon", 'invalid value for parameter "lock_timeout": "soon"$'),
    ],
)
def test_a_value_that_postgres_refuses_is_named(postgres_server: str, option: str, reason: str) -> None:
    """A value that PostgreSQL refuses is named. It is an error of the URL and no reason to try again."""
    engine = make_engine(f"{postgres_server}?{option}")
    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL has an option that cannot be used: {reason}"):
        engine.connect()
