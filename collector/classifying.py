"""Outcomes for one collector: the user's classifier first, then ours, with the history of its pages."""

from collections.abc import Mapping

from collector.fields import MAX_OUTCOME_CHARS
from collector.outcomes import BLOCKED, EMPTY, OK, Classifier, Evidence, History, Verdict, classify_page


class Classifying:
    """Says what pages were worth, and remembers what they usually are; any thread may use it."""

    __slots__ = ("_history", "classifier", "failures")

    def __init__(self) -> None:
        self._history = History()
        self.classifier: Classifier | None = None
        self.failures = 0  # of the user's classifier

    def judge(self, evidence: Evidence) -> Verdict:
        """Say what a page was worth.

        Args:
            evidence: What is known of it.

        Returns:
            The user's word where there is one, else ours. Nothing is raised, whatever the evidence holds.
        """
        verdict = self._theirs(evidence)
        if verdict is None:
            try:
                verdict = classify_page(evidence, self._history)
            except Exception:  # noqa: BLE001 - evidence comes from foreign objects, which may raise anything
                self.failures += 1
                verdict = Verdict(OK if evidence.exception is None else "parse_error")
        if evidence.items_extracted is not None and verdict.outcome in (OK, EMPTY):
            self._history.note(evidence.scraper_source, evidence.url, evidence.items_extracted)
        return verdict

    def _theirs(self, evidence: Evidence) -> Verdict | None:
        if self.classifier is None:
            return None
        try:
            outcome = self.classifier(evidence)
        except Exception:  # noqa: BLE001 - somebody's function may raise anything: ours answers then
            self.failures += 1
            return None
        if not isinstance(outcome, str) or not 0 < len(outcome.strip()) <= MAX_OUTCOME_CHARS:
            self.failures += outcome is not None
            return None
        reason = "the page is blocked, says the classifier" if outcome == BLOCKED else None
        return Verdict(outcome.strip(), reason)

    def classify(
        self,
        scraper_source: str,
        *,
        url: str | None = None,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        data_size: int | None = None,
        items_extracted: int | None = None,
        exception: BaseException | None = None,
    ) -> Verdict:
        """Say what a page was worth; the arguments are those of `Evidence`."""
        return self.judge(
            Evidence(scraper_source, url, status_code, headers, body, data_size, items_extracted, exception)
        )
