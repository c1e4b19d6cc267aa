-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids are bytes: every text collation that MySQL and MariaDB have in common takes
-- two ids for equal that differ in trailing spaces at least. IF NOT EXISTS because each CREATE commits by itself: a process
-- killed between two of them leaves the first behind.
CREATE TABLE IF NOT EXISTS chat_users (
    id           VARBINARY(128) NOT NULL PRIMARY KEY,
    name         VARCHAR(256)   NOT NULL,
    avatar_url   VARCHAR(2048)  NOT NULL,
    updated_at   BIGINT         NOT NULL,
    last_seen_at BIGINT         NOT NULL DEFAULT 0
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- The row of a room is also its counter: whoever appends messages locks it and advances last_seq.
CREATE TABLE IF NOT EXISTS chat_rooms (
    id              VARBINARY(64)  NOT NULL PRIMARY KEY,
    epoch           VARBINARY(64)  NOT NULL,
    type            VARBINARY(16)  NOT NULL,
    name            VARCHAR(256)   NOT NULL,
    topic           VARCHAR(1024)  NOT NULL,
    created_by      VARBINARY(128) NOT NULL,
    last_seq        BIGINT         NOT NULL,
    last_message_at BIGINT         NOT NULL,
    member_count    BIGINT         NOT NULL,
    metadata        MEDIUMTEXT     NOT NULL,
    created_at      BIGINT         NOT NULL,
    updated_at      BIGINT         NOT NULL,
    deleted_at      BIGINT         NOT NULL DEFAULT 0,
    KEY chat_rooms_type (type, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS chat_members (
    room_id       VARBINARY(64)  NOT NULL,
    user_id       VARBINARY(128) NOT NULL,
    role          VARBINARY(16)  NOT NULL,
    joined_at     BIGINT         NOT NULL,
    read_seq      BIGINT         NOT NULL DEFAULT 0,
    notifications VARBINARY(16)  NOT NULL DEFAULT '',
    PRIMARY KEY (room_id, user_id),
    KEY chat_members_user (user_id, room_id),
    CONSTRAINT chat_members_room FOREIGN KEY (room_id) REFERENCES chat_rooms (id),
    CONSTRAINT chat_members_user FOREIGN KEY (user_id) REFERENCES chat_users (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS chat_messages (
    id          VARBINARY(36)  NOT NULL,
    room_id     VARBINARY(64)  NOT NULL,
    seq         BIGINT         NOT NULL,
    sender_id   VARBINARY(128) NOT NULL,
    client_id   VARBINARY(128) NOT NULL,
    type        VARBINARY(16)  NOT NULL,
    text        MEDIUMTEXT     NOT NULL,
    parent_id   VARBINARY(36)  NOT NULL,
    attachments MEDIUMTEXT     NOT NULL,
    metadata    MEDIUMTEXT     NOT NULL,
    created_at  BIGINT         NOT NULL,
    quoted_id   VARBINARY(36)  NOT NULL DEFAULT '',
    mentions    MEDIUMTEXT     NOT NULL DEFAULT (''),
    reactions   MEDIUMTEXT     NOT NULL DEFAULT (''),
    reply_count BIGINT         NOT NULL DEFAULT 0,
    pinned_at   BIGINT         NOT NULL DEFAULT 0,
    pinned_by   VARBINARY(128) NOT NULL DEFAULT '',
    edited_at   BIGINT         NOT NULL DEFAULT 0,
    deleted_at  BIGINT         NOT NULL DEFAULT 0,
    deleted_by  VARBINARY(128) NOT NULL DEFAULT '',
    PRIMARY KEY (room_id, seq),
    UNIQUE KEY chat_messages_id (id),
    UNIQUE KEY chat_messages_client (room_id, sender_id, client_id),
    KEY chat_messages_thread (parent_id, seq),
    KEY chat_messages_pinned (room_id, pinned_at),
    CONSTRAINT chat_messages_room FOREIGN KEY (room_id) REFERENCES chat_rooms (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- A reaction of one user to one message; the counts stand in the message's row.
CREATE TABLE IF NOT EXISTS chat_reactions (
    message_id VARBINARY(36)  NOT NULL,
    user_id    VARBINARY(128) NOT NULL,
    emoji      VARBINARY(64)  NOT NULL,
    created_at BIGINT         NOT NULL,
    PRIMARY KEY (message_id, user_id, emoji)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Who is named in which message, for the count of unread mentions.
CREATE TABLE IF NOT EXISTS chat_mentions (
    user_id VARBINARY(128) NOT NULL,
    room_id VARBINARY(64)  NOT NULL,
    seq     BIGINT         NOT NULL,
    PRIMARY KEY (user_id, room_id, seq),
    KEY chat_mentions_room (room_id, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Invitations that are neither accepted nor declined.
CREATE TABLE IF NOT EXISTS chat_invitations (
    room_id    VARBINARY(64)  NOT NULL,
    user_id    VARBINARY(128) NOT NULL,
    role       VARBINARY(16)  NOT NULL,
    invited_by VARBINARY(128) NOT NULL,
    created_at BIGINT         NOT NULL,
    PRIMARY KEY (room_id, user_id),
    KEY chat_invitations_user (user_id, room_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Mutes and bans. An empty room_id is everywhere; until 0 is for good.
CREATE TABLE IF NOT EXISTS chat_sanctions (
    user_id    VARBINARY(128) NOT NULL,
    kind       VARBINARY(16)  NOT NULL,
    room_id    VARBINARY(64)  NOT NULL,
    set_by     VARBINARY(128) NOT NULL,
    reason     VARCHAR(1024)  NOT NULL,
    until      BIGINT         NOT NULL,
    created_at BIGINT         NOT NULL,
    PRIMARY KEY (user_id, kind, room_id),
    KEY chat_sanctions_room (room_id, kind, user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Messages that somebody has reported; resolved_at 0 is still to be looked at.
CREATE TABLE IF NOT EXISTS chat_flags (
    id          VARBINARY(36)  NOT NULL,
    message_id  VARBINARY(36)  NOT NULL,
    room_id     VARBINARY(64)  NOT NULL,
    user_id     VARBINARY(128) NOT NULL,
    reason      VARCHAR(1024)  NOT NULL,
    created_at  BIGINT         NOT NULL,
    resolved_at BIGINT         NOT NULL,
    resolved_by VARBINARY(128) NOT NULL,
    resolution  VARBINARY(16)  NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY chat_flags_message (message_id, user_id),
    KEY chat_flags_open (resolved_at, id),
    KEY chat_flags_room (room_id, resolved_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Who has used a privilege, in the order of id.
CREATE TABLE IF NOT EXISTS chat_audit (
    id         VARBINARY(36)  NOT NULL,
    actor_id   VARBINARY(128) NOT NULL,
    action     VARBINARY(64)  NOT NULL,
    room_id    VARBINARY(64)  NOT NULL,
    user_id    VARBINARY(128) NOT NULL,
    message_id VARBINARY(36)  NOT NULL,
    details    MEDIUMTEXT     NOT NULL,
    created_at BIGINT         NOT NULL,
    PRIMARY KEY (id),
    KEY chat_audit_room (room_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Messages written in a transaction of the application, on their way into their rooms.
CREATE TABLE IF NOT EXISTS chat_outbox (
    id         VARBINARY(36)  NOT NULL,
    room_id    VARBINARY(64)  NOT NULL,
    sender_id  VARBINARY(128) NOT NULL,
    draft      MEDIUMTEXT     NOT NULL,
    created_at BIGINT         NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- The search index: which word occurs where. Derived from chat_messages; chat_indexed says how far it has got.
CREATE TABLE IF NOT EXISTS chat_words (
    room_id VARBINARY(64)  NOT NULL,
    word    VARBINARY(160) NOT NULL,
    seq     BIGINT         NOT NULL,
    PRIMARY KEY (room_id, word, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS chat_indexed (
    room_id VARBINARY(64) NOT NULL,
    seq     BIGINT        NOT NULL,
    PRIMARY KEY (room_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE IF EXISTS chat_indexed;
DROP TABLE IF EXISTS chat_words;
DROP TABLE IF EXISTS chat_outbox;
DROP TABLE IF EXISTS chat_audit;
DROP TABLE IF EXISTS chat_flags;
DROP TABLE IF EXISTS chat_sanctions;
DROP TABLE IF EXISTS chat_invitations;
DROP TABLE IF EXISTS chat_mentions;
DROP TABLE IF EXISTS chat_reactions;
DROP TABLE IF EXISTS chat_messages;
DROP TABLE IF EXISTS chat_members;
DROP TABLE IF EXISTS chat_rooms;
DROP TABLE IF EXISTS chat_users;
