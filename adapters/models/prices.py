"""What tokens cost: the charter's ``[prices]``, then the list that is installed (``genai-prices``); never a guess."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from adapters.models.asked import ModelRequest
from adapters.models.dialects import Dialect, Usage
from policies.settings.charter import Price

_MILLION = 1e6
_WRITTEN = 1.25
"""Of the input's price, where a charter does not say what a token costs that is written into a cache."""


@dataclass(frozen=True)
class PriceList:
    """Of one provider."""

    prices: Mapping[str, Price]
    url: str

    def cost(self, model: str, usage: Usage) -> float | None:
        """USD, rounded up to a millionth; None: no price is known."""
        price = self.prices.get(model)
        usd = _by_charter(price, usage) if price else _by_list(model, usage, self.url)
        if usd is None or not math.isfinite(usd) or usd < 0:
            return None
        return math.ceil(round(usd * _MILLION, 3)) / _MILLION

    def worst(self, request: ModelRequest, dialect: Dialect) -> float | None:
        """What a request may cost at most."""
        plain = self.cost(request.model, Usage(request.worst_in, request.limit))
        if plain is None or not dialect.caches_by_order:
            return plain
        written = self.cost(request.model, Usage(request.worst_in, request.limit, written=request.worst_in))
        return None if written is None else max(plain, written)


def _by_charter(price: Price, usage: Usage) -> float:
    fresh = usage.tokens_in - usage.cached - usage.written
    cached = price.input if price.cached_input is None else price.cached_input
    usd = fresh * price.input + usage.cached * cached + usage.written * price.input * _WRITTEN
    return (usd + usage.tokens_out * price.output) / _MILLION


def _by_list(model: str, usage: Usage, url: str) -> float | None:
    """By the provider's own price alone: what another asks for a model of that name is not what this one asks."""
    # Imported when it is asked: a charter with prices needs none of it.
    listed: Any = import_module("genai_prices")
    tokens = listed.Usage(
        input_tokens=usage.tokens_in,
        output_tokens=usage.tokens_out,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.written,
    )
    try:
        return float(listed.calc_price(tokens, model, provider_api_url=url).total_price)
    except (LookupError, ValueError, TypeError):
        return None
