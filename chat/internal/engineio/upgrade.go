package engineio

import "time"

// The upgrade of a session from polling to WebSocket (Engine.IO protocol v4, section "Upgrade"):
//
//	client                                  server
//	  | WebSocket handshake with the sid       |  a probe: nothing of the session passes it
//	  | ---- 2probe -------------------------> |
//	  | <--------------------------- 3probe -- |
//	  | <-- noop on the open GET ------------- |  so that the client can stop polling
//	  | ---- 5 ------------------------------> |  the session's queue now goes out here
//
// The queue is the session's and not the transport's, so nothing is moved, lost or reordered: until 5 arrives it is
// answered to GETs, from then on it is written to the WebSocket. If the probe fails the session stays on polling.

// startProbe admits w as the probe of s, unless s has or had one already. The reference implementation completes the
// handshake of such a WebSocket and closes it then.
func (s *Session) startProbe(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live || s.wire != nil || s.probe != nil || s.srv.cfg.DisableUpgrades {
		w.finish(closeFrame(closePolicy, "upgrade refused"), endDrop)
		return
	}
	s.probe = w
	w.patience = s.srv.cfg.UpgradeTimeout
	_ = w.Conn.SetReadDeadline(time.Now().Add(w.patience))
}

// receiveProbe handles a packet on a probing WebSocket.
func (w *wire) receiveProbe(t packetType, content []byte) {
	if w.proceed(t, content); w.upgraded {
		w.session.tellUpgraded()
	}
}

// tellUpgraded tells the handler that the client has moved to WebSocket, if it wants to know.
func (s *Session) tellUpgraded() {
	s.callbacks.Lock()
	defer s.callbacks.Unlock()
	if u, ok := s.handler.(Upgrader); ok && s.alive() {
		defer s.srv.recovered("Upgrader", s)
		u.Upgraded()
	}
}

// proceed goes on with an upgrade: first a ping, then the upgrade packet, both exactly as the protocol says.
func (w *wire) proceed(t packetType, content []byte) {
	s := w.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probe != w {
		return // refused, or the session has ended
	}
	switch {
	case t == packetPing && string(content) == probe && !w.probed:
		w.probed = true
		w.control = append(appendFrameHeader(w.control, opText, 1+len(probe)), byte(packetPong))
		w.control = append(w.control, probe...)
		w.kick()
		s.polling.release = true
		s.polling.notify()
	case t == packetUpgrade && w.probed:
		s.probe = nil
		s.wire = w
		w.upgraded = true
		w.patience = 0
		_ = w.Conn.SetReadDeadline(time.Time{})
		s.polling.notify() // a GET that is still open ends with a noop
		if !s.live {
			w.finish(closeFrameFor(s.ended), endFlush)
		} else if s.queue.len > 0 {
			w.kick()
		}
	default:
		s.probe = nil
		w.finish(closeFrame(closeProtocolError, "upgrade failed"), endDrop)
	}
}

// dropProbe closes the probe of a session that has ended. s.mu is held.
func (s *Session) dropProbe(reason Reason) {
	s.probe.finish(closeFrameFor(reason), endDrop)
	s.probe = nil
}

// abandonProbe forgets a probe whose connection has ended. The session stays on polling.
func (s *Session) abandonProbe(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probe == w {
		s.probe = nil
		s.polling.release = false
	}
}
