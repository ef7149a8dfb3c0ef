"""Metrics in the database: engine, schema, the store that writes and the queries that read."""
