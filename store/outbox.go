package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

const (
	// outboxPage is how many messages are taken out of the outbox at once.
	outboxPage = 64

	// After an AppendTx the outbox is looked into again and again: nobody tells when a transaction of the application ends. The pauses
	// grow with the time that has gone by, from minLook to maxLook, so that what is committed late is not much later for it, and what was
	// rolled back costs a few dozen queries in all. No transaction takes longer than lastLook.
	minLook  = 5 * time.Millisecond
	maxLook  = time.Minute
	lastLook = time.Hour

	// outboxRetry is the pause after the database has refused to take a message over.
	outboxRetry = time.Second
)

// parcel is a draft in the outbox.
type parcel struct {
	ID        string `gorm:"primaryKey"` // Ascending within a transaction. Becomes the message's.
	RoomID    string
	SenderID  string
	Draft     contents
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

// TableName differs from the name of the struct.
func (parcel) TableName() string { return "chat_outbox" }

// contents is the part of a draft that has no column of its own, stored as JSON. What is JSON itself is a string in it, to come out as it went in.
type contents struct {
	Name, AvatarURL       string
	Text                  string
	ParentID, QuotedID    string
	Mentions              UserIDs
	Attachments, Metadata string
	System, Outsider      bool
}

// Value implements [database/sql/driver.Valuer].
func (c contents) Value() (driver.Value, error) { return jsonText(c, false) }

// Scan implements [database/sql.Scanner].
func (c *contents) Scan(src any) error { return scanJSON(src, c) }

func newParcel(id string, d Draft) parcel {
	return parcel{ID: id, RoomID: d.RoomID, SenderID: d.Sender.ID, CreatedAt: now(), Draft: contents{
		Name: d.Sender.Name, AvatarURL: d.Sender.AvatarURL, Text: d.Text, ParentID: d.ParentID, QuotedID: d.QuotedID, Mentions: d.Mentions,
		Attachments: string(d.Attachments), Metadata: string(d.Metadata), System: d.System, Outsider: d.Outsider,
	}}
}

// draft has the parcel's id as its ClientID, so that it is stored once, however often it is taken over.
func (p parcel) draft() Draft {
	c := p.Draft
	return Draft{
		RoomID: p.RoomID, Sender: User{ID: p.SenderID, Name: c.Name, AvatarURL: c.AvatarURL}, ClientID: p.ID, Text: c.Text,
		ParentID: c.ParentID, QuotedID: c.QuotedID, Mentions: c.Mentions, Attachments: RawJSON(c.Attachments), Metadata: RawJSON(c.Metadata),
		System: c.System, Outsider: c.Outsider,
	}
}

// AppendTx appends a message as part of a transaction of the application: if and when tx is committed, the message is appended to its room,
// once, within moments, even if the process dies in between; if tx is rolled back, there never was one. Messages of one transaction
// keep their order. It returns the id that the message will have. The draft's ClientID has to be empty.
//
// It waits for nothing but tx itself and needs no second connection. Whether the room and what the draft refers to are there, and whether
// the sender is a member, is looked up in tx, too, and holds as tx sees it; somebody who has been removed by the time of the commit is
// left out with an error in the log. On SQLite tx holds the lock for writing from then on: appending in other ways meanwhile
// makes whoever does it wait for tx.
//
// The message is taken over by this process, or by one that is told to with [Store.OnCommit] later. A transaction that is open for
// more than an hour after its last AppendTx may have to wait for such an occasion.
//
// The transaction has to be on this store's database. One on another kind of database is refused; on another database with a chat of its own
// the message becomes one of that chat.
//
// Errors: [ErrInvalidArgument], also when tx is no transaction, [ErrRoomNotFound], [ErrNotMember], [ErrMessageNotFound],
// [ErrStorageFull], [ErrUnavailable], [ErrClosed]. After one, roll tx back.
func (s *Store) AppendTx(ctx context.Context, tx *gorm.DB, d Draft) (id string, err error) {
	const op = "append in a transaction"
	if err := s.enter(); err != nil {
		return "", wrap(op, err)
	}
	if err := d.validate(); err != nil {
		return "", wrap(op, err)
	}
	if d.ClientID != "" {
		return "", wrap(op, fmt.Errorf("%w: the client id is set", ErrInvalidArgument))
	}
	if id, err = newMessageID(); err != nil {
		return "", wrap(op, err)
	}
	own, err := s.within(ctx, tx)
	if err == nil {
		err = deposit(own, id, d)
	}
	if err != nil {
		return "", wrap(op, err)
	}
	s.outbox.expect()
	return id, nil
}

// OnAppendTx sets the function that gets each message that this process has taken over from a transaction of the application, after its
// commit. For messages of different rooms it runs at the same time; until it returns, those behind in the room wait. A panic in it is
// logged. A message whose process dies before this is left out.
func (s *Store) OnAppendTx(fn func(Message)) { s.outbox.appended.Store(&fn) }

// within is a session of the store's own on a transaction of the application: with neither its plugins, nor its log, which may
// show values.
func (s *Store) within(ctx context.Context, tx *gorm.DB) (*gorm.DB, error) {
	if tx == nil || tx.Error != nil {
		return nil, fmt.Errorf("%w: the transaction has failed, or is nil", ErrInvalidArgument)
	}
	if _, ok := tx.Statement.ConnPool.(gorm.TxCommitter); !ok {
		return nil, fmt.Errorf("%w: the *gorm.DB is not in a transaction", ErrInvalidArgument)
	}
	if got, want := tx.Name(), s.read.Name(); got != want {
		return nil, fmt.Errorf("%w: the transaction is on %s, the chat on %s", ErrInvalidArgument, got, want)
	}
	own := s.read.Session(&gorm.Session{NewDB: true, Context: ctx})
	own.Statement.ConnPool = tx.Statement.ConnPool
	return own, nil
}

// deposit writes first and looks up afterwards: SQLite refuses to write in a transaction that has read what another one has changed since.
func deposit(tx *gorm.DB, id string, d Draft) error {
	p := newParcel(id, d)
	if err := tx.Create(&p).Error; err != nil {
		return err
	}
	err := d.admit(tx)
	if err == nil && len(d.Mentions) < len(p.Draft.Mentions) {
		p.Draft.Mentions = d.Mentions
		err = tx.Model(&p).UpdateColumn("draft", p.Draft).Error
	}
	if err != nil { // in case that the application commits all the same
		return errors.Join(err, tx.Delete(&p).Error)
	}
	return nil
}

// admit is what the writer will look up once more, and what the draft refers to.
func (d *Draft) admit(tx *gorm.DB) error {
	var rooms []Room
	if err := tx.Select("id").Limit(1).Find(&rooms, "id = ? AND deleted_at = 0", d.RoomID).Error; err != nil {
		return err
	}
	if len(rooms) == 0 {
		return ErrRoomNotFound
	}
	if !d.System && !d.Outsider {
		if _, err := member(tx, d.RoomID, d.Sender.ID); err != nil {
			return err
		}
	}
	if d.refers() {
		return d.resolve(tx)
	}
	return nil
}

// outbox appends what transactions of the application have left in chat_outbox, and empties it. Several processes may work on
// one: a message is appended by the first, and the others find it there.
type outbox struct {
	store *Store
	wake  chan struct{}
	stop  func()
	done  sync.WaitGroup

	appended atomic.Pointer[func(Message)]

	mu       sync.Mutex
	expected time.Time // when a transaction was last given a message
}

func newOutbox(s *Store) *outbox { return &outbox{store: s, wake: make(chan struct{}, 1)} }

// start leaves the outbox alone until somebody listens to what is appended.
func (o *outbox) start() {
	ctx, cancel := context.WithCancel(context.Background())
	o.stop = cancel
	o.done.Go(func() { o.run(ctx) })
}

// close waits for the message at hand and leaves the rest for the next process.
func (o *outbox) close() {
	o.stop()
	o.done.Wait()
}

func (o *outbox) expect() {
	o.mu.Lock()
	o.expected = time.Now()
	o.mu.Unlock()
	signal(o.wake)
}

func (o *outbox) run(ctx context.Context) {
	look := time.NewTimer(maxLook)
	look.Stop()
	for {
		select {
		case <-o.wake:
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if err := o.empty(ctx); err != nil && ctx.Err() == nil {
			o.store.log.Warn("store: messages of committed transactions have to wait", "error", err)
			look.Reset(outboxRetry)
		} else if pause, again := o.pause(); again {
			look.Reset(pause)
		}
	}
}

// pause returns when to look again, if ever.
func (o *outbox) pause() (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	age := time.Since(o.expected)
	return min(max(age/4, minLook), maxLook), age < lastLook
}

// empty appends what is in the outbox, in the order of the ids within each room.
func (o *outbox) empty(ctx context.Context) error {
	for {
		var page []parcel
		err := o.store.reading(ctx, "read the outbox", func(tx *gorm.DB) error { return outboxOrder(tx).Find(&page).Error })
		if err != nil || len(page) == 0 {
			return err
		}
		if err := o.deliver(ctx, page); err != nil {
			return err
		}
	}
}

func outboxOrder(tx *gorm.DB) *gorm.DB { return tx.Order("id").Limit(outboxPage) }

// deliver appends parcels, those of different rooms beside each other, and removes those that are done with.
func (o *outbox) deliver(ctx context.Context, page []parcel) error {
	rooms := make(map[string][]parcel)
	for _, p := range page {
		rooms[p.RoomID] = append(rooms[p.RoomID], p)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var done []string
	var errs []error
	for _, parcels := range rooms {
		wg.Go(func() {
			n, err := o.deliverInto(ctx, parcels)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range parcels[:n] {
				done = append(done, p.ID)
			}
			errs = append(errs, err)
		})
	}
	wg.Wait()
	if len(done) > 0 {
		errs = append(errs, o.remove(context.WithoutCancel(ctx), done))
	}
	return errors.Join(errs...)
}

// deliverInto appends the parcels of one room, one after the other, and returns how many are done with.
func (o *outbox) deliverInto(ctx context.Context, parcels []parcel) (int, error) {
	for i, p := range parcels {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		m, again, err := o.store.append(context.WithoutCancel(ctx), "append from the outbox", p.draft(), p.ID)
		switch {
		case err == nil:
			if fn := o.appended.Load(); fn != nil && !again {
				o.store.writer.call("OnAppendTx", func() { (*fn)(m) })
			}
		case isRefusal(err):
			o.store.log.Error("store: a message of a committed transaction is refused", "id", p.ID, "room", p.RoomID, "error", err)
		default: // whatever the database says, it has taken this message once
			return i, err
		}
	}
	return len(parcels), nil
}

// isRefusal reports whether err says that a message never will be in its room.
func isRefusal(err error) bool {
	for _, refusal := range []error{ErrRoomNotFound, ErrNotMember, ErrMessageNotFound, ErrIDConflict, ErrInvalidArgument} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

func (o *outbox) remove(ctx context.Context, ids []string) error {
	return o.store.writing(ctx, "empty the outbox", func(tx *gorm.DB, _ int) error {
		for part := range portions(ids) {
			if err := tx.Delete(&parcel{}, "id IN ?", part).Error; err != nil {
				return err
			}
		}
		return nil
	})
}
