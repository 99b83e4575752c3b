-- What is asked for by its time, or by being of a real device, is found without reading all the years before it.

CREATE INDEX drink_at ON drink (person_id, at);
CREATE INDEX skin_check_at ON skin_check (person_id, at);
CREATE INDEX session_real ON session (person_id, id) WHERE demo = 0;
