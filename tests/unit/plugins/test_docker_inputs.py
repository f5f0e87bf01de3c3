from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.provider.experimental.provider import CheckRequest, PropertyDiffKind

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.values import UNKNOWN, plain, plain_properties, wrap
from infra.toolchain.plugins.docker.address import parse_address, ssh_argv
from infra.toolchain.plugins.docker.comparison import changed_inputs, labels_to_map, map_to_labels
from infra.toolchain.plugins.docker.credentials import parse_logins
from infra.toolchain.plugins.docker.image_name import parse_image_name
from infra.toolchain.plugins.docker.naming import checked_inputs, named_by_user
from infra.toolchain.plugins.docker.network import create_body
from infra.toolchain.plugins.docker.proxies import proxies_for
from infra.toolchain.plugins.docker.removal import wait_removed

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ("driver", "internal", "ipamConfigs", "labels", "name")
COMPUTED = ("driver", "internal", "ipamConfigs")
STATE: dict[str, Any] = {
    "name": "n",
    "driver": "bridge",
    "internal": False,
    "labels": [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}],
    "ipamConfigs": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.1", "ipRange": "", "auxAddress": {}}],
}


@pytest.mark.parametrize(
    ("inputs", "changed"),
    [
        ({"name": "n", "labels": STATE["labels"]}, {}),
        ({"name": "n", "labels": STATE["labels"][::-1]}, {}),
        ({"name": "n", "labels": STATE["labels"], "ipamConfigs": [{"subnet": "10.0.0.0/24"}]}, {}),
        ({"name": "n"}, {"labels": PropertyDiffKind.DELETE}),
        ({"name": "m", "labels": STATE["labels"]}, {"name": PropertyDiffKind.UPDATE}),
        ({"name": "n", "labels": STATE["labels"], "driver": "overlay"}, {"driver": PropertyDiffKind.UPDATE}),
        ({"name": "n", "labels": STATE["labels"], "internal": False}, {}),
        ({"name": "n", "labels": STATE["labels"], "internal": True}, {"internal": PropertyDiffKind.UPDATE}),
        (
            {"name": "n", "labels": STATE["labels"], "ipamConfigs": [{"subnet": "10.0.1.0/24"}]},
            {"ipamConfigs": PropertyDiffKind.UPDATE},
        ),
        ({"name": UNKNOWN, "labels": STATE["labels"]}, {"name": PropertyDiffKind.UPDATE}),
    ],
)
def test_inputs_are_compared_by_terraforms_rules(inputs: dict[str, Any], changed: dict[str, PropertyDiffKind]) -> None:
    """Sets have no order, what Docker fills in is no change when it is left out, and anything else is."""
    assert changed_inputs(STATE, inputs, keys=KEYS, computed=COMPUTED) == changed


def test_labels_convert_both_ways() -> None:
    """The list of labels and Docker's map are the same thing; nothing is an empty one."""
    assert labels_to_map(map_to_labels({"b": "2", "a": "1"})) == {"a": "1", "b": "2"}
    assert map_to_labels(None) == []


def test_given_name_is_kept_and_defaults_are_noted() -> None:
    """A default is filled in and noted; the user's name makes replacements delete first."""
    request = CheckRequest("urn:pulumi:s::p::t:m:T::res", {}, {"name": wrap("mine"), "driver": wrap(None)}, b"")
    inputs = checked_inputs(request, {"ipamDriver": "default"})
    assert plain_properties(inputs) == {"name": "mine", "ipamDriver": "default", "__defaults": ["ipamDriver"]}
    assert named_by_user(inputs)


def test_missing_name_is_made_once() -> None:
    """A resource without a name gets its own with random digits, and keeps it."""
    first = checked_inputs(CheckRequest("urn:pulumi:s::p::t:m:T::res", {}, {}, b""), {})
    second = checked_inputs(CheckRequest("urn:pulumi:s::p::t:m:T::res", first, {}, b""), {})
    assert plain(first["name"]).startswith("res-")
    assert plain(second["name"]) == plain(first["name"])
    assert not named_by_user(second)


def test_network_request_leaves_out_what_is_not_set() -> None:
    """Only what is set is sent; a second network of that name is never made."""
    assert create_body({"name": "n", "ipamDriver": "default"}) == {
        "Name": "n",
        "CheckDuplicate": True,
        "IPAM": {"Driver": "default"},
    }
    full = create_body(
        {"name": "n", "internal": True, "labels": STATE["labels"], "ipamConfigs": [{"subnet": "s", "gateway": ""}]}
    )
    assert full["IPAM"] == {"Config": [{"Subnet": "s"}]}
    assert full["Labels"] == {"a": "1", "b": "2"}


def test_ssh_command_is_the_official_one() -> None:
    """The options come before the login, the host behind `--`, and the engine's API is dialled on it."""
    address = parse_address("ssh://deploy@127.0.0.11:2222", ("-i", "key"))
    assert ssh_argv(address) == [
        "ssh", "-o", "ConnectTimeout=30", "-T", "-i", "key", "-l", "deploy", "-p", "2222",
        "--", "127.0.0.11", "docker", "system", "dial-stdio",
    ]  # fmt: skip
    assert ssh_argv(parse_address("ssh://h", ()))[-5:] == ["--", "h", "docker", "system", "dial-stdio"]


@pytest.mark.parametrize("host", ["", "h1", "npipe://x", "ssh://", "ssh://u:password@h"])
def test_unusable_host_is_refused(host: str) -> None:
    """A host without a known scheme, or with a password in it, is an error."""
    with pytest.raises(PluginError, match="Error initializing Docker client"):
        parse_address(host, ())


@pytest.mark.parametrize(
    ("name", "registry", "repository", "reference"),
    [
        ("alpine", "registry-1.docker.io", "library/alpine", "latest"),
        ("acp/ingest:v1", "registry-1.docker.io", "acp/ingest", "v1"),
        ("172.28.11.2:5000/acp/ingest:v1", "172.28.11.2:5000", "acp/ingest", "v1"),
        ("localhost/x", "localhost", "x", "latest"),
        ("ghcr.io/a/b/c@sha256:12", "ghcr.io", "a/b/c", "sha256:12"),
        ("ghcr.io/a/b:tag@sha256:12", "ghcr.io", "a/b", "sha256:12"),
    ],
)
def test_image_names_are_taken_apart(name: str, registry: str, repository: str, reference: str) -> None:
    """A port is no tag, and a digest wins over a tag."""
    parsed = parse_image_name(name)
    assert (parsed.registry, parsed.repository, parsed.reference) == (registry, repository, reference)


def test_logins_are_found_by_host_and_not_shown() -> None:
    """Each login belongs to its registry's host, over TLS unless it says otherwise; the password is not printed."""
    logins = parse_logins(
        [
            {"address": "r:5000", "username": "u", "password": "hidden-1"},
            {"address": "http://plain", "authDisabled": True},
        ]
    )
    assert logins["r:5000"].address == "https://r:5000"
    assert logins["r:5000"].basic() == "Basic dTpoaWRkZW4tMQ=="
    assert "hidden-1" not in repr(logins)
    assert (logins["plain"].address, logins["plain"].username) == ("http://plain", "")


def test_login_is_read_from_a_docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a user name the login comes from the given config, a file or a folder."""
    monkeypatch.delenv("DOCKER_REGISTRY_USER", raising=False)
    config = json.dumps({"auths": {"https://r:5000/v2/": {"auth": "dTpw"}}})
    (tmp_path / "config.json").write_text(config)
    for entry in ({"configFileContent": config}, {"configFile": str(tmp_path)}):
        login = parse_logins([{"address": "r:5000", **entry}])["r:5000"]
        assert (login.username, login.password) == ("u", "p")


def test_unreadable_docker_config_is_told(tmp_path: Path) -> None:
    """A missing file and one that is no JSON are errors."""
    with pytest.raises(PluginError, match="could not open config file"):
        parse_logins([{"address": "r", "configFile": str(tmp_path / "none")}])
    with pytest.raises(PluginError, match="couldn't find registry config"):
        parse_logins([{"address": "r", "configFileContent": "x"}])


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://registry.example.org/v2/", True),
        ("https://localhost:5000", False),
        ("https://127.0.9.9:5000", False),
        ("https://172.28.11.2:5000", False),
        ("https://172.29.0.1", True),
        ("https://r.corp.example", False),
        ("https://corp.example", False),
        ("https://notcorp.example", True),
    ],
)
def test_proxies_follow_gos_rules(url: str, proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine, networks, names and domains of NO_PROXY are asked straight."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "172.28.0.0/16, .corp.example")
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy:3128"})
    assert bool(proxies_for(url)) is proxied


def removal(after: float, *, cancelled: bool = False) -> tuple[list[float], float]:
    """Try to remove what is free `after` seconds; return the pauses and the time it took."""
    now, pauses = 0.0, []

    def pause(seconds: float) -> bool:
        nonlocal now
        now += seconds
        pauses.append(seconds)
        return cancelled

    wait_removed(lambda: now >= after, in_use_state="busy", pause=pause, clock=lambda: now)
    return pauses, now


def test_removal_is_tried_at_once_and_every_5_s() -> None:
    """Nothing in use goes at once; else it is tried again every 5 s."""
    assert removal(0) == ([], 0)
    assert removal(12) == ([5, 5, 5], 15)


def test_removal_gives_up_after_30_s() -> None:
    """After 30 s the state that lasted is named."""
    with pytest.raises(PluginError, match=r"\(last state: 'busy', timeout: 30s\)"):
        removal(31)


def test_cancelled_removal_stops() -> None:
    """A cancelled update stops waiting."""
    with pytest.raises(PluginError, match="context canceled"):
        removal(31, cancelled=True)
