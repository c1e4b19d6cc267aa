package socketio

import (
	"sync"
	"time"
)

const (
	// idleTime is about how long a worker without work waits for more before it ends.
	idleTime = 20 * time.Millisecond
	// maxIdleWorkers bounds those that wait.
	maxIdleWorkers = 64
)

// workers are the goroutines that call the handlers of events, each for one socket at a time. One that is through waits
// for a moment whether there is more to do: so under load goroutines are used again with the stacks that they have
// grown, and an idle server has none.
type workers struct {
	tasks *tasks

	mu       sync.Mutex
	idle     []worker // those who waited longest first
	leftover int      // how many of them had nothing to do since the last sweep
	sweeping bool
}

// worker is where a goroutine that waits gets its next socket from, or nil if it is to end. It has room for one.
type worker chan *Socket

// start has a goroutine work on the events of a socket.
func (w *workers) start(s *Socket) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		w.tasks.start(func() { w.run(s) })
		return
	}
	next := w.idle[last]
	w.idle = w.idle[:last]
	w.leftover = min(w.leftover, last)
	w.mu.Unlock()
	next <- s
}

// run works for one socket after the other, until there has been none for a while.
func (w *workers) run(s *Socket) {
	s.work()
	for self := make(worker, 1); w.wait(self); {
		s := <-self
		if s == nil {
			return
		}
		s.work()
	}
}

// wait notes that a worker has nothing to do. It returns false if enough others wait.
func (w *workers) wait(self worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle) >= maxIdleWorkers {
		return false
	}
	w.idle = append(w.idle, self)
	if !w.sweeping {
		w.sweeping, w.leftover = true, 0
		time.AfterFunc(idleTime, w.sweep)
	}
	return true
}

// sweep ends the workers that were not needed since the last one.
func (w *workers) sweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cold := range w.idle[:w.leftover] {
		cold <- nil
	}
	w.idle = append(w.idle[:0], w.idle[w.leftover:]...)
	w.leftover = len(w.idle)
	if w.sweeping = w.leftover > 0; w.sweeping {
		time.AfterFunc(idleTime, w.sweep)
	}
}
