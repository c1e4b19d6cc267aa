// Socket is one namespace of a Manager. Its own events: connect, connect_error, disconnect; all others are the application's.

class Socket extends Emitter {
  connected = false;
  recovered = false;
  receiveBuffer = [];
  sendBuffer = [];
  flags = {};
  acks = new Map();
  #ids = 0;
  #queue = [];
  #any = [];
  #anyOutgoing = [];
  #subs;
  #asked;
  #pid;
  #offset;

  constructor(manager, nsp, opts) {
    super();
    this.io = manager;
    this.nsp = nsp;
    this._opts = { ...opts };
    this.auth = this._opts.auth;
    if (manager._autoConnect) this.connect();
  }

  get disconnected() {
    return !this.connected;
  }

  // active tells whether the Socket will connect by itself, now or when the Manager reconnects.
  get active() {
    return !!this.#subs;
  }

  connect() {
    if (this.connected) return this;
    const { io } = this;
    if (!this.#subs) {
      this.#subs = [
        ["open", () => this.#ask()],
        ["packet", (packet) => packet.nsp === this.nsp && this.#receive(packet)],
        ["error", (error) => this.connected || this.emitReserved("connect_error", error)],
        ["close", (reason, details) => this.#closed(reason, details)],
      ];
      for (const [event, fn] of this.#subs) io.on(event, fn);
    }
    if (!io._reconnecting) io.open();
    if (io._readyState === "open") this.#ask();
    return this;
  }

  disconnect() {
    const { connected } = this;
    if (connected) this.#packet(DISCONNECT);
    this.#pid = this.#offset = undefined; // who leaves does not want to be recovered
    this.#detach();
    if (connected) this.#closed("io client disconnect");
    return this;
  }

  // #ask sends CONNECT, once per connection. An `auth` function that answers twice, or for a connection that is over, is not heard.
  #ask() {
    const { engine } = this.io;
    if (this.#asked?.engine === engine) return;
    const asked = this.#asked = { engine, sent: false };
    const send = (auth) => {
      if (this.#asked !== asked || asked.sent) return;
      asked.sent = true;
      this.#packet(CONNECT, this.#pid ? { pid: this.#pid, offset: this.#offset, ...auth } : auth);
    };
    if (typeof this.auth === "function") this.auth(send);
    else send(this.auth);
  }

  #packet(type, data, id) {
    this.io._packet({ type, nsp: this.nsp, data, id });
  }

  // #detach leaves the Manager: no reconnection, and its connection ends if no other namespace uses it.
  #detach() {
    for (const [event, fn] of this.#subs || []) this.io.off(event, fn);
    this.#subs = this.#asked = undefined;
    this.io._destroy(this);
  }

  #receive({ type, data, id }) {
    switch (type) {
      case CONNECT:
        return data?.sid ? this.#opened(data) : this.emitReserved("connect_error", new Error("invalid CONNECT packet: is this a server for Socket.IO v3 or later?"));
      case CONNECT_ERROR:
        this.#detach();
        return this.emitReserved("connect_error", Object.assign(new Error(data.message ?? data), { data: data.data }));
      case DISCONNECT:
        this.#detach();
        return this.#closed("io server disconnect");
      case ACK:
        return this.#acked(id, data);
      case EVENT:
        if (id !== undefined) data.push(this.#answer(id));
        if (this.connected) this.#deliver(data);
        else this.receiveBuffer.push(data);
    }
  }

  #opened({ sid, pid }) {
    this.id = sid;
    this.recovered = !!pid && this.#pid === pid;
    this.#pid = pid;
    this.connected = true;
    for (const args of this.receiveBuffer.splice(0)) this.#deliver(args);
    for (const packet of this.sendBuffer.splice(0)) call(() => this.#transmit(packet));
    this.#drain(true);
    this.emitReserved("connect");
  }

  #closed(reason, details) {
    this.connected = false;
    this.#asked = undefined;
    this.id = undefined;
    this.emitReserved("disconnect", reason, details);
    // No answer can come any more, except to what was never sent.
    for (const [id, ack] of [...this.acks]) { // a callback may emit again
      if (this.sendBuffer.some((packet) => packet.id === id)) continue;
      this.acks.delete(id);
      if (ack.withError) call(ack, this, [new Error("socket has been disconnected")]);
    }
  }

  #deliver(args) {
    for (const fn of [...this.#any]) call(fn, this, args);
    this.emitReserved(...args);
    // With connection state recovery the server appends the event's position.
    const last = args[args.length - 1];
    if (this.#pid && typeof last === "string") this.#offset = last;
  }

  // #answer makes the function that acknowledges an event: once, and on the connection that the event came on. On another the
  // id may be that of another event, and before the answer to CONNECT the server would close the connection.
  #answer(id) {
    let { engine } = this.io;
    return (...args) => {
      if (engine === this.io.engine && this.connected) this.#packet(ACK, args, id);
      engine = null;
    };
  }

  #acked(id, args) {
    const ack = this.acks.get(id);
    if (!ack) return;
    this.acks.delete(id);
    call(ack, this, ack.withError ? [null, ...args] : args);
  }

  send(...args) {
    return this.emit("message", ...args);
  }

  emit(event, ...args) {
    if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
    const { flags } = this;
    this.flags = {};
    if (this._opts.retries && !flags.volatile) this.#enqueue([event, ...args], flags);
    else this.#emit([event, ...args], flags);
    return this;
  }

  #emit(data, flags) {
    const packet = { data };
    if (typeof data[data.length - 1] === "function") {
      packet.id = this.#ids++;
      this.#expect(packet.id, data.pop(), flags.timeout ?? this._opts.ackTimeout);
    }
    const { engine } = this.io;
    if (this.connected && !engine.expired()) {
      if (!flags.volatile || engine.transport.writable) this.#transmit(packet);
    } else if (!flags.volatile) {
      this.sendBuffer.push(packet);
    }
  }

  #transmit({ data, id }) {
    for (const fn of [...this.#anyOutgoing]) call(fn, this, data);
    this.#packet(EVENT, data, id);
  }

  #expect(id, fn, timeout) {
    if (timeout === undefined) {
      this.acks.set(id, fn);
      return;
    }
    const timer = setTimeout(() => {
      this.acks.delete(id);
      this.sendBuffer = this.sendBuffer.filter((packet) => packet.id !== id);
      fn.call(this, new Error("operation has timed out"));
    }, timeout);
    const ack = (...args) => {
      clearTimeout(timer);
      fn.apply(this, args);
    };
    ack.withError = true;
    this.acks.set(id, ack);
  }

  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const fn = (error, answer) => error ? reject(error) : resolve(answer);
      fn.withError = true;
      this.emit(event, ...args, fn);
    });
  }

  // #enqueue is what the option `retries` asks for: events leave one after the other, each until it is acknowledged or out of tries.
  #enqueue(args, flags) {
    const ack = typeof args[args.length - 1] === "function" ? args.pop() : undefined;
    const entry = { args, flags, tries: 0, pending: false };
    entry.answer = (error, ...response) => {
      entry.pending = false;
      if (this.#queue[0] === entry && (!error || entry.tries > this._opts.retries)) {
        this.#queue.shift();
        if (ack) call(ack, this, [error, ...response]);
      }
      this.#drain();
    };
    entry.answer.withError = true;
    this.#queue.push(entry);
    this.#drain();
  }

  #drain(again) {
    const entry = this.#queue[0];
    if (!this.connected || !entry || (entry.pending && !again)) return;
    entry.pending = true;
    entry.tries++;
    this.#emit([...entry.args, entry.answer], entry.flags);
  }

  compress(value) {
    this.flags.compress = value;
    return this;
  }

  timeout(ms) {
    this.flags.timeout = ms;
    return this;
  }

  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  onAny(fn) { this.#any.push(fn); return this; }
  prependAny(fn) { this.#any.unshift(fn); return this; }
  offAny(fn) { this.#any = without(this.#any, fn); return this; }
  listenersAny() { return this.#any; }
  onAnyOutgoing(fn) { this.#anyOutgoing.push(fn); return this; }
  prependAnyOutgoing(fn) { this.#anyOutgoing.unshift(fn); return this; }
  offAnyOutgoing(fn) { this.#anyOutgoing = without(this.#anyOutgoing, fn); return this; }
  listenersAnyOutgoing() { return this.#anyOutgoing; }
}

Object.assign(Socket.prototype, { open: Socket.prototype.connect, close: Socket.prototype.disconnect });

const without = (list, fn) => fn ? list.filter((each) => each !== fn) : [];
