"""What the integrations share: how a page load that a library did becomes a navigation, and what misuse is answered."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypedDict

from collector import fields
from collector.challenges import leads_on
from collector.entries import describe_exception
from collector.outcomes import BLOCKED, OK, Verdict
from collector.redact import redact_url
from collector.warner import logger

if TYPE_CHECKING:
    from collector.client import Collector

_INNER = "__scrapeboard_inner__"

_CONTENT = Verdict(OK)

MOST_JUDGED_BYTES = 65_536  # challenge pages are small; what is behind is content


class Options(TypedDict, total=False):
    """What every integration of pages can be told.

    Keys:
        run_id: The run that the navigations belong to; None = the one that is going on (`collector.run`).
        labels: For every navigation: at most 16 pairs of strings.
        wants: Given a URL, says whether its navigation is recorded; None = all are.
        collector: Who records; None = the collector of the package's functions.
    """

    run_id: str | None
    labels: Mapping[str, str] | None
    wants: Callable[[str], bool] | None
    collector: Collector | None


def missing(module: str, install: str, cause: ImportError) -> ImportError:
    """Make the error for a library that isn't there.

    Args:
        module: The integration's name (`scrapy`).
        install: What pip is to install (`scrapy>=2.14`).
        cause: What the import raised.
    """
    return ImportError(
        f"collector.integrations.{module} can't import its library ({cause}): pip install '{install}'", name=cause.name
    )


class Pages:
    """Records the navigations of one scraper.

    Nothing that it does raises into the library (but in strict mode, as the record calls): what can't be read off a
    foreign object is left out, and said in the log once.

    Args:
        scraper_source: Name of the scraper, 1-50 characters.
        options: See `Options`.

    Raises:
        InvalidMetric: That is no name for a scraper.
        TypeError: There is no such option.
    """

    def __init__(self, scraper_source: str, **options: Any) -> None:
        self.scraper_source = fields.name(scraper_source, "scraperSource")
        unknown = options.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(Options.__annotations__)}"
            )
        self._run_id = options.get("run_id")
        self._labels = options.get("labels")
        self._wants = options.get("wants")
        recorder = options.get("collector")
        if recorder is None:
            import collector  # here: the package imports nothing of its integrations, and they all of it

            recorder = collector._collector
        self.collector = recorder
        self._classifying = recorder._classifying
        self._complained = False

    def answered(
        self,
        url: str,
        duration_ms: float,
        status: int | None,
        *,
        retry_count: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        data_size: int | None = None,
        recorded_at: float | None = None,
    ) -> Verdict | None:
        """Record a page load that was answered.

        Args:
            url: The page that was asked for.
            duration_ms: All attempts together, in milliseconds.
            status: HTTP status of the last answer.
            retry_count: Attempts after the first.
            headers: Of the answer.
            body: The page, or its beginning, to tell a challenge by; None when nobody has read it.
            data_size: Size of the whole page in bytes, when `body` is its beginning.
            recorded_at: When, in epoch milliseconds; None = now.

        Returns:
            What the page was worth; None when it isn't wanted.
        """
        if not self._wanted(url):
            return None
        if status == 200 and self._classifying.classifier is None and leads_on(body):
            verdict = _CONTENT  # what nearly all pages are; the long way takes ten times as long
        else:
            verdict = self.collector.classify(
                self.scraper_source, url=url, status_code=status, headers=headers, body=body, data_size=data_size
            )
        # An empty page was loaded all the same: that is for the scrape to say.
        success = verdict.is_success
        error = None if success else f"blocked: {verdict.reason}" if verdict.outcome == BLOCKED else verdict.reason
        self.collector.record_page_navigation(
            self.scraper_source,
            url=url,
            navigation_duration_ms=rounded_ms(duration_ms),
            success=success,
            retry_count=retry_count,
            error=error,
            status_code=status,
            recorded_at=recorded_at,
            run_id=self._run_id,
            labels=self._labels,
        )
        return verdict

    def failed(
        self,
        url: str,
        duration_ms: float,
        error: BaseException | str,
        *,
        status: int | None = None,
        retry_count: int = 0,
    ) -> None:
        """Record a page load that ended without an answer, or with one that the library made an exception of.

        Args:
            url: The page that was asked for.
            duration_ms: All attempts together, in milliseconds.
            error: Why.
            status: HTTP status of the last answer, if there was any.
            retry_count: Attempts after the first.
        """
        if not self._wanted(url):
            return
        text = error if isinstance(error, str) else describe_exception(error)
        self.collector.record_page_navigation(
            self.scraper_source,
            url=url,
            navigation_duration_ms=rounded_ms(duration_ms),
            success=False,
            retry_count=retry_count,
            error=_without_secrets(text, url),
            status_code=status,
            run_id=self._run_id,
            labels=self._labels,
        )

    def read(self, what: Callable[..., Any], *of: Any, default: Any = None) -> Any:
        """Give what can be read off foreign objects, `default` where that raises."""
        try:
            return what(*of)
        except Exception as exc:  # noqa: BLE001 - foreign objects raise whatever they like; the navigation is recorded
            self.complain(exc)
            return default

    def _wanted(self, url: str) -> bool:
        return self._wants is None or bool(self.read(self._wants, url, default=True))

    def complain(self, exc: Exception) -> None:
        """Say once that something couldn't be read."""
        if not self._complained:
            self._complained = True
            logger.warning(
                "collector: something can't be told about the pages of %s: %s",
                self.scraper_source,
                describe_exception(exc),
            )


def first_line(exc: BaseException) -> str:
    """Say what an exception is; without the call logs and stacks of addresses that browser drivers add."""
    return describe_exception(exc).partition("\n")[0]


def since_ms(began_s: float) -> float:
    """Say how many milliseconds have gone since a `perf_counter()`."""
    return (perf_counter() - began_s) * 1000


def rounded_ms(duration_ms: float) -> float:
    """Give a duration of at least 0 three places, as `round` does for twice as much."""
    return int(duration_ms * 1000 + 0.5) / 1000


def replace_method(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put a function around an object's method, for this object alone; around the original when done again.

    Args:
        owner: The object.
        name: Of its method.
        make: Gives the new function, given the bound method.
    """
    inner = getattr(owner, name)
    inner = getattr(inner, _INNER, inner)
    outer = functools.wraps(inner)(make(inner))
    setattr(outer, _INNER, inner)
    setattr(owner, name, outer)


def _without_secrets(text: str, url: str) -> str:
    """Redact the page's own URL where a message tells it without its host, as urllib3 does: `with url: /a?token=b`."""
    _, _, address = url.partition("://")
    _, slash, target = address.partition("/")
    if slash and ("?" in target or ";" in target) and target in text:
        return text.replace(target, redact_url(url).partition("://")[2].partition("/")[2])
    return text
