"""The nodes that may hold a unit: the answer of `eligibility`, and how answers are narrowed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from duravip_api.reasons import Reason

NO_NODES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Eligible:
    """The nodes that may hold a unit."""

    could_hold: frozenset[str]
    """Those that may hold it while they are well."""
    may_take: frozenset[str]
    """Those that it may be given to."""
    may_keep: frozenset[str]
    """Those that it need not be taken from: all of `may_take`, and others."""
    lost: frozenset[str]
    """Those excluded only because they are gone."""
    suspected: frozenset[str]
    """Those of `may_take` that are suspect at the moment: nothing is moved to them."""
    refusals: Mapping[str, Reason]
    """`{node: why it may not take the unit}`."""
    last_resort: frozenset[str] = NO_NODES
    """Unfit nodes, set aside for fit ones: one that has the unit keeps it while those are full."""
    stays: bool = False
    """Whether no node that may take it is fit for it: whichever node may keep it does."""
    fit_first: frozenset[str] = NO_NODES
    """Those of `may_take` that it goes to rather than to others, if it has to go."""

    @property
    def losses(self) -> dict[str, Reason]:
        """The refusals of nodes that may not even keep it."""
        return {name: why for name, why in self.refusals.items() if name not in self.may_keep}

    @property
    def is_bound_by_readiness(self) -> bool:
        """Whether balancing leaves it alone: no node is fit, or fit nodes are merely preferred."""
        return self.stays or bool(self.fit_first)

    def __and__(self, other: "Eligible") -> "Eligible":
        return Eligible(
            self.could_hold & other.could_hold,
            self.may_take & other.may_take,
            self.may_keep & other.may_keep,
            (self.lost | self.may_keep) & (other.lost | other.may_keep),
            self.suspected | other.suspected,
            {**other.refusals, **self.refusals, **other.losses, **self.losses},
        )

    def without(self, excluded: frozenset[str], untrusted: frozenset[str]) -> "Eligible":
        """The answer with `excluded` nodes passed over; unchanged if nobody else may keep it."""
        if not self.may_keep - excluded:
            return self
        take = self.may_take - excluded
        reasons = {
            node: Reason.NODE_CONTRADICTS if node in untrusted else Reason.REPAIR_FAILED
            for node in excluded & self.may_keep
        }
        return replace(
            self,
            may_take=take,
            may_keep=self.may_keep - excluded if take else self.may_keep,
            refusals={**self.refusals, **reasons},
        )

    def narrowed(
        self, fit: frozenset[str], keeping: frozenset[str], why: Callable[[str], Reason]
    ) -> "Eligible":
        """The answer with all but `fit` nodes set aside: at least one of those may take it.

        `keeping` nodes lose nothing that they have; `why` gives a reason for each unfit one.
        """
        take = self.may_take & fit
        # Nothing is moved to a suspect, so what has an unfit owner waits for a better one.
        keep = self.may_keep & (fit | keeping) if take - self.suspected else self.may_keep
        # Not by `replace`, which takes several times as long: there may be one for each Service.
        return Eligible(
            self.could_hold,
            take,
            keep,
            self.lost,
            self.suspected,
            _WithUnfit(self, fit, why),
            last_resort=self.may_keep - keep,
        )

    def staying(self) -> "Eligible":
        """The answer when no node that may take it is fit."""
        return replace(self, stays=True)

    def waiting(self) -> "Eligible":
        """The answer while it is not known which nodes are fit: whichever has it keeps it."""
        return replace(self, may_take=NO_NODES, stays=True)

    def preferring(self, fit: frozenset[str]) -> "Eligible":
        """The answer with `fit` nodes before others, if it has to go."""
        return replace(self, fit_first=self.may_take & fit)


class _WithUnfit(Mapping[str, Reason]):
    """Refusals with those of unfit nodes, worked out on access: mostly nobody reads them."""

    def __init__(self, whole: Eligible, fit: frozenset[str], why: Callable[[str], Reason]) -> None:
        self._whole, self._fit, self._why = whole, fit, why

    def __getitem__(self, node: str) -> Reason:
        is_unfit = node in self._whole.may_keep and node not in self._fit
        return self._why(node) if is_unfit else self._whole.refusals[node]

    def __iter__(self) -> Iterator[str]:
        unfit = self._whole.may_keep - self._fit
        return iter({**dict.fromkeys(self._whole.refusals), **dict.fromkeys(sorted(unfit))})

    def __len__(self) -> int:
        return sum(1 for _ in self)
