// Manager owns the connection of one or more namespaces' Sockets, and makes a new one with a growing, jittered delay when it
// is lost. Its events: open, close, error, packet, ping, reconnect, reconnect_attempt, reconnect_error, reconnect_failed.

// setting is a method that reads an option without an argument and sets it with one.
const setting = (name) => function (value) {
  if (value === undefined) return this.opts[name];
  this.opts[name] = value;
  return this;
};

class Manager extends Emitter {
  nsps = Object.create(null);
  _readyState = "closed";
  _reconnecting = false;
  skipReconnect = false;
  #attempts = 0;
  #timer;
  #links = [];

  constructor(uri, opts) {
    super();
    if (typeof uri === "object") [uri, opts] = [undefined, uri || opts];
    opts = opts || {};
    this.opts = {
      ...opts,
      path: opts.path || "/socket.io",
      reconnection: opts.reconnection !== false,
      reconnectionAttempts: opts.reconnectionAttempts || Infinity,
      reconnectionDelay: opts.reconnectionDelay || 1000,
      reconnectionDelayMax: opts.reconnectionDelayMax || 5000,
      randomizationFactor: opts.randomizationFactor ?? 0.5,
      timeout: opts.timeout ?? 20000,
    };
    this.uri = uri;
    this._autoConnect = this.opts.autoConnect !== false;
    if (this._autoConnect) this.open();
  }

  // open connects, unless connected or connecting. Given a callback, it leaves trying again to the caller.
  open(fn) {
    if (this._readyState !== "closed") return this;
    this.#unlink();
    this._readyState = "opening";
    this._reconnecting = this.skipReconnect = false;
    const engine = this.engine = new Engine(parseURL(this.uri).origin, this.opts);
    const fail = (error) => {
      this.#unlink();
      this._readyState = "closed";
      this.emitReserved("error", error);
      if (fn) fn(error);
      else this.#reconnect();
    };
    this.#link("error", fail);
    this.#link("open", () => {
      this.#unlink();
      this.#opened();
      fn?.();
    });
    if (this.opts.timeout !== false) {
      this.#timer = setTimeout(() => {
        fail(new Error("timeout"));
        engine.close(true);
      }, this.opts.timeout);
    }
    engine.open();
    return this;
  }

  #opened() {
    const decoder = new Decoder();
    this.#link("ping", () => this.emitReserved("ping"));
    this.#link("error", (error) => this.emitReserved("error", error));
    this.#link("close", (reason, details) => this.#closed(reason, details));
    this.#link("data", (data) => {
      let packet;
      try {
        packet = decoder.add(data);
      } catch (error) {
        return this.#closed("parse error", error);
      }
      if (packet) this.emitReserved("packet", packet);
    });
    this._readyState = "open";
    this.emitReserved("open");
  }

  #link(event, fn) {
    this.engine.on(event, fn);
    this.#links.push(() => this.engine.off(event, fn));
  }

  // #unlink lets go of the engine, so that nothing it still says is heard, and of whatever is due.
  #unlink() {
    clearTimeout(this.#timer);
    for (const off of this.#links.splice(0)) off();
  }

  // socket returns the Socket of a namespace, always the same one.
  socket(nsp, opts) {
    const socket = this.nsps[nsp];
    if (!socket) return this.nsps[nsp] = new Socket(this, nsp, opts);
    if (this._autoConnect && !socket.active) socket.connect();
    return socket;
  }

  // _destroy ends the connection with the last of its Sockets.
  _destroy() {
    if (!Object.values(this.nsps).some((socket) => socket.active)) this._close();
  }

  _packet(packet) {
    for (const message of encode(packet)) this.engine.write(message);
  }

  _close() {
    this.skipReconnect = true;
    this._reconnecting = false;
    this.#closed("forced close");
  }

  #closed(reason, details) {
    this.#unlink();
    this.engine?.close();
    this.#attempts = 0;
    this._readyState = "closed";
    this.emitReserved("close", reason, details);
    this.#reconnect();
  }

  #delay() {
    const { reconnectionDelay, reconnectionDelayMax, randomizationFactor } = this.opts;
    const jitter = 1 + randomizationFactor * (2 * Math.random() - 1);
    return Math.min(reconnectionDelayMax, reconnectionDelay * 2 ** this.#attempts++ * jitter);
  }

  #reconnect() {
    if (this._reconnecting || this.skipReconnect || !this.opts.reconnection) return;
    if (this.#attempts >= this.opts.reconnectionAttempts) {
      this.#attempts = 0;
      this.emitReserved("reconnect_failed");
      return;
    }
    this._reconnecting = true;
    const delay = this.#delay();
    this.#timer = setTimeout(() => {
      this._reconnecting = false;
      if (!this.opts.reconnection) return;
      this.emitReserved("reconnect_attempt", this.#attempts);
      if (this.skipReconnect) return;
      this.open((error) => {
        if (error) {
          this.#reconnect();
          this.emitReserved("reconnect_error", error);
          return;
        }
        const attempts = this.#attempts;
        this.#attempts = 0;
        this.emitReserved("reconnect", attempts);
      });
    }, delay);
  }
}

Object.assign(Manager.prototype, {
  connect: Manager.prototype.open,
  disconnect: Manager.prototype._close,
  reconnectionAttempts: setting("reconnectionAttempts"),
  reconnectionDelay: setting("reconnectionDelay"),
  reconnectionDelayMax: setting("reconnectionDelayMax"),
  randomizationFactor: setting("randomizationFactor"),
  timeout: setting("timeout"),
  reconnection: setting("reconnection"),
});
