"""Load tests: k6 sized by the stack's settings, judged by what was really measured, kept per release."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

from infra.adapters.k6 import Summary, require_version, run_k6
from infra.checks.tls import own_authority
from infra.domain.load_plan import Addresses, Job, State, chosen, plan_of
from infra.domain.load_report import LoadReport, Reading, figures_of, missed, unmeasured
from infra.domain.load_work import MIXED, WORK
from infra.errors import HostUnreachableError, SecretMissingError, ToolError, UsageError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.settings.load_profiles import Profile, Scenario
    from infra.settings.model import Host, Settings

SCRIPTS = PROJECT_ROOT / "k6"
REPORTS = PROJECT_ROOT / "reports" / "load"
STOPS_AROUND = 5  # as long as so many last arrivals may take: their work, and making and removing data
FIRST_PORT = 10_000  # of the names by which k6 knows one host from another behind one TLS name


def run_load(
    settings: Settings,
    *,
    release: str,
    images: Sequence[str],
    profile: str,
    scenario: str = MIXED,
    environ: Mapping[str, str],
) -> LoadReport:
    """Run a scenario of a profile against the release that serves, through the public address of every host."""
    found = choose_profile(settings, profile)
    scenarios = choose_scenarios(found, profile, scenario)
    version = require_version()
    token = _token(settings, environ)
    job = job_of(settings)
    plan = plan_of(found, scenarios, addresses_of(settings), release, job, states_of(settings))
    started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    limit = found.duration_seconds + STOPS_AROUND * job.graceful_stop_seconds
    authority = own_authority(settings)
    summary = run_k6(SCRIPTS / f"{scenario}.js", plan, timeout_seconds=limit, token=token, authority=authority)
    readings = _readings(summary)
    wanted = plan["options"]["thresholds"]
    problems = unmeasured(wanted, readings)
    if problems:
        raise ToolError("k6 did not measure what was asked\n" + "\n".join(f"  {problem}" for problem in problems))
    kinds, endpoints = figures_of(scenarios, release, readings)
    return LoadReport(
        stack=settings.stack,
        release=release,
        images=tuple(images),
        profile=profile,
        scenario=scenario,
        started_at=started_at,
        seconds=round(summary.seconds, 2),
        k6=version,
        missed=missed(wanted, readings),
        failed_checks={check.name: check.fails for check in summary.failed_checks},
        scenarios=kinds,
        endpoints=endpoints,
    )


def keep(report: LoadReport, folder: Path = REPORTS) -> Path:
    """Write the report among those of its release and return the file."""
    stamp = report.started_at.replace(":", "").replace("-", "")
    path = folder / report.stack / report.release / f"{stamp}-{report.profile}-{report.scenario}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    return path


def choose_profile(settings: Settings, name: str) -> Profile:
    """Return a profile of the stack."""
    if name not in settings.load.profiles:
        raise UsageError(f"there is no profile {name!r}", mend=f"name one of: {', '.join(settings.load.profiles)}")
    return settings.load.profiles[name]


def choose_scenarios(profile: Profile, name: str, scenario: str) -> dict[str, Scenario]:
    """Return what a run is made of."""
    found = chosen(profile, scenario)
    if not found:
        known = ", ".join([*profile.scenarios, MIXED])
        what = "the profile {name!r} has no scenario" if scenario in WORK else "there is no scenario"
        raise UsageError(f"{what.format(name=name)} {scenario!r}", mend=f"name one of: {known}")
    return found


def job_of(settings: Settings) -> Job:
    """Return the agents job of the smoke test: what it takes for an answer, load tests take for one."""
    smoke = settings.checks.smoke
    return Job(body=smoke.job, answered=smoke.answered, failed=smoke.failed, within_seconds=smoke.within_seconds)


def states_of(settings: Settings) -> dict[str, list[State]]:
    """Return what the services are asked about themselves: health and readiness, as the stack's checks ask them."""
    names = {"ingest": settings.checks.ingest_service, "agents": settings.checks.agents_service}
    return {
        kind: [
            State(name=name, path=rule.path, field=rule.field, equals=rule.equals)
            for name, rule in (("health", service.health), ("ready", service.readiness))
        ]
        for kind, service in ((kind, settings.services[name]) for kind, name in names.items())
    }


def addresses_of(settings: Settings) -> Addresses:
    """Return where k6 finds the public ports of every host; behind TLS each host has the one name, told by a port."""
    services = {"ingest": settings.checks.ingest_service, "agents": settings.checks.agents_service}
    tls = settings.edge.tls
    urls: dict[str, list[str]] = {kind: [] for kind in services}
    hosts: dict[str, str] = {}
    for host in settings.hosts:
        for kind, service in services.items():
            port = _public_port(settings, service)
            if tls is None:
                urls[kind].append(f"http://{host.reach(port)}")
                continue
            name = f"{tls.server_name}:{FIRST_PORT + len(hosts)}"
            hosts[name] = _resolved(host, port)
            urls[kind].append(f"https://{name}")
    return Addresses(services=urls, hosts=hosts, host_header=tls.server_name if tls else None)


def _public_port(settings: Settings, service: str) -> int:
    found = settings.services.get(service)
    if found is None or found.routes is None:
        raise UsageError(
            f"the stack has no web service {service!r} to put under load",
            mend="name the services in `acp:checks` `ingest_service` and `agents_service`",
        )
    return found.routes.public_port


def _resolved(host: Host, port: int) -> str:
    """Return `address:port` of a host as a number: k6 maps names to those only."""
    address, _, reached = host.reach(port).rpartition(":")
    try:
        return f"{socket.gethostbyname(address)}:{reached}"
    except (OSError, UnicodeError) as error:
        raise HostUnreachableError(f"{host.name}: {address} has no address: {error}") from None


def _token(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the bearer token that requests carry, empty where the app wants none."""
    name = settings.load.token_name
    if name and not environ.get(name):
        raise SecretMissingError(
            f"the environment of stack {settings.stack}", [f"{name} is not set"], mend="export it: load tests carry it"
        )
    return environ[name] if name else ""


def _readings(summary: Summary) -> dict[str, Reading]:
    return {
        name: Reading(kind=metric.type, values=metric.values, held=metric.thresholds)
        for name, metric in summary.metrics.items()
    }
