"""What model calls cost: prices that were entered here, else the price lists of genai-prices.

Pure functions, but for ``current_book``. A price that is not known is ``None``, never 0.
"""

from app.services.pricing.books import PriceBook, current_book
from app.services.pricing.rules import Quote, Tokens

__all__ = ["PriceBook", "Quote", "Tokens", "current_book"]
