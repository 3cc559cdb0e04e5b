"""What an upstream says that it serves, held against a deployment: its model's name, its window."""

from __future__ import annotations

from collections.abc import Sequence

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Served
from inhouse.core.naming import did_you_mean, nearest
from inhouse.core.settings import Settings
from inhouse.families import CompletionMode, Family
from inhouse.features.check import Check, Status, failed, ok, skipped, warning
from inhouse.features.remedies import setting

MOST_NAMES = 5
"""Served names that a sentence lists."""


def check_window(
    deployment: Deployment, family: Family, settings: Settings, served: Sequence[Served] | None
) -> Check:
    """Compare the window that the upstream tells with the family's, the option and the settings."""
    name, wanted = "window", _wanted(settings)
    told = _told(deployment, served or ())
    declared = deployment.options.get("window")
    if told is None:
        return skipped(
            name,
            f"The upstream does not tell its window; {declared or family.window} tokens are"
            " assumed.",
            "If it is smaller, set the option window=TOKENS.",
        )
    bigger = family.window if declared is None else declared
    if isinstance(bigger, int) and told < bigger:
        whose = "the family's is" if declared is None else "declared are"
        return warning(
            name,
            f"The upstream's window is {told} tokens, {whose} {bigger}."
            " Prompts are cut to what it really takes.",
            "If the server is yours, serve the model with a longer context, as far as it fits into"
            " the memory (vLLM: --max-model-len; llama.cpp: -c, shared by its slots).",
        )
    if told < wanted:
        return warning(
            name,
            f"The upstream's window is {told} tokens; the settings would use {wanted}"
            " for a completion. Prompts are cut.",
        )
    return ok(name, f"{told} tokens.")


def check_model(
    deployment: Deployment, family: Family, served: Sequence[Served] | None, completion: Check
) -> Check | None:
    """Judge the model's name, once it is known whether the upstream answers to it."""
    broken = completion.status is Status.FAILED
    if served is None or not (served or broken):
        return None
    names, model = [each.name for each in served], deployment.model
    if model in names or family.completion is CompletionMode.NATIVE:
        # Some platforms list whatever they are asked for; only an answer shows that it is there.
        return None if broken else ok("model", f"'{model}' is served.")
    what = f"The upstream serves no '{model}'{did_you_mean(model, names) or '.'}"
    prefix = deployment.provider
    near = names[0] if len(names) == 1 else nearest(model, names)
    advice = setting(deployment, "identifier", f"{prefix}/{near}") if near else ""
    if broken:
        return failed(
            "model",
            f"{what} It serves {listed(served)}.",
            advice or f"Set the identifier to {prefix}/NAME with one of these names.",
        )
    return warning("model", f"{what} It answers all the same.", advice)


def listed(served: Sequence[Served]) -> str:
    """Return the first names, and how many more there are."""
    names = [f"'{each.name}'" for each in served[:MOST_NAMES]]
    more = len(served) - len(names)
    return (", ".join(names) or "no model") + (f" and {more} more" if more else "")


def _told(deployment: Deployment, served: Sequence[Served]) -> int | None:
    """Return the window that the upstream tells for this model."""
    told = {each.name: each.window for each in served}
    return told.get(deployment.model, served[0].window if len(served) == 1 else None)


def _wanted(settings: Settings) -> int:
    return (
        settings.completion_prefix_tokens
        + settings.completion_suffix_tokens
        + settings.completion_max_tokens
    )
