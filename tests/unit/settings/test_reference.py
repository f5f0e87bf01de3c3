from __future__ import annotations

from infra.settings import reference


def test_the_page_in_the_docs_is_the_generated_one() -> None:
    """docs/settings.md says what the model says."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render(), (
        "run `python -m infra.settings.reference --write`"
    )


def test_nested_keys_stand_with_their_whole_path() -> None:
    """Keys in lists, mappings and sections are all there, with how they are reached."""
    page = reference.render()
    for key in ("version", "hosts[].host_key", "images.<name>.dockerfile", "services.<name>.routes.public_port"):
        assert f"| `{key}` |" in page
    assert "| `rollout.canary.steps` | list of integers | `[10, 25, 50]` |" in page


def test_every_key_has_a_meaning() -> None:
    """No key is without a description."""
    rows = [line for line in reference.render().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.rsplit(" | ", 1)[1] in {" |", "|"}] == []
