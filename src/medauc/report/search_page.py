"""From a search to one self-contained HTML page: the winner and its worth, every trial, importance, slices."""

from pathlib import Path

from medauc import __version__
from medauc.files import save_text
from medauc.report.page import Plot, asset, environment, plotly_script
from medauc.report.search_plots import curves_plot, history_plot, importance_plot, slice_plots
from medauc.search import Found
from medauc.search.space import text_of

_MOST_LISTED = 500


def write_search_page(path: Path | str, found: Found) -> None:
    """Write :func:`build_search_page`'s page to ``path``, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    save_text(path, build_search_page(found))


def build_search_page(found: Found) -> str:
    """Render the page.

    Args:
        found: What :func:`medauc.search.write_result` returned, or :meth:`medauc.search.Found.read` read.

    Returns:
        HTML that needs no other file and no network. Text from outside is escaped.
    """
    rows = sorted(found.rows, key=lambda row: (row.auc is None, -(row.auc or 0.0), row.index))
    return (
        environment()
        .get_template("search.html.jinja")
        .render(
            found=found,
            rows=rows[:_MOST_LISTED],
            fields=list(found.space),
            plots=_plots(found),
            slices=[Plot(key, f"AUC of each trial by {key}", spec) for key, spec in slice_plots(found)],
            text_of=text_of,
            version=__version__,
            style=asset("report.css"),
            script=asset("report.js"),
            plotly=plotly_script(),
        )
    )


def _plots(found: Found) -> list[Plot]:
    plots = [
        Plot("History", "AUC of the trials in their order; crosses were given up early", history_plot(found))
    ]
    curves = curves_plot(found)
    if curves is not None:
        plots.append(
            Plot(
                "By epoch",
                "best AUC so far of each trial, a line a seed; dotted: given up; thick: the winner",
                curves,
            )
        )
    if found.importance:
        plots.append(Plot("Importance", found.importance_method, importance_plot(found)))
    return plots
