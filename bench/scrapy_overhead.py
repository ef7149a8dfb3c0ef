"""Measure how much the Scrapy extension slows a crawl down, as JSON.

Run it with `python -m bench.scrapy_overhead [--pairs N] [--pages N]`. A spider takes the sections of the real pages of
Python's documentation, served from loopback by another process: with the extension and without it, in turns, each crawl
in a process of its own. The goal: less than 1 % more CPU time.
"""

import argparse
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response

from bench._instructions import Instructions
from examples.docs import find_or_install_docs, list_pages
from examples.site import DocSite
from examples.trouble import Profile

GOAL_PERCENT = 1.0
CALM = Profile(fastest_ms=0.01, slowest_ms=0.02)


class DocSpider(scrapy.Spider):
    """Reads pages of documentation: an item for each section, with what a scraper of documentation would keep."""

    name = "docs"
    site = ""
    most = 0

    async def start(self) -> Any:
        """Ask for the first pages of the site's map."""
        for page in list_pages(find_or_install_docs())[: int(self.most)]:
            yield scrapy.Request(f"{self.site}/{page}")

    def parse(self, response: Response) -> Iterator[Any]:
        """Give the sections of a page, and follow its links (all of them are known: they are filtered)."""
        for section in response.css("div.body section"):
            yield {
                "title": section.css("h1::text, h2::text, h3::text").get(),
                "anchor": section.attrib.get("id"),
                "paragraphs": len(section.xpath("./p")),
                "code": section.css("pre").xpath("string()").getall()[:3],
            }


class Sink(BaseHTTPRequestHandler):
    """Takes batches like the app, and counts them; it is in the bench's process, not in the crawl's."""

    protocol_version = "HTTP/1.1"
    metrics = 0

    def do_POST(self) -> None:
        """Accept a batch."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Sink.metrics += len(content["metrics"])
        body = json.dumps({"accepted": len(content["metrics"]), "duplicate": False}).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def crawl(site: str, board: str, pages: int, extended: bool) -> dict[str, float]:
    """Crawl in this process and say what it cost, from the spider's opening to the end of the crawl.

    Returns:
        `cpu_s` of the whole process (user and system, the collector's threads included), `wall_s`, `instructions` (in
        user space, of all threads, without those of the garbage collector: how often it runs changes from one crawl to
        the next by more than what is looked for; 0 where they can't be counted), `import_s` (of the integration,
        before), `pages`, `items`.
    """
    settings: dict[str, Any] = {
        "CONCURRENT_REQUESTS": 8,
        "DOWNLOAD_DELAY": 0,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_ENABLED": False,
        "MEMUSAGE_ENABLED": False,
    }
    if extended:
        settings |= {"ADDONS": {"collector.integrations.scrapy.Scrapeboard": 500}, "SCRAPEBOARD_URL": board}
    import_began_s = time.process_time()
    if extended:  # once in a process's life, however many pages it crawls: told apart
        import collector.integrations.scrapy
    import_s = time.process_time() - import_began_s
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(DocSpider)
    process.crawl(crawler, site=site, most=pages)
    counter = Instructions()
    collecting: list[int] = [0, 0]  # instructions of the garbage collector until now, and where its last turn began

    def watch_garbage(phase: str, _info: dict[str, int]) -> None:
        now = counter.read() or 0
        if phase == "start":
            collecting[1] = now
        else:
            collecting[0] += now - collecting[1]

    gc.callbacks.append(watch_garbage)
    began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    process.start()
    if extended:
        assert collector.flush()
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert crawler.stats is not None
    return {
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "wall_s": time.perf_counter() - began_s,
        "instructions": (counter.read() or 0) - collecting[0],
        "import_s": import_s,
        "pages": crawler.stats.get_value("response_received_count", 0),
        "items": crawler.stats.get_value("item_scraped_count", 0),
    }


def measure(pairs: int, pages: int) -> dict[str, Any]:
    """Crawl in turns: with the extension first in one pair, without it first in the next.

    Returns:
        The slowdown in CPU time, in instructions and in wall time: the median over pairs, in percent, with quartiles.
        The goal is judged by the instructions, where they can be counted: other load of the machine moves CPU time by
        more than what is looked for.
    """
    root = find_or_install_docs()
    runs: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    board = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=board.serve_forever, daemon=True).start()
    with DocSite(root, profiles={"everyday": CALM}, keep_visits=10) as site:
        for number in range(pairs + 1):
            for extended in (number % 2 == 0, number % 2 == 1):
                command = [sys.executable, "-m", "bench.scrapy_overhead", "--site", site.url, "--pages", str(pages)]
                command += ["--board", f"http://127.0.0.1:{board.server_address[1]}", *["--extended"][: int(extended)]]
                environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the same order of sets in all of them
                done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                if number:  # the first pair fills the disk's cache and writes bytecode
                    runs[extended].append(json.loads(done.stdout))
    board.shutdown()
    board.server_close()
    with_it, without = runs[True], runs[False]
    assert {run["pages"] for run in with_it} == {run["pages"] for run in without}
    slowdown = {
        key: [(a[key] / b[key] - 1) * 100 if b[key] else 0.0 for a, b in zip(with_it, without, strict=True)]
        for key in ("cpu_s", "wall_s", "instructions")
    }
    cpu_percent = statistics.median(slowdown["cpu_s"])
    judged = statistics.median(slowdown["instructions"]) if without[0]["instructions"] else cpu_percent
    per_page_us = [(a["cpu_s"] - b["cpu_s"]) / a["pages"] * 1e6 for a, b in zip(with_it, without, strict=True)]
    return {
        "bench": "scrapy_overhead",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "scrapy": scrapy.__version__},
        "pairs": pairs,
        "pages": without[0]["pages"],
        "items": without[0]["items"],
        "metrics_received": Sink.metrics,
        "cpu_ms_a_page_without": round(statistics.median(run["cpu_s"] / run["pages"] for run in without) * 1000, 3),
        "import_ms_once": round(statistics.median(run["import_s"] for run in with_it) * 1000),
        "cpu_us_a_page_of_the_extension": round(statistics.median(per_page_us)),
        "slower_in_cpu_time_percent": round(cpu_percent, 2),
        "quartiles_percent": [round(value, 2) for value in statistics.quantiles(slowdown["cpu_s"], n=4)],
        "more_instructions_percent": round(statistics.median(slowdown["instructions"]), 2),
        "instructions_quartiles_percent": [round(v, 2) for v in statistics.quantiles(slowdown["instructions"], n=4)],
        "slower_in_wall_time_percent": round(statistics.median(slowdown["wall_s"]), 2),
        "goal_percent": GOAL_PERCENT,
        "goal_met": judged < GOAL_PERCENT,
    }


def main() -> None:
    """Measure, or be one of the crawls that are measured."""
    parser = argparse.ArgumentParser(description="Measure how much the Scrapy extension slows a crawl down.")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--site", help=argparse.SUPPRESS)
    parser.add_argument("--board", help=argparse.SUPPRESS)
    parser.add_argument("--extended", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.site:
        print(json.dumps(crawl(options.site, options.board, options.pages, options.extended)))
    else:
        print(json.dumps(measure(options.pairs, options.pages), indent=2))


if __name__ == "__main__":
    main()
