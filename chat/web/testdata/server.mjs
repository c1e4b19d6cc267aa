// Servers that say exactly what a test tells them to: they know as much of the protocol as it takes to open a session.
import http from "node:http";

export const handshake = (more) => "0" + JSON.stringify({ sid: "s1", upgrades: [], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000, ...more });

export const until = async (what, condition) => {
  for (const end = Date.now() + 15000; !condition();) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
};

// fakeWebSocket returns a WebSocket class whose instances are driven by the test.
export const fakeWebSocket = ({ open = true } = {}) => {
  class Fake {
    static instances = [];
    readyState = 0;
    sent = [];

    constructor(url, protocols, options) {
      Object.assign(this, { url, protocols, options });
      Fake.instances.push(this);
      if (open) queueMicrotask(() => this.accept());
    }

    accept() {
      this.readyState = 1;
      this.onopen();
    }

    // say delivers messages: strings or bytes.
    say(...messages) {
      for (const data of messages) this.onmessage({ data: typeof data === "string" ? data : Uint8Array.from(data).buffer });
    }

    // lose ends the connection as a network does.
    lose() {
      this.readyState = 3;
      this.onclose({ code: 1006 });
    }

    send(data) {
      this.sent.push(data);
    }

    close() {
      this.readyState = 3;
      this.closed = true;
    }
  }
  return Fake;
};

// PollingServer holds each poll until there is something to say, and keeps what was posted.
export class PollingServer {
  posted = [];
  urls = [];
  holdPosts = false;
  #out = [];
  #poll = null;
  #held = [];

  async start() {
    this.http = http.createServer((request, response) => this.#serve(request, response)).listen(0, "127.0.0.1");
    await new Promise((resolve) => this.http.once("listening", resolve));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  get polled() {
    return !!this.#poll;
  }

  say(...packets) {
    this.#out.push(...packets);
    this.#flush();
  }

  releasePosts() {
    this.holdPosts = false;
    for (const release of this.#held.splice(0)) release();
  }

  close() {
    this.http.closeAllConnections();
    this.http.close();
  }

  async #serve(request, response) {
    this.urls.push(request.url);
    if (request.method === "GET") {
      this.#poll = response;
      request.on("close", () => this.#poll === response && (this.#poll = null));
      return this.#flush();
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    this.posted.push(...body.split("\x1e"));
    if (this.holdPosts) await new Promise((release) => this.#held.push(release));
    response.end("ok");
  }

  #flush() {
    if (!this.#poll || !this.#out.length) return;
    this.#poll.end(this.#out.splice(0).join("\x1e"));
    this.#poll = null;
  }
}
