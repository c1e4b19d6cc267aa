// What the client has to do in a real browser. The exit code is 0 if it does.
//
//   node chromium.mjs --chromium program --page tutorial --url http://…   the page of the Socket.IO tutorial, in two tabs
//   node chromium.mjs --chromium program --page module   --url http://…   the ES module, under a strict Content-Security-Policy
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Browser } from "./browser.mjs";
import { sleep, within } from "./context.mjs";

const { values: { chromium, page, url } } = parseArgs({
  options: { chromium: { type: "string", default: "chromium" }, page: { type: "string" }, url: { type: "string" } },
});

const file = (name) => readFile(new URL(name, import.meta.url));

const pages = {
  // Two people have the page open; what one types appears with both.
  async tutorial(browser) {
    const files = {
      [`${url}/`]: { type: "text/html", body: await file("pages/tutorial.html") },
      "https://code.jquery.com/jquery-1.11.1.js": { type: "text/javascript", body: await file("node_modules/jquery/dist/jquery.js") },
    };
    const serve = (address) => files[address] ?? (address.endsWith("/favicon.ico") ? { type: "image/x-icon", body: "" } : undefined);
    const tabs = [await browser.tab(`${url}/`, serve), await browser.tab(`${url}/`, serve)];
    const messages = (tab) => tab.run("[...document.querySelectorAll('#messages li')].map((li) => li.textContent)");
    // The page does not say when it is connected, and until it is, it gets no message.
    const shows = (tab, text) => tab.run(`[...document.querySelectorAll('#messages li')].some((li) => li.textContent === "${text}")`);
    for (let n = 0, ready = [false]; !ready.every(Boolean); n++) {
      await tabs[0].type("#m", `anyone? ${n}`);
      await sleep(100);
      ready = await Promise.all(tabs.map((tab) => shows(tab, `anyone? ${n}`)));
    }
    for (const tab of tabs) await tab.run("document.querySelector('#messages').replaceChildren()");
    const said = [];
    for (const [i, text] of ["hello", "hi there", "<b>Zoë</b> & 🎉"].entries()) {
      await tabs[i % 2].type("#m", text);
      said.push(text);
      for (const tab of tabs) await tab.until(`document.querySelectorAll('#messages li').length === ${said.length}`);
    }
    for (const tab of tabs) {
      assert.deepEqual(await messages(tab), said);
      assert.deepEqual(tab.errors, []);
    }
    console.log(`holds  the tutorial's page, in two tabs: ${JSON.stringify(said)}`);
  },

  async module(browser) {
    const files = {
      [`${url}/`]: {
        type: "text/html", body: await file("pages/module.html"),
        headers: { "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'" },
      },
      [`${url}/module.js`]: { type: "text/javascript", body: await file("pages/module.js") },
    };
    const tab = await browser.tab(`${url}/`, (address) => files[address] ?? (address.endsWith("/favicon.ico") ? { type: "image/x-icon", body: "" } : undefined));
    await tab.until("typeof io === 'function'");
    const check = async (what, script, expected) => {
      assert.deepEqual(await tab.run(`(async () => { ${script} })()`), expected, what);
      console.log(`holds  ${what}`);
    };
    for (const transport of ["default", "polling", "websocket"]) {
      await check(`${transport}: connects, carries text and every kind of binary data both ways`, `
        const socket = window.socket = io({ forceNew: true, reconnectionDelay: 50, ${transport === "default" ? "" : `transports: ["${transport}"]`} });
        const bytes = (value) => [...new Uint8Array(value)];
        const [text, blob, file, view] = await new Promise((resolve) => socket.emit("echo",
          "Zoë 🎉", new Blob([new Uint8Array([1, 2])]), { in: [new File([new Uint8Array([3])], "f")] }, new Uint8Array([4, 5, 6]).subarray(1), (...args) => resolve(args)));
        return [text, bytes(blob), bytes(file.in[0]), bytes(view)];
      `, ["Zoë 🎉", [1, 2], [3], [5, 6]]);
      await tab.until(`socket.io.engine.transport.name === "${transport === "polling" ? "polling" : "websocket"}"`);
      await tab.run("window.seen = []; socket.on('disconnect', (reason) => seen.push(reason)).on('connect', () => seen.push('connect')); 0");
      await tab.offline(true);
      await tab.until("seen.length === 1");
      await tab.offline(false);
      await tab.until("socket.connected");
      await check(`${transport}: notices at once that the browser is offline, and comes back`, `
        await socket.emitWithAck("echo");
        socket.disconnect();
        return seen;
      `, ["transport close", "connect", "io client disconnect"]);
    }
    assert.deepEqual(await tab.run("violations"), []);
    assert.deepEqual(tab.errors, []);
    console.log("holds  the policy was not violated");
  },
};

const browser = await Browser.launch(chromium);
try {
  await within(90000, page, pages[page](browser));
} finally {
  await browser.close();
}
