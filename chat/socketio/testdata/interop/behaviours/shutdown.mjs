// The end of the server: nothing can be asked of it afterwards.
import assert from "node:assert/strict";

export const shutdown = [
  {
    name: "takes the server's shutdown for a lost connection, and tries to come back",
    last: true,
    async run(t) {
      const socket = await t.connect(), idle = await t.connect();
      await t.upgraded(socket);
      const ends = [socket, idle].map((each) => t.event(each, "disconnect"));
      const attempt = t.event(socket.io, "reconnect_attempt");
      socket.emit("shut down");
      for (const end of ends) assert.match((await end)[0], /^transport (close|error)$/);
      assert.equal(socket.active, true);
      await attempt;
    },
  },
];
