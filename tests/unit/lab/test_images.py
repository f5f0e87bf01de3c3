from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.process import Completed
from infra.errors import ToolError
from infra.lab import images as subject
from infra.lab.catalogue import RECIPES
from infra.lab.images import Images, remove_images, why_failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Progress:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Take a line."""

    @contextmanager
    def work(self, name: str, doing: str) -> Iterator[None]:
        """Take a piece of work."""
        yield


class Engine:
    """A docker engine in memory: tags with image ids, a list of what was asked of it, and no public registry."""

    def __init__(self, *, public: tuple[str, ...] = (), fails: bool = False) -> None:
        self.ids: dict[str, str] = {}
        self.pulled: set[str] = set()
        self.asked: list[str] = []
        self.public = public
        self.fails = fails

    def image_ids(self) -> dict[str, str]:
        """List tags."""
        return dict(self.ids)

    def image(self, name: str) -> dict[str, Any] | None:
        """Inspect a tag."""
        if name not in self.ids:
            return None
        digests = [f"{name.split(':', maxsplit=1)[0]}@sha256:1"] if name in self.pulled else []
        return {"Id": self.ids[name], "RepoDigests": digests, "RootFS": {"Layers": [f"layer of {self.ids[name]}"]}}

    def docker(self, *args: str, check: bool = True, **_: object) -> Completed:
        """Build or tag."""
        if args[0] == "build":
            self.asked.append(f"build {args[4].split(':')[0]}")
            if self.fails:
                return Completed(argv=args, exit_status=1, stdout="", stderr="#5 1.0 x\n0.9 E: no such package\n")
            self.ids[args[4]] = f"id of {args[4]}"
        elif args[0] == "tag":
            self.asked.append(f"tag {args[2]}")
            self.ids[args[2]] = self.ids[args[1]]
        else:
            pytest.fail(f"unexpected: docker {args}")
        return Completed(argv=args, exit_status=0, stdout="", stderr="")

    def try_docker(self, *args: str, **_: object) -> Completed | None:
        """Pull."""
        assert args[0] == "pull"
        self.asked.append(f"pull {args[-1]}")
        if args[-1] not in self.public:
            return None
        self.ids[args[-1]] = f"public {args[-1]}"
        self.pulled.add(args[-1])
        return Completed(argv=args, exit_status=0, stdout="", stderr="")

    def import_base(self, image: str, *_: object) -> None:
        """Import the base."""
        self.asked.append("import debian")
        self.ids[image] = f"id of {image}"

    def remove(self, kind: str, names: list[str]) -> None:
        """Remove tags."""
        assert kind == "image"
        for name in names:
            del self.ids[name]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Engine:
    """Put an engine in memory in docker's place."""
    found = Engine(**getattr(request, "param", {}))
    for name in ("image_ids", "image", "try_docker", "remove"):
        monkeypatch.setattr(subject.engine, name, getattr(found, name))
    monkeypatch.setattr(subject, "docker", found.docker)
    monkeypatch.setattr(subject, "import_base", found.import_base)
    monkeypatch.setattr(subject, "remove_archives", lambda: None)
    return found


def _images() -> Images:
    return Images(_Progress())  # type: ignore[arg-type] - says nothing


def test_without_a_public_registry_everything_is_built_on_its_base(engine: Engine) -> None:
    """One refused pull is enough: base first, then what stands on it, each under its public name."""
    images = _images()
    assert images.ensure("model").startswith("acp-lab/model:")
    assert images.ensure("haproxy") == "haproxy:3.0"
    assert engine.asked == [
        "pull debian:trixie-slim",
        "import debian",
        "tag debian:trixie-slim",
        "build acp-lab/python",
        "tag python:3.13-slim-trixie",
        "build acp-lab/model",
        "build acp-lab/haproxy",
        "tag haproxy:3.0",
    ]


def test_what_is_built_is_not_built_again(engine: Engine) -> None:
    """A second run asks nothing of the engine."""
    for name in RECIPES:
        _images().ensure(name)
    engine.asked.clear()
    for name in RECIPES:
        _images().ensure(name)
    assert engine.asked == []


@pytest.mark.parametrize("engine", [{"public": ("debian:trixie-slim", "redis:8.0")}], indirect=True)
def test_a_pulled_image_is_used_as_it_is(engine: Engine) -> None:
    """Where a public registry is reachable its images are taken; one it lacks is built on them."""
    assert _images().ensure("redis") == "redis:8.0"
    assert engine.asked == ["pull debian:trixie-slim", "pull redis:8.0"]
    engine.asked.clear()
    assert _images().ensure("redis") == "redis:8.0"
    assert engine.asked == []
    _images().ensure("host")
    assert engine.asked == ["build acp-lab/host"]


def test_a_public_tag_that_moved_is_moved_back(engine: Engine) -> None:
    """When another checkout's build took the public name, this one's is put back without a build."""
    _images().ensure("redis")
    engine.ids["redis:8.0"] = "another"
    engine.asked.clear()
    _images().ensure("redis")
    assert engine.asked == ["tag redis:8.0"]


@pytest.mark.parametrize("engine", [{"fails": True}], indirect=True)
def test_a_failed_build_says_why(engine: Engine) -> None:
    """The error quotes what the build said last, and where its Dockerfile is."""
    with pytest.raises(ToolError, match="no such package") as caught:
        _images().ensure("redis")
    assert "images/redis" in caught.value.where
    assert "lab up" in caught.value.mend


def test_why_failed_keeps_the_end_of_what_was_said() -> None:
    """Docker's frame around the lines of the failed step is left out."""
    output = "#6 4.0 noise\n------\n > [2/4] RUN x:\n4.6 E: broken\n------\nERROR: failed to solve: x\n"
    assert why_failed(output) == "4.6 E: broken"
    assert why_failed("#1 only\n") == "#1 only"


def test_removing_images_leaves_those_of_others(engine: Engine, tmp_path: Path) -> None:
    """Images the lab built go with both their names; pulled ones and those of other programs stay."""
    _images().ensure("redis")
    engine.ids |= {"postgres:17": "pulled", "other/app:1": "other"}
    remove_images()
    assert engine.ids == {"postgres:17": "pulled", "other/app:1": "other"}
