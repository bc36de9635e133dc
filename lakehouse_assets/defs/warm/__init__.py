"""
Runs in processes that are warm: forked from a keeper that has loaded what every run loads.

A fresh interpreter takes a second of a processor to load Dagster before it begins; a fork takes none of it. In
dagster.yaml:

    run_launcher:
      module: lakehouse_assets.defs.warm
      class: WarmRunLauncher

`launcher` is what Dagster calls, `keeping` its side of the conversation with a keeper, `keeper` the other side, a
program of its own; `worker` is what a fork does, `leaving` how it ends, `preload` what is loaded before, `processes`
how a run's process is known.
"""

from lakehouse_assets.defs.warm.launcher import WarmRunLauncher

__all__ = ["WarmRunLauncher"]
