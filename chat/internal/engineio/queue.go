package engineio

import "sync"

// queue holds what waits to be sent to one session, in order: references to shared messages, in chunks that come from
// and return to a pool, so that queueing allocates nothing and an idle session holds nothing.
type queue struct {
	head, tail *chunk
	first      int // index in head of the oldest message
	last       int // index in tail behind the newest
	len        int
}

// chunk is a page of a queue, 256 bytes.
type chunk struct {
	next     *chunk
	messages [31]*Message
}

// chunkPool recycles chunks. The zero value is ready.
type chunkPool struct{ pool sync.Pool }

func (p *chunkPool) get() *chunk {
	if c, ok := p.pool.Get().(*chunk); ok {
		return c
	}
	return new(chunk)
}

func (q *queue) push(p *chunkPool, m *Message) {
	if q.tail == nil {
		q.tail = p.get()
		q.head, q.first, q.last = q.tail, 0, 0
	} else if q.last == len(q.tail.messages) {
		q.tail.next = p.get()
		q.tail, q.last = q.tail.next, 0
	}
	q.tail.messages[q.last] = m
	q.last++
	q.len++
}

// peek returns the oldest message. The queue must not be empty.
func (q *queue) peek() *Message { return q.head.messages[q.first] }

// pop removes and returns the oldest message. The queue must not be empty.
func (q *queue) pop(p *chunkPool) *Message {
	m := q.head.messages[q.first]
	q.head.messages[q.first] = nil
	q.first++
	q.len--
	switch {
	case q.len == 0:
		p.pool.Put(q.head)
		q.head, q.tail = nil, nil
	case q.first == len(q.head.messages):
		c := q.head
		q.head, q.first = c.next, 0
		c.next = nil
		p.pool.Put(c)
	}
	return m
}
