"""Are the family's sentinels single tokens of the model that is really served?"""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.core.prompt import Text
from inhouse.core.requests import Params
from inhouse.families import CompletionMode
from inhouse.features.probing.evidence import Evidence, Sentinels, Skipped
from inhouse.features.probing.subject import Subject
from inhouse.features.sentinels import Counter, fitting, unknown_sentinels

MOST_QUESTIONS = 60
"""One-token requests at most where only the usage in answers tells how a prompt is counted."""


async def sentinels(subject: Subject, _: Evidence) -> Sentinels | Skipped:
    """Ask the tokenizer, or where there is none, count prompts by the usage in their answers."""
    family, deployment = subject.family, subject.deployment
    if family.fim is None or family.completion is not CompletionMode.FIM:
        return Skipped(f"The family '{family.name}' is asked without FIM sentinels.")
    counters: tuple[tuple[str, Counter], ...] = (
        ("tokenizer", subject.provider),
        ("usage", _ByUsage(subject)),
    )
    for counted_by, counter in counters:
        unknown = await unknown_sentinels(counter, deployment, family)
        if unknown is not None:
            fits = await fitting(counter, deployment, subject.families) if unknown else ()
            return Sentinels(unknown=tuple(unknown), fits=tuple(fits), counted_by=counted_by)
    return Skipped("The upstream tells neither tokens nor usage.")


class _ByUsage:
    """Counts tokens by what the upstream says that a prompt had; each text is asked about once."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._known: dict[str, int | None] = {}

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Return the count with what an upstream adds to each prompt, which differences lose."""
        del deployment
        if text not in self._known:
            if len(self._known) >= MOST_QUESTIONS:
                return None
            # A word ahead: some upstreams refuse a prompt of special tokens alone.
            heard = await self._subject.ask(Text(f"x{text}"), Params(max_tokens=1))
            self._known[text] = heard.prompt_tokens
        return self._known[text]
