"""What is asked of a Dagster, in its GraphQL."""

LAKES = """
query {
  repositoriesOrError {
    __typename
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message }
  }
}
"""

BROKEN = """
query {
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries { name locationOrLoadError { __typename ... on PythonError { message } } }
    }
  }
}
"""

ADD_PARTITION = """
mutation ($repository: RepositorySelector!, $set: String!, $dataset: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $set, partitionKey: $dataset) {
    __typename
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""

LOOK = """
query ($run: ID!, $after: String) {
  runOrError(runId: $run) {
    __typename
    ... on Run { status tags { key value } }
    ... on Error { message }
  }
  logsForRun(runId: $run, afterCursor: $after, limit: 1000) {
    __typename
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on MessageEvent { message level }
        ... on ExecutionStepFailureEvent {
          failureMetadata {
            description
            metadataEntries {
              label
              ... on TextMetadataEntry { text }
              ... on MarkdownMetadataEntry { mdStr }
            }
          }
        }
        ... on ErrorEvent { error { message className } }
      }
    }
  }
}
"""

RETRIES = """
query ($run: String!) {
  runsOrError(filter: { tags: [{ key: "dagster/parent_run_id", value: $run }] }, limit: 1) {
    __typename
    ... on Runs { results { runId } }
  }
}
"""

DAEMON = """
query {
  instance {
    daemonHealth { daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") { required healthy } }
  }
}
"""

CANCEL = """
mutation ($run: String!) {
  terminateRun(runId: $run) { __typename ... on Error { message } }
}
"""
