"""Find providers by the entry points that name them."""

from __future__ import annotations

import asyncio
from importlib.metadata import EntryPoint, entry_points

from inhouse.core.ports import Provider, ProviderContext
from inhouse.errors import ConfigError

GROUP = "inhouse.providers"


def available() -> dict[str, EntryPoint]:
    """Return the installed providers by the identifier prefix that they serve."""
    return {each.name: each for each in entry_points(group=GROUP)}


class Providers:
    """One object a provider, built when its prefix is first asked for."""

    def __init__(self, context: ProviderContext) -> None:
        """Build every provider with `context`."""
        self._context = context
        self._built: dict[str, Provider] = {}

    def __getitem__(self, prefix: str) -> Provider:
        """Return the provider of identifiers ``prefix/…``; raises `ConfigError`."""
        found = self._built.get(prefix)
        if found is None:
            found = self._built[prefix] = self._build(prefix)
        return found

    def built(self) -> list[Provider]:
        """Return the providers that have been used."""
        return list(self._built.values())

    async def aclose(self) -> None:
        """Close every provider that was built."""
        await asyncio.gather(*(each.aclose() for each in self.built()))

    def _build(self, prefix: str) -> Provider:
        entry = available().get(prefix)
        if entry is None:
            raise ConfigError(
                f"No provider is installed for identifiers '{prefix}/…'."
                f" Known are: {', '.join(f'{name}/…' for name in sorted(available()))}",
                param="identifier",
            )
        return entry.load()(self._context)
