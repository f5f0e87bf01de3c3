"""Settings from environment variables, every problem reported at once and no value ever quoted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from acp_reference.core.faults import Fault, FaultError, parse_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMON_REQUIRED: Final = (
    "REDIS_URL",
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEY",
    "LLM_ENDPOINT",
    "OPENAI_API_KEY",
)
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "acp-ingest": (*_COMMON_REQUIRED, "DATABASE_URL", "EMBEDDING_ENDPOINT"),
    "acp-worker": (*_COMMON_REQUIRED, "DATABASE_URL", "EMBEDDING_ENDPOINT"),
    "acp-agents": (*_COMMON_REQUIRED, "KNOWLEDGE_URL"),
}
_SECRET_NAMES: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEY",
    "OPENAI_API_KEY",
)
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})


class SettingsError(ValueError):
    """All problems of an environment, by variable name, without any value that may be secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a service needs to know; secrets stay out of its repr."""

    service: str
    version: str
    release: str
    environment: str
    log_level: str
    log_format: str
    fault: Fault
    port: int
    database_pool_size: int
    max_concurrent_jobs: int
    worker_concurrency: int
    cors_origins: tuple[str, ...]
    ssl_enabled: bool
    agent_pace_seconds: float
    llm_model: str
    embedding_model: str
    llm_endpoint: str
    embedding_endpoint: str
    knowledge_url: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    openai_api_key: str = field(repr=False)
    secret_values: tuple[str, ...] = field(repr=False)


class _Reader:
    """Reads typed values and gathers problems instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, "").strip() or default

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            self.problems.append(f"{name}: must be a number from {least:g} to {most:g}")
            return default
        return value

    def url(self, name: str, schemes: tuple[str, ...]) -> str:
        text = self.text(name)
        if text and urlsplit(text).scheme not in schemes:
            self.problems.append(f"{name}: must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        return text.rstrip("/")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            self.problems.append(f"{name}: must be one of {', '.join(choices)}")
            return default
        return text

    def fault(self) -> Fault:
        try:
            return parse_fault(self.text("ACP_FAULT", "none"))
        except FaultError as error:
            self.problems.append(str(error))
            return Fault()


def driver_free_url(url: str) -> str:
    """Drop a driver from a URL's scheme: `postgresql+psycopg2://…` becomes `postgresql://…`."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def secret_parts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Give every text that must never be logged: the values themselves and passwords inside URLs, longest first."""
    parts: set[str] = set()
    for value in values:
        parts.add(value)
        if "://" in value:
            password = urlsplit(value).password
            if password:
                parts.update((password, unquote(password)))
    return tuple(sorted((part for part in parts if part), key=len, reverse=True))


def load_settings(service: str, environ: Mapping[str, str], *, port: int) -> Settings:
    """Read the settings of `service`; raise SettingsError with every missing or bad variable."""
    read = _Reader(environ)
    missing = [name for name in REQUIRED[service] if not read.text(name)]
    read.problems.extend(f"{name}: is not set" for name in missing)
    settings = Settings(
        service=service,
        version=read.text("ACP_VERSION", "v0.0.0"),
        release=read.text("ACP_RELEASE", "unreleased"),
        environment=read.text("ENVIRONMENT", "local"),
        log_level=read.choice("LOG_LEVEL", "INFO", _LOG_LEVELS),
        log_format=read.choice("LOG_FORMAT", "json", ("json", "text")),
        fault=read.fault(),
        port=int(read.number("PORT", port, least=1, most=65535)),
        database_pool_size=int(read.number("DATABASE_POOL_SIZE", 5, least=1, most=200)),
        max_concurrent_jobs=int(read.number("MAX_CONCURRENT_JOBS", 4, least=1, most=200)),
        worker_concurrency=int(read.number("CELERY_WORKER_CONCURRENCY", 2, least=1, most=64)),
        cors_origins=tuple(origin.strip() for origin in read.text("CORS_ORIGINS").split(",") if origin.strip()),
        ssl_enabled=read.text("SSL_ENABLED").lower() in _TRUE_WORDS,
        agent_pace_seconds=read.number("AGENT_PACE_SECONDS", 1.0, least=0, most=60),
        llm_model=read.text("LLM_MODEL", "gpt-4o-mini"),
        embedding_model=read.text("EMBEDDING_MODEL", "text-embedding-3-small"),
        llm_endpoint=read.url("LLM_ENDPOINT", ("http", "https")),
        embedding_endpoint=read.url("EMBEDDING_ENDPOINT", ("http", "https")),
        knowledge_url=read.url("KNOWLEDGE_URL", ("http", "https")),
        database_url=driver_free_url(read.text("DATABASE_URL")),
        redis_url=read.url("REDIS_URL", ("redis", "rediss")),
        openai_api_key=read.text("OPENAI_API_KEY"),
        secret_values=secret_parts(tuple(read.text(name) for name in _SECRET_NAMES)),
    )
    if settings.database_url and urlsplit(settings.database_url).scheme not in {"postgres", "postgresql"}:
        read.problems.append("DATABASE_URL: must be a URL that starts with postgresql://")
    if read.problems:
        raise SettingsError("; ".join(read.problems))
    return settings
