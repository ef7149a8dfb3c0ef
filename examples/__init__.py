"""Real scrapers to copy, the troubled site they crawl, and the demo that runs them all."""
