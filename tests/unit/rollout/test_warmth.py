from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pytest

from infra.errors import HostUnreachableError, ImageMissingError, RegistryError, UsageError
from infra.rollout import warmth
from infra.rollout.warmth import (
    HostReturn,
    ask_hosts,
    host_returns,
    refuse_impossible,
    refuse_serving,
    serving_releases,
    without_silent,
)
from tests.support.fake_hostctl import make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.rollout.warmth import RegistryApi

DIGEST = "sha256:" + "a" * 64
ENTRY = {"release": "v1-0", "images": {"acp-ingest": f"registry.test:5000/acp/acp-ingest@{DIGEST}"}}
WARM, COLD = HostReturn(host="h1", how="warm"), HostReturn(host="h2", how="cold")


class FakeRegistry:
    """A registry that has some digests, or does not answer."""

    def __init__(self, *digests: str, error: RegistryError | None = None) -> None:
        """Have `digests`."""
        self.digests, self.error = digests, error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def has(self, _repository: str, digest: str) -> bool:
        """Answer, or not."""
        if self.error:
            raise self.error
        return digest in self.digests


def use(monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry) -> None:
    """Let the stack's registry be this one."""

    class Opened:
        @staticmethod
        def open(*_: Any) -> FakeRegistry:
            return registry

    opened: type[RegistryApi] = Opened  # type: ignore[assignment]
    monkeypatch.setattr(warmth, "RegistryApi", opened)


def test_a_host_that_keeps_the_release_is_warm() -> None:
    """Parked, or still retiring; another host is cold; one that does not answer has no way back."""
    stage = make_stage()
    kept = {"parked": ["v1-0"], "current": "v2-0", "retiring": None}
    stage.answer("status", kept, host="h1")
    stage.answer("status", {**kept, "parked": []}, host="h2")
    assert [item.how for item in host_returns(ask_hosts(stage.context.group.clients), "v1-0")] == ["warm", "cold"]
    stage.answer("status", {**kept, "parked": [], "retiring": "v1-0"}, host="h2")
    assert host_returns(ask_hosts(stage.context.group.clients), "v1-0")[1].how == "warm"
    stage.answer("status", HostUnreachableError("h2 is not reachable"), host="h2")
    assert host_returns(ask_hosts(stage.context.group.clients), "v1-0")[1].problem == "h2 is not reachable"


def test_a_warm_return_asks_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works while there is none."""
    use(monkeypatch, FakeRegistry(error=RegistryError("down")))
    refuse_impossible(make_settings(), "", ENTRY, [WARM])


def test_a_cold_return_needs_every_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither kept nor in the registry is named before anything changes."""
    use(monkeypatch, FakeRegistry(DIGEST))
    refuse_impossible(make_settings(), "", ENTRY, [WARM, COLD])
    use(monkeypatch, FakeRegistry())
    with pytest.raises(ImageMissingError, match=r"v1-0 is neither kept on h2 nor in the registry: .*acp-ingest@sha256"):
        refuse_impossible(make_settings(), "", ENTRY, [WARM, COLD])


def test_a_cold_return_needs_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer is named with the hosts that need it."""
    use(monkeypatch, FakeRegistry(error=RegistryError("the registry did not answer", where="registry.test:5000")))
    with pytest.raises(RegistryError, match="v1-0 is not kept on h2, and it cannot be pulled there") as caught:
        refuse_impossible(make_settings(), "", ENTRY, [WARM, COLD])
    assert "parked on every host" in caught.value.mend


def test_a_host_that_does_not_answer_refuses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts of a stack go back together."""
    use(monkeypatch, FakeRegistry(DIGEST))
    with pytest.raises(HostUnreachableError, match="h2: is gone"):
        refuse_impossible(make_settings(), "", ENTRY, [WARM, HostReturn(host="h2", problem="is gone")])


def test_what_serves_is_what_is_committed_on_hosts_that_answer() -> None:
    """A trial is not, nor is a host counted that cannot be asked."""
    stage = make_stage()
    stage.answer("status", {"current": "v1-0", "candidate": "v2-0", "serving": "v2-0"}, host="h1")
    stage.answer("status", HostUnreachableError("h2 is not reachable"), host="h2")
    assert serving_releases(ask_hosts(stage.context.group.clients)) == {"h1": "v1-0"}


@pytest.mark.parametrize("serving", [{"h1": "v1-0", "h2": "v1-0"}, {"h1": "v1-0"}, {}], ids=["all", "one", "none"])
def test_what_serves_is_no_target(serving: dict[str, str | None]) -> None:
    """Going nowhere is a mistake: the record says so, and every host that answers."""
    hosts = ["h1", "h2"]
    entry = {"release": "v1-0", "hosts": dict.fromkeys(hosts, "key")}
    refuse_serving("local", "v0-0", entry, serving, hosts)
    for recorded in (entry, {"release": "v1-0"}):
        with pytest.raises(UsageError, match="v1-0 is what stack local serves already"):
            refuse_serving("local", "v1-0", recorded, serving, hosts)


@pytest.mark.parametrize("other", ["v1-0", "v2-0", None])
def test_what_is_recorded_may_be_asked_for_where_a_host_serves_something_else(other: str | None) -> None:
    """An update that was cut off behind its commit is in no record."""
    refuse_serving("local", "v1-0", {"release": "v1-0"}, {"h1": "v2-0", "h2": other}, ["h1", "h2"])


def test_what_serves_and_is_not_recorded_may_be_asked_for() -> None:
    """The same rollback again records what it did before it was cut off."""
    refuse_serving("local", "v1-0", {"release": "v2-0"}, {"h1": "v1-0"}, ["h1"])


def test_what_serves_on_some_hosts_only_may_be_asked_for_again() -> None:
    """A host that was left alone gets there by the same rollback."""
    refuse_serving("local", "v1-0", {"release": "v1-0", "hosts": {"h1": "key"}}, {"h1": "v1-0"}, ["h1", "h2"])


def test_a_silent_host_is_left_alone_where_the_stack_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that cannot be reached, and never the last one."""
    use(monkeypatch, FakeRegistry(DIGEST))
    silent = HostReturn(host="h2", problem="is gone", is_silent=True)
    skipping = make_settings(rollout={"unreachable_host": "skip"})
    skipped = without_silent(skipping, [WARM, silent])
    assert [(item.host, item.how, item.problem) for item in skipped] == [("h1", "warm", ""), ("h2", "skipped", "")]
    refuse_impossible(skipping, "", ENTRY, skipped)
    assert without_silent(make_settings(), [WARM, silent]) == [WARM, silent]
    assert without_silent(skipping, [silent]) == [silent]
    strange = HostReturn(host="h2", problem="showed another key")
    with pytest.raises(HostUnreachableError, match="another key"):
        refuse_impossible(skipping, "", ENTRY, without_silent(skipping, [WARM, strange]))
