"""Scrapeboard's collector: record what a scraper does, from any Python program, without being in its way.

    from collector import configure, record_page_navigation

    configure(url="http://127.0.0.1:8050")
    record_page_navigation("robinhood", url="https://robinhood.com/stocks/AAPL", navigation_duration_ms=150)

The functions belong to one `Collector`; a program that needs several makes its own. Nothing but the standard library is
imported. Pending metrics are delivered at exit and on SIGTERM; in asyncio, flush with `await asyncio.to_thread(flush)`.
"""

from collector.client import Collector
from collector.errors import CollectorError, ConfigurationError, InvalidMetric
from collector.outcomes import Evidence, Verdict
from collector.version import VERSION

__version__ = VERSION

_collector = Collector()

# Bound methods, not functions around them: a wrapper would cost a record call a third of its time.
configure = _collector.configure
record_page_navigation = _collector.record_page_navigation
record_page_scrape = _collector.record_page_scrape
record_scheduler_metric = _collector.record_scheduler_metric
declare_schedule = _collector.declare_schedule
flush = _collector.flush
flush_navigation_metrics = _collector.flush_navigation_metrics
flush_scrape_metrics = _collector.flush_scrape_metrics
flush_scheduler_metrics = _collector.flush_scheduler_metrics
generate_daily_summary = _collector.generate_daily_summary
cleanup_old_metrics = _collector.cleanup_old_metrics
get_metrics_stats = _collector.get_metrics_stats
goto_with_retries_tracked = _collector.goto_with_retries_tracked
scrape_page_tracked = _collector.scrape_page_tracked
run_metrics_scheduler_tracked = _collector.run_metrics_scheduler_tracked
track_navigation = _collector.track_navigation
track_scrape = _collector.track_scrape
track_run = _collector.track_run
run = _collector.run
classify = _collector.classify

__all__ = [
    "Collector",
    "CollectorError",
    "ConfigurationError",
    "Evidence",
    "InvalidMetric",
    "Verdict",
    "classify",
    "cleanup_old_metrics",
    "configure",
    "declare_schedule",
    "flush",
    "flush_navigation_metrics",
    "flush_scheduler_metrics",
    "flush_scrape_metrics",
    "generate_daily_summary",
    "get_metrics_stats",
    "goto_with_retries_tracked",
    "record_page_navigation",
    "record_page_scrape",
    "record_scheduler_metric",
    "run",
    "run_metrics_scheduler_tracked",
    "scrape_page_tracked",
    "track_navigation",
    "track_run",
    "track_scrape",
]
