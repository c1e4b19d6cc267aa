// Engine is one Engine.IO session: it opens a transport, upgrades it, answers the heartbeat and closes. A Manager makes a new
// one for each connection. Its events: open, close, error, data, ping, packet, packetCreate, drain, upgrading, upgrade, upgradeError.

const KINDS = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

const TRANSPORTS = { __proto__: null, polling: PollingTransport, websocket: WebSocketTransport };

// What setTimeout can count; a longer delay would fire at once.
const MAX_DELAY = 2 ** 31 - 1;

const describe = (packet) => typeof packet === "string"
  ? { type: KINDS[packet[0]] || "message", data: packet.slice(1) || undefined } : { type: "message", data: packet };

class Engine extends Emitter {
  upgrading = false;
  // Packets that no transport has taken yet.
  writeBuffer = [];
  readyState = "opening";
  #probe;
  #heartbeat;
  #deadline = Infinity;
  #requests = 0;

  constructor(origin, opts) {
    super();
    this.origin = origin;
    this.opts = opts;
    this.names = (opts.transports || Object.keys(TRANSPORTS)).filter((name) => TRANSPORTS[name]);
  }

  open() {
    const Transport = TRANSPORTS[this.names[0]];
    if (!Transport) {
      setTimeout(() => this.#fail(new Error("No transports available")));
      return;
    }
    globalThis.addEventListener?.("offline", this.#offline);
    this.#use(new Transport(this));
    this.transport.open(this.transport.handler);
  }

  // address is the URL of a request.
  address(transport) {
    const { path, query, addTrailingSlash, timestampRequests } = this.opts;
    const params = new URLSearchParams({ ...query, EIO: 4, transport });
    if (this.id) params.set("sid", this.id);
    if (timestampRequests ?? transport === "polling") params.set("t", Date.now().toString(36) + "-" + this.#requests++);
    const origin = transport === "polling" ? this.origin : this.origin.replace(/^http/, "ws");
    return origin + path.replace(/\/$/, "") + (addTrailingSlash === false ? "?" : "/?") + params;
  }

  #use(transport) {
    this.transport = transport;
    transport.handler = {
      open() {},
      packet: (packet) => this.#receive(packet),
      drain: () => this.#drained(),
      close: (error, details) => error ? this.#fail(error) : this.#closed("transport close", details),
    };
  }

  #receive(packet) {
    if (this.readyState === "closed") return;
    if (this.hasListeners("packet")) this.emitReserved("packet", describe(packet));
    const kind = typeof packet === "string" ? packet[0] : "b";
    switch (this.id || kind === "0" ? kind : "") {
      case "0":
        return this.#opened(packet.slice(1));
      case "1":
        return this.#closed("transport close", { description: "transport closed by the server" });
      case "2":
        this.#alive();
        this.#send("3");
        return this.emitReserved("ping");
      case "4":
        return this.emitReserved("data", packet.slice(1));
      case "6":
        return;
      case "b":
        return this.#attachment(packet);
    }
    this.#fail(new Error("server error"));
  }

  // #attachment takes a binary message, which polling carries as the letter b and Base64.
  #attachment(packet) {
    try {
      if (typeof packet === "string") packet = fromBase64(packet.slice(1));
    } catch {
      return this.#fail(new Error("server error"));
    }
    this.emitReserved("data", packet);
  }

  #opened(data) {
    let handshake;
    try {
      handshake = JSON.parse(data);
    } catch {}
    const { sid, upgrades, pingInterval, pingTimeout, maxPayload } = handshake || {};
    if (this.id || typeof sid !== "string" || !(pingInterval + pingTimeout > 0)) return this.#fail(new Error("server error"));
    this.id = sid;
    this.patience = Math.min(pingInterval + pingTimeout, MAX_DELAY);
    this.maxPayload = maxPayload;
    this.readyState = "open";
    this.#alive();
    this.transport.opened?.();
    this.emitReserved("open");
    this.#flush();
    const upgradable = this.transport.name === "polling" && this.names.includes("websocket") && Array.isArray(upgrades) && upgrades.includes("websocket");
    if (upgradable && this.opts.upgrade !== false && this.readyState === "open") this.#upgrade();
  }

  // #upgrade moves the session to WebSocket: a probe, then the poll under way is brought to its end, and only then is the
  // switch declared, so that no packet can be lost or overtaken. A probe that fails changes nothing.
  #upgrade() {
    const next = this.#probe = new WebSocketTransport(this);
    const abandon = (error) => {
      if (this.#probe !== next) return;
      this.#probe = undefined;
      next.close();
      if (this.upgrading) {
        this.upgrading = false;
        this.transport.resume();
        this.#drained();
      }
      this.emitReserved("upgradeError", Object.assign(new Error("probe error"), { transport: next.name, cause: error }));
    };
    next.open({
      open: () => next.write(["2probe"]),
      drain() {},
      close: abandon,
      packet: async (packet) => {
        if (packet !== "3probe" || this.upgrading) return abandon(packet);
        this.upgrading = true;
        this.emitReserved("upgrading", next);
        await this.transport.pause();
        if (this.#probe !== next) return;
        this.#probe = undefined;
        this.#use(next);
        next.write(["5"]);
        this.upgrading = false;
        this.emitReserved("upgrade", next);
      },
    });
  }

  // #alive restarts the wait for the server's next ping.
  #alive() {
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => this.#closed("ping timeout"), this.patience);
    this.#deadline = Date.now() + this.patience;
  }

  // expired tells whether the heartbeat is overdue, also where a timer did not run: a laptop that slept, a throttled tab.
  expired() {
    const late = Date.now() > this.#deadline;
    if (late) setTimeout(() => this.#closed("ping timeout"));
    return late;
  }

  #offline = () => this.#closed("transport close", { description: "network connection lost" });

  // write queues a message: a string or binary data.
  write(message) {
    this.#send(typeof message === "string" ? "4" + message : message);
  }

  #send(packet) {
    if (this.readyState === "closed") return;
    if (this.hasListeners("packetCreate")) this.emitReserved("packetCreate", describe(packet));
    this.writeBuffer.push(packet);
    this.#flush();
  }

  #flush() {
    if (!this.transport.writable || !this.writeBuffer.length) return;
    this.transport.write(this.writeBuffer.splice(0, this.#batch()));
  }

  // #batch counts the packets that one request may carry; a server refuses what is over its maxPayload.
  #batch() {
    const packets = this.writeBuffer;
    if (this.transport.name !== "polling" || !this.maxPayload) return packets.length;
    let count = 0;
    for (let size = -1; count < packets.length; count++) {
      size += payloadSize(packets[count]);
      if (count && size > this.maxPayload) break;
    }
    return count;
  }

  #drained() {
    this.#flush();
    if (this.writeBuffer.length || !this.transport.writable) return;
    this.emitReserved("drain");
    if (this.readyState === "closing") this.#closed("forced close");
  }

  // close ends the session once everything written has left, unless hard.
  close(hard) {
    const pending = this.writeBuffer.length || !this.transport?.writable;
    if (this.readyState === "open" && pending && !hard) this.readyState = "closing";
    else if (this.readyState !== "closing" || hard) this.#closed("forced close", undefined, hard);
    return this;
  }

  #fail(error) {
    if (this.readyState === "opening" && this.opts.tryAllTransports && this.names.length > 1) {
      this.names.shift();
      return this.open();
    }
    if (this.readyState === "closed") return;
    this.emitReserved("error", error);
    this.#closed("transport error", error);
  }

  #closed(reason, details, hard) {
    if (this.readyState === "closed") return;
    const opening = this.readyState === "opening";
    this.readyState = "closed";
    clearTimeout(this.#heartbeat);
    globalThis.removeEventListener?.("offline", this.#offline);
    this.#probe?.close();
    this.#probe = undefined;
    this.writeBuffer.length = 0;
    this.transport?.close(hard || reason === "transport close");
    if (opening && reason !== "transport error") this.emitReserved("error", transportError("transport closed", reason, details));
    this.emitReserved("close", reason, details);
  }
}
