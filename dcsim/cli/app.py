"""The `dcsim` command: its sub-commands, and what becomes of errors.

Exit codes: 0 good, 1 the run or check failed, 2 wrong input (one line to stderr for each thing that is
wrong), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from dcsim.cli import bench, catalog, chip, data, facility, gpu, new, output, replay, run, schema, validate, workload
from dcsim.errors import DcsimError

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

#: What Typer raises for a wrong option or argument.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="dcsim",
    help="Simulate AI data centers that mix GPU racks and neuromorphic racks.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("run")(run.command)
app.command("replay")(replay.command)
app.command("validate")(validate.command)
app.command("facility")(facility.command)
app.command("bench")(bench.command)
app.command("schema")(schema.command)
app.add_typer(chip.app, name="chip")
app.add_typer(gpu.app, name="gpu")
app.add_typer(workload.app, name="workload")
app.add_typer(catalog.app, name="catalog")
app.add_typer(data.app, name="data")
app.add_typer(new.app, name="new")


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from dcsim import __version__

        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Entry point of the `dcsim` script."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    try:
        code = get_command(app).main(list(arguments), prog_name="dcsim", standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        output.error(_usage(error))
        return WRONG_INPUT
    except DcsimError as error:
        output.error(str(error))
        return WRONG_INPUT
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (OSError, MemoryError) as error:
        output.error(str(error) or "out of memory")
        return FAILED
    return code if isinstance(code, int) else 0


def _usage(error: Exception) -> str:
    """Typer's complaint as one line in lower case."""
    text = " ".join(getattr(error, "format_message", error.__str__)().split())
    return text[:1].lower() + text[1:].removesuffix(".")
