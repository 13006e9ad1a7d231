"""What several notebooks of the team use."""
from dataclasses import dataclass


@dataclass
class Sale:
    region: str
    pieces: int
    price: float

    @property
    def total(self) -> float:
        return round(self.pieces * self.price, 2)


def best(sales: list[Sale]) -> Sale:
    return max(sales, key=lambda sale: sale.total)
