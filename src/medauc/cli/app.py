"""The ``medauc`` command: its verbs, and how errors become one line and an exit status."""

import sys
import traceback
from typing import Annotated

import typer

from medauc import __version__
from medauc.cli.audit import audit
from medauc.cli.benchmark import benchmark
from medauc.cli.cache import cache
from medauc.cli.compare import compare
from medauc.cli.datasets import datasets
from medauc.cli.demo import demo
from medauc.cli.evaluate import evaluate
from medauc.cli.export import export
from medauc.cli.init import init
from medauc.cli.predict import predict
from medauc.cli.pretrain import pretrain
from medauc.cli.report import report
from medauc.cli.train import train
from medauc.cli.tune import tune
from medauc.errors import InputError
from medauc.files import is_full
from medauc.printing import open_missing, say

INPUT_AT_FAULT, ANYTHING_ELSE, INTERRUPTED = 2, 1, 130
TOGETHER = "train"  # the verb that several processes may share

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"medauc {__version__}")
        raise typer.Exit


@app.callback()
def medauc(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train classifiers of medical images by maximising AUC, and evaluate them so that a reviewer can trust it.

    Exit status: 0 done, 2 the input is at fault, 3 `audit` found what invalidates results, 1 anything else.
    """
    if context.invoked_subcommand != TOGETHER:
        _require_alone(context.invoked_subcommand)


def _require_alone(verb: str | None) -> None:
    """Every process of several would do the whole work of a verb that knows nothing of the others, in one folder."""
    from medauc.training import ranks

    if ranks.several():
        raise InputError(
            f"{verb}: of all verbs only {TOGETHER} trains one network in several processes; start it without torchrun"
        )


for verb in (
    demo,
    datasets,
    init,
    export,
    audit,
    train,
    pretrain,
    evaluate,
    compare,
    report,
    predict,
    benchmark,
    tune,
    cache,
):
    app.command(no_args_is_help=False)(verb)


def main() -> None:
    """Run the command line; every error is one line on standard error, after its traceback with ``--debug``."""
    open_missing()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        status = app(arguments, prog_name="medauc", standalone_mode=False)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:
        message, status = _explain(error)
        if "--debug" in sys.argv:
            traceback.print_exception(error)
        if message and _speaks(" ".join(message.split())):
            say(f"medauc: {' '.join(message.split())}", err=True)
        raise SystemExit(status) from None
    if status == INTERRUPTED:  # typer's answer to Ctrl-C
        if _speaks("interrupted"):
            say("medauc: interrupted", err=True)
        raise SystemExit(ANYTHING_ELSE)
    if status:  # what a verb ended with by typer.Exit
        raise SystemExit(status)


def _speaks(message: str) -> bool:
    """Whether this process is the one that tells the user; of several that train together only one is."""
    from medauc.training import ranks

    if not ranks.several():
        return True
    from medauc.training.launch import tells

    return tells(message)


def _explain(error: Exception) -> tuple[str, int]:
    """Message and exit status of an error."""
    if isinstance(error, InputError):
        return str(error), INPUT_AT_FAULT
    if is_full(error):
        return (
            f"{error}; free some and go on: what was finished is kept, --resume continues a training",
            ANYTHING_ELSE,
        )
    if isinstance(error, MemoryError):
        return f"not enough memory: {error or 'an array does not fit'} (--debug shows where)", ANYTHING_ELSE
    # Wrong usage: click's exceptions, which typer carries along under a private name. An empty message: help was shown.
    if (usage := getattr(error, "format_message", None)) is not None:
        text, context = usage(), getattr(error, "ctx", None)
        command = context.command_path if context else "medauc"
        return (f"{text} ({command} --help)" if text else ""), INPUT_AT_FAULT
    return f"{str(error) or type(error).__name__} (--debug shows where)", ANYTHING_ELSE
