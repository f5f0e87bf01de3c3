from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.settings import load_settings
from tests.support.settings import INVENTORY, services, stack_config
from tests.unit.settings.test_load import problems_of

if TYPE_CHECKING:
    from pathlib import Path


class TestInventory:
    """The JSON file that a lab writes."""

    def config(self, **changes: Any) -> dict[str, Any]:
        """Return a stack without hosts, keys and registry, that names an inventory."""
        return stack_config(**{"hosts": None, "ssh": None, "registry": None, "inventory": "inventory.json", **changes})

    def write(self, root: Path, **changes: Any) -> None:
        """Write the inventory."""
        (root / "inventory.json").write_text(json.dumps({**INVENTORY, **changes}), encoding="utf-8")

    def test_it_fills_what_the_stack_leaves_out(self, tmp_path: Path) -> None:
        """Hosts, keys and registry come from the inventory."""
        self.write(tmp_path)
        settings = load_settings("local", self.config(), root=tmp_path)
        assert settings.hosts[0].name == "lab1"
        assert settings.registry.server == "172.28.11.2:5000"
        assert settings.ssh.deploy_key_file == ".lab/keys/deploy"

    def test_the_stack_file_wins(self, tmp_path: Path) -> None:
        """What the stack file says itself is not replaced by the inventory."""
        self.write(tmp_path)
        settings = load_settings("local", self.config(registry={"server": "own.test"}), root=tmp_path)
        assert settings.registry.server == "own.test"
        assert settings.hosts[0].name == "lab1"

    def test_ports_of_a_host_may_differ(self, tmp_path: Path) -> None:
        """A host whose public ports are published elsewhere is reached there, others under their own number."""
        host = {**INVENTORY["hosts"][0], "address": "127.0.0.1", "ports": {"8000": 20180}}
        self.write(tmp_path, hosts=[host])
        (found,) = load_settings("local", self.config(), root=tmp_path).hosts
        assert found.reach(8000) == "127.0.0.1:20180"
        assert found.reach(8001) == "127.0.0.1:8001"

    @pytest.mark.parametrize(
        ("changes", "path", "port"),
        [
            ({"services": services(routes={"public_port": 9000})}, "services.acp-ingest.routes.public_port", 9000),
            ({"edge": {"http_port": 8080}}, "edge.http_port", 8080),
            (
                {"edge": {"https_port": 8443, "tls": {"certificate_file": "/tls.pem", "server_name": "acp.test"}}},
                "edge.https_port",
                8443,
            ),
        ],
    )
    def test_a_port_that_its_hosts_lack_is_refused(self, tmp_path: Path, changes: Any, path: str, port: int) -> None:
        """What would listen where nobody reaches it is named before a release, with the ports that there are."""
        self.write(tmp_path, public_ports=[80, 443, 8000, 8001])
        assert problems_of(self.config(**changes), tmp_path) == (
            f"{path}: the inventory's hosts can be reached at 80, 443, 8000, 8001 only (got {port}); name one of these",
        )

    def test_any_port_is_taken_where_hosts_do_not_tell_theirs(self, tmp_path: Path) -> None:
        """Without a list, or with hosts of the stack's own, every port can be reached; so can an unused one."""
        config = self.config(services=services(routes={"public_port": 9000}))
        self.write(tmp_path)
        load_settings("local", config, root=tmp_path)
        self.write(tmp_path, public_ports=[80, 443, 8000, 8001])
        load_settings("local", {**config, "acp:hosts": INVENTORY["hosts"]}, root=tmp_path)
        load_settings("local", self.config(edge={"https_port": 8443}), root=tmp_path)

    def test_a_missing_one_says_how_to_make_it(self, tmp_path: Path) -> None:
        """Without the file the first problem names the command that writes it."""
        problems = problems_of(self.config(), tmp_path)
        assert problems[0] == "inventory: inventory.json does not exist (a lab writes it: `acp-release lab up`)"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{half", "inventory: inventory.json is not JSON: "),
            ("[]", "inventory: inventory.json is not a JSON object"),
        ],
    )
    def test_a_malformed_one_is_a_problem(self, tmp_path: Path, text: str, problem: str) -> None:
        """A file that holds no JSON object is named, never a traceback."""
        (tmp_path / "inventory.json").write_text(text, encoding="utf-8")
        assert problems_of(self.config(), tmp_path)[0].startswith(problem)

    def test_a_folder_is_a_problem(self, tmp_path: Path) -> None:
        """A path that cannot be read is named, never a traceback."""
        (tmp_path / "inventory.json").mkdir()
        assert problems_of(self.config(), tmp_path)[0].startswith("inventory: inventory.json cannot be read: ")

    def test_bad_values_in_it_are_reported_with_their_path(self, tmp_path: Path) -> None:
        """The inventory's own values are validated as the stack file's are."""
        self.write(tmp_path, registry={"server": "https://registry.test"})
        (problem,) = problems_of(self.config(), tmp_path)
        assert problem.startswith("registry.server: String should match pattern")
