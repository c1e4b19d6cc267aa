package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// class is what an error of a database means for what was tried.
type class int

const (
	classOther     class = iota // The statement is refused; trying again does not help.
	classUnique                 // A unique key is taken.
	classTransient              // Deadlock, busy, connection lost, server starting: try again with the same ids.
	classFull                   // No space left.
)

// classify says what err means. A COMMIT that failed for lack of space is not committed; after any other failure it may be.
func classify(err error) class {
	class := classifyDriver(err)
	if class != classFull && errors.Is(err, errUnanswered) {
		return classTransient
	}
	return class
}

// classifyDriver looks through every wrapping, unlike GORM's translators, which moreover do not know the pure-Go SQLite's errors.
func classifyDriver(err error) class {
	if code, ok := sqliteCode(err); ok {
		return classifySQLite(code)
	}
	if e, ok := errors.AsType[interface {
		error
		SQLState() string // pgx, lib/pq
	}](err); ok {
		return classifyPostgres(e.SQLState())
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyMySQL(e.Number)
	}
	if isConnectionError(err) {
		return classTransient
	}
	return classOther
}

func isUnique(err error) bool    { return classify(err) == classUnique }
func isTransient(err error) bool { return classify(err) == classTransient }

// classifySQLite takes an extended result code, see https://www.sqlite.org/rescode.html.
func classifySQLite(code int) class {
	switch code {
	case 1555, 2067: // CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE
		return classUnique
	}
	switch code & 0xff {
	case 13: // FULL
		return classFull
	case 5, 6, 9, 15: // BUSY, LOCKED, INTERRUPT, PROTOCOL
		return classTransient
	case 8, 10, 11, 14, 26: // READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB: the message is fine, the file is not
		return classTransient
	}
	return classOther
}

// classifyPostgres takes an SQLSTATE, see PostgreSQL's Appendix A.
func classifyPostgres(state string) class {
	switch state {
	case "23505": // unique_violation
		return classUnique
	case "53100": // disk_full
		return classFull
	case "25006", "25P03", "25P04", "55P03", "57014", "57P01", "57P02", "57P03", "57P05": // read-only, timeouts, lock, cancelled, shutdown, starting
		return classTransient
	}
	for _, c := range []string{"08", "40", "53", "58"} { // connection, rollback, resources, system error
		if strings.HasPrefix(state, c) {
			return classTransient
		}
	}
	return classOther
}

// classifyMySQL takes an error number of MySQL or MariaDB.
func classifyMySQL(n uint16) class {
	switch n {
	case 1062, 1586: // ER_DUP_ENTRY, ER_DUP_ENTRY_WITH_KEY_NAME
		return classUnique
	case 1021, 1114: // ER_DISK_FULL, ER_RECORD_FILE_FULL
		return classFull
	case 1205, 1213, 1412, 1020, // lock wait, deadlock, table definition changed, row changed
		1040, 1203, 1226, 1053, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1317, 1927, // connections, shutdown, network, killed
		1969, 3024, 4031, // the server's own timeouts
		1047, 3101, // a cluster whose node is not ready, or has rolled the COMMIT back
		1290, 1792, 1836: // read-only after a failover
		return classTransient
	}
	return classOther
}

func isConnectionError(err error) bool {
	for _, target := range []error{
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF,
		net.ErrClosed, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// pgx marks what failed before anything was sent, such as on a connection that is closed already.
	safe, ok := errors.AsType[interface {
		error
		SafeToRetry() bool
	}](err)
	return ok && safe.SafeToRetry()
}

// sqliteCode returns the extended result code of an error of a SQLite driver: modernc.org/sqlite and its forks have a method,
// mattn/go-sqlite3 a type that exists with cgo alone.
func sqliteCode(err error) (int, bool) {
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return e.Code(), true
	}
	return mattnCode(err)
}

// wrap names the operation and adds the sentinel that err amounts to, unless it has one.
func wrap(op string, err error) error {
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrStorageFull) {
		switch classify(err) {
		case classTransient:
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		case classFull:
			err = fmt.Errorf("%w: %w", ErrStorageFull, err)
		}
	}
	return fmt.Errorf("store: %s: %w", op, err)
}
