"""The lake in Dagster: assets, checks, jobs, sensors and schedules over the operations of a lake."""
