// A TCP proxy that can do to a connection what networks do.
import net from "node:net";

export const startProxy = async (target) => {
  const { hostname, port } = new URL(target);
  const pairs = new Set();
  let silent = false, refusing = false;

  const server = net.createServer((client) => {
    if (refusing) return client.resetAndDestroy();
    const upstream = net.connect(port, hostname);
    const pair = [client, upstream];
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client]]) {
      from.on("error", () => {});
      from.on("data", (data) => silent || to.write(data));
      from.on("close", () => {
        pairs.delete(pair);
        if (!silent) to.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    // cut resets every connection; new ones are possible.
    cut,
    // silence swallows everything from now on, or lets new connections through again.
    silence: (value) => { silent = value; },
    // refuse resets new connections at once.
    refuse: (value) => { refusing = value; },
    close: () => {
      cut();
      server.close();
    },
  };
};
