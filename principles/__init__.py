"""The principles files that come with Tenet: YAML beside this module, found by `constitution.sources.shipped`.

Names the general ones in the order in which a reader should meet them; knows nothing of what is in them. The files
under `pocket/` are for the pocket world and stand in no group.
"""

from typing import Final

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "To start from": ("harmlessness", "helpfulness", "honesty"),
    "To go further in one matter": ("calibration", "no-flattery", "no-over-refusal", "concision", "privacy"),
    "For one use": ("code", "medical", "children", "customer-support", "content-moderation"),
}
"""Heading to names of files."""
