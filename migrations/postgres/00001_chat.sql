-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids compare byte by byte (COLLATE "C"), so that pages are in the same
-- order on every database.
CREATE TABLE chat_users (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    name       text   NOT NULL,
    avatar_url text   NOT NULL,
    updated_at bigint NOT NULL
);

-- The row of a room is also its counter: whoever appends messages locks it and advances last_seq. The fillfactor leaves
-- room for the next versions of a row on its own page, so that no index has to be touched.
CREATE TABLE chat_rooms (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch           text COLLATE "C" NOT NULL,
    type            text COLLATE "C" NOT NULL,
    name            text   NOT NULL,
    topic           text   NOT NULL,
    created_by      text COLLATE "C" NOT NULL,
    last_seq        bigint NOT NULL,
    last_message_at bigint NOT NULL,
    member_count    bigint NOT NULL,
    metadata        text   NOT NULL,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX chat_rooms_type ON chat_rooms (type, id);

CREATE TABLE chat_members (
    room_id   text COLLATE "C" NOT NULL REFERENCES chat_rooms (id),
    user_id   text COLLATE "C" NOT NULL REFERENCES chat_users (id),
    role      text COLLATE "C" NOT NULL,
    joined_at bigint NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX chat_members_user ON chat_members (user_id, room_id);

CREATE TABLE chat_messages (
    id          text COLLATE "C" NOT NULL,
    room_id     text COLLATE "C" NOT NULL REFERENCES chat_rooms (id),
    seq         bigint NOT NULL,
    sender_id   text COLLATE "C" NOT NULL,
    client_id   text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    text        text   NOT NULL,
    parent_id   text COLLATE "C" NOT NULL,
    attachments text   NOT NULL,
    metadata    text   NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (room_id, seq)
);
CREATE UNIQUE INDEX chat_messages_id ON chat_messages (id);
CREATE UNIQUE INDEX chat_messages_client ON chat_messages (room_id, sender_id, client_id);

-- +goose Down
DROP TABLE chat_messages;
DROP TABLE chat_members;
DROP TABLE chat_rooms;
DROP TABLE chat_users;
