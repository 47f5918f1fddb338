# SPDX-License-Identifier: MIT
"""Looks for every acknowledged post in a store, and for what nobody posted twice."""
import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass, field


@dataclass
class Account:
    """Run ids of posts, by what is wrong with them."""
    acknowledged: int = 0
    missing: list = field(default_factory=list)
    twice: list = field(default_factory=list)
    altered: list = field(default_factory=list)     # other bytes than were posted
    misnamed: list = field(default_factory=list)    # the answer named another result

    @property
    def is_balanced(self):
        return not (self.missing or self.twice or self.altered or self.misnamed)


def read_log(path):
    """{run id: (result id, SHA-256 of the body, how many rows)} of what is no duplicate."""
    stored = {}
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True,
                                            timeout=30)) as database:
        for run_id, result_id, body in database.execute(
                "SELECT run_id, id, body FROM received WHERE duplicate_of IS NULL"):
            rows = stored[run_id][2] if run_id in stored else 0
            stored[run_id] = (result_id, hashlib.sha256(body).hexdigest(), rows + 1)
    return stored


def settle(posts, stored):
    """`posts`: the acknowledged ones."""
    account = Account(len(posts))
    for post in posts:
        if post.run_id not in stored:
            account.missing.append(post.run_id)
            continue
        result_id, sha256, _ = stored[post.run_id]
        if sha256 != post.sha256:
            account.altered.append(post.run_id)
        if result_id != post.result_id:
            account.misnamed.append(post.run_id)
    account.twice = [run_id for run_id, (_, _, rows) in stored.items() if rows > 1]
    return account
