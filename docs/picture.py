"""
Takes the pictures of the documentation: pages of Dagster's web UI on the demo's lake.

Run it as `make docs`, after `make demo`. It needs Chromium.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

LAKE = Path("demo-lake")
FOLDER = Path("docs/images")
PICTURES = {
    "asset-graph.png": "/assets/index_json?view=lineage&lineageScope=neighbors&lineageDepth=5",
    "sync-push.png": "/assets/sync_push?view=partitions&partition=copy%2Fdataset%2Fpower_papers",
}
REMOTES = "copy=demo-lake-copy"

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
_START_SECONDS = 120
_PAGE_MILLISECONDS = 30_000


def main() -> int:
    """Start the web UI, take the pictures, and stop it again."""
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        print("no Chromium found; install it, on Debian by `apt-get install chromium`", file=sys.stderr)
        return 1
    if not LAKE.is_dir():
        print(f"{LAKE} is not there yet; run `make demo` first", file=sys.stderr)
        return 1
    port = _free_port()
    command = [sys.executable, "-m", "lakehouse_assets.cli", "--uri", str(LAKE), "up", "--port", str(port)]
    server = subprocess.Popen(
        command,
        env={**os.environ, "LAKEHOUSE_REMOTES": REMOTES},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://localhost:{port}/server_info")
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, page in PICTURES.items():
            _shoot(browser, f"http://localhost:{port}{page}", FOLDER / name)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=60)
    print(f"wrote {', '.join(PICTURES)} in {FOLDER}")
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _wait(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(1)


def _shoot(browser: str, url: str, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *_QUIET,
            f"--user-data-dir={profile}",
            "--window-size=1300,900",
            f"--virtual-time-budget={_PAGE_MILLISECONDS}",
            f"--screenshot={picture.resolve()}",
            url,
        ]
        subprocess.run(command, check=True, timeout=180, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
