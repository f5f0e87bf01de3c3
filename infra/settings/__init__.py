"""The validated settings of one stack."""

from infra.settings.load import load_settings, load_stack_file, one_update_overrides
from infra.settings.model import Settings

__all__ = ["Settings", "load_settings", "load_stack_file", "one_update_overrides"]
