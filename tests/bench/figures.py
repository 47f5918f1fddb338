# SPDX-License-Identifier: MIT
"""The figures that callbackd is held to, computed from the results of measure.py.

Ratios are taken within a round, where both were measured within seconds of each other; what is
given is their median, and the least and the greatest."""
import dataclasses
import statistics

MIB = 2**20
# name, over, under, at least, aim: of what group_hooks measures
HOOKS = [
    ("hooks completed/s ÷ a bare posix_spawn+wait loop", "hooks", "bare", 0.6, 0.85),
    ("hooks completed/s ÷ adnanh/webhook's completed/s", "hooks", "webhook", 2, 4),
    ("acks/s while hooks run ÷ with hooks paused", "acks", "acks_paused", 0.5, 0.7),
]


@dataclasses.dataclass
class Figure:
    name: str
    at_least: float
    aim: float
    values: list
    unit: str = ""
    low_is_good: bool = False

    @property
    def value(self):
        return statistics.median(self.values)

    def meets(self, bound):
        return self.value <= bound if self.low_is_good else self.value >= bound

    @property
    def verdict(self):
        return "aim" if self.meets(self.aim) else "yes" if self.meets(self.at_least) else "no"

    def text(self, value):
        return f"{value:.1f}{self.unit}" if self.unit or value >= 3 else f"{value:.2f}"


def _ratios(seen, over, under, key="per_second"):
    return [a[key] / b[key] for a, b in zip(seen[over], seen[under])]


def figures(results):
    """Those whose measurements are there."""
    found = []

    def add(*parts, **options):
        found.append(Figure(*parts, **options))

    if main := results.get("main"):
        add("acks/s ÷ nginx returning a constant", 0.5, 0.65, _ratios(main, "callbackd", "nginx"))
        add("acks/s ÷ civetweb with an empty handler", 0.65, 0.8,
            _ratios(main, "callbackd", "civetweb"))
        add("acks/s ÷ adnanh/webhook, which stores nothing", 6, 9,
            _ratios(main, "callbackd", "webhook"))
        add("over TLS, ÷ nginx over TLS", 0.5, 0.7, _ratios(main, "callbackd-tls", "nginx-tls"))
    if new := results.get("new_tls"):
        add("new TLS connections/s ÷ nginx", 0.8, 1.0, _ratios(new, "callbackd-tls", "nginx-tls"))
    if half := results.get("half"):
        add("p99 at half load ÷ nginx's", 5, 3, _ratios(half, "callbackd", "nginx", "p99_us"),
            low_is_good=True)
    if large := results.get("large"):
        add(f"acks/s with {large['rows'] // 1_000_000} million results stored ÷ empty store",
            0.9, 1.0, _ratios(large, "filled", "empty"))
    if hooks := results.get("hooks"):
        for name, over, under, at_least, aim in HOOKS:
            add(name, at_least, aim, [seen[over] / seen[under] for seen in hooks])
    if streams := results.get("streams"):
        add("jobs/s through one stream hook (window 512)", 10, 30,
            [one["wide"] / 1000 for one in streams], unit=" k")
    if memory := results.get("memory"):
        add("memory (PSS of all processes), idle", 24, 12, [one["idle"] / MIB for one in memory],
            unit=" MiB", low_is_good=True)
        add("memory, 256 connections under load", 64, 32, [one["load"] / MIB for one in memory],
            unit=" MiB", low_is_good=True)
    return found
