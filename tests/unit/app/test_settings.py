from __future__ import annotations

import pytest
from acp_reference.core.faults import Fault
from acp_reference.core.settings import SettingsError, driver_free_url, load_settings, secret_parts

from tests.unit.app.environment import COMPLETE, settings


def test_a_complete_environment_is_read() -> None:
    """Values arrive typed, with release and version, and addresses without a trailing slash."""
    read = settings(DATABASE_POOL_SIZE="7", CORS_ORIGINS="https://a.example, https://b.example", ACP_FAULT="slow:250")

    assert (read.release, read.version) == ("v1.4.2-1a2b3c4d", "v1.4.2")
    assert read.llm_endpoint == "http://model:8080/v1"
    assert read.database_pool_size == 7
    assert read.cors_origins == ("https://a.example", "https://b.example")
    assert read.fault == Fault(kind="slow", amount=250)


def test_every_problem_is_named_at_once() -> None:
    """Missing and bad variables are all in the one error."""
    environ = {
        **COMPLETE,
        "REDIS_URL": "http://redis",
        "DATABASE_POOL_SIZE": "many",
        "LOG_LEVEL": "LOUD",
        "ACP_FAULT": "x",
    }
    del environ["SECRET_KEY"]

    with pytest.raises(SettingsError) as caught:
        load_settings("acp-ingest", environ, port=8000)

    text = str(caught.value)
    for name in ("SECRET_KEY: is not set", "REDIS_URL:", "DATABASE_POOL_SIZE:", "LOG_LEVEL:", "ACP_FAULT:"):
        assert name in text


def test_an_error_quotes_no_secret() -> None:
    """A bad address is reported without the address, which may hold a password."""
    with pytest.raises(SettingsError) as caught:
        settings(DATABASE_URL="mysql://acp:hunter2@db/acp", REDIS_URL="tcp://:hunter2@redis")

    assert "hunter2" not in str(caught.value)


def test_agents_need_no_database() -> None:
    """Each service asks only for what it uses."""
    environ = {**COMPLETE}
    del environ["DATABASE_URL"]
    del environ["EMBEDDING_ENDPOINT"]

    assert load_settings("acp-agents", environ, port=8001).port == 8001


@pytest.mark.parametrize("text", ["0", "-1", "201", "nan", "inf"])
def test_a_number_outside_its_range_is_refused(text: str) -> None:
    """A pool size is checked against its range, and what is no number at all is refused."""
    with pytest.raises(SettingsError, match="DATABASE_POOL_SIZE"):
        settings(DATABASE_POOL_SIZE=text)


def test_settings_do_not_print_secrets() -> None:
    """The repr of settings has none of the secret values."""
    text = repr(settings())

    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "OPENAI_API_KEY"):
        assert COMPLETE[name] not in text


def test_a_driver_in_an_address_is_dropped() -> None:
    """Addresses written for SQLAlchemy work."""
    assert driver_free_url("postgresql+psycopg2://u:p+q@h/d") == "postgresql://u:p+q@h/d"


def test_secret_parts_have_passwords_of_addresses() -> None:
    """A password is secret in both forms, as written in the address and decoded; the longest text comes first."""
    parts = secret_parts(("postgresql://acp:db%2Fpass@h/d", "key", ""))

    assert parts == ("postgresql://acp:db%2Fpass@h/d", "db%2Fpass", "db/pass", "key")
