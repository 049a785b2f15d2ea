-- How often a score was repeated by other workers, and how often they agreed. Earlier opinions are not counted.
ALTER TABLE candidate ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE candidate ADD COLUMN agreed INTEGER NOT NULL DEFAULT 0;
