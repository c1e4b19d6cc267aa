-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids compare byte by byte.
CREATE TABLE chat_users (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    avatar_url   TEXT    NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The row of a room is also its counter: whoever appends messages locks it and advances last_seq.
CREATE TABLE chat_rooms (
    id              TEXT    NOT NULL PRIMARY KEY,
    epoch           TEXT    NOT NULL,
    type            TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    topic           TEXT    NOT NULL,
    created_by      TEXT    NOT NULL,
    last_seq        INTEGER NOT NULL,
    last_message_at INTEGER NOT NULL,
    member_count    INTEGER NOT NULL,
    metadata        TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX chat_rooms_type ON chat_rooms (type, id);

CREATE TABLE chat_members (
    room_id       TEXT    NOT NULL REFERENCES chat_rooms (id),
    user_id       TEXT    NOT NULL REFERENCES chat_users (id),
    role          TEXT    NOT NULL,
    joined_at     INTEGER NOT NULL,
    read_seq      INTEGER NOT NULL DEFAULT 0,
    notifications TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_members_user ON chat_members (user_id, room_id);

-- row_id keeps the row numbers over a VACUUM, for indexes that refer to them.
CREATE TABLE chat_messages (
    row_id      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL,
    room_id     TEXT    NOT NULL REFERENCES chat_rooms (id),
    seq         INTEGER NOT NULL,
    sender_id   TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    parent_id   TEXT    NOT NULL,
    attachments TEXT    NOT NULL,
    metadata    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    quoted_id   TEXT    NOT NULL DEFAULT '',
    mentions    TEXT    NOT NULL DEFAULT '',
    reactions   TEXT    NOT NULL DEFAULT '',
    reply_count INTEGER NOT NULL DEFAULT 0,
    pinned_at   INTEGER NOT NULL DEFAULT 0,
    pinned_by   TEXT    NOT NULL DEFAULT '',
    edited_at   INTEGER NOT NULL DEFAULT 0,
    deleted_at  INTEGER NOT NULL DEFAULT 0,
    deleted_by  TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX chat_messages_seq ON chat_messages (room_id, seq);
CREATE UNIQUE INDEX chat_messages_id ON chat_messages (id);
CREATE UNIQUE INDEX chat_messages_client ON chat_messages (room_id, sender_id, client_id);
CREATE INDEX chat_messages_thread ON chat_messages (parent_id, seq) WHERE parent_id <> '';
CREATE INDEX chat_messages_pinned ON chat_messages (room_id, pinned_at) WHERE pinned_at > 0;

-- A reaction of one user to one message; the counts stand in the message's row.
CREATE TABLE chat_reactions (
    message_id TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    emoji      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (message_id, user_id, emoji)
) STRICT, WITHOUT ROWID;

-- Who is named in which message, for the count of unread mentions.
CREATE TABLE chat_mentions (
    user_id TEXT    NOT NULL,
    room_id TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_mentions_room ON chat_mentions (room_id, seq);

-- Invitations that are neither accepted nor declined.
CREATE TABLE chat_invitations (
    room_id    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    invited_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_invitations_user ON chat_invitations (user_id, room_id);

-- Mutes and bans. An empty room_id is everywhere; until 0 is for good.
CREATE TABLE chat_sanctions (
    user_id    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    room_id    TEXT    NOT NULL,
    set_by     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    until      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, room_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_sanctions_room ON chat_sanctions (room_id, kind, user_id);

-- Messages that somebody has reported; resolved_at 0 is still to be looked at.
CREATE TABLE chat_flags (
    id          TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,
    room_id     TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    resolved_at INTEGER NOT NULL,
    resolved_by TEXT    NOT NULL,
    resolution  TEXT    NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX chat_flags_message ON chat_flags (message_id, user_id);
CREATE INDEX chat_flags_open ON chat_flags (resolved_at, id);
CREATE INDEX chat_flags_room ON chat_flags (room_id, resolved_at, id);

-- Who has used a privilege, in the order of id.
CREATE TABLE chat_audit (
    id         TEXT    NOT NULL,
    actor_id   TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    room_id    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    details    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_audit_room ON chat_audit (room_id, id);

-- Messages written in a transaction of the application, on their way into their rooms.
CREATE TABLE chat_outbox (
    id         TEXT    NOT NULL,
    room_id    TEXT    NOT NULL,
    sender_id  TEXT    NOT NULL,
    draft      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

-- The search index: which word occurs where. Derived from chat_messages; chat_indexed says how far it has got.
CREATE TABLE chat_words (
    room_id TEXT    NOT NULL,
    word    TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (room_id, word, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_indexed (
    room_id TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (room_id)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE chat_indexed;
DROP TABLE chat_words;
DROP TABLE chat_outbox;
DROP TABLE chat_audit;
DROP TABLE chat_flags;
DROP TABLE chat_sanctions;
DROP TABLE chat_invitations;
DROP TABLE chat_mentions;
DROP TABLE chat_reactions;
DROP TABLE chat_messages;
DROP TABLE chat_members;
DROP TABLE chat_rooms;
DROP TABLE chat_users;
