// Drives Chromium by its DevTools protocol: as much of it as the pages here need.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import WebSocket from "ws";
import { sleep, within } from "./context.mjs";

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0",
  // A page that is served through the DevTools protocol has no address, so that the browser takes its own server for one in
  // a local network that the page must not reach.
  "--disable-features=LocalNetworkAccessChecks",
];

export class Browser {
  #process;
  #folder;
  #ws;
  #ids = 0;
  #waiting = new Map();
  #sessions = new Map();

  static async launch(program) {
    const browser = new Browser();
    browser.#folder = await mkdtemp(join(tmpdir(), "echochat-chromium-"));
    browser.#process = spawn(program, [...flags, `--user-data-dir=${browser.#folder}`, "about:blank"], { stdio: "ignore", detached: true });
    try {
      await browser.#attach();
    } catch (err) {
      await browser.close();
      throw err;
    }
    return browser;
  }

  async #attach() {
    const [port, path] = await within(30000, "the browser's DevTools port", (async () => {
      for (;; await sleep(50)) {
        if (this.#process.exitCode !== null) throw new Error(`the browser ended with code ${this.#process.exitCode}`);
        const text = await readFile(join(this.#folder, "DevToolsActivePort"), "utf8").catch(() => "");
        if (text.includes("\n")) return text.trim().split("\n");
      }
    })());
    this.#ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { maxPayload: 1 << 28 });
    this.#ws.on("message", (data) => this.#receive(JSON.parse(data)));
    await within(10000, "the DevTools connection", new Promise((resolve, reject) => this.#ws.on("open", resolve).on("error", reject)));
  }

  #receive({ id, result, error, method, params, sessionId }) {
    if (id === undefined) return this.#sessions.get(sessionId)?.(method, params);
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(`${error.message} ${error.data ?? ""}`));
    else resolve(result);
  }

  send(method, params, sessionId) {
    const id = ++this.#ids;
    this.#ws.send(JSON.stringify({ id, method, params, sessionId }));
    return within(20000, method, new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject })));
  }

  // tab opens a page. serve answers a request by its URL with {body, type, headers}; what it knows nothing of goes to the
  // network if it is for the page's own server, and nowhere otherwise.
  async tab(url, serve) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, sessionId);
    const { origin } = new URL(url);
    this.#sessions.set(sessionId, (method, params) => tab.hear(method, params, origin, serve));
    for (const domain of ["Page", "Runtime", "Network"]) await tab.send(`${domain}.enable`);
    await tab.send("Fetch.enable", {});
    await tab.send("Page.navigate", { url });
    await tab.until("document.readyState === 'complete'");
    return tab;
  }

  async close() {
    this.#ws?.terminate();
    try {
      process.kill(-this.#process.pid, "SIGKILL"); // the browser and the processes it started
    } catch {
      // it has ended by itself
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

class Tab {
  // What went wrong in the page: uncaught errors and requests that were not answered.
  errors = [];

  constructor(browser, sessionId) {
    this.send = (method, params) => browser.send(method, params, sessionId);
  }

  hear(method, params, origin, serve) {
    if (method === "Runtime.exceptionThrown") this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Fetch.requestPaused") this.#answer(params, origin, serve).catch((err) => this.errors.push(err.message));
  }

  #answer({ requestId, request }, origin, serve) {
    const answer = serve(request.url);
    if (answer) {
      const responseHeaders = Object.entries({ "Content-Type": answer.type, ...answer.headers }).map(([name, value]) => ({ name, value }));
      const body = Buffer.from(answer.body).toString("base64");
      return this.send("Fetch.fulfillRequest", { requestId, responseCode: 200, responseHeaders, body });
    }
    if (new URL(request.url).origin === origin) return this.send("Fetch.continueRequest", { requestId });
    this.errors.push(`request to ${request.url}`);
    return this.send("Fetch.failRequest", { requestId, errorReason: "BlockedByClient" });
  }

  // run evaluates an expression in the page and returns its value, awaited if it is a promise.
  async run(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async until(expression) {
    await within(10000, expression, (async () => {
      while (!await this.run(expression)) await sleep(20);
    })());
  }

  // type writes into the element and sends it with the Enter key, as a person does.
  async type(selector, text) {
    await this.run(`document.querySelector(${JSON.stringify(selector)}).focus()`);
    await this.send("Input.insertText", { text });
    for (const type of ["keyDown", "keyUp"]) {
      await this.send("Input.dispatchKeyEvent", { type, key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: type === "keyDown" ? "\r" : undefined });
    }
  }

  offline(offline) {
    return this.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  }
}
