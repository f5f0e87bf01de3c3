from __future__ import annotations

from infra.checks.target import candidate_targets, public_targets, web_services
from tests.support.settings import HOST_KEY, make_settings


def test_workers_are_not_asked() -> None:
    """Only services with traffic are targets."""
    assert list(web_services(make_settings())) == ["acp-ingest", "acp-agents"]


def test_every_web_service_of_every_host_is_a_public_target() -> None:
    """Each is reached at its public port on each host, by HTTP where the stack has no TLS."""
    found = public_targets(make_settings(), "v1-0")
    assert [(t.name, t.base_url, t.release) for t in found] == [
        ("acp-ingest on h1", "http://127.0.11.11:8000", "v1-0"),
        ("acp-agents on h1", "http://127.0.11.11:8001", "v1-0"),
        ("acp-ingest on h2", "http://127.0.11.12:8000", "v1-0"),
        ("acp-agents on h2", "http://127.0.11.12:8001", "v1-0"),
    ]
    assert found[0].request_headers == {}
    assert found[0].extensions == {}


def test_with_tls_hosts_are_asked_by_https_under_the_public_name() -> None:
    """The address says which host, the name which certificate."""
    tls = {"certificate_file": "/etc/acp/tls.pem", "server_name": "acp.example.test"}
    (found, *_) = public_targets(make_settings(edge={"tls": tls}), None)
    assert found.base_url == "https://127.0.11.11:8000"
    assert found.request_headers == {"Host": "acp.example.test"}
    assert found.extensions == {"sni_hostname": "acp.example.test"}


def test_a_port_published_elsewhere_is_asked_there() -> None:
    """Where the runner reaches a public port under another number, that one is asked."""
    hosts = [{"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {8000: 20180}}]
    assert public_targets(make_settings(hosts=hosts), None)[0].base_url == "http://127.0.0.1:20180"


def test_a_candidate_is_reached_through_forwarded_ports() -> None:
    """Each forwarded loopback port is a target of its service, by HTTP, and must answer as the release."""
    settings = make_settings()
    found = candidate_targets(settings, settings.hosts[1], {"acp-agents": 40001}, "v1-0")
    assert [(t.name, t.service_name, t.base_url, t.release) for t in found] == [
        ("candidate acp-agents on h2", "acp-agents", "http://127.0.0.1:40001", "v1-0")
    ]
