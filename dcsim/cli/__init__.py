"""The command line. Handlers import what they run when they run, so that `--help` stays quick."""

from dcsim.cli.app import call, main

__all__ = ["call", "main"]
