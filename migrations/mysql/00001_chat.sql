-- +goose Up
-- Moments are milliseconds since 1970-01-01 UTC. Ids are bytes: every text collation that MySQL and MariaDB have in common takes
-- two ids for equal that differ in trailing spaces at least. IF NOT EXISTS because each CREATE commits by itself: a process
-- killed between two of them leaves the first behind.
CREATE TABLE IF NOT EXISTS chat_users (
    id         VARBINARY(128) NOT NULL PRIMARY KEY,
    name       VARCHAR(256)   NOT NULL,
    avatar_url VARCHAR(2048)  NOT NULL,
    updated_at BIGINT         NOT NULL
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
    KEY chat_rooms_type (type, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS chat_members (
    room_id   VARBINARY(64)  NOT NULL,
    user_id   VARBINARY(128) NOT NULL,
    role      VARBINARY(16)  NOT NULL,
    joined_at BIGINT         NOT NULL,
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
    PRIMARY KEY (room_id, seq),
    UNIQUE KEY chat_messages_id (id),
    UNIQUE KEY chat_messages_client (room_id, sender_id, client_id),
    CONSTRAINT chat_messages_room FOREIGN KEY (room_id) REFERENCES chat_rooms (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE IF EXISTS chat_messages;
DROP TABLE IF EXISTS chat_members;
DROP TABLE IF EXISTS chat_rooms;
DROP TABLE IF EXISTS chat_users;
