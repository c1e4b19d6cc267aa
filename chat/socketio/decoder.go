package socketio

// decoder puts the packets of one connection together from its text and binary messages. The text of a binary packet
// is followed by its attachments, with nothing in between. Socket.IO protocol v5, section "Packet encoding".
type decoder struct {
	limits  limits
	pending *packet // waits for attachments
}

// text takes a text message. It returns the packet, or nil if its attachments are still to come.
func (d *decoder) text(data []byte) (*packet, error) {
	if d.pending != nil {
		return nil, badPacket("text where an attachment was expected")
	}
	p, err := parsePacket(data, d.limits)
	if err != nil {
		return nil, err
	}
	if p.size > d.limits.bytes {
		return nil, badPacket("more than %d bytes", d.limits.bytes)
	}
	if p.attachments > 0 {
		d.pending = p
		return nil, nil
	}
	return p, nil
}

// binary takes a binary message. It returns the packet if this was its last attachment.
func (d *decoder) binary(data []byte) (*packet, error) {
	p := d.pending
	if p == nil {
		return nil, badPacket("attachment without a packet")
	}
	if p.size += len(data); p.size > d.limits.bytes {
		return nil, badPacket("more than %d bytes with its attachments", d.limits.bytes)
	}
	p.args.attachments = append(p.args.attachments, data)
	if len(p.args.attachments) < p.attachments {
		return nil, nil
	}
	d.pending = nil
	return p, nil
}
