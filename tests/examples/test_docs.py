"""What the documentation says is what the program does."""

import subprocess
import sys
from pathlib import Path

import pytest

import lakehouse_assets

DOCS = Path(lakehouse_assets.__file__).parents[1] / "docs"


@pytest.mark.parametrize("script", ["reference.py", "consoles.py"])
def test_what_is_written_is_what_the_program_says(script: str) -> None:
    command = [sys.executable, str(DOCS / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
