"""
From files to what they mention, as a chain of stages: `files` finds them, `extract` reads each, `mentions` looks in it.

    export PYTHONPATH=examples LAKEHOUSE_STAGES=papertrail.stages
    lakehouse jobs defer papertrail files -d acme
    lakehouse jobs work papertrail
"""
