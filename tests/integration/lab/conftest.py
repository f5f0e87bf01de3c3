from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.lab import Lab, own_lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Bring up a lab for these tests alone: they switch machines off, which the checkout's own lab is spared."""
    with own_lab(tmp_path_factory.mktemp("lab"), hosts=1, library=("python",)) as found:
        yield found
