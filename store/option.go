package store

import (
	"fmt"
	"log/slog"
)

// Option changes how a [Store] works. An option with an impossible value makes [Open] and [New] return an error that names it.
type Option func(*config) error

type config struct {
	log            *slog.Logger
	readers        int
	queueMessages  int
	queueBytes     int
	skipMigrations bool
	relaxed        bool
}

func newConfig(opts []Option) (config, error) {
	c := config{log: slog.Default(), readers: 4, queueMessages: 4096, queueBytes: 16 << 20}
	for _, o := range opts {
		if err := o(&c); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

// WithLogger sets where the store logs: migrations, slow and failed statements (never their values), lost and regained
// databases. Defaults to [slog.Default].
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return fmt.Errorf("store: WithLogger: nil logger")
		}
		c.log = l
		return nil
	}
}

// WithReaders sets how many connections read a SQLite file at once, 1 to 64. Defaults to 4. Other databases
// use the application's pool.
func WithReaders(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 64 {
			return fmt.Errorf("store: WithReaders(%d): want 1 to 64", n)
		}
		c.readers = n
		return nil
	}
}

// WithQueue bounds what waits to be written: at most this many messages of together at most this many bytes of text,
// attachments and metadata. Append waits for a place. Defaults to 4,096 messages and 16 MiB; at least 1 message and 2 MiB.
func WithQueue(messages, bytes int) Option {
	return func(c *config) error {
		if messages < 1 || bytes < 2<<20 {
			return fmt.Errorf("store: WithQueue(%d, %d): want at least 1 message and %d bytes", messages, bytes, 2<<20)
		}
		c.queueMessages, c.queueBytes = messages, bytes
		return nil
	}
}

// WithoutMigrations leaves the schema alone, for a database user that may not change it: run package migrations at deployment. [Open]
// and [New] then return an error unless the schema is exactly the one this version needs.
func WithoutMigrations() Option {
	return func(c *config) error {
		c.skipMigrations = true
		return nil
	}
}

// WithRelaxedDurability accepts a PostgreSQL or MySQL server that is set up so that a power failure may lose messages that
// Append has confirmed, such as one for tests with fsync off; each such setting is logged as a warning. It also accepts a SQLite file
// on a network file system. SQLite always uses synchronous=FULL.
func WithRelaxedDurability() Option {
	return func(c *config) error {
		c.relaxed = true
		return nil
	}
}
