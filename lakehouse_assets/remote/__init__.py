"""Work that a running Dagster does in place of this process: asked for and followed over its GraphQL, by plain HTTP."""
