-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids compare byte by byte (COLLATE "C"), so that pages are in the same
-- order on every database.
CREATE TABLE chat_users (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    name         text   NOT NULL,
    avatar_url   text   NOT NULL,
    updated_at   bigint NOT NULL,
    last_seen_at bigint NOT NULL DEFAULT 0
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
    updated_at      bigint NOT NULL,
    deleted_at      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX chat_rooms_type ON chat_rooms (type, id);

CREATE TABLE chat_members (
    room_id       text COLLATE "C" NOT NULL REFERENCES chat_rooms (id),
    user_id       text COLLATE "C" NOT NULL REFERENCES chat_users (id),
    role          text COLLATE "C" NOT NULL,
    joined_at     bigint NOT NULL,
    read_seq      bigint NOT NULL DEFAULT 0,
    notifications text COLLATE "C" NOT NULL DEFAULT '',
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
    quoted_id   text COLLATE "C" NOT NULL DEFAULT '',
    mentions    text   NOT NULL DEFAULT '',
    reactions   text   NOT NULL DEFAULT '',
    reply_count bigint NOT NULL DEFAULT 0,
    pinned_at   bigint NOT NULL DEFAULT 0,
    pinned_by   text COLLATE "C" NOT NULL DEFAULT '',
    edited_at   bigint NOT NULL DEFAULT 0,
    deleted_at  bigint NOT NULL DEFAULT 0,
    deleted_by  text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (room_id, seq)
);
CREATE UNIQUE INDEX chat_messages_id ON chat_messages (id);
CREATE UNIQUE INDEX chat_messages_client ON chat_messages (room_id, sender_id, client_id);
CREATE INDEX chat_messages_thread ON chat_messages (parent_id, seq) WHERE parent_id <> '';
CREATE INDEX chat_messages_pinned ON chat_messages (room_id, pinned_at) WHERE pinned_at > 0;

-- A reaction of one user to one message; the counts stand in the message's row.
CREATE TABLE chat_reactions (
    message_id text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    emoji      text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (message_id, user_id, emoji)
);

-- Who is named in which message, for the count of unread mentions.
CREATE TABLE chat_mentions (
    user_id text COLLATE "C" NOT NULL,
    room_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (user_id, room_id, seq)
);
CREATE INDEX chat_mentions_room ON chat_mentions (room_id, seq);

-- Invitations that are neither accepted nor declined.
CREATE TABLE chat_invitations (
    room_id    text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    invited_by text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX chat_invitations_user ON chat_invitations (user_id, room_id);

-- Mutes and bans. An empty room_id is everywhere; until 0 is for good.
CREATE TABLE chat_sanctions (
    user_id    text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    room_id    text COLLATE "C" NOT NULL,
    set_by     text COLLATE "C" NOT NULL,
    reason     text   NOT NULL,
    until      bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (user_id, kind, room_id)
);
CREATE INDEX chat_sanctions_room ON chat_sanctions (room_id, kind, user_id);

-- Messages that somebody has reported; resolved_at 0 is still to be looked at.
CREATE TABLE chat_flags (
    id          text COLLATE "C" NOT NULL,
    message_id  text COLLATE "C" NOT NULL,
    room_id     text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    reason      text   NOT NULL,
    created_at  bigint NOT NULL,
    resolved_at bigint NOT NULL,
    resolved_by text COLLATE "C" NOT NULL,
    resolution  text COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX chat_flags_message ON chat_flags (message_id, user_id);
CREATE INDEX chat_flags_open ON chat_flags (resolved_at, id);
CREATE INDEX chat_flags_room ON chat_flags (room_id, resolved_at, id);

-- Who has used a privilege, in the order of id.
CREATE TABLE chat_audit (
    id         text COLLATE "C" NOT NULL,
    actor_id   text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    room_id    text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    details    text   NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX chat_audit_room ON chat_audit (room_id, id);

-- Messages written in a transaction of the application, on their way into their rooms.
CREATE TABLE chat_outbox (
    id         text COLLATE "C" NOT NULL,
    room_id    text COLLATE "C" NOT NULL,
    sender_id  text COLLATE "C" NOT NULL,
    draft      text   NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (id)
);

-- The search index: which word occurs where. Derived from chat_messages; chat_indexed says how far it has got.
CREATE TABLE chat_words (
    room_id text COLLATE "C" NOT NULL,
    word    text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room_id, word, seq)
);

CREATE TABLE chat_indexed (
    room_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room_id)
);

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
