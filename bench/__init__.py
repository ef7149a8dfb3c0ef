"""Measurements: each module prints one JSON document."""
