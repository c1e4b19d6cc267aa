package engineio

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxBatch bounds what one system call writes, unless a single message is larger.
	maxBatch = 64 << 10
	// scratchSize is the same for a goroutine that writes for one connection.
	scratchSize = 16 << 10
	// directSize is from where a message is written from its own memory instead of being gathered with others.
	directSize = 16 << 10
)

// shard is one flusher: it writes to the connections that were assigned to it, and nobody else does while they take
// their bytes at once. A connection that has something to write is pushed on a lock-free list. The goroutine that
// empties the list exists only while there is something in it; between rounds it yields once, so that messages which
// are being sent at that moment leave together. There is no timer and no added latency.
type shard struct {
	srv     *Server
	dirty   atomic.Pointer[wire] // nil: no goroutine; &running: a goroutine, nothing to do; else the list
	running wire                 // end of the list while the goroutine runs
	scratch []byte

	// Arguments and results of attempt, which would allocate if it were a closure.
	attempt func(fd uintptr) bool
	batch   []byte
	written int
	err     error
}

func (sh *shard) init(srv *Server) {
	sh.srv = srv
	sh.attempt = func(fd uintptr) bool {
		sh.written, sh.err = writeOnce(fd, sh.batch)
		return true // never wait
	}
}

// add puts w on the list, on which it must not be.
func (sh *shard) add(w *wire) {
	for {
		head := sh.dirty.Load()
		w.next = head
		if sh.dirty.CompareAndSwap(head, w) {
			if head == nil {
				sh.srv.wg.Add(1)
				go sh.run()
			}
			return
		}
	}
}

// run flushes until nothing is left to do.
func (sh *shard) run() {
	defer sh.srv.wg.Done()
	for {
		runtime.Gosched()
		list := sh.dirty.Swap(&sh.running)
		if list == &sh.running {
			if sh.dirty.CompareAndSwap(list, nil) {
				return
			}
			continue
		}
		var first *wire // the list is last in, first out
		for list != nil && list != &sh.running {
			list.next, first, list = first, list, list.next
		}
		for first != nil {
			w := first
			first, w.next = w.next, nil
			w.flush(sh)
		}
	}
}

// write makes one attempt to write b that does not wait.
func (sh *shard) write(raw syscall.RawConn, b []byte) (int, error) {
	sh.batch, sh.written, sh.err = b, 0, nil
	err := raw.Write(sh.attempt)
	sh.batch = nil
	if err == nil {
		err = sh.err
	}
	return sh.written, err
}

// kick has w written if there is something to write and nobody is about to. Session.mu is held.
func (w *wire) kick() {
	if w.dirty || w.busy || w.dead || !w.framed {
		return
	}
	if w.raw != nil {
		w.dirty = true
		w.shard.add(w)
		return
	}
	w.occupy(nil)
}

// occupy has a goroutine write rest, and all that follows until nothing is left. Session.mu is held.
func (w *wire) occupy(rest []byte) {
	w.busy = true
	w.limitWrite()
	w.session.srv.wg.Add(1)
	go w.drain(rest, w.session.queue.len)
}

// take gathers what is to be written next: a run of frames in scratch, or one large message where it lies. It returns
// nothing if there is nothing. Session.mu is held.
func (w *wire) take(scratch []byte) (batch []byte, messages int) {
	s := w.session
	if len(w.control) > 0 {
		scratch = append(scratch, w.control...)
		w.control = nil
	}
	if s.wire == w && !w.said {
		for s.queue.len > 0 {
			m := s.queue.peek()
			if len(scratch) == 0 && (len(m.frames) >= directSize || s.queue.len == 1 && w.closing == nil) {
				s.pop()
				return m.frames, 1
			}
			if len(scratch)+len(m.frames) > cap(scratch) {
				return scratch, messages
			}
			scratch = append(scratch, m.frames...)
			s.pop()
			messages++
		}
	}
	if w.closing != nil && !w.said {
		w.said = true
		scratch = append(scratch, w.closing...)
	}
	return scratch, messages
}

// pending tells whether take would return something. Session.mu is held.
func (w *wire) pending() bool {
	return len(w.control) > 0 || !w.said && (w.closing != nil || w.session.wire == w && w.session.queue.len > 0)
}

// flush writes what w has to write, as far as it goes at once. It is called by the shard only.
func (w *wire) flush(sh *shard) {
	s := w.session
	s.mu.Lock()
	w.dirty = false
	if w.busy || w.dead {
		s.mu.Unlock()
		return
	}
	if sh.scratch == nil {
		sh.scratch = make([]byte, 0, maxBatch)
	}
	batch, _ := w.take(sh.scratch)
	done := !w.said && !w.pending()
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	n, err := sh.write(w.raw, batch)
	if err == nil && n == len(batch) && done {
		return
	}
	if err != nil {
		w.broken(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.dead {
		return
	}
	if n < len(batch) {
		rest := batch[n:]
		if &batch[0] == &sh.scratch[:1][0] { // else it is the memory of a message, which never changes
			rest = append([]byte(nil), rest...)
		}
		s.bytes += len(rest)
		w.occupy(rest)
		return
	}
	if w.said {
		w.saidGoodbye()
	} else if w.pending() {
		w.kick()
	}
}

// drain writes for a connection whose writes may wait: rest first, then whatever is queued, until nothing is left. The
// client has SendTimeout to take all that was queued when that time began, of which ahead messages are left.
func (w *wire) drain(rest []byte, ahead int) {
	s, srv := w.session, w.session.srv
	defer srv.wg.Done()
	buf := srv.buffer()
	defer srv.recycle(buf, nil)
	owed := len(rest) // counted as queued until it is written
	if owed == 0 {
		runtime.Gosched() // as the shards do, to gather what is being sent at this moment
	}
	for {
		if len(rest) > 0 {
			if _, err := w.Conn.Write(rest); err != nil {
				w.broken(err)
				return
			}
		}
		s.mu.Lock()
		s.bytes -= owed
		owed = 0
		if ahead == 0 {
			ahead = s.queue.len
			w.limitWrite()
		}
		var n int
		rest, n = w.take((*buf)[:0])
		ahead = max(ahead-n, 0)
		if len(rest) == 0 || w.dead {
			_ = w.Conn.SetWriteDeadline(time.Time{}) // or it would fail a write of the shard
			w.busy = false
			if w.said && !w.dead {
				w.saidGoodbye()
			}
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}
