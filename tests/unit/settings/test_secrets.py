from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.errors import SecretMissingError, SettingsError, ToolError
from infra.settings.model import SECRET_NAMES, Core
from infra.settings.secrets import SecretValues, read_secrets, refuse_wrong_core
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

SEED = "5e" * 32


def environment(prefix: str = "LOCAL_") -> dict[str, str]:
    """Return an environment that has every secret under its prefix."""
    return {f"{prefix}{name}": f"value-of-{name}" for name in (*SECRET_NAMES, "REGISTRY_PASSWORD")}


def test_secrets_are_read_by_their_names_with_the_prefix(tmp_path: Path) -> None:
    """Each value comes from the variable `<PREFIX><NAME>`, and is known by the name its containers see."""
    values = read_secrets(make_settings(), environment(), root=tmp_path)
    assert dict(values.values) == {name: f"value-of-{name}" for name in (*SECRET_NAMES, "REGISTRY_PASSWORD")}


def test_another_stacks_secrets_are_not_taken(tmp_path: Path) -> None:
    """Neither a variable without the prefix nor one with another prefix stands in."""
    mixed = {**environment(""), **environment("STAGING_")}
    with pytest.raises(SecretMissingError) as caught:
        read_secrets(make_settings(secrets={"prefix": "PRODUCTION_"}), mixed, root=tmp_path)
    assert "PRODUCTION_DATABASE_URL is not set" in caught.value.problems


def test_every_missing_secret_is_named_at_once(tmp_path: Path) -> None:
    """Absent and empty variables are all in one error, and no value is."""
    environ = environment()
    del environ["LOCAL_DATABASE_URL"]
    environ["LOCAL_SECRET_KEY"] = ""
    del environ["LOCAL_OPENAI_API_KEY"]
    del environ["LOCAL_REGISTRY_PASSWORD"]
    with pytest.raises(SecretMissingError) as caught:
        read_secrets(make_settings(), environ, root=tmp_path)
    assert caught.value.problems == (
        "LOCAL_DATABASE_URL is not set",
        "LOCAL_SECRET_KEY is not set",
        "LOCAL_OPENAI_API_KEY or OPENAI_API_KEY is not set",
        "LOCAL_REGISTRY_PASSWORD is not set",
    )
    assert "value-of" not in str(caught.value)
    assert caught.value.exit_code == 11


def test_a_shared_secret_may_come_without_the_prefix(tmp_path: Path) -> None:
    """A shared name is read without the prefix when the stack has none of its own."""
    environ = environment()
    environ["OPENAI_API_KEY"] = "shared"
    assert read_secrets(make_settings(), environ, root=tmp_path)["OPENAI_API_KEY"] == "value-of-OPENAI_API_KEY"
    del environ["LOCAL_OPENAI_API_KEY"]
    assert read_secrets(make_settings(), environ, root=tmp_path)["OPENAI_API_KEY"] == "shared"


def test_an_empty_variable_does_not_hide_the_shared_one(tmp_path: Path) -> None:
    """A variable that is set to nothing, as CI does for an unknown secret, counts as absent."""
    environ = {**environment(), "LOCAL_OPENAI_API_KEY": "", "OPENAI_API_KEY": "shared"}
    assert read_secrets(make_settings(), environ, root=tmp_path)["OPENAI_API_KEY"] == "shared"


def test_values_are_never_shown() -> None:
    """Representation, formatting and iteration of the secrets give names at most."""
    values = SecretValues(values={"SECRET_KEY": "s3cr3t-value"})
    shown = f"{values!r} {values} {list(values)}"
    assert "s3cr3t-value" not in shown
    assert list(values) == ["SECRET_KEY"]


def test_a_subset_has_the_named_values_only() -> None:
    """A call gets the secrets it needs and no other."""
    values = SecretValues(values={"A": "1", "B": "2"})
    assert values.subset(("B",)) == {"B": "2"}


def test_addresses_of_the_data_services_are_refused_by_their_variables() -> None:
    """Both at once, without their values; a stack without data services of its own may have them anywhere."""
    values = SecretValues(values={"DATABASE_URL": "postgresql://u:s3cr3t@db.example.com/x", "REDIS_URL": "s3cr3t"})
    with pytest.raises(SettingsError) as caught:
        refuse_wrong_core(make_settings(core={}), values)
    assert [problem.split()[0] for problem in caught.value.problems] == ["LOCAL_DATABASE_URL", "LOCAL_REDIS_URL"]
    assert "s3cr3t" not in str(caught.value)
    assert "docs/adopting.md" in caught.value.mend
    refuse_wrong_core(make_settings(), values)


class TestDisposableStack:
    """Secrets derived from the seed of a lab."""

    def lab(self, root: Path, *, seed: str = SEED) -> None:
        """Make the lab's folder with its seed and inventory."""
        (root / ".lab").mkdir()
        (root / ".lab" / "seed").write_text(seed, encoding="ascii")
        inventory = {"environment": {"LLM_ENDPOINT": "http://172.28.11.3:8080/v1"}}
        (root / ".lab" / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")

    settings = make_settings(secrets={"prefix": "LOCAL_", "lab_folder": ".lab"}, inventory=".lab/inventory.json")

    def test_missing_ones_are_derived(self, tmp_path: Path) -> None:
        """Every secret gets a value; the same seed always gives the same one, another seed another."""
        self.lab(tmp_path)
        values = read_secrets(self.settings, {}, root=tmp_path)
        assert set(values) == {*SECRET_NAMES, "REGISTRY_PASSWORD"}
        assert values == read_secrets(self.settings, {}, root=tmp_path)
        (tmp_path / ".lab" / "seed").write_text("ab" * 32, encoding="ascii")
        assert read_secrets(self.settings, {}, root=tmp_path)["SECRET_KEY"] != values["SECRET_KEY"]

    def test_addresses_fit_the_data_services(self, tmp_path: Path) -> None:
        """Database and Redis are addressed on the host's data network, endpoints come from the inventory."""
        self.lab(tmp_path)
        values = read_secrets(self.settings, {}, root=tmp_path)
        assert values["DATABASE_URL"].startswith("postgresql://acp:")
        assert values["DATABASE_URL"].endswith("@postgres:5432/acp")
        assert values["REDIS_URL"].endswith("@redis:6379/0")
        assert values["LLM_ENDPOINT"] == "http://172.28.11.3:8080/v1"
        refuse_wrong_core(self.settings.model_copy(update={"core": Core()}), values)

    def test_the_environment_wins(self, tmp_path: Path) -> None:
        """A secret that is set is not derived."""
        self.lab(tmp_path)
        assert read_secrets(self.settings, {"LOCAL_SECRET_KEY": "mine"}, root=tmp_path)["SECRET_KEY"] == "mine"

    def test_without_the_lab_they_are_missing(self, tmp_path: Path) -> None:
        """A lab that is not there yet leaves its secrets missing, by name."""
        with pytest.raises(SecretMissingError) as caught:
            read_secrets(self.settings, {}, root=tmp_path)
        assert len(caught.value.problems) == len(SECRET_NAMES) + 1

    def test_a_damaged_seed_is_an_error_without_its_content(self, tmp_path: Path) -> None:
        """A seed that is no 32 bytes of hex is said to be damaged, and not quoted."""
        self.lab(tmp_path, seed="not-hex-seed")
        with pytest.raises(ToolError) as caught:
            read_secrets(self.settings, {}, root=tmp_path)
        assert "not-hex-seed" not in str(caught.value)
