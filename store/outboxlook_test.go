package store

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// application opens the store's file as the application would.
func application(t *testing.T, s *Store, d *faultyDriver) *gorm.DB {
	t.Helper()
	path := strings.TrimSuffix(s.files.wal.path, "-wal")
	pool := sql.OpenDB(connector{d, (sqliteFile{path: path}).uri() + "?_busy_timeout=5000&_pragma=busy_timeout(5000)"})
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	return db
}

// looks counts how often the outbox has been read since the last call.
func (d *faultyDriver) looks() (n int) {
	for _, statement := range d.run() {
		if strings.HasPrefix(statement, "SELECT * FROM `chat_outbox`") {
			n++
		}
	}
	return n
}

// The outbox is looked into at once, then less and less often while a transaction may still be open, and then no more.
func TestLooksIntoOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		defer func() { require.NoError(t, s.Close()) }()
		db := application(t, s, d)
		come := make(chan Message, 10)
		s.OnCommit(func(batch []Message) { come <- batch[0] })
		synctest.Wait()
		require.Equal(t, 1, d.looks(), "for what is left")

		begin := func() *gorm.DB {
			tx := db.Begin()
			_, err := s.AppendTx(t.Context(), tx, Draft{RoomID: "r", Sender: User{ID: "ann"}})
			require.NoError(t, err)
			return tx
		}
		require.NoError(t, begin().Rollback().Error)
		<-time.After(lastLook + maxLook)
		n := d.looks()
		require.Greater(t, n, 20)
		require.Less(t, n, 150)
		<-time.After(24 * time.Hour)
		require.Zero(t, d.looks())

		for _, open := range []time.Duration{0, time.Second, 40 * time.Second, 30 * time.Minute} {
			<-time.After(time.Second) // until nobody else writes
			tx := begin()
			<-time.After(open)
			require.NoError(t, tx.Commit().Error)
			committed := time.Now()
			<-come
			require.LessOrEqual(t, time.Since(committed), min(open/4, maxLook)+minLook)
		}
	})
}

// What the database does not take now it is given again, and once.
func TestOutboxOutlastsTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		db := application(t, s, d)
		n := listen(s)
		tx := db.Begin()
		_, err := s.AppendTx(t.Context(), tx, Draft{RoomID: "r", Sender: User{ID: "ann"}})
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, tx.Commit().Error) // and not yet looked into
		for _, fault := range []func(commit, rollback func() error) error{
			func(_, rollback func() error) error { return errors.Join(rollback(), errConnectionLost) },
			func(commit, _ func() error) error { return errors.Join(commit(), errConnectionLost) },
		} {
			d.onCommit(fault)
			<-time.After(time.Minute)
			require.Empty(t, n.soFar())
		}
		d.heal()
		<-n.came
		synctest.Wait()
		require.Len(t, n.soFar(), 1)
		require.NoError(t, s.Close())
		require.Len(t, n.soFar(), 1)
		var left int64
		require.NoError(t, db.Table("chat_outbox").Count(&left).Error)
		require.Zero(t, left)
	})
}

// A message is not thrown away because the database refuses to take it for a reason that nobody has thought of.
func TestOutboxKeepsWhatIsNotRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		defer func() { require.NoError(t, s.Close()) }()
		tx := application(t, s, d).Begin()
		n := listen(s)
		_, err := s.AppendTx(t.Context(), tx, Draft{RoomID: "r", Sender: User{ID: "ann"}})
		require.NoError(t, err)
		synctest.Wait()
		d.onBegin(func() error { return errors.New("permission denied") })
		require.NoError(t, tx.Commit().Error)
		<-time.After(time.Minute)
		require.Empty(t, n.soFar())
		d.heal()
		<-n.came
		require.Len(t, n.soFar(), 1)
	})
}
