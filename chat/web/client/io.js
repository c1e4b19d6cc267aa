// io is the function that pages call.

const protocol = 5;

const managers = new Map();

// parseURL takes an address as people write it, relative to the page: nothing, a namespace ("/admin"), a host, or a URL whose
// path is the namespace.
const parseURL = (uri) => {
  const { protocol: scheme = "https:", host } = globalThis.location || {};
  if (!host && !/^(\w+:)?\/\/|^[^/]/.test(uri ?? "")) throw new Error("io() needs the server's address here");
  if (uri == null || /^\/(?!\/)/.test(uri)) uri = host + (uri || "");
  if (!/^(http|ws)s?:\/\//.test(uri)) uri = scheme + (uri.startsWith("//") ? "" : "//") + uri;
  const [, base, path, query] = /^(\w+:\/\/[^/?#]*)([^?#]*)\??([^#]*)/.exec(uri);
  return { origin: new URL(base.replace(/^ws/, "http")).origin, nsp: path || "/", query };
};

// io returns a Socket. Sockets for different namespaces of a server share a Manager unless asked not to (forceNew, multiplex).
const io = (uri, opts) => {
  if (typeof uri === "object") [uri, opts] = [undefined, uri || opts];
  opts = { path: "/socket.io", ...opts };
  const { origin, nsp, query } = parseURL(uri);
  if (query) opts.query ??= Object.fromEntries(new URLSearchParams(query));
  const key = origin + opts.path;
  let manager = managers.get(key);
  if (opts.forceNew || opts.multiplex === false || (manager && nsp in manager.nsps)) {
    manager = new Manager(origin, opts);
  } else if (!manager) {
    managers.set(key, manager = new Manager(origin, opts));
  }
  return manager.socket(nsp, opts);
};

Object.assign(io, { io, connect: io, Manager, Socket, protocol });
