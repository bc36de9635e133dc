"""What the documents of a lake hold: dataset config, pipeline, job records."""
