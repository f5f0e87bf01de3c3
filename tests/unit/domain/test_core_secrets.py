from __future__ import annotations

from infra.domain.core_secrets import core_secrets


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
