"""Usage that is told as one object, in the words of several senders."""

from collections.abc import Mapping
from typing import Any

from app.services.ingestion.dialects.values import amount, count

WORDS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "input",
        "input_tokens",
        "prompt_tokens",
        "promptTokens",
        "prompt_token_count",
    ),
    "output_tokens": (
        "output",
        "output_tokens",
        "completion_tokens",
        "completionTokens",
        "candidates_token_count",
    ),
    "total_tokens": ("total", "total_tokens", "totalTokens", "total_token_count"),
    "cached": (
        "input_cached_tokens",
        "input_cache_read",
        "cache_read_input_tokens",
        "prompt_details.cache_read",
        "cached_tokens",
        "cached_content_token_count",
    ),
    "cache_write": ("cache_creation_input_tokens", "input_cache_creation", "cache_write_tokens"),
    "reasoning": (
        "output_reasoning",
        "output_reasoning_tokens",
        "completion_details.reasoning",
        "reasoning_tokens",
        "thoughts_token_count",
    ),
}
TOTAL_COST = ("total", "total_cost")


def usage_facts(value: Any) -> dict[str, Any]:  # a JSON value
    """Facts of ``fields.py``, those that are there."""
    if type(value) is not dict:
        return {}
    found = {}
    for fact, words in WORDS.items():
        known = (count(value[word]) for word in words if word in value)
        found[fact] = next((number for number in known if number is not None), None)
    return {fact: number for fact, number in found.items() if number is not None}


def cost_facts(value: Any) -> dict[str, Any]:  # a JSON value
    """The total, else the sum of its parts."""
    if type(value) is not dict:
        return {}
    total = next((amount(value[word]) for word in TOTAL_COST if word in value), None)
    if total is None:
        parts = [part for part in map(amount, value.values()) if part is not None]
        total = sum(parts[1:], parts[0]) if parts else None
    return {} if total is None else {"cost": amount(str(total))}
