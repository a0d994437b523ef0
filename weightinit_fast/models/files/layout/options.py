"""Options of `save` that some formats take, checked."""

from collections.abc import Mapping

from ...._resolve.messages import shown

__all__ = ["checked_limit", "checked_metadata"]


def checked_limit(given: int | None, default: int) -> int:
    """Return max_shard_bytes, after checks."""
    most = default if given is None else given
    if isinstance(most, bool) or not isinstance(most, int):
        raise TypeError(f"max_shard_bytes must be an int, not {shown(most)}")
    if most < 1:
        raise ValueError(f"max_shard_bytes must be at least 1, not {shown(most)}")
    return most


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metadata in the order of its keys."""
    if metadata is None:
        return {"format": "pt"}
    for item in metadata.items():
        for text in item:
            if not isinstance(text, str):
                raise TypeError(f"metadata must map str to str, and {shown(text)} is no str")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError(f"metadata {shown(text)} is no Unicode text (UTF-8)") from None
    return dict(sorted(metadata.items()))
