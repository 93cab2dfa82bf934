/**
 * The bus's part of the file, as steps of `migrations.ts`: never edited once they were released.
 *
 * A message is one row for each group that it waits in; the acknowledgement deletes the row. So a
 * group costs what it holds, and nothing has to be counted to know when a message may go. What that
 * costs with several groups on one topic, and what else was tried: docs/decisions/0052.
 *
 * The tables have rowids: with bodies inside the key's tree (WITHOUT ROWID) a 4 KB message costs
 * up to three times the work. Small columns that change come first, the body last. Wall-clock times
 * may have fractions.
 */
export const busSchema = `
  CREATE TABLE bus_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: rows of a removed group go in bites
    name TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    retention_ms REAL
  ) STRICT;
  CREATE TABLE bus_queue (
    group_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    retry_at REAL,
    queued_at REAL NOT NULL, -- when it was published, woken or redriven; what retention counts from
    message_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    published_at REAL NOT NULL,
    ordering_key TEXT,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (group_id, seq)
  ) STRICT;
  CREATE TABLE bus_delayed (
    group_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    due_at REAL NOT NULL,
    message_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    published_at REAL NOT NULL,
    ordering_key TEXT,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (group_id, seq)
  ) STRICT;
  CREATE INDEX bus_delayed_by_due ON bus_delayed (due_at, seq, group_id);
  CREATE TABLE bus_dead_letters (
    id TEXT PRIMARY KEY,
    subscription TEXT NOT NULL,
    delivery TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    dead_at REAL NOT NULL,
    message_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    published_at REAL NOT NULL,
    ordering_key TEXT,
    headers TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX bus_dead_letters_by_subscription ON bus_dead_letters (subscription, id);`;

/** When a message that waits is not handled any more. A dead letter has no such time. */
export const busExpirySchema = `
  ALTER TABLE bus_queue ADD COLUMN expires_at REAL;
  ALTER TABLE bus_delayed ADD COLUMN expires_at REAL;`;
