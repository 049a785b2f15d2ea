-- Leases lie in the order of their jobs, where they are looked for; by worker only the live ones. What a worker scored is
-- found through its jobs. Before, each lease and each score touched pages all over the file.
CREATE TABLE lease_new (
    job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    lease TEXT NOT NULL CHECK (length(lease) = 32),
    worker INTEGER NOT NULL REFERENCES worker (id),
    state TEXT NOT NULL CHECK (state IN ('live', 'lapsed', 'failed')),
    granted INTEGER NOT NULL,
    PRIMARY KEY (job, lease)
) STRICT, WITHOUT ROWID;
INSERT INTO lease_new SELECT job, lease, worker, state, granted FROM lease ORDER BY job, lease;
DROP TABLE lease;
ALTER TABLE lease_new RENAME TO lease;
CREATE INDEX lease_live ON lease (worker) WHERE state = 'live';
UPDATE job SET worker = (SELECT worker FROM candidate WHERE job = job.id LIMIT 1) WHERE state = 'failed' AND errand IS NULL;
DROP INDEX candidate_worker;
