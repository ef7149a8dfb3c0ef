"""Integrations with scraping libraries; each module imports its library itself, and none is imported by default."""
