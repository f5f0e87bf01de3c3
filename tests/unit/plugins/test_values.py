from __future__ import annotations

from typing import Any

from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiffKind

from infra.toolchain.plugins.common.assets import ARCHIVE, ASSET, KEPT, SIGNATURE, hide_assets, show_assets
from infra.toolchain.plugins.common.diffing import changed_keys, diff_response
from infra.toolchain.plugins.common.values import (
    UNKNOWN,
    has_secret,
    holds_unknown,
    own_type,
    plain,
    plain_properties,
    unknown,
    wrap,
)


def test_wrapped_values_come_back_plain() -> None:
    """Maps, lists, texts, numbers and null survive both ways; whole numbers become the wire's floats."""
    value = {"a": [1, 2.5, "x", None, True], "b": {"c": "d"}}
    assert plain(wrap(value)) == {"a": [1.0, 2.5, "x", None, True], "b": {"c": "d"}}


def test_secret_marks_are_seen_anywhere_and_left_out_of_plain_values() -> None:
    """A secret inside a map counts; the plain value has no mark."""
    properties = {"outer": PropertyValue({"inner": wrap("x", secret=True)}), "clear": wrap("y"), "none": wrap(None)}
    assert has_secret(properties, "outer")
    assert not has_secret(properties, "clear", "absent")
    assert plain_properties(properties) == {"outer": {"inner": "x"}, "clear": "y"}


def test_unknown_is_found_anywhere() -> None:
    """What is not known yet is found in lists and maps."""
    assert plain(unknown()) == UNKNOWN
    assert holds_unknown([{"a": UNKNOWN}])
    assert not holds_unknown({"a": ["b", None, 1.0]})


def test_own_type_drops_the_parents() -> None:
    """A child's type in its URN begins with its parents' types."""
    assert own_type("acp:hosts:HostData$docker:index/volume:Volume") == "docker:index/volume:Volume"
    assert own_type("docker:index/volume:Volume") == "docker:index/volume:Volume"


def test_assets_travel_as_plain_maps_and_come_back_with_their_hash() -> None:
    """Hidden assets lose their signature and nothing else, also inside secrets and lists."""
    asset = {SIGNATURE: ASSET, "path": "p", "hash": "h"}
    archive = {SIGNATURE: ARCHIVE, "assets": {"one": asset}}
    content = {"source": asset, "list": [archive], "secret": {SIGNATURE: "other", "value": asset}}
    struct: Any = struct_pb2.Struct()
    struct.update(content)
    before = struct.SerializeToString(deterministic=True)
    hide_assets(struct)
    assert struct["source"][KEPT] == ASSET
    assert SIGNATURE not in struct["source"]
    assert struct["secret"][SIGNATURE] == "other"
    show_assets(struct)
    assert struct.SerializeToString(deterministic=True) == before


def test_changed_keys_tell_added_removed_and_changed_apart() -> None:
    """Only the asked-for keys are compared."""
    old, new = {"a": 1, "b": 1, "c": 1, "other": 1}, {"a": 1, "b": 2, "d": 1, "other": 2}
    kinds = changed_keys(old, new, ("a", "b", "c", "d"))
    assert kinds == {"b": PropertyDiffKind.UPDATE, "c": PropertyDiffKind.DELETE, "d": PropertyDiffKind.ADD}


def test_assets_are_compared_by_hash() -> None:
    """Another path with the same content is no change; the same path with another content is."""
    old = {"source": {"path": "a", "hash": "1"}}
    assert changed_keys(old, {"source": {"path": "b", "hash": "1"}}, ("source",)) == {}
    assert "source" in changed_keys(old, {"source": {"path": "a", "hash": "2"}}, ("source",))


def test_diff_replaces_only_for_replacing_keys() -> None:
    """A changed key updates; one of the replacing keys makes a replacement, deleting first on request."""
    kinds = {"a": PropertyDiffKind.UPDATE, "b": PropertyDiffKind.ADD}
    diff = diff_response(kinds, replacing=("b",), delete_first=True)
    assert (diff.changes, diff.replaces, diff.delete_before_replace) == (True, ["b"], True)
    assert diff.detailed_diff["b"].kind is PropertyDiffKind.ADD_REPLACE
    assert diff.detailed_diff["a"].kind is PropertyDiffKind.UPDATE
    update = diff_response({"a": PropertyDiffKind.UPDATE}, replacing=("b",), delete_first=True)
    assert (update.replaces, update.delete_before_replace) == ([], False)
    assert diff_response({}, replacing=("b",)).changes is False
