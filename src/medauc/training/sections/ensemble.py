"""The recipe's section ``ensemble``: how many networks make one model, and what each of them sees."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from medauc.training.sections.base import Section


class EnsembleSection(Section):
    """Folds of train and validation together (null: the official splits), networks a fold, and whether to refit.

    ``members`` networks, with seeds of their own, are trained on the official splits, or on each of the ``folds``.
    Folds are drawn by chance, unless ``folds_by`` names a further column (a site) whose values stay together, or
    ``folds_order_by`` one of dates or numbers whose order is cut into blocks. ``refit`` then trains ``members`` more
    on train and validation together, for as many epochs as the folds chose.
    """

    folds: Annotated[int, Field(ge=2, le=20)] | None = None
    folds_by: str | None = None
    folds_order_by: str | None = None
    members: int = Field(1, ge=1, le=100)
    refit: bool = False

    @model_validator(mode="after")
    def _refit_needs_folds(self) -> Self:
        if self.refit and self.folds is None:
            raise ValueError("refit needs folds, which choose the number of epochs; set ensemble.folds=5 too")
        return self

    @model_validator(mode="after")
    def _columns_need_folds(self) -> Self:
        if self.folds_by is not None and self.folds_order_by is not None:
            raise ValueError("folds_by and folds_order_by both say how folds are made; keep one")
        if self.folds is None and (self.folds_by or self.folds_order_by):
            raise ValueError("folds_by and folds_order_by need a number of folds; set ensemble.folds=5 too")
        return self

    @property
    def is_single(self) -> bool:
        """Whether this is one network on the official splits."""
        return self.folds is None and self.members == 1

    @property
    def suffix(self) -> str:
        """Ending of a run folder's name, empty for a single network.

        >>> EnsembleSection(folds=5, members=2, refit=True).suffix, EnsembleSection(members=3).suffix
        ('-folds5-members2-refit', '-members3')
        """
        folds = "" if self.folds is None else f"-folds{self.folds}"
        members = "" if self.members == 1 else f"-members{self.members}"
        return folds + members + ("-refit" if self.refit else "")

    @property
    def text(self) -> str:
        """What is trained, in words.

        >>> EnsembleSection(folds=5, members=2).text, EnsembleSection(members=3).text
        ('5 folds x 2 networks', '3 networks')
        >>> EnsembleSection(folds=3, folds_by="site").text
        '3 folds by site x 1 network'
        """
        networks = "1 network" if self.members == 1 else f"{self.members} networks"
        column = self.folds_by or self.folds_order_by
        by = "" if column is None else f" by {column}"
        folds = networks if self.folds is None else f"{self.folds} folds{by} x {networks}"
        return folds + (" and a refit" if self.refit else "")
