"""What a search shows while it runs."""

import io
import time

from rich.console import Console

from fixtures.made_up_search import LR, MadeUp
from medauc.search import Limits
from medauc.search.book import Seed
from medauc.search.job import Job
from medauc.search.progress import SearchProgress, outcome_line


def drawn(progress: SearchProgress) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(progress.draw())
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_it_tells_what_is_done_what_runs_and_how_long_it_may_take(stage):
    with stage.open(stage.definition(LR, pruner="none")) as search:
        progress = SearchProgress(search, 1, Console(file=io.StringIO()))
        search.most = 3
        with progress:
            assert "0/3 trials" in drawn(progress)
        assert "left: not known yet" in drawn(progress)
        search.run(MadeUp(), Limits(trials=2, seeds=1))
        search.most = 4
        best, other = sorted(search.known, key=lambda trial: -trial.aucs[0])
        job = Job(best, 1, fresh=True, begun=time.monotonic() - 75)
        search.running[search.place.run(job, None)] = job
        shown = drawn(progress)
        assert f"best AUC {best.aucs[0]:.3f}" in shown
        assert "2/4 trials" in shown
        assert "left about 0:00:02" in shown, "two more of a second each"
        assert f"trial {best.index}, fresh split 1" in shown
        assert "0:01:15" in shown

        ended = Seed("me", 0.8123, seconds=7.25)
        assert (
            outcome_line(search, job, ended, False)
            == f"[2/4] trial {best.index}, fresh split 1: AUC 0.812, 7.2 s"
        )
        assert outcome_line(search, Job(other, 2), ended, False).startswith(
            f"[2/4] trial {other.index}, seed 2: AUC"
        )
        assert "given up after 0 epochs, 7.2 s: optim.lr=" in outcome_line(search, Job(other, 0), ended, True)
