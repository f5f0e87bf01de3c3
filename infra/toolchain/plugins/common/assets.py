"""Assets and archives kept whole on their way through the SDK.

The SDK's property values rebuild an asset from its path or text and lose the hash the engine computed, so a changed
file would show no difference. Each asset therefore travels through the SDK as a plain map under a key of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi.runtime import rpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf import struct_pb2

SIGNATURE = rpc._special_sig_key  # noqa: SLF001 - the wire format's constants have no public name
ASSET = rpc._special_asset_sig  # noqa: SLF001
ARCHIVE = rpc._special_archive_sig  # noqa: SLF001
KEPT = "acp:asset-or-archive"


def hide_assets(struct: struct_pb2.Struct) -> None:
    """Turn every asset and archive below `struct` into a plain map, in place."""
    fields = struct.fields
    if SIGNATURE in fields and fields[SIGNATURE].string_value in {ASSET, ARCHIVE}:
        fields[KEPT].string_value = fields[SIGNATURE].string_value
        del fields[SIGNATURE]
    for value in fields.values():
        _each_struct(value, hide_assets)


def show_assets(struct: struct_pb2.Struct) -> None:
    """Turn the plain maps of `hide_assets` back into assets and archives, in place."""
    fields = struct.fields
    if KEPT in fields:
        fields[SIGNATURE].string_value = fields[KEPT].string_value
        del fields[KEPT]
    for value in fields.values():
        _each_struct(value, show_assets)


def _each_struct(value: struct_pb2.Value, change: Callable[[struct_pb2.Struct], None]) -> None:
    """Apply `change` to the structs directly inside `value`."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        change(value.struct_value)
    elif kind == "list_value":
        for item in value.list_value.values:
            _each_struct(item, change)
