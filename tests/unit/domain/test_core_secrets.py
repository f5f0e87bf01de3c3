from __future__ import annotations

import pytest

from infra.domain.core_secrets import core_problems, core_secrets, core_secrets_change

POSTGRES = "postgresql://acp:s3cr3t@postgres:5432/acp"
REDIS = "redis://:s3cr3t@redis:6379/0"
SERVICES = ("postgres", "redis")


def test_the_data_services_get_what_the_app_is_told() -> None:
    """User, password and database are taken from the app's own addresses, decoded."""
    assert core_secrets(
        {"DATABASE_URL": "postgresql://user:p%40ss%2F@postgres:5432/app", "REDIS_URL": "redis://:r%23dis@redis:6379/0"}
    ) == {"POSTGRES_USER": "user", "POSTGRES_PASSWORD": "p@ss/", "POSTGRES_DB": "app", "REDIS_PASSWORD": "r#dis"}


def test_what_the_addresses_leave_out_has_a_name() -> None:
    """User and database default to `acp`; a missing password stays empty."""
    assert core_secrets({"DATABASE_URL": "postgresql://postgres", "REDIS_URL": "redis://redis"}) == {
        "POSTGRES_USER": "acp",
        "POSTGRES_PASSWORD": "",
        "POSTGRES_DB": "acp",
        "REDIS_PASSWORD": "",
    }


@pytest.mark.parametrize(
    "database",
    [
        POSTGRES,
        "postgres://acp:s3cr3t@postgres/acp",
        "postgresql+asyncpg://acp:s3cr3t@postgres:5432/acp?ssl=disable",
        "postgresql+psycopg2://acp:p%2Fq@POSTGRES:5432/acp",
        "postgresql://acp:s3cr3t@/acp?host=postgres",
        "postgresql://acp:s3cr3t@pgbouncer:6432/acp",
        "postgresql://acp:s3cr3t@db/acp",
    ],
)
@pytest.mark.parametrize(
    "queue",
    [REDIS, "rediss://acp:s3cr3t@redis/1?ssl_cert_reqs=none", "redis://:s3cr3t@redis:6379", "redis://redis:6379/0"],
)
def test_addresses_of_the_services_pass(database: str, queue: str) -> None:
    """A driver, a query, a port, another name in between, and a queue without a password are the app's own."""
    values = {"DATABASE_URL": database, "REDIS_URL": queue}
    assert core_problems(values, (*SERVICES, "pgbouncer")) == {}


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("DATABASE_URL", "mysql://acp:s3cr3t@postgres/acp", "must begin with postgresql://"),
        ("DATABASE_URL", "s3cr3t", "must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://acp:s3cr3t@[postgres/acp", "is no URL"),
        ("DATABASE_URL", "postgresql://acp:s3cr3t@localhost:5432/acp", "must have the host `postgres`"),
        ("DATABASE_URL", "postgresql://acp:s3cr3t/x@postgres:5432/acp", "%2F"),
        ("DATABASE_URL", "postgresql://acp@postgres:5432/acp", "must have a password"),
        ("REDIS_URL", "http://:s3cr3t@redis", "must begin with redis://"),
        ("REDIS_URL", "redis://:s3cr3t@10.0.0.5:6379/0", "must have the host `redis`"),
        ("REDIS_URL", "redis://queue.example.com/0", "must have the host `redis`"),
    ],
)
def test_an_address_that_leads_elsewhere_is_said_by_name(name: str, value: str, word: str) -> None:
    """The other one is not blamed, and no part of the value is shown."""
    problems = core_problems({"DATABASE_URL": POSTGRES, "REDIS_URL": REDIS, name: value}, SERVICES)
    assert list(problems) == [name]
    assert word in problems[name]
    assert "s3cr3t" not in problems[name]


def test_a_service_that_the_host_does_not_have_is_not_looked_for() -> None:
    """A stack may have its database elsewhere and its queue on the host."""
    assert core_problems({"DATABASE_URL": "postgresql://db.example.com/acp", "REDIS_URL": REDIS}, ("redis",)) == {}


def test_both_addresses_must_be_secrets_of_the_stack() -> None:
    """The services are set up with what is in them."""
    assert core_problems({"REDIS_URL": REDIS}, SERVICES) == {"DATABASE_URL": "is not in `secrets.names`"}


def test_only_the_addresses_of_data_services_change_their_secrets() -> None:
    """Another address of Redis gives Redis another password; another key of the app concerns no data service."""
    now = {"DATABASE_URL": "aa", "REDIS_URL": "bb", "SECRET_KEY": "cc"}
    assert core_secrets_change({**now, "REDIS_URL": "xx"}, now)
    assert not core_secrets_change({**now, "SECRET_KEY": "xx"}, now)
    assert not core_secrets_change({}, now)
