-- A browser's login: a cookie that stands for a token until it expires, is ended, or the token is revoked.
CREATE TABLE session (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32), -- of the cookie
    token INTEGER NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_token ON session (token, expires);
