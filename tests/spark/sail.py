"""A server of Spark Connect, without a JVM, in a process of its own: prints its port."""

import sys

from pysail.spark import SparkConnectServer


def main() -> None:
    server = SparkConnectServer(port=0)
    server.start(background=True)
    print(server.listening_address[1], flush=True)
    # until whoever started it goes
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
