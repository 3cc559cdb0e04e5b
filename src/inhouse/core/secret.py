"""A string that does not show itself."""


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
