from decimal import Decimal
from statistics import mean


def rows():
    prices = [Decimal("12.50"), Decimal("80.00"), Decimal("3.10")]
    return [("least", min(prices)), ("mean", round(mean(prices), 2)), ("most", max(prices))]
