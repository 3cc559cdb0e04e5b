"""Pass a stream through one shaper a choice, and leave the upstream when no more is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

import msgspec

from inhouse.core.delta import Delta, Deltas, Usage
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure


class Shaper(Protocol):
    """Decides piece by piece what of a streamed text is shown."""

    done: bool

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        ...

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        ...


class Verbatim:
    """Shows everything as it comes."""

    done = False

    def feed(self, text: str) -> str:
        """Return the piece."""
        return text

    def finish(self) -> str:
        """Nothing was held back."""
        return ""


class Chain:
    """Shapers one behind the other, as one."""

    def __init__(self, *shapers: Shaper) -> None:
        """The first gets what the model wrote."""
        self._shapers = shapers
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        for position, shaper in enumerate(self._shapers):
            text = shaper.feed(text)
            if shaper.done:
                self.done = True
                return _finished(self._shapers[position + 1 :], text)
        return text

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        return _finished(self._shapers, "")


def _finished(shapers: Sequence[Shaper], text: str) -> str:
    for shaper in shapers:
        text = shaper.feed(text)
        if not shaper.done:
            text += shaper.finish()
    return text


async def shaped(
    deltas: Deltas,
    new: Callable[[], Shaper],
    choices: int,
    usage: Callable[[str], Usage],
    *,
    ends_at_deadline: bool = False,
) -> AsyncGenerator[Delta]:
    """Yield the shaped stream; it ends, and the upstream is aborted, when every choice is done.

    An upstream that is left early cannot tell its usage; then `usage` does, and takes the finish
    reason. What `ends_at_deadline` is then cut by length: what the shapers hold back is dropped.

    Raises:
        SupersededError: another request took this one's place; each choice that had begun is ended.

    """
    begun = _Choices(new)
    try:
        async with contextlib.aclosing(deltas):
            async for delta in deltas:
                shown = begun.take(delta)
                if shown is None:
                    continue
                yield shown
                ours = shown.finish_reason is not None and delta.finish_reason is None
                if ours and begun.ended >= choices:
                    yield Delta(index=delta.index, usage=usage("stop"))
                    return
    except UpstreamError as error:
        late = error.failure is UpstreamFailure.DEADLINE
        if not (ends_at_deadline and late and begun.any):
            raise
        for index in begun.left():
            yield Delta(index=index, finish_reason="length")
        yield Delta(usage=usage("length"))
        return
    except SupersededError:
        for index in begun.left():
            yield Delta(index=index, finish_reason="stop")
        raise
    for index, text in begun.finish():
        yield Delta(text=text, index=index, finish_reason="stop")


class _Choices:
    """The shapers of the choices that have begun."""

    def __init__(self, new: Callable[[], Shaper]) -> None:
        self._new = new
        self._shapers: dict[int, Shaper] = {}
        self._ended: set[int] = set()

    @property
    def any(self) -> bool:
        """Whether any choice has begun."""
        return bool(self._shapers)

    @property
    def ended(self) -> int:
        """How many choices want no more."""
        return len(self._ended)

    def left(self) -> list[int]:
        """Return the choices that have begun and not ended."""
        return sorted(self._shapers.keys() - self._ended)

    def take(self, delta: Delta) -> Delta | None:
        """Return what is shown of a delta, None where that is nothing."""
        index = delta.index
        if index in self._ended:
            return None if delta.usage is None else Delta(index=index, usage=delta.usage)
        shaper = self._shapers.get(index)
        if shaper is None:
            shaper = self._shapers[index] = self._new()
        text = shaper.feed(delta.text) if delta.text else ""
        finish_reason = delta.finish_reason
        if finish_reason is not None:
            text += shaper.finish()
        elif shaper.done:
            finish_reason = "stop"
        if finish_reason is not None:
            self._ended.add(index)
        elif not text and _is_text(delta):
            return None
        return msgspec.structs.replace(delta, text=text, finish_reason=finish_reason)

    def finish(self) -> list[tuple[int, str]]:
        """The stream has ended without a word: return what each open choice held back."""
        return [(index, self._shapers[index].finish()) for index in self.left()]


def _is_text(delta: Delta) -> bool:
    """Tell whether a delta says nothing but its text."""
    said = delta.usage or delta.reasoning or delta.tool_calls or delta.logprobs
    return not said
