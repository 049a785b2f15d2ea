-- Jobs beside the one score of a candidate, and what second opinions say of a worker.
CREATE TABLE errand (
    id INTEGER PRIMARY KEY,
    search INTEGER NOT NULL REFERENCES search (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('weights', 'check')),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    rows TEXT NOT NULL,
    worker INTEGER REFERENCES worker (id),
    result TEXT,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX errand_search ON errand (search, kind, rows);
CREATE INDEX errand_worker ON errand (worker) WHERE worker IS NOT NULL;
CREATE INDEX errand_open ON errand (id) WHERE state = 'open';
ALTER TABLE job ADD COLUMN errand INTEGER REFERENCES errand (id) ON DELETE CASCADE;
CREATE INDEX job_errand ON job (errand) WHERE errand IS NOT NULL;
ALTER TABLE worker ADD COLUMN good INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN bad INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN quarantined INTEGER;
