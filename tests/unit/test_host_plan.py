from __future__ import annotations

import pytest

from infra.domain.ledger import host_keys
from infra.errors import SettingsError, UsageError
from infra.host_plan import refuse_other_stack, refuse_renamed
from tests.support.settings import make_settings

KEYS = ("ssh-ed25519 AAAAone", "ssh-ed25519 AAAAtwo", "ssh-ed25519 AAAAthree")


def recorded(*keys: str) -> dict[str, str]:
    """Return the keys of hosts h1, h2, … as the record has them."""
    return {f"h{number}": key for number, key in enumerate(keys, 1)}


def test_a_host_with_another_name_is_refused() -> None:
    """Its data would be two volumes in the state that are one on the host; the name that it has is said."""
    names = {"h1": KEYS[0], "web": KEYS[1]}
    hosts = [{"name": name, "address": "127.0.11.11", "host_key": key} for name, key in names.items()]
    with pytest.raises(SettingsError) as caught:
        refuse_renamed(make_settings(hosts=hosts), recorded(*KEYS[:2]))
    assert caught.value.problems == ("hosts[1].name: web shows the host key of h2, which this stack has set up",)
    assert "nothing was changed" in str(caught.value)


@pytest.mark.parametrize("names", [("h1", "h2"), ("h1", "h3"), ("h1",), ("h1", "h2", "h3")])
def test_hosts_that_stay_come_and_go_are_not(names: tuple[str, ...]) -> None:
    """A new machine under any name, one that is taken out, and one with a new key under its old name."""
    keys = {"h1": KEYS[0], "h2": KEYS[2], "h3": KEYS[2]}
    hosts = [{"name": name, "address": "127.0.11.11", "host_key": keys[name]} for name in names]
    refuse_renamed(make_settings(hosts=hosts), recorded(*KEYS[:2]))


def test_machines_with_one_key_are_told_apart_by_name() -> None:
    """Clones share a key: beside the one that stays, a new one is no renamed one."""
    hosts = [{"name": name, "address": "127.0.11.11", "host_key": KEYS[0]} for name in ("h1", "h2", "h3")]
    settings = make_settings(hosts=hosts)
    refuse_renamed(settings, {name: key for name, key in host_keys(settings).items() if name != "h3"})


def test_a_renamed_stack_is_refused_with_the_way_back() -> None:
    """Under another name every network and volume of its hosts would be made anew."""
    with pytest.raises(UsageError, match="released by stack staging") as caught:
        refuse_other_stack(make_settings(), {"stack": "staging"})
    assert caught.value.mend == "pulumi stack rename staging --stack local; nothing was changed"
    refuse_other_stack(make_settings(), {"stack": "local"})
    refuse_other_stack(make_settings(), {})
