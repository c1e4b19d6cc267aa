package engineio

import "time"

// heartbeat is the state of a session's liveness check (Engine.IO protocol v4, section "Heartbeat"): the server sends a
// ping PingInterval after the last pong and closes the session when no pong follows within PingTimeout. It is the only
// authority on liveness; WebSocket's own pings are not used. One timer per session serves all that is due some time.
// Times are durations since the server began.
type heartbeat struct {
	awaiting  bool          // a ping is out
	refreshed bool          // some other packet has extended the wait, which Node's server allows once
	since     time.Duration // when the ping went out, or since when the clock has been running again
	due       time.Duration // when the next ping is due, or the pong overdue
}

// now returns the time since the server began, never 0.
func (srv *Server) now() time.Duration { return time.Since(srv.began) + 1 }

// startTimer begins the heartbeat. s.mu is held.
func (s *Session) startTimer() {
	now := s.srv.now()
	s.beat.due = now + s.srv.cfg.PingInterval
	s.polling.check = now + s.srv.cfg.SendTimeout
	s.timer = time.AfterFunc(s.srv.cfg.PingInterval, s.tick)
}

// arm sets the timer to what is due next. s.mu is held.
func (s *Session) arm(now time.Duration) {
	next := s.beat.due
	if s.wire == nil && !s.polling.get {
		next = min(next, s.polling.check)
	}
	s.timer.Reset(max(next-now, 0))
}

// tick does what is due. It runs in the timer's goroutine, possibly early: deadlines that move later leave the timer
// alone, and it may have fired just before it was set anew.
func (s *Session) tick() {
	defer s.srv.recovered("Pulse.Pinged", s)
	reason, late := s.check()
	if reason != "" {
		s.end(reason, endDrop)
	} else if late {
		s.stopLingering()
	}
}

// check does what is due of a session that is open. It returns why that is to be closed if it is; late tells of one that
// has ended that the time for its last poll is over.
func (s *Session) check() (reason Reason, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.srv.now()
	switch {
	case s.live:
		if reason = s.overdue(now); reason == "" {
			s.arm(now)
		}
	case s.lingers && now < s.until:
		s.timer.Reset(s.until - now)
	default:
		late = true
	}
	return reason, late
}

// overdue sends a ping if one is due, and returns why the session is to be closed if it is. s.mu is held.
func (s *Session) overdue(now time.Duration) Reason {
	switch {
	case now < s.beat.due:
	case !s.beat.awaiting:
		s.beat = heartbeat{awaiting: true, since: now, due: now + s.srv.cfg.PingTimeout}
		s.push(s.srv.ping)
		if s.pulse != nil {
			s.pulse.Pinged()
		}
	case s.handling.Load() != 0:
		// Nothing is read while the handler runs, a pong neither: look again later. When the handler returns, resume
		// moves the deadline by as long as it took.
		s.beat.due, s.beat.since = now+s.srv.cfg.PingTimeout, now
	default:
		return ReasonPingTimeout
	}
	if s.wire == nil && !s.polling.get && now >= s.polling.check {
		if s.polling.waited {
			return ReasonSlowClient
		}
		s.polling.waited = s.queue.len > 0
		s.polling.check = now + s.srv.cfg.SendTimeout
	}
	return ""
}

// pong takes note of a pong and reports whether the session is open.
func (s *Session) pong() bool {
	defer s.srv.recovered("Pulse.Ponged", s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return false
	}
	if s.beat.awaiting && s.pulse != nil {
		s.pulse.Ponged()
	}
	now := s.srv.now()
	s.beat = heartbeat{due: now + s.srv.cfg.PingInterval}
	s.arm(now)
	return true
}

// alive takes note that something other than a pong arrived and reports whether the session is open.
func (s *Session) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return false
	}
	if s.beat.awaiting && !s.beat.refreshed {
		s.beat.refreshed = true
		s.beat.since = s.srv.now()
		s.beat.due = s.beat.since + s.srv.cfg.PingTimeout
	}
	return true
}

// resume ends a stretch in which the handler ran and nothing was read: for the pong's deadline it did not happen.
func (s *Session) resume() {
	started := time.Duration(s.handling.Load())
	if now := s.srv.now(); now-started > time.Millisecond {
		s.mu.Lock()
		if s.beat.awaiting {
			s.beat.due += now - max(started, s.beat.since)
		}
		s.mu.Unlock()
	}
	s.handling.Store(0)
}
