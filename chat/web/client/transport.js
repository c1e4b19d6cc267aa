// The two transports of Engine.IO protocol v4. Each is opened with a handler {open, packet, drain, close}: packets are
// strings (the type's digit first) or binary messages, and close(error, details) is called once, unless this side closed.

const SEPARATOR = "\x1e";

const transportError = (message, description, context) =>
  Object.assign(new Error(message), { type: "TransportError", description, context });

const toBase64 = async (data) => {
  const bytes = data instanceof Blob ? new Uint8Array(await data.arrayBuffer())
    : new Uint8Array(data.buffer || data, data.byteOffset, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x2000) text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
};

const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer;

// payloadSize is what a packet takes of a polling payload, its separator included.
const payloadSize = (packet) => 1 + (typeof packet === "string" ? new TextEncoder().encode(packet).length
  : 1 + Math.ceil((packet.byteLength ?? packet.size) / 3) * 4);

class WebSocketTransport {
  name = "websocket";
  writable = false;
  #ws;
  #closed = false;

  constructor(engine) {
    this.engine = engine;
  }

  open(handler) {
    this.handler = handler;
    const { WebSocket: WS = globalThis.WebSocket, protocols = [], extraHeaders } = this.engine.opts;
    const fail = (error, details) => {
      if (this.#closed) return;
      this.#closed = true;
      this.handler.close(error, details);
    };
    try {
      // The third argument is for implementations that can send headers; browsers ignore it.
      this.#ws = new WS(this.engine.address("websocket"), protocols, { headers: extraHeaders });
    } catch (err) {
      setTimeout(() => fail(transportError("websocket error", err)));
      return;
    }
    const ws = this.#ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      this.writable = true;
      if (!this.#closed) this.handler.open();
    };
    ws.onmessage = ({ data }) => this.#closed || this.handler.packet(data);
    ws.onerror = (event) => fail(transportError("websocket error", event));
    ws.onclose = (event) => fail(null, { description: "websocket connection closed", context: event });
  }

  // Not writable until the current task is over: what is sent within one task is one batch, and a volatile event behind
  // another is dropped as it is with the stock client.
  write(packets) {
    this.writable = false;
    for (const packet of packets) {
      if (this.#ws.readyState === 1) this.#ws.send(packet);
    }
    Promise.resolve().then(() => {
      if (this.#closed) return;
      this.writable = true;
      this.handler.drain();
    });
  }

  close() {
    this.#closed = true;
    this.#ws?.close();
  }
}

class PollingTransport {
  name = "polling";
  writable = false;
  #closed = false;
  #polling = false;
  #writing = false;
  #paused;
  #abort = new AbortController();

  constructor(engine) {
    this.engine = engine;
  }

  open(handler) {
    this.handler = handler;
    this.#poll();
  }

  async #request(method, body) {
    const { extraHeaders, withCredentials } = this.engine.opts;
    const failed = method === "GET" ? "xhr poll error" : "xhr post error";
    let status = 0, text = "";
    try {
      const response = await fetch(this.engine.address("polling"), {
        method,
        body,
        headers: { ...(body && { "Content-Type": "text/plain;charset=UTF-8" }), ...extraHeaders },
        credentials: withCredentials ? "include" : "same-origin",
        signal: this.#abort.signal,
      });
      status = response.status;
      text = await response.text();
    } catch (err) {
      throw transportError(failed, status, err);
    }
    if (status !== 200) throw transportError(failed, status, { status, responseText: text });
    return text;
  }

  #fail(error) {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort.abort();
    this.handler.close(error);
  }

  async #poll() {
    this.#polling = true;
    let text;
    try {
      text = await this.#request("GET");
    } catch (err) {
      return this.#fail(err);
    }
    this.#polling = false;
    if (this.#closed) return this.#late(text);
    for (const packet of text.split(SEPARATOR)) this.handler.packet(packet);
    if (this.#paused) this.#settle();
    else if (!this.#closed) this.#poll();
  }

  // opened is for the engine to say once it has seen the handshake.
  opened() {
    this.writable = true;
  }

  async write(packets) {
    this.writable = false;
    this.#writing = true;
    try {
      const parts = packets.map(async (packet) => typeof packet === "string" ? packet : "b" + await toBase64(packet));
      await this.#request("POST", (await Promise.all(parts)).join(SEPARATOR));
    } catch (err) {
      return this.#fail(err);
    }
    this.#writing = false;
    if (this.#closed) return;
    this.writable = !this.#paused;
    this.handler.drain();
    this.#settle();
  }

  // pause resolves once no request is under way; resume takes it back.
  pause() {
    this.writable = false;
    return new Promise((resolve) => {
      this.#paused = resolve;
      this.#settle();
    });
  }

  #settle() {
    if (!this.#polling && !this.#writing) this.#paused?.();
  }

  resume() {
    this.#paused = undefined;
    this.writable = !this.#writing;
    if (!this.#polling) this.#poll();
  }

  // close tells the server, if there is a session to end. The poll is left to be answered by the server: where it was cut
  // first, the server could take the close for a lost connection. The answer to a handshake is awaited too, lest
  // the server keeps a session that nobody wants. Where the session is over already, gone is true.
  close(gone) {
    if (this.#closed) return;
    this.#closed = true;
    if (gone) this.#abort.abort();
    else if (this.engine.id) this.#end();
  }

  #end() {
    const abort = () => this.#abort.abort();
    this.#request("POST", "1").then(abort, abort);
  }

  #late(text) {
    const sid = !this.engine.id && /^0.*?"sid":"([^"]+)"/.exec(text);
    if (!sid) return;
    this.engine.id = sid[1];
    this.#end();
  }
}
