-- What a person said about themselves, and what happened in each session.
-- Moments are ISO 8601 with UTC offset; t is seconds since the session's start; levels are percent of full scale.

CREATE TABLE person (
    id                  INTEGER PRIMARY KEY CHECK (id = 1),
    comfortable_percent INTEGER CHECK (comfortable_percent BETWEEN 0 AND 100)
) STRICT;

INSERT INTO person (id) VALUES (1);

-- Every completed screening is kept: what was answered when is part of the record.
CREATE TABLE screening (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    version INTEGER NOT NULL,
    answers TEXT NOT NULL
) STRICT;

-- ended_at is NULL while a session runs, and after a crash until the next start marks it as interrupted.
CREATE TABLE session (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    routine     TEXT NOT NULL,
    device_name TEXT NOT NULL,
    device_key  TEXT NOT NULL,
    protocol    TEXT NOT NULL,
    demo        INTEGER NOT NULL CHECK (demo IN (0, 1)),
    started_at  TEXT NOT NULL,
    ended_at    TEXT,
    interrupted INTEGER NOT NULL DEFAULT 0 CHECK (interrupted IN (0, 1)),
    summary     TEXT
) STRICT;

CREATE INDEX session_without_end ON session (id) WHERE ended_at IS NULL;

CREATE TABLE entry (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    t          REAL NOT NULL,
    kind       TEXT NOT NULL,
    data       TEXT NOT NULL,
    PRIMARY KEY (session_id, number)
) STRICT, WITHOUT ROWID;
