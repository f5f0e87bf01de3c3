from __future__ import annotations

from infra.checks.routes import route_requests
from tests.support.settings import make_settings, service

TLS = {"certificate_file": "/etc/ssl/acp.pem", "server_name": "copilot.example.com"}


def test_every_public_route_of_every_host_is_asked() -> None:
    """Each service's own port and each prefix of the shared port, on both hosts, and only by GET."""
    requests = route_requests(make_settings())
    assert {request.name for request in requests} == {
        f"{route} on {host}" for host in ("h1", "h2") for route in ("acp-ingest", "acp-agents", "/", "/api/v1/jobs")
    }
    assert {request.method for request in requests} == {"GET"}
    assert len({request.url for request in requests}) == len(requests) == 8


def test_the_path_is_asked_where_the_route_has_it() -> None:
    """A service's port and the prefix `/` have the path of the settings; below another prefix a page of its own."""
    found = {request.name: request.url for request in route_requests(make_settings(certificate={"path": "/live"}))}
    host = make_settings().hosts[0]
    assert found["acp-ingest on h1"] == f"http://{host.reach(8000)}/live"
    assert found["/ on h1"] == f"http://{host.reach(80)}/live"
    assert found["/api/v1/jobs on h1"] == f"http://{host.reach(80)}/api/v1/jobs/certificate-probe"


def test_with_tls_the_public_name_is_asked_on_the_shared_tls_port() -> None:
    """Every route speaks TLS under the certificate's name; the redirect of the plain port is no route."""
    settings = make_settings(edge={"tls": TLS})
    requests = route_requests(settings)
    assert all(request.url.startswith("https://") for request in requests)
    assert {request.server_name for request in requests} == {"copilot.example.com"}
    assert {request.headers["Host"] for request in requests} == {"copilot.example.com"}
    assert any(f"{settings.hosts[0].reach(443)}/version" in request.url for request in requests)


def test_a_service_without_a_prefix_has_its_port_alone() -> None:
    """Only what the edge routes is asked."""
    values = {"acp-ingest": service(routes={"public_port": 8000})}
    assert [request.name for request in route_requests(make_settings(services=values))] == [
        "acp-ingest on h1",
        "acp-ingest on h2",
    ]
