-- Who left a thread still reads it, as it was when they left.

-- The thread at the end of a stay. For stays that ended before this migration it is the thread as it is now,
-- which they could read until now.
ALTER TABLE participants ADD COLUMN left_topic          TEXT    NOT NULL DEFAULT '';
ALTER TABLE participants ADD COLUMN left_metadata       TEXT    NOT NULL DEFAULT '';
ALTER TABLE participants ADD COLUMN left_text_only      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE participants ADD COLUMN left_retention_kind TEXT    NOT NULL DEFAULT '';
ALTER TABLE participants ADD COLUMN left_retention_days INTEGER NOT NULL DEFAULT 0;
UPDATE participants SET (left_topic, left_metadata, left_text_only, left_retention_kind, left_retention_days) =
  (SELECT topic, metadata, text_only, retention_kind, retention_days FROM threads WHERE threads.tk = participants.tk)
  WHERE gone > 0;

-- Roster version at the upload: who left before does not see the image.
ALTER TABLE images ADD COLUMN roster BIGINT NOT NULL DEFAULT 0;

-- Messages as they were until an edit or deletion, where an ended stay could see them.
CREATE TABLE superseded (
  tk         BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  roster     BIGINT NOT NULL,                  -- roster version at the edit: for stays that ended up to it
  version    BIGINT NOT NULL,
  content    TEXT   NOT NULL,
  metadata   TEXT   NOT NULL,
  high       INTEGER NOT NULL DEFAULT 0,
  attachments TEXT  NOT NULL DEFAULT '',
  edited_on  BIGINT NOT NULL,
  deleted_on BIGINT NOT NULL,
  PRIMARY KEY (tk, id, roster)
) WITHOUT ROWID;
