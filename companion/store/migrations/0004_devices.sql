-- Devices that this computer was paired with, so that another one under the same name is told from them.

CREATE TABLE device (
    id        INTEGER PRIMARY KEY,
    address   TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name      TEXT NOT NULL,
    protocol  TEXT NOT NULL,
    paired_at TEXT NOT NULL
) STRICT;
