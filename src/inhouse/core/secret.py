"""A string that does not show itself."""

KEY_PREFIX = "ihk_"
"""How API keys begin that we make."""

SHORTEST_API_KEY = 16
"""Characters of an API key: only its hash is kept, so it must not be guessable."""

SHORTEST_SEALING_KEY = 32
"""Characters of the key that seals the store's secrets: random, since it is not stretched."""


def api_key_fault(key: str) -> str | None:
    """Return why nobody could use `key` to authenticate, None where it is fit."""
    if len(key) < SHORTEST_API_KEY:
        return f"shorter than {SHORTEST_API_KEY} characters; take a long random one"
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        return "not plain ASCII text, which is all that a header can hold; take other characters"
    return None


class Secret:
    """Hold a secret so that `repr`, `str` and logs show only whether there is one."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        """Wrap `value`; the empty string means that there is no secret."""
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself; call it only where it leaves for its upstream or the store."""
        return self._value

    def __bool__(self) -> bool:
        """Tell whether there is a secret."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        """Show whether there is a secret, never which."""
        return "Secret(***)" if self._value else "Secret()"
