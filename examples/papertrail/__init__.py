"""
From files to what they mention, as a chain of stages: `files` finds them, `extract` reads each, `mentions` looks in it.

    export PYTHONPATH=examples LAKEHOUSE_STAGES=papertrail.stages
    echo '{}' | lakehouse jobs defer -d acme --queue papertrail --task files -
    lakehouse jobs work papertrail
"""
