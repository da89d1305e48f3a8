"""Asks for the evidence of a rollout: the pods, Prometheus, or both."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.edges.clock import monotonic, utc_now
from slipway_operator.edges.prometheus import Prometheus, PrometheusSilent
from slipway_operator.edges.prometheus_counts import ask_queries, build_query, read_counts
from slipway_operator.edges.readings import read_pods
from slipway_operator.settings import Settings
from slipway_operator.state.questions import Questions
from slipway_operator.state.readings import Readings, Source

_LEAST_SECONDS: Final = 1.0  # a look for another reason asks nobody
_SET_UP: Final = {
    True: "this engine knows no Prometheus: start it with its address in SLIPWAY_PROMETHEUS_URL",
    False: "this installation knows no Prometheus: set the chart's value operator.prometheus.url",
}


class EvidenceReader:
    """Remembers, of each model, which scrapes were taken already."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._newest: dict[str, float] = {}  # by uid: the last scrape that was taken
        self._asked: dict[str, float] = {}  # by uid: when

    async def read(
        self,
        sources: Sequence[Source],
        questions: Questions | None,
        *,
        ledger: Ledger | None,
        shadow: bool = False,
    ) -> Readings | None:
        """What is known of these pods now; None: nothing new. `shadow`: their latest answers as
        well."""
        if not sources or questions is None:
            return await read_pods(sources, ledger=ledger, shadow=shadow)
        if not questions.counts:
            readings = await read_pods(sources, ledger=ledger)
            return None if readings is None else await self._add_metrics(readings, questions)
        if monotonic() - self._asked.get(questions.uid, -_LEAST_SECONDS) < _LEAST_SECONDS:
            return None
        try:
            return await self._read_prometheus(sources, questions)
        finally:
            self._asked = {
                uid: at for uid, at in self._asked.items() if monotonic() - at < _LEAST_SECONDS
            } | {questions.uid: monotonic()}

    def forget(self, uid: str) -> None:
        """A rollout is over."""
        self._newest.pop(uid, None)

    async def _add_metrics(self, readings: Readings, questions: Questions) -> Readings:
        """With what the spec's own metrics have counted."""
        address = self._settings.prometheus
        if address is None:
            why = _SET_UP[self._settings.is_laptop]
            return replace(readings, untold={query.metric: why for query in questions.queries})
        async with Prometheus(address) as prometheus:
            tallies, untold = await ask_queries(prometheus, questions.queries)
        return replace(readings, tallies=tallies, untold=untold)

    async def _read_prometheus(
        self, sources: Sequence[Source], questions: Questions
    ) -> Readings | None:
        """What Prometheus has scraped since the last time, of every pod; None: not of every one.

        What is compared are windows of both revisions, and each pod is scraped at its own moment:
        a window ends when every pod was scraped after the end of the last one.
        """
        now, uid = utc_now(), questions.uid
        address = self._settings.prometheus
        if address is None:
            return self._tell_all(sources, _SET_UP[self._settings.is_laptop], at=now, uid=uid)
        async with Prometheus(address) as prometheus:
            try:
                clock = await prometheus.read_clock()
                query = build_query(questions, {source.revision for source in sources})
                samples = await prometheus.query(query)
            except PrometheusSilent as silent:
                return self._tell_all(sources, str(silent), at=now, uid=uid)
            counted = read_counts(
                samples,
                sources,
                namespace=questions.namespace,
                clock=clock,
                ages={one.uid: (now - one.ready_since).total_seconds() for one in sources},
            )
            found = tuple((source, reading) for source, reading, _ in counted.found)
            if counted.unread:
                self._newest.pop(uid, None)
                return Readings(at=now, found=found, unread=counted.unread)
            # Of a revision whose pods are all too young nothing is known yet.
            if {source.revision for source, _ in found} != {one.revision for one in sources}:
                return None
            moments = [at for _, _, at in counted.found]
            if min(moments) <= self._newest.get(uid, 0.0):
                return None
            self._newest[uid] = max(moments)
            tallies, untold = await ask_queries(prometheus, questions.queries)
        return Readings(at=now, found=found, tallies=tallies, untold=untold)

    def _tell_all(self, sources: Sequence[Source], why: str, *, at: datetime, uid: str) -> Readings:
        self._newest.pop(uid, None)
        return Readings(at=at, unread={source.pod: why for source in sources})
