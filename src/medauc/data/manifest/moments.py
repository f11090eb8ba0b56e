"""Cells of a column as points in time."""

import numpy as np
import numpy.typing as npt
import pandas as pd


def moments(cells: "pd.Series[str] | npt.NDArray[np.str_]") -> npt.NDArray[np.float64]:
    """Numbers, or dates such as ``2024-01-31`` as numbers: N texts that can be put in order.

    Where some are no numbers all are taken for dates; NaN stands for what is neither.

    >>> moments(np.array(["2024-01-31", "2023-12-01", "x"])).argsort().tolist(), moments(np.array(["7", "1e3"]))
    ([1, 0, 2], array([   7., 1000.]))
    """
    texts = pd.Series(cells, dtype="str")
    values = pd.to_numeric(texts, errors="coerce")
    if values.isna().any():
        dates = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
        values = dates.astype("int64").astype("float64").where(dates.notna())
    return values.to_numpy(np.float64)
