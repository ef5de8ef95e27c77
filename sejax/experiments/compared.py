"""The configs of a run that compares several things: one for each."""

from collections.abc import Collection

from ml_collections import ConfigDict

from sejax.errors import InputError


def compared(config, field: str, name: str, *, known: Collection[str]) -> dict[str, ConfigDict]:
    """A copy of a config for each entry of its list ``field``, with the entry as its field ``name``, by the entry.

    Raises:
      InputError: no entry, one twice, or one that is not ``known``.
    """
    entries = tuple(config[field])
    if not entries or len(set(entries)) < len(entries) or not set(entries) <= set(known):
        raise InputError(f"config: {field}={'+'.join(entries)}; give each once, of {', '.join(known)}")
    found = {entry: ConfigDict(config.to_dict()) for entry in entries}
    for entry, copy in found.items():
        copy[name] = entry
    return found
