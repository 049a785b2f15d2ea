"""A search with as many scored candidates as wanted, written into the database while the coordinator is down: reading
and showing them is what is tested, not scoring. They are architectures of the tiny space with 13 layers."""
import hashlib
import json
import random
import sqlite3
import time

import numpy as np

import tiny

LAYERS = 13
COLUMNS = ("search, idx, code, key, class, macs, params, generation, state, n_images, n_correct, n_correct_top5, "
           "loss_sum, stats_digest, worker, scored_at")


def space():
    wide = json.loads(json.dumps(tiny.SPACE))
    wide["decisions"]["layer"]["count"] = LAYERS
    wide["network"][1]["to"] = LAYERS
    return wide


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def rows(search, n, images=10_000):
    """Codes in random order; more and larger convolutions are better, with noise. Identities may stand anywhere, so
    codes that differ only there form a class."""
    rng = np.random.default_rng(1)
    numbers = random.Random(1).sample(range(3 ** LAYERS), n)
    digits = np.array(numbers)[:, None] // 3 ** np.arange(LAYERS)[::-1] % 3
    macs = 5000 + np.array([0, 4160, 36928])[digits].sum(1)
    accuracy = np.clip(.5 + .018 * digits.sum(1) + .03 * rng.standard_normal(n), .1, .98)
    codes = [row.tobytes().decode() for row in (digits + ord("0")).astype("u1")]
    classes = {}
    now = int(time.time() * 1000)
    for i, (code, m, a) in enumerate(zip(codes, macs.tolist(), accuracy.tolist())):
        key, used = f"{i:032x}", code.replace("0", "")  # rising keys are stored several times faster than hashes
        if used not in classes:
            classes[used] = md5(used)
        yield (search, i, code, key, classes[used], m, m // 60, 0, "scored", images, int(a * images), images,
               images * (1.4 - a), key, None, now - n + i)


def fill(c, n):
    """-> the parts of a search over the space, and the id of the finished one with n candidates."""
    parts = tiny.fill(c, space(), LAYERS)
    search = tiny.search(c, parts, name=f"{n:,} candidates", strategy={"name": "random", "count": 1})["id"]
    c.api("POST", f"/searches/{search}/cancel")
    c.process.stop()
    db = sqlite3.connect(next(c.dir.rglob("*.db")))
    # It is read, not trusted.
    db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -600000; "
                     "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    db.execute("DELETE FROM candidate WHERE search = ?", (search,))
    db.execute("DELETE FROM job WHERE search = ?", (search,))
    db.execute("UPDATE search SET state = 'done', error = NULL WHERE id = ?", (search,))
    db.executemany(f"INSERT INTO candidate ({COLUMNS}) VALUES ({','.join('?' * 16)})", rows(search, n))
    db.execute("UPDATE search SET proposed = ?2, scored = ?2, failed = 0, best = (SELECT idx FROM candidate "
               "WHERE search = ?1 ORDER BY n_correct DESC, loss_sum, idx LIMIT 1) WHERE id = ?1", (search, n))
    db.commit()
    db.close()
    c.start()
    return parts, search
