from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import down, prerequisites
from infra.toolchain.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from infra.toolchain.places import Places


@pytest.fixture
def said() -> io.StringIO:
    """Return the stream that everything said goes to."""
    return io.StringIO()


def stack_state(places: Places, name: str) -> Path:
    """Write the state of a stack into the checkout's backend."""
    state = places.checkout / ".pulumi" / "stacks" / "project" / f"{name}.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    return state


def test_checkout_is_left_as_it_was_cloned(places: Places, said: io.StringIO) -> None:
    """What set-up made in the checkout goes; sources and the shared cache stay."""
    (places.checkout / ".acp").mkdir()
    (places.checkout / ".pulumi").mkdir()
    (places.checkout / "infra" / "__pycache__").mkdir()
    places.tools.mkdir(parents=True)
    down.run(places, Progress(stream=said), cache=False)
    assert sorted(path.name for path in places.checkout.iterdir()) == ["infra"]
    assert [path.name for path in (places.checkout / "infra").iterdir()] == ["toolchain"]
    assert places.tools.exists()
    assert "kept for other checkouts" in said.getvalue()


def test_state_of_another_stack_is_kept(places: Places, said: io.StringIO) -> None:
    """The state of a stack that still exists, and the reports, are never removed."""
    state = stack_state(places, "staging")
    (places.checkout / "reports").mkdir()
    down.run(places, Progress(stream=said), cache=False)
    assert state.exists()
    assert (places.checkout / "reports").exists()
    assert "the state of your other stacks" in said.getvalue()


def test_cache_goes_on_request(places: Places, said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--cache` the tools and the logs go too, and nothing is said to be kept for others."""
    monkeypatch.setattr(prerequisites, "plugins", lambda _places: [])
    places.tools.mkdir(parents=True)
    places.logs.mkdir(parents=True)
    down.run(places, Progress(stream=said), cache=True)
    assert not places.tools.exists()
    assert not places.logs.exists()
    assert "kept" not in said.getvalue()


def test_second_time_there_is_nothing_to_remove(places: Places, said: io.StringIO) -> None:
    """Running it again is no error."""
    down.run(places, Progress(stream=said), cache=False)
    down.run(places, Progress(stream=said), cache=False)
