-- Several people in one household, each with answers, limits, habits and a history of their own; and what a person
-- keeps beside their sessions. Nothing of a person is in a table without their id.

CREATE TABLE person_2 (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (length(name) BETWEEN 1 AND 40),
    comfortable_percent INTEGER CHECK (comfortable_percent BETWEEN 0 AND 100),
    neck                INTEGER NOT NULL DEFAULT 0 CHECK (neck IN (0, 1)),
    no_go               TEXT NOT NULL DEFAULT '[]'
) STRICT;

INSERT INTO person_2 (id, name, comfortable_percent) SELECT id, 'me', comfortable_percent FROM person;
DROP TABLE person;
ALTER TABLE person_2 RENAME TO person;

-- Whose turn it is.
CREATE TABLE household (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    chosen INTEGER NOT NULL REFERENCES person (id)
) STRICT;

INSERT INTO household (id, chosen) VALUES (1, 1);

CREATE TABLE screening_2 (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    at        TEXT NOT NULL,
    version   INTEGER NOT NULL,
    answers   TEXT NOT NULL
) STRICT;

INSERT INTO screening_2 (id, person_id, at, version, answers) SELECT id, 1, at, version, answers FROM screening;
DROP TABLE screening;
ALTER TABLE screening_2 RENAME TO screening;
CREATE INDEX screening_of ON screening (person_id, id);

CREATE TABLE session_2 (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id   INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
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

INSERT INTO session_2
    (id, person_id, routine, device_name, device_key, protocol, demo, started_at, ended_at, interrupted, summary)
    SELECT id, 1, routine, device_name, device_key, protocol, demo, started_at, ended_at, interrupted, summary
    FROM session;
DROP TABLE session;
ALTER TABLE session_2 RENAME TO session;
CREATE INDEX session_of ON session (person_id, id);
CREATE INDEX session_without_end ON session (id) WHERE ended_at IS NULL;

-- What a person has chosen (a plan, a goal, reminders), by name, as JSON of the value that the app reads it into.
CREATE TABLE choice (
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (person_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE drink (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    at        TEXT NOT NULL,
    ml        INTEGER NOT NULL CHECK (ml BETWEEN 1 AND 2000)
) STRICT;

CREATE INDEX drink_of ON drink (person_id, id);

-- How the skin was, each from 1 (not at all) to 5 (very).
CREATE TABLE skin_check (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id  INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    at         TEXT NOT NULL,
    dryness    INTEGER NOT NULL CHECK (dryness BETWEEN 1 AND 5),
    redness    INTEGER NOT NULL CHECK (redness BETWEEN 1 AND 5),
    irritation INTEGER NOT NULL CHECK (irritation BETWEEN 1 AND 5)
) STRICT;

CREATE INDEX skin_check_of ON skin_check (person_id, id);

-- The first use: where, and what came of it a day later (NULL until then).
CREATE TABLE patch_test (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    at        TEXT NOT NULL,
    place     TEXT NOT NULL CHECK (place IN ('forearm', 'jaw', 'declined')),
    outcome   TEXT CHECK (outcome IN ('calm', 'reaction')),
    note      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX patch_test_of ON patch_test (person_id, id);

-- A person's own words on a session, and the paths of photos, which stay where they are.
CREATE TABLE remark (
    session_id INTEGER PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    text       TEXT NOT NULL DEFAULT '',
    photos     TEXT NOT NULL DEFAULT '[]'
) STRICT;

-- Reminders that were given, each by a key of its own, so that none is given twice, whoever gives it.
CREATE TABLE reminded (
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    key       TEXT NOT NULL,
    at        TEXT NOT NULL,
    PRIMARY KEY (person_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE snoozed (
    person_id INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    key       TEXT NOT NULL,
    until     TEXT NOT NULL,
    PRIMARY KEY (person_id, key)
) STRICT, WITHOUT ROWID;
