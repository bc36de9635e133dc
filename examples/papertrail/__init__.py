"""
From files to what they mention, as a chain of two stages: `extract` reads the text of a file, `mentions` looks in it.

    python examples/papertrail -d power_papers      # one job for each file of the archive that was not read yet
    lakehouse jobs work papertrail                  # both stages; a running Dagster does the same by itself

`LAKEHOUSE_STAGES=papertrail.stages` says where the stages are, `PYTHONPATH=examples` where that lies.
"""
