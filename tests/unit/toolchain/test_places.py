from __future__ import annotations

import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import places

if TYPE_CHECKING:
    import pytest


def test_shared_folders_can_be_moved() -> None:
    """XDG_CACHE_HOME and PULUMI_HOME say where the shared things are."""
    found = places.find({"HOME": "/h", "XDG_CACHE_HOME": "/c", "PULUMI_HOME": "/p"})
    assert (found.cache, found.plugins) == (Path("/c/acp-release"), Path("/p/plugins"))


def test_plugins_are_where_pulumi_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi's folder is in the account's home whatever HOME says, and in HOME for a user without an account."""
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: pwd.struct_passwd(("u", "x", 1, 1, "", "/account", "/bin/sh")))
    found = places.find({"HOME": "/h"})
    assert (found.cache, found.pulumi_home) == (Path("/h/.cache/acp-release"), Path("/account/.pulumi"))

    def unknown(_uid: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert places.find({"HOME": "/h"}).pulumi_home == Path("/h/.pulumi")
