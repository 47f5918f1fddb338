# SPDX-License-Identifier: MIT
"""docs/performance.svg: how many posts a second each server answers, and how long it takes."""
import html
import statistics

WIDTH, LEFT, RIGHT = 760, 150, 110
BAR, GAP, HEAD = 20, 8, 46
OURS, OTHERS, OVER_TLS = "#2b6cb0", "#a0aec0", "#718096"

NAMES = {
    "callbackd": "callbackd", "callbackd-tls": "callbackd, TLS",
    "callbackd-open": "callbackd, no tokens", "nginx": "nginx, constant",
    "nginx-tls": "nginx, TLS", "civetweb": "civetweb, empty", "civetweb-tls": "civetweb, TLS",
    "webhook": "webhook, `true`",
}


def _colour(name):
    if name.startswith("callbackd"):
        return OURS
    return OVER_TLS if name.endswith("-tls") else OTHERS


def _text(x, y, text, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{html.escape(text)}</text>'


def _bars(top, title, rows, unit):
    """rows: (name, value). Returns the elements and where they end."""
    longest = max(value for _, value in rows)
    parts = [_text(16, top + 24, title, 'font-weight="bold" font-size="14"')]
    y = top + HEAD - 8
    for name, value in rows:
        width = max(2, (WIDTH - LEFT - RIGHT) * value / longest)
        parts.append(_text(LEFT - 8, y + 14, NAMES[name], 'text-anchor="end"'))
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" '
                     f'fill="{_colour(name)}"/>')
        parts.append(_text(LEFT + width + 6, y + 14, f"{value:,.0f} {unit}"))
        y += BAR + GAP
    return parts, y + 10


def draw(results):
    rates = [(name, statistics.median(one["per_second"] for one in seen))
             for name, seen in results["main"].items()]
    parts, end = _bars(0, "Posts answered a second (64 connections, 500 bytes)",
                       sorted(rates, key=lambda row: -row[1]), "/s")
    if "half" in results:
        p99 = [(name, statistics.median(one["p99_us"] for one in seen))
               for name, seen in results["half"].items()]
        more, end = _bars(end, "99 of 100 are answered within (at half of that rate)",
                          sorted(p99, key=lambda row: row[1]), "µs")
        parts += more
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {end}" '
        'font-family="sans-serif" font-size="12" fill="#1a202c">',
        "<!-- SPDX-License-Identifier: MIT. Drawn by tests/bench/report.py. -->",
        f'<rect width="{WIDTH}" height="{end}" fill="#ffffff"/>', *parts, "</svg>", ""])
