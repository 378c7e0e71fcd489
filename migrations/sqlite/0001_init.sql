-- Times are milliseconds since 1970 UTC, 0 where a moment has not come. Metadata is a JSON object or ''.

CREATE TABLE threads (
  tk             INTEGER PRIMARY KEY AUTOINCREMENT, -- small number used by all other tables, never given again
  id             TEXT    NOT NULL UNIQUE,
  topic          TEXT    NOT NULL,
  created_by     TEXT    NOT NULL,
  created_on     BIGINT  NOT NULL,
  deleted_on     BIGINT  NOT NULL DEFAULT 0,
  metadata       TEXT    NOT NULL DEFAULT '',
  text_only      INTEGER NOT NULL DEFAULT 0,   -- messaging policy
  retention_kind TEXT    NOT NULL DEFAULT '',
  retention_days INTEGER NOT NULL DEFAULT 0,
  expires_on     BIGINT  NOT NULL DEFAULT 0,   -- when the retention policy deletes it
  seq            BIGINT  NOT NULL,             -- of the newest message
  last_id        BIGINT  NOT NULL,             -- of the newest message
  last_on        BIGINT  NOT NULL,
  edited         BIGINT  NOT NULL DEFAULT 0,   -- version of the message that was edited or deleted last, or one more
  roster         BIGINT  NOT NULL,             -- roster version
  present        INTEGER NOT NULL              -- participants now
);
CREATE INDEX threads_expiring ON threads (expires_on) WHERE expires_on > 0 AND deleted_on = 0;
CREATE INDEX threads_deleted ON threads (deleted_on) WHERE deleted_on > 0;

-- What a create answered, for its repetition with the same idempotency token.
CREATE TABLE creations (
  tk     BIGINT PRIMARY KEY,
  answer TEXT   NOT NULL
) WITHOUT ROWID;

CREATE TABLE messages (
  tk         BIGINT NOT NULL,
  id         BIGINT NOT NULL,                  -- millisecond of arrival: startTime, history and paging are bounds on it
  seq        BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  type       TEXT   NOT NULL,
  sender     TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  content    TEXT   NOT NULL,                  -- text of user messages, JSON of system messages
  metadata   TEXT   NOT NULL,
  high       INTEGER NOT NULL DEFAULT 0,       -- priority
  attachments TEXT  NOT NULL DEFAULT '',       -- JSON array or ''
  edited_on  BIGINT NOT NULL DEFAULT 0,
  deleted_on BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (tk, id)
) WITHOUT ROWID;

-- A row is a stay: from the roster version of joining to that of leaving (0 while present).
CREATE TABLE participants (
  tk         BIGINT  NOT NULL,
  user_id    TEXT    NOT NULL,
  joined     BIGINT  NOT NULL,
  place      INTEGER NOT NULL,                 -- among those who joined together
  gone       BIGINT  NOT NULL DEFAULT 0,
  until      BIGINT  NOT NULL DEFAULT 0,       -- last message of an ended stay
  name       TEXT    NOT NULL,
  share_from BIGINT  NOT NULL,
  metadata   TEXT    NOT NULL,
  roles      TEXT    NOT NULL DEFAULT '',      -- JSON array or ''
  PRIMARY KEY (tk, user_id, joined)
) WITHOUT ROWID;
CREATE INDEX participants_order ON participants (tk, joined, place) WHERE gone = 0;
CREATE INDEX participants_user ON participants (user_id, tk);

CREATE TABLE images (
  tk         BIGINT NOT NULL,
  id         TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  type       TEXT   NOT NULL,                  -- media type
  owner      TEXT   NOT NULL,
  created_on BIGINT NOT NULL,
  bytes      BLOB   NOT NULL,
  PRIMARY KEY (tk, id)
);

CREATE TABLE receipts (
  tk         BIGINT NOT NULL,
  user_id    TEXT   NOT NULL,
  message_id BIGINT NOT NULL,
  read_on    BIGINT NOT NULL,
  PRIMARY KEY (tk, user_id)
) WITHOUT ROWID;

-- The journal: what listeners are told, written with the change that it tells of.
CREATE TABLE journal (
  pos        INTEGER PRIMARY KEY AUTOINCREMENT,
  tk         BIGINT NOT NULL,
  thread_id  TEXT   NOT NULL,
  roster     BIGINT NOT NULL,                  -- who hears it: the participants at this roster version
  kind       TEXT   NOT NULL,
  at         BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  actor      TEXT   NOT NULL,
  actor_name TEXT   NOT NULL,
  message_id BIGINT NOT NULL DEFAULT 0,        -- beside the body, so that a statement can give a message its place
  seq        BIGINT NOT NULL DEFAULT 0,
  body       TEXT   NOT NULL
);

-- Clients of the notification protocol: how far they have been told, so that they go on there whenever they connect again.
CREATE TABLE endpoints (
  user_id  TEXT   NOT NULL,
  id       TEXT   NOT NULL,
  arrivals BIGINT NOT NULL,                    -- number of the newest connection
  teller   BIGINT NOT NULL,                    -- number of the one that tells of events, 0 when none does
  position BIGINT NOT NULL,
  ended    BIGINT NOT NULL DEFAULT 0,          -- number of the connection after which the client wanted no more
  dialect  TEXT   NOT NULL DEFAULT 'web',      -- in which it reads events
  seen_on  BIGINT NOT NULL,
  PRIMARY KEY (user_id, id)
) WITHOUT ROWID;

CREATE TABLE users (
  id         TEXT   PRIMARY KEY,
  created_on BIGINT NOT NULL,
  valid_from BIGINT NOT NULL DEFAULT 0,        -- tokens issued before are revoked
  deleted_on BIGINT NOT NULL DEFAULT 0,
  custom_id  TEXT   NOT NULL DEFAULT '',       -- a name that the resource's owner gave
  token_on   BIGINT NOT NULL DEFAULT 0         -- when a token was issued last
) WITHOUT ROWID;
CREATE UNIQUE INDEX users_custom ON users (custom_id) WHERE custom_id <> '' AND deleted_on = 0;

CREATE TABLE signing_keys (
  id         TEXT   PRIMARY KEY,
  created_on BIGINT NOT NULL,
  pkcs8      BLOB   NOT NULL
) WITHOUT ROWID;

CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
