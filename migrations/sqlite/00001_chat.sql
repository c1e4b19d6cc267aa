-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids compare byte by byte.
CREATE TABLE chat_users (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    avatar_url TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
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
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX chat_rooms_type ON chat_rooms (type, id);

CREATE TABLE chat_members (
    room_id   TEXT    NOT NULL REFERENCES chat_rooms (id),
    user_id   TEXT    NOT NULL REFERENCES chat_users (id),
    role      TEXT    NOT NULL,
    joined_at INTEGER NOT NULL,
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
    created_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX chat_messages_seq ON chat_messages (room_id, seq);
CREATE UNIQUE INDEX chat_messages_id ON chat_messages (id);
CREATE UNIQUE INDEX chat_messages_client ON chat_messages (room_id, sender_id, client_id);

-- +goose Down
DROP TABLE chat_messages;
DROP TABLE chat_members;
DROP TABLE chat_rooms;
DROP TABLE chat_users;
