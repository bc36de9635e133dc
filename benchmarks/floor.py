"""The floor under an import: what cannot be left out.

    python benchmarks/floor.py entities.ftm.json statements.parquet

DuckDB reads the JSON lines typed, makes one row of each value with the sha1 of its statement string, and
writes them as parquet with zstd level 1: no model, no cleaning, no base rows, no order, no commit.
"""

import sys

QUERY = """
COPY (
    WITH entities AS (
        SELECT id, schema, last_seen, last_change, unnest(map_entries(properties)) AS property
        FROM read_json($input, format = 'newline_delimited', columns = {
            id: 'VARCHAR', schema: 'VARCHAR', last_seen: 'VARCHAR', last_change: 'VARCHAR',
            properties: 'MAP(VARCHAR, VARCHAR[])'
        })
    ), statements AS (
        SELECT id, schema, last_seen, last_change, property.key AS prop, unnest(property.value) AS value
        FROM entities
    )
    SELECT sha1(concat('benchmark.', id, '.', prop, '.', value)) AS id, id AS entity_id, schema, prop, value,
        last_change AS first_seen, last_seen
    FROM statements
) TO '{output}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""


def main() -> None:
    """Run the command line."""
    import duckdb

    source, output = sys.argv[1:]
    query = QUERY.replace("$input", f"'{source}'").replace("{output}", output)
    duckdb.connect(config={"preserve_insertion_order": "false"}).execute(query)


if __name__ == "__main__":
    main()
