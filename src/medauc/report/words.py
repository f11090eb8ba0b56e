"""Short phrases that page and model card share."""

from medauc.evaluation import Calibration

METHOD_NAMES = {
    "platt": "Platt scaling",
    "temperature": "temperature scaling",
    "beta": "beta calibration",
    "isotonic": "isotonic regression",
}


def map_text(calibration: Calibration) -> str:
    """Name the map with its parameters, where they are a few numbers.

    >>> from medauc.evaluation import Predictions, evaluate
    >>> part = lambda split: Predictions.from_arrays(
    ...     split=split, ids=range(6), targets=[0, 0, 0, 1, 1, 1], scores=[1, 2, 5, 3, 4, 6])
    >>> map_text(evaluate(Predictions.concatenate([part("val"), part("test")])).calibration[0])
    'Platt scaling: slope 0.3613, intercept -1.265'
    """
    numbers = [
        f"{name} {value:.4g}" for name, value in calibration.map.items() if isinstance(value, int | float)
    ]
    name = METHOD_NAMES[calibration.method]
    return f"{name}: {', '.join(numbers)}" if numbers else name
