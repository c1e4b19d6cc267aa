package socketio

// Reason says why a socket was disconnected. The values are those that the Socket.IO documentation lists for the
// server's "disconnect" event.
type Reason string

// The reasons of a disconnection.
const (
	// ReasonTransportError: the connection broke.
	ReasonTransportError Reason = "transport error"
	// ReasonTransportClose: the client closed the connection, or its page went away.
	ReasonTransportClose Reason = "transport close"
	// ReasonForcedClose: [Socket.CloseConnection] was called.
	ReasonForcedClose Reason = "forced close"
	// ReasonPingTimeout: the client did not answer the heartbeat in time.
	ReasonPingTimeout Reason = "ping timeout"
	// ReasonParseError: the client sent what is no valid packet.
	ReasonParseError Reason = "parse error"
	// ReasonServerShuttingDown: [Server.Shutdown] was called.
	ReasonServerShuttingDown Reason = "server shutting down"
	// ReasonForcedServerClose: the server closed the connection, because no namespace was joined in time, because a
	// packet did not fit the state of the connection, or because a handler panicked.
	ReasonForcedServerClose Reason = "forced server close"
	// ReasonClientNamespaceDisconnect: the client left the namespace.
	ReasonClientNamespaceDisconnect Reason = "client namespace disconnect"
	// ReasonServerNamespaceDisconnect: [Socket.Disconnect] was called.
	ReasonServerNamespaceDisconnect Reason = "server namespace disconnect"
	// ReasonSlowClient: the client did not take what was sent to it fast enough ([WithSendBuffer]). Node's server keeps
	// it without bound instead, and has no such reason.
	ReasonSlowClient Reason = "slow client"
)

// Recoverable reports whether a client that was disconnected for this reason may come back and recover its state
// ([WithRecovery]): it did not leave of its own will, nor was it sent away.
func (r Reason) Recoverable() bool {
	switch r {
	case ReasonTransportError, ReasonTransportClose, ReasonForcedClose, ReasonPingTimeout,
		ReasonServerShuttingDown, ReasonForcedServerClose, ReasonSlowClient:
		return true
	default:
		return false
	}
}

// byServer reports whether the server ended the socket's life, so that nothing the client sent before counts any more.
func (r Reason) byServer() bool {
	switch r {
	case ReasonParseError, ReasonServerShuttingDown, ReasonForcedClose, ReasonForcedServerClose, ReasonServerNamespaceDisconnect:
		return true
	default:
		return false
	}
}
