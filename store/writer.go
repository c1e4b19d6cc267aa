package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"gorm.io/gorm"

	"github.com/echochat/echochat/migrations"
)

const (
	// maxBatch and maxBatchBytes bound one transaction.
	maxBatch      = 512
	maxBatchBytes = 1 << 20

	// maxHandover is how many committed batches may wait for OnCommit before the writer waits, too, and maxChanges how many
	// changes of messages before those who make them wait.
	maxHandover = 8
	maxChanges  = 1024

	// maxUnresolved bounds the messages remembered whose commit went unanswered.
	maxUnresolved = 4096

	resolveInterval = time.Second

	// patience is how many attempts fail before it is worth a line in the log: deadlocks are part of daily life.
	patience = 5
)

// request is a message on its way into the database. The writer owns it until done is closed, its caller from then on.
type request struct {
	msg      Message
	system   bool
	speaks   bool
	size     int64
	accepted time.Time
	done     chan struct{}

	duplicate bool
	err       error

	// unanswered is set when a commit of this message got no answer: it may be there already, under its own ID.
	unanswered bool
}

func newRequest(m Message, d Draft) *request {
	return &request{
		msg: m, system: d.System || d.Outsider, speaks: d.Speaks,
		size: int64(len(m.Text) + len(m.Attachments) + len(m.Metadata)),
		done: make(chan struct{}),
	}
}

// news is what has been committed, for OnCommit and OnChange.
type news struct {
	stored  []Message
	changed []Change
}

// writer commits messages in batches. What was committed goes to onCommit on a second goroutine, beside the next commit, and
// so do the changes of messages, which others have committed.
type writer struct {
	db       *gorm.DB
	tx       *sql.TxOptions
	sql      batchSQL
	prepared *preparedStatements // nil where the driver has its own
	log      *slog.Logger
	files    *files // nil on a server
	queue    chan *request
	bytes    *semaphore.Weighted // free bytes of the queue
	stored   func([]Message)     // gets what was committed before onCommit does; does not wait
	changes  chan Change
	handover chan news
	onCommit atomic.Pointer[func([]Message)]
	onChange atomic.Pointer[func(Change)]
	done     chan struct{}

	// unresolved are messages whose commit went unanswered until their senders were told so. They are looked up with
	// the next batch: one that is there has to be delivered before those after it.
	unresolved []*request
	away       bool // the database did not answer last time
}

func newWriter(db *gorm.DB, pool *sql.DB, d migrations.Dialect, c config, f *files) *writer {
	w := &writer{
		db: db, tx: txOptions(d), sql: newBatchSQL(d), log: c.log, files: f,
		queue:    make(chan *request, c.queueMessages),
		bytes:    semaphore.NewWeighted(int64(c.queueBytes)),
		changes:  make(chan Change, maxChanges),
		handover: make(chan news, maxHandover),
		done:     make(chan struct{}),
	}
	if d != migrations.Postgres && !keepsStatements(pool.Driver()) {
		w.prepared = newPreparedStatements(pool)
	}
	return w
}

// enqueue waits for a place in the queue. It must not be called after stop.
func (w *writer) enqueue(ctx context.Context, r *request) error {
	if err := w.bytes.Acquire(ctx, r.size); err != nil {
		return fmt.Errorf("the queue is full: %w", err)
	}
	r.accepted = time.Now()
	select {
	case w.queue <- r:
		return nil
	case <-ctx.Done():
		w.bytes.Release(r.size)
		return fmt.Errorf("the queue is full: %w", ctx.Err())
	}
}

// stop writes what is in the queue, delivers it and ends both goroutines.
func (w *writer) stop() {
	close(w.queue)
	<-w.done
}

func (w *writer) run() {
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		for n := range w.handover {
			w.deliver(n)
		}
	}()
	for {
		batch, open := w.collect()
		w.write(batch)
		w.files.keepSmall(context.Background())
		if !open {
			break
		}
	}
	w.passOn(nil)
	close(w.handover)
	<-delivered
	if err := w.prepared.close(); err != nil {
		w.log.Debug("store: closing prepared statements failed", "error", err)
	}
	close(w.done)
}

// collect waits for a message and takes its neighbours with it. It reports false when the queue is closed and empty.
//
// Changes that arrive meanwhile are passed on from here, between two batches: a change can only be of a message whose commit is over, so
// the message has been handed over before. Unless it is unresolved: then changes wait.
func (w *writer) collect() (batch []*request, open bool) {
	var r *request
	if len(w.unresolved) > 0 {
		t := time.NewTimer(resolveInterval)
		defer t.Stop()
		select {
		case r, open = <-w.queue:
		case <-t.C:
			return nil, true
		}
	} else {
		select {
		case r, open = <-w.queue:
		case c := <-w.changes:
			w.passOn([]Change{c})
			return nil, true
		}
	}
	if !open {
		return nil, false
	}
	// Let everybody who is about to append do so: without this, batches of one or two form.
	runtime.Gosched()
	batch, size := append(batch, r), r.size
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case r, open = <-w.queue:
			if !open {
				return batch, false
			}
			batch, size = append(batch, r), size+r.size
		default:
			return batch, true
		}
	}
	return batch, true
}

// passOn hands changes over, and those that wait behind them.
func (w *writer) passOn(changed []Change) {
	for {
		select {
		case c := <-w.changes:
			changed = append(changed, c)
			continue
		default:
		}
		if len(changed) > 0 {
			w.handover <- news{changed: changed}
		}
		return
	}
}

// write stores a batch and answers every request of it.
func (w *writer) write(batch []*request) {
	fresh := batch[:0:len(batch)]
	for _, r := range batch {
		if time.Since(r.accepted) > operationTime { // it waited behind a database that is away; do not make it wait longer
			w.finish(r, fmt.Errorf("%w: still queued after %v", ErrUnavailable, operationTime))
			continue
		}
		fresh = append(fresh, r)
	}
	if len(fresh) == 0 && len(w.unresolved) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), operationTime)
	defer cancel()
	w.store(ctx, fresh)
}

// store commits a batch. When the database refuses it, both halves are tried, down to the message that is at fault.
func (w *writer) store(ctx context.Context, batch []*request) {
	results, err := w.commit(ctx, batch)
	class := classify(err)
	switch {
	case err == nil:
		w.succeed(batch, results)
		w.prepared.prepare(ctx)
	case class != classTransient && class != classFull && len(batch) > 1:
		w.store(ctx, batch[:len(batch)/2])
		w.store(ctx, batch[len(batch)/2:])
	default:
		w.fail(batch, err)
	}
}

// commit tries a batch until the database has answered or ctx ends. Each attempt begins by looking for what an earlier one may have
// left behind, so no message is stored twice.
func (w *writer) commit(ctx context.Context, batch []*request) ([]result, error) {
	for attempt := 0; ; attempt++ {
		results, err := w.try(ctx, batch)
		if err == nil {
			w.present()
			return results, nil
		}
		w.files.distrust(err)
		if !isTransient(err) {
			return nil, err
		}
		if attempt == patience {
			w.absent(err)
		}
		if !pause(ctx, attempt) {
			return nil, err
		}
	}
}

// succeed answers the requests of a committed batch and hands the new messages over.
func (w *writer) succeed(batch []*request, results []result) {
	stored := make([]Message, 0, len(results))
	for _, res := range results {
		if res.err == nil && !res.duplicate {
			stored = append(stored, res.msg)
		}
	}
	for i, r := range batch {
		r.msg, r.duplicate = results[i].msg, results[i].duplicate
		w.finish(r, results[i].err)
	}
	w.unresolved = nil
	if len(stored) > 0 {
		inOrder(stored)
		w.handover <- news{stored: stored}
	}
}

// fail answers the requests of a batch that is not stored, as far as is known.
func (w *writer) fail(batch []*request, err error) {
	for _, r := range batch {
		answer := err
		if r.unanswered {
			answer = fmt.Errorf("%w: %w", ErrUnavailable, err)
			// The request belongs to its caller from now on.
			w.unresolved = append(w.unresolved, &request{msg: r.msg, unanswered: true})
		}
		w.finish(r, answer)
	}
	if n := len(w.unresolved) - maxUnresolved; n > 0 {
		w.log.Error("store: too many commits without an answer; some stored messages may not be delivered", "messages", n)
		w.unresolved = w.unresolved[n:]
	}
}

func (w *writer) finish(r *request, err error) {
	r.err = err
	w.bytes.Release(r.size)
	close(r.done)
}

// deliver calls OnCommit and OnChange. A panic in them must not end the process, nor keep later news back.
func (w *writer) deliver(n news) {
	if len(n.stored) > 0 {
		w.stored(n.stored)
		if fn := w.onCommit.Load(); fn != nil {
			w.call("OnCommit", func() { (*fn)(n.stored) })
		}
	}
	if fn := w.onChange.Load(); fn != nil {
		for _, c := range n.changed {
			w.call("OnChange", func() { (*fn)(c) })
		}
	}
}

func (w *writer) call(name string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			stack := make([]byte, 8<<10)
			w.log.Error("store: a function of the application panicked", "function", name, "panic", p, "stack", string(stack[:runtime.Stack(stack, false)]))
		}
	}()
	fn()
}

// absent and present log the loss and the return of the database, once each.
func (w *writer) absent(err error) {
	if !w.away {
		w.away = true
		w.log.Warn("store: the database does not answer; retrying", "error", err)
	}
}

func (w *writer) present() {
	if w.away {
		w.away = false
		w.log.Info("store: the database answers again")
	}
}
