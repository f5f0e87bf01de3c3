from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.naming import (
    VERSION_LENGTH,
    container_name,
    data_network,
    data_volume,
    front_network,
    project_name,
    tag_of,
)
from infra.domain.release import HASH_LENGTH
from infra.hostctl.spec import PROJECT, RELEASE

DNS_LABEL_LENGTH = 63
IMAGE_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("v1.4.2", "v1.4.2"),
        ("v1.4.2-3-gabcdef0-dirty.1a2b3c", "v1.4.2-3-gabcdef0-dirty.1a2b3c"),
        ("release/2026 beta+1", "release-2026-beta-1"),
        (".hidden", "hidden"),
        ("a" * 32, "a" * 32),
        ("a" * 40, "a" * 19 + "-e33cdf9c7f71"),
        ("äöü", "unversioned"),
    ],
)
def test_a_version_becomes_a_tag(version: str, tag: str) -> None:
    """What a tag cannot hold becomes a dash, and a version of nothing else still has a name."""
    assert tag_of(version) == tag


@pytest.mark.parametrize("other", ["-dirty.1a2b3d", "-dirty.1a2b3c4", "", "-4-gabcdef0"])
def test_a_long_version_that_ends_otherwise_has_another_tag(other: str) -> None:
    """What git adds to a long tag says which content it is: no other content is taken for it."""
    begin = "release-of-the-analyst-copilot-v2026.10"
    assert tag_of(f"{begin}-dirty.1a2b3c") != tag_of(f"{begin}{other}")


@given(st.text(min_size=0, max_size=80))
def test_the_tag_of_a_tag_is_itself(version: str) -> None:
    """A version that is a tag already, as of a build, begins its release id unchanged."""
    assert tag_of(tag_of(version)) == tag_of(version)


@given(st.text(min_size=0, max_size=80))
def test_any_version_gives_names_that_hosts_accept(version: str) -> None:
    """Whatever a version is called, tag, release id and project are ones the registry and hostctl take."""
    tag = tag_of(version)
    release = f"{tag}-{'0' * HASH_LENGTH}"
    assert re.fullmatch(IMAGE_TAG, tag)
    assert re.fullmatch(RELEASE, release)
    assert re.fullmatch(PROJECT, project_name(release))
    assert "--" not in project_name(release)


def test_the_longest_container_name_is_a_dns_label() -> None:
    """The longest version, compose service and replica number stay within 63 characters."""
    release = f"{tag_of('v' * 100)}-{'0' * HASH_LENGTH}"
    assert len(release) == VERSION_LENGTH + 1 + HASH_LENGTH
    assert len(container_name(project_name(release), "s" * 14, 16)) == DNS_LABEL_LENGTH


def test_names_on_a_host_carry_the_stack() -> None:
    """Networks and volumes of two stacks on one host never meet."""
    assert project_name("v1.4.2-1a2b3c4d") == "acp-v1-4-2-1a2b3c4d"
    assert container_name("acp-v1", "ingest", 2) == "acp-v1-ingest-2"
    assert front_network("staging") == "acp-staging-front"
    assert data_network("staging") == "acp-staging-data"
    assert data_volume("staging", "postgres") == "acp-staging-postgres"
