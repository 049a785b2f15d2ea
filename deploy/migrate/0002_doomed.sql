-- Searches whose deletion was asked for: hidden at once, their rows go piece by piece.
CREATE TABLE doomed (
    search INTEGER PRIMARY KEY REFERENCES search (id) ON DELETE CASCADE
) STRICT;
