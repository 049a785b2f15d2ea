-- The whole current schema of the coordinator's database. Hashes are lower-case hex text, times Unix milliseconds,
-- documents JSON text. A change comes with deploy/migrate/NNNN_what.sql, NNNN the new user_version. The program refuses a
-- file whose user_version is newer than its own.
PRAGMA user_version = 8;

-- Who may call: people's and programs' tokens, join tokens, and one key for each worker. Only hashes are kept.
CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('read', 'submit', 'admin', 'worker', 'join')),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    worker INTEGER REFERENCES worker (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    revoked INTEGER                 -- when; NULL while it is valid
) STRICT;
CREATE INDEX token_worker ON token (worker);

-- A browser's login: a cookie that stands for a token until it expires, is ended, or the token is revoked.
CREATE TABLE session (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32), -- of the cookie
    token INTEGER NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_token ON session (token, expires);

-- Content-addressed bytes. A blob is visible to everything else once complete = 1: its hash was then read back and compared.
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    size INTEGER NOT NULL CHECK (size >= 0),
    stored INTEGER NOT NULL DEFAULT 0 CHECK (stored BETWEEN 0 AND size),
    complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    created INTEGER NOT NULL        -- or when it last grew or was asked for: unused ones go after a while
) STRICT;
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    blob INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,         -- offset of the first byte; pieces follow each other without gaps
    data BLOB NOT NULL CHECK (length(data) BETWEEN 1 AND 4194304),
    UNIQUE (blob, start)
) STRICT;

CREATE TABLE space (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    described TEXT NOT NULL,        -- what the API answers, without id and name
    owner TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES blob (id),
    space INTEGER NOT NULL REFERENCES space (id),
    rename TEXT,                    -- {"their name": "ours"} or NULL
    described TEXT NOT NULL,        -- format, tensors, params, unused, list
    owner TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoint_blob ON checkpoint (blob);
CREATE INDEX checkpoint_space ON checkpoint (space);

CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    document TEXT NOT NULL,         -- as posted, with the classes filled in: travels inside jobs
    described TEXT NOT NULL,        -- format, splits with counts, classes, image
    owner TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE TABLE dataset_blob (
    dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    blob INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (dataset, blob)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_blob_blob ON dataset_blob (blob);

CREATE TABLE search (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'done', 'cancelled', 'failed')),
    error TEXT,                     -- {"type","where","detail"} of a failed search
    space INTEGER NOT NULL REFERENCES space (id),
    checkpoint INTEGER NOT NULL REFERENCES checkpoint (id),
    dataset INTEGER NOT NULL REFERENCES dataset (id),
    strategy TEXT NOT NULL,
    constraints TEXT NOT NULL,
    policy TEXT NOT NULL,
    evaluation TEXT NOT NULL,
    seed INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    tags TEXT NOT NULL,
    notes TEXT NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    finished INTEGER,
    proposed INTEGER,               -- of one that ended: how many candidates, and the best one's idx
    scored INTEGER,
    failed INTEGER,
    best INTEGER
) STRICT;
CREATE INDEX search_space ON search (space);
CREATE INDEX search_checkpoint ON search (checkpoint);
CREATE INDEX search_dataset ON search (dataset);

-- Searches whose deletion was asked for: hidden at once, their rows go piece by piece.
CREATE TABLE doomed (
    search INTEGER PRIMARY KEY REFERENCES search (id) ON DELETE CASCADE
) STRICT;

-- A state is checked with OR, not IN, in what changes with every job: SQLite would build a table for each IN.

-- A proposal of a search, in proposal order, and its one accepted score. Equal plans (key) are one candidate.
CREATE TABLE candidate (
    search INTEGER NOT NULL REFERENCES search (id) ON DELETE CASCADE,
    idx INTEGER NOT NULL,
    code TEXT NOT NULL,
    key TEXT NOT NULL,              -- hash of the plan with parameter names
    class TEXT NOT NULL,            -- hash without them: isomorphic candidates share it
    macs INTEGER NOT NULL,
    params INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'scored' OR state = 'failed'),
    job INTEGER REFERENCES job (id),
    n_images INTEGER,
    n_correct INTEGER,
    n_correct_top5 INTEGER,
    loss_sum REAL,                  -- NULL when it was not finite
    stats_digest TEXT,
    worker INTEGER REFERENCES worker (id),
    scored_at INTEGER,
    error TEXT,
    repeats INTEGER NOT NULL DEFAULT 0, -- results of other workers for it since it was scored
    agreed INTEGER NOT NULL DEFAULT 0,  -- how many of them agreed
    PRIMARY KEY (search, idx),
    UNIQUE (search, key),
    CHECK ((state = 'scored') = (n_correct IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_job ON candidate (job) WHERE job IS NOT NULL;

-- Work beside the candidates' one score: the statistics of a candidate whose weights somebody wants, or a second opinion
-- on some candidates of a job. Each has one job.
CREATE TABLE errand (
    id INTEGER PRIMARY KEY,
    search INTEGER NOT NULL REFERENCES search (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('weights', 'check')),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    rows TEXT NOT NULL,             -- the candidates: [idx, ...]
    worker INTEGER REFERENCES worker (id),  -- whose scores a check looks at; it must not do it itself
    result TEXT,                    -- weights: {"statistics", "backend", "build"}, done; {"type", "where", "detail"}, failed
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX errand_search ON errand (search, kind, rows);
CREATE INDEX errand_worker ON errand (worker) WHERE worker IS NOT NULL;
CREATE INDEX errand_open ON errand (id) WHERE state = 'open';

-- A group of candidates handed out together. Its candidates point at it, unless it runs an errand.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    search INTEGER NOT NULL REFERENCES search (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'done' OR state = 'failed'),
    failed INTEGER NOT NULL DEFAULT 0,  -- attempts that reported a retryable error
    expired INTEGER NOT NULL DEFAULT 0, -- attempts that fell silent
    lease TEXT,                     -- the one whose result was accepted
    worker INTEGER REFERENCES worker (id),
    created INTEGER NOT NULL,
    done INTEGER,
    backend TEXT,
    build TEXT,
    wall_ms INTEGER,
    calibration_images INTEGER,
    errand INTEGER REFERENCES errand (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX job_search ON job (search);
CREATE INDEX job_errand ON job (errand) WHERE errand IS NOT NULL;
CREATE INDEX job_worker ON job (worker) WHERE worker IS NOT NULL;
CREATE INDEX job_open ON job (id) WHERE state = 'open';

-- Every lease ever given for a job that still exists: late and repeated results are recognised by it.
CREATE TABLE lease (
    job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    lease TEXT NOT NULL CHECK (length(lease) = 32),
    worker INTEGER NOT NULL REFERENCES worker (id),
    state TEXT NOT NULL CHECK (state = 'live' OR state = 'lapsed' OR state = 'failed'),
    granted INTEGER NOT NULL,
    PRIMARY KEY (job, lease)
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    backend TEXT NOT NULL,
    build TEXT NOT NULL,
    threads INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'left', 'revoked')),
    scored INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    rate REAL,                      -- measured candidates per second, NULL before the first result
    joined INTEGER NOT NULL,
    seen INTEGER,                   -- last contact that changed anything; beats are kept in memory
    good INTEGER NOT NULL DEFAULT 0,    -- second opinions that agreed since the last that did not
    bad INTEGER NOT NULL DEFAULT 0,     -- second opinions that showed a wrong score, since it joined or was released
    quarantined INTEGER             -- when; NULL while it may work
) STRICT;

CREATE TABLE truth (
    search INTEGER NOT NULL REFERENCES search (id) ON DELETE CASCADE,
    code TEXT NOT NULL,
    accuracy REAL NOT NULL,
    PRIMARY KEY (search, code)
) STRICT, WITHOUT ROWID;

-- What /api/v1/events replays; old rows are trimmed.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    search INTEGER,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
