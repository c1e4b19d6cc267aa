package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// A setting of a database server that the promises of this package depend on.
type setting struct {
	name string
	ok   func(value string) bool
	fix  string

	// power is set for what matters only when the machine loses power; WithRelaxedDurability accepts it.
	power bool
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool {
		for _, want := range values {
			if strings.EqualFold(v, want) {
				return true
			}
		}
		return false
	}
}

func postgresSettings() []setting {
	return []setting{
		{
			name: "synchronous_commit", ok: func(v string) bool { return v != "off" }, power: true,
			fix: "a commit that has been confirmed may be lost: set it to on, for the role or in the DSN",
		},
		{
			name: "fsync", ok: oneOf("on"), power: true,
			fix: "nothing is safely on disk: set it to on in postgresql.conf",
		},
		{
			name: "server_encoding", ok: oneOf("UTF8"),
			fix: "it cannot hold every character: create the database WITH ENCODING 'UTF8'",
		},
		{
			name: "client_encoding", ok: oneOf("UTF8"),
			fix: "remove it from the DSN",
		},
		{
			name: "transaction_read_only", ok: oneOf("off"),
			fix: "this is a standby, or the role may only read: connect to the primary, with a role that may write",
		},
	}
}

func mysqlSettings() []setting {
	return []setting{
		{
			name: "innodb_flush_log_at_trx_commit", ok: oneOf("1"), power: true,
			fix: "a commit that has been confirmed may be lost: set it to 1",
		},
		{
			name: "sync_binlog", ok: oneOf("1", "no binlog"), power: true,
			fix: "recovery after a power failure rolls back what is not in the binary log: set it to 1, or turn log_bin off",
		},
		{
			name: "binlog_format", ok: oneOf("ROW", "MIXED", "no binlog"),
			fix: "READ COMMITTED needs ROW or MIXED",
		},
		{
			name: "sql_mode", ok: func(v string) bool { return strings.Contains(v, "STRICT_") },
			fix: "too long values would be cut without an error: add STRICT_TRANS_TABLES",
		},
		{
			name: "character_set_client", ok: oneOf("utf8mb4"),
			fix: "it cannot hold every character: add charset=utf8mb4 to the DSN",
		},
		{
			name: "read_only", ok: oneOf("0", "OFF", "NO_LOCK"),
			fix: "connect to the primary",
		},
	}
}

// checkSettings compares what the server says with what the promises need. It returns all that is wrong at once.
func checkSettings(settings []setting, got map[string]string, c config) error {
	var errs []error
	for _, s := range settings {
		v, known := got[s.name]
		switch {
		case !known || s.ok(v):
		case s.power && c.relaxed:
			c.log.Warn("store: a power failure may lose messages that were confirmed", "setting", s.name, "value", v)
		default:
			errs = append(errs, fmt.Errorf("the server's setting %s is %q: %s", s.name, v, s.fix))
		}
	}
	return errors.Join(errs...)
}

// checkPostgres reads the settings as they are for the connections of this pool.
func checkPostgres(ctx context.Context, db *sql.DB, c config) error {
	got, err := readSettings(ctx, db, `SELECT name, setting FROM pg_settings`)
	if err != nil {
		return err
	}
	return checkSettings(postgresSettings(), got, c)
}

// checkMySQL reads the settings of MySQL or MariaDB as they are for the connections of this pool.
func checkMySQL(ctx context.Context, db *sql.DB, c config) error {
	got, err := readSettings(ctx, db, `SHOW VARIABLES`)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got["log_bin"], "ON") {
		got["sync_binlog"], got["binlog_format"] = "no binlog", "no binlog"
	}
	return checkSettings(mysqlSettings(), got, c)
}

func readSettings(ctx context.Context, db *sql.DB, query string) (got map[string]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	got = make(map[string]string)
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read the server's settings: %w", err)
		}
		got[name] = value.String
	}
	return got, rows.Err()
}
