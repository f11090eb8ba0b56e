"""The ``medauc`` command: its verbs, and how errors become one line and an exit status."""

import errno
import sys
from typing import Annotated

import typer

from medauc import __version__
from medauc.cli.datasets import datasets
from medauc.cli.demo import demo
from medauc.cli.evaluate import evaluate
from medauc.cli.report import report
from medauc.cli.train import train
from medauc.errors import InputError

INPUT_AT_FAULT, ANYTHING_ELSE = 2, 1

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medauc {__version__}")
        raise typer.Exit


@app.callback()
def medauc(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train classifiers of medical images by maximising AUC, and evaluate them so that a reviewer can trust it.

    Exit status: 0 done, 2 the input is at fault, 1 anything else.
    """


for verb in (demo, datasets, train, evaluate, report):
    app.command(no_args_is_help=False)(verb)


def main() -> None:
    """Run the command line; every error is one line on standard error unless ``--debug`` is given."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(arguments, prog_name="medauc")
    except InputError as error:
        _fail(error, str(error), INPUT_AT_FAULT, debug)
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        advice = (
            "; free some space: what was finished is kept, --resume continues a training" if is_full else ""
        )
        _fail(error, f"{error}{advice}", INPUT_AT_FAULT if is_full else ANYTHING_ELSE, debug)
    except Exception as error:
        message = str(error) or type(error).__name__
        _fail(error, f"{message} (--debug shows where)", ANYTHING_ELSE, debug)


def _fail(error: BaseException, message: str, status: int, debug: bool) -> None:
    if debug:
        raise error
    typer.echo(f"medauc: {' '.join(message.split())}", err=True)
    raise SystemExit(status)
