"""Tests of the examples: the troubled site, the scrapers that crawl it, the demo that runs them."""
