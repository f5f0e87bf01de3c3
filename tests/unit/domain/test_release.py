from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.release import ImageRef, content_hash, fingerprint
from tests.support.release import IMAGES, image, make_release, template
from tests.support.settings import make_settings, service, stack_values

if TYPE_CHECKING:
    from infra.domain.release import Release


def changed_compose() -> Release:
    """Return a release whose compose file differs in one value."""
    compose = template()
    compose["services"]["ingest"]["pids_limit"] = 512
    return make_release(compose=compose)


def test_an_id_is_the_version_and_eight_hex_digits() -> None:
    """`v1.4.2-<8 hex>`, from which project and spec take their names."""
    release = make_release()
    version, _, digits = release.id.rpartition("-")
    assert version == "v1.4.2"
    assert len(digits) == 8
    assert int(digits, 16) >= 0
    assert release.spec["release"] == release.id
    assert release.spec["project"] == f"acp-v1-4-2-{digits}"


def test_the_same_input_gives_the_same_id() -> None:
    """Nothing but the content counts: neither the moment nor the order of the images."""
    assert make_release().id == make_release().id
    assert make_release(images=dict(reversed(IMAGES.items()))).id == make_release().id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: make_release(images={**IMAGES, "acp-agents": image("acp-agents", "c")}), id="digest"),
        pytest.param(changed_compose, id="compose"),
        pytest.param(lambda: make_release(make_settings(environment={"LOG_LEVEL": "DEBUG"})), id="environment"),
        pytest.param(lambda: make_release(fingerprints={"SECRET_KEY": "1" * 16}), id="secret"),
        pytest.param(
            lambda: make_release(
                make_settings(services={**stack_values()["services"], "acp-ingest": service(replicas=2)})
            ),
            id="replicas",
        ),
        pytest.param(
            lambda: make_release(
                make_settings(services={**stack_values()["services"], "acp-ingest": service(readiness={"passes": 9})})
            ),
            id="readiness",
        ),
    ],
)
def test_a_change_is_another_release(other: object) -> None:
    """Digest, compose file, configuration and a rotated secret each give a new id of the same version."""
    changed = other()  # type: ignore[operator]
    assert changed.id != make_release().id
    assert changed.id.rpartition("-")[0] == "v1.4.2"


def test_what_only_the_runner_uses_is_no_new_release() -> None:
    """Checks and rollout rules may change without a release."""
    assert make_release(make_settings(checks={"passes": 9}, rollout={"keep": 9})).id == make_release().id


def test_a_tag_without_another_digest_is_the_same_content() -> None:
    """Promoting a digest under another tag keeps the hash; only the version part tells them apart."""
    retagged = {name: ImageRef(name=name, repository=ref.repository, tag="other", digest=ref.digest)
                for name, ref in IMAGES.items()}  # fmt: skip
    assert make_release(images=retagged).id == make_release().id


def test_images_go_to_hosts_by_digest_only() -> None:
    """No tag stands in what a host gets."""
    release = make_release()
    assert release.spec["images"] == sorted(ref.pinned for ref in IMAGES.values())
    composed = {service["image"] for service in release.spec["compose"]["services"].values()}
    assert composed == set(release.spec["images"])


def test_a_worker_has_neither_port_nor_routes() -> None:
    """Only services with traffic say how they are reached and judged."""
    services = {service["name"]: service for service in make_release().spec["services"]}
    assert "routes" not in services["acp-worker"]
    assert services["acp-ingest"]["readiness"]["field"] == "status"
    assert services["acp-ingest"]["routes"]["repeatable_paths"] == ["/api/v1/search"]


@pytest.mark.parametrize(("readiness", "said"), [({"timeout_seconds": 600}, {"timeout_seconds": 600}), ({}, None)])
def test_a_worker_says_how_long_it_takes_where_that_is_set(
    readiness: dict[str, float], said: dict[str, float] | None
) -> None:
    """A stack that sets nothing has the release that it had before this could be set."""
    values = stack_values()["services"]
    values["acp-worker"]["readiness"] = readiness
    release = make_release(make_settings(services=values))
    worker = next(service for service in release.spec["services"] if service["name"] == "acp-worker")
    assert worker.get("readiness") == said
    assert (release.id == make_release().id) is (said is None)


def test_a_spec_is_json() -> None:
    """The release document survives being sent."""
    spec = dict(make_release().spec)
    assert json.loads(json.dumps(spec)) == spec


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=6))
def test_a_hash_does_not_depend_on_the_order_of_keys(content: dict[str, object]) -> None:
    """The same mapping in another order has the same hash."""
    assert content_hash(dict(reversed(content.items()))) == content_hash(content)


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_a_fingerprint_tells_change_and_nothing_else(one: str, other: str) -> None:
    """Equal values have equal fingerprints, different values different ones, and a value is not in its fingerprint."""
    assert (fingerprint("key", "NAME", one) == fingerprint("key", "NAME", other)) == (one == other)
    assert fingerprint("key", "NAME", one) != fingerprint("key2", "NAME", one)
    assert fingerprint("key", "NAME", one) != fingerprint("key", "NAME2", one)
    assert len(fingerprint("key", "NAME", one)) == 16
