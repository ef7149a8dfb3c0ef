"""Scrapeboard's collector: record what a scraper does, from any Python program."""
