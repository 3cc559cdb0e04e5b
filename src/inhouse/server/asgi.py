"""The callables that ASGI is made of, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

GONE = "inhouse.gone"
"""The extension by which a scope tells whether its caller has hung up.

Our server cancels the task of a request whose caller does, and this tells why it was cancelled.
"""

LEFT = "inhouse.left"
"""The extension by which a scope takes what is to be asked when the caller hangs up.

Where that returns true, the request is not cancelled: it goes on, and nobody hears its answer.
"""
