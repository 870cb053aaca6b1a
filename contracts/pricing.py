"""What a quantity costs for one whole term: fixed, volume or graduated tiers (DOMAIN M5, M11)."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .money import MAX_MINOR, within_range

PriceMinor = Annotated[int, Field(ge=0, le=MAX_MINOR, description="Minor units per unit and term; never negative")]


class Tier(BaseModel):
    """Units up to and including `up_to` cost `unit_minor` each; the last tier is open (`up_to` is null)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    up_to: Annotated[int, Field(ge=1)] | None
    unit_minor: PriceMinor


class Price(BaseModel):
    """fixed: one open tier. volume: every unit at the price of the tier the quantity falls in. graduated: each unit
    at the price of its own tier. Tiers are contiguous by construction: each starts where the one before it ends."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    model: Literal["fixed", "volume", "graduated"] = "fixed"
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _rise_and_end_open(self) -> Self:
        bounds = [tier.up_to for tier in self.tiers]
        closed = [bound for bound in bounds[:-1] if bound is not None]
        if bounds[-1] is not None or len(closed) != len(bounds) - 1 or sorted(set(closed)) != closed:
            raise ValueError("tiers must rise without overlap and only the last one may be open")
        if self.model == "fixed" and len(self.tiers) != 1:
            raise ValueError("a fixed price has exactly one tier")
        return self

    @classmethod
    def fixed(cls, unit_minor: int) -> Self:
        return cls(model="fixed", tiers=(Tier(up_to=None, unit_minor=unit_minor),))

    def unit_minor(self, quantity: int) -> int | None:
        """The one price every unit pays at this quantity, or None when graduated units pay different prices."""
        if self.model == "graduated" and len(self.tiers) > 1:
            return None
        return next(tier.unit_minor for tier in self.tiers if tier.up_to is None or quantity <= tier.up_to)

    def total_minor(self, quantity: int) -> int:
        """The line total for one whole term, never rounded per unit. Raises AmountTooLarge (DOMAIN M1)."""
        if (unit := self.unit_minor(quantity)) is not None:
            return within_range(unit * quantity)
        total, taken = 0, 0
        for tier in self.tiers:
            upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
            total += max(0, upper - taken) * tier.unit_minor
            taken = max(taken, upper)
        return within_range(total)
