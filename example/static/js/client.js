// The chat without a page: one connection, the rooms, their messages in order, and what still has to be sent.
// It tells its owner about changes through one function: changed("connection" | "rooms" | "messages" | …, room).

const PAGE = 50;
const CATCH_UP = 200;
const ACK_TIMEOUT = 10_000;
const TYPING_LASTS = 6_000;

/** An id for a message that has not been stored yet. randomUUID is missing on plain http outside localhost. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

const SYSTEM = { id: "", name: "System" };

/** Who wrote a message; what the server itself says has no user. */
export const author = (message) => message.user ?? SYSTEM;

/** A refusal that the server has put into words. */
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
    this.retryAfter = error.retryable ? error.retry_after_ms || 1000 : 0;
  }
}

class Room {
  constructor(id) {
    this.id = id;
    this.name = id;
    this.epoch = undefined;
    this.messages = []; // ascending by seq
    this.outbox = []; // written here, not acknowledged yet
    this.members = new Map();
    this.typing = new Map(); // user id -> {name, timer}
    this.hasEarlier = false;
    this.joined = false; // on this connection
    this.loaded = false;
    this.unread = 0;
    this.firstUnread = 0; // seq
  }

  get lastSeq() {
    return this.messages.at(-1)?.seq ?? 0;
  }

  get lastMessage() {
    return this.messages.at(-1);
  }
}

export class Chat {
  constructor(name, changed) {
    this.changed = changed;
    this.name = name;
    this.me = undefined;
    this.state = "connecting"; // online | offline | refused
    this.reason = "";
    this.rooms = new Map();
    this.joining = new Set(); // ids of rooms
    this.outboxKey = `echochat.outbox.${name}`;
    this.socket = io({ auth: { name } });
    this.#listen();
    this.#restoreOutbox();
  }

  close() {
    this.socket.disconnect();
    sessionStorage.removeItem(this.outboxKey);
  }

  /** Sends an event and waits for what the server answers; throws Refused, or another error when no answer came. */
  async request(event, argument) {
    if (!this.socket.connected) throw new Error("not connected");
    const ack = await this.socket.timeout(ACK_TIMEOUT).emitWithAck(event, argument);
    if (ack.status !== "ok") throw new Refused(ack.error);
    return ack;
  }

  /** Calls a REST route of the chat, signed in by the same name. */
  async #rest(method, path, body) {
    const headers = { Authorization: `Bearer ${encodeURIComponent(this.name)}` };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(`/chat/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Refused(answer.error);
    return answer;
  }

  /** Learns who we are to the server, and which rooms we are a member of. */
  async load() {
    const [{ user }, { rooms }] = await Promise.all([this.#rest("GET", "/me"), this.#rest("GET", "/rooms?limit=100")]);
    this.me = user;
    for (const { id, name } of rooms) this.room(id).name = name;
  }

  /** The rooms that anybody may join. */
  async publicRooms() {
    return (await this.#rest("GET", "/rooms?type=public&limit=100")).rooms;
  }

  /** Creates a room and returns its id. An id that is taken is a room to join. */
  async createRoom(id, name) {
    try {
      return (await this.#rest("POST", "/rooms", { id, name, type: "public" })).room.id;
    } catch (error) {
      if (error.code === "conflict") return id;
      throw error;
    }
  }

  room(id) {
    if (!this.rooms.has(id)) this.rooms.set(id, new Room(id));
    return this.rooms.get(id);
  }

  /** Joins a room, or after a lost connection asks for what was missed since. */
  async join(id) {
    const known = this.rooms.get(id);
    const position = known?.loaded ? { after: known.lastSeq, epoch: known.epoch, limit: CATCH_UP } : { limit: PAGE };
    this.joining.add(id);
    const ack = await this.request("room.join", { room_id: id, ...position }).finally(() => this.joining.delete(id));

    const room = this.room(id);
    if (ack.resync) room.messages = [];
    if (!room.loaded || ack.resync) room.hasEarlier = ack.has_more_before;
    room.loaded = true;
    room.joined = true;
    room.name = ack.room.name || id;
    room.epoch = ack.room.epoch;
    room.members = new Map(ack.members.map((member) => [member.user.id, member]));
    this.#merge(room, ack.messages);
    if (ack.has_more_after) await this.#catchUp(room);
    this.changed("rooms", room);
    this.changed("people", room);
    this.changed("messages", room);
    this.#flush(room);
    return room;
  }

  async leave(room) {
    await this.request("room.leave", { room_id: room.id });
    this.forget(room);
  }

  /** Lets go of a room that we are no longer a member of. */
  forget(room) {
    if (this.rooms.delete(room.id)) this.changed("left", room);
  }

  /** Loads the page before the earliest message that is here. */
  async loadEarlier(room) {
    if (!room.hasEarlier || room.loadingEarlier) return;
    room.loadingEarlier = true;
    try {
      const before = room.messages[0].seq;
      const ack = await this.request("room.history", { room_id: room.id, before, limit: PAGE });
      room.hasEarlier = ack.has_more_before;
      this.#merge(room, ack.messages);
    } finally {
      room.loadingEarlier = false;
      this.changed("messages", room);
    }
  }

  /** Shows the message at once and sends it as soon as there is a connection, in the order of writing. */
  send(room, text) {
    room.outbox.push({ client_id: newId(), text, created_at: new Date().toISOString(), state: "waiting" });
    this.#outboxChanged(room);
    this.#flush(room);
  }

  retry(room, item) {
    item.state = "waiting";
    this.#outboxChanged(room);
    this.#flush(room);
  }

  discard(room, item) {
    room.outbox = room.outbox.filter((other) => other !== item);
    this.#outboxChanged(room);
  }

  typing(room, on) {
    if (this.socket.connected && room.joined) this.socket.emit(on ? "typing.start" : "typing.stop", { room_id: room.id });
  }

  /** Frees the messages far above, which scrolling up loads again. */
  trim(room, keep = 200) {
    if (room.messages.length <= 2 * keep) return;
    room.messages = room.messages.slice(-keep);
    room.hasEarlier = true;
    this.changed("messages", room);
  }

  #listen() {
    const { socket } = this;
    socket.on("connect", () => this.#setState("online"));
    socket.on("disconnect", (reason) => {
      for (const room of this.rooms.values()) room.joined = false;
      this.#setState("offline", reason);
      // The server ended this on purpose; the client script then leaves it to us to return.
      if (reason === "io server disconnect") setTimeout(() => socket.connect(), 2000);
    });
    socket.on("connect_error", ({ message, data }) => {
      // An answer of the server carries data. A network that is down does not, and the client script keeps trying.
      if (data && !data.retryable) return this.#setState("refused", data.message);
      this.#setState("offline", message);
      if (data) setTimeout(() => socket.connect(), data.retry_after_ms || 2000);
    });

    this.#on("message.new", (room, event) => this.#received(room, event.message));
    this.#on("typing.start", (room, { user }) => this.#typing(room, user, true));
    this.#on("typing.stop", (room, { user }) => this.#typing(room, user, false));
    this.#on("member.removed", (room, { user }) => {
      if (user.id === this.me?.id) return this.forget(room); // in another window, or by the app
      room.members.delete(user.id);
      this.changed("people", room);
    });
    socket.on("member.added", ({ room_id: id, member }) => {
      const room = this.rooms.get(id);
      if (room) {
        room.members.set(member.user.id, member);
        this.changed("people", room);
      } else if (member.user.id === this.me?.id && !this.joining.has(id)) {
        this.join(id).catch(() => {}); // the next connect does it again
      }
    });
    socket.on("user.presence.changed", ({ user, status }) => {
      for (const room of this.rooms.values()) {
        const member = room.members.get(user.id);
        if (!member) continue;
        member.online = status === "online";
        this.changed("people", room);
      }
    });
  }

  #on(event, handle) {
    this.socket.on(event, (payload) => {
      const room = this.rooms.get(payload.room_id);
      if (room) handle(room, payload);
    });
  }

  #setState(state, reason = "") {
    this.state = state;
    this.reason = reason;
    this.changed("connection");
  }

  #received(room, message) {
    const gap = room.loaded && message.seq > room.lastSeq + 1;
    this.#typing(room, author(message), false);
    // What lies between is fetched in order, this message with it.
    if (gap) return void this.#catchUp(room).catch(() => {});
    const added = this.#merge(room, [message]);
    if (added) this.changed("message", room, message);
    this.changed("messages", room);
  }

  async #catchUp(room) {
    if (room.catchingUp) return;
    room.catchingUp = true;
    try {
      for (let more = true; more; ) {
        const ack = await this.request("room.history", { room_id: room.id, after: room.lastSeq, limit: CATCH_UP });
        this.#merge(room, ack.messages);
        more = ack.has_more_after && ack.messages.length > 0;
      }
    } finally {
      room.catchingUp = false;
      this.changed("messages", room);
    }
  }

  /** Puts messages into the room in seq order, each once, and takes our own out of the outbox. Returns how many were new. */
  #merge(room, messages) {
    const known = new Set(room.messages.map((message) => message.seq));
    const added = messages.filter((message) => !known.has(message.seq));
    if (added.length) room.messages = [...room.messages, ...added].sort((a, b) => a.seq - b.seq);

    const stored = new Set(messages.filter((m) => m.client_id && m.user?.id === this.me?.id).map((m) => m.client_id));
    if (room.outbox.some((item) => stored.has(item.client_id))) {
      room.outbox = room.outbox.filter((item) => !stored.has(item.client_id));
      this.#saveOutbox();
    }
    return added.length;
  }

  /** Sends what is waiting, one after the other. A repeated client_id is stored once, so trying again is always safe. */
  async #flush(room) {
    if (room.flushing) return;
    room.flushing = true;
    try {
      for (let item; room.joined && (item = room.outbox.find(({ state }) => state === "waiting")); ) {
        await this.#deliver(room, item);
      }
    } finally {
      room.flushing = false;
    }
  }

  async #deliver(room, item) {
    try {
      const { client_id, text } = item;
      const ack = await this.request("message.send", { room_id: room.id, client_id, text });
      this.#merge(room, [ack.message]);
      this.discard(room, item);
    } catch (error) {
      const wait = error instanceof Refused ? error.retryAfter : 1000;
      if (wait) return void (await new Promise((done) => setTimeout(done, wait)));
      item.state = "failed";
      item.reason = error.message;
      this.#outboxChanged(room);
    }
  }

  #typing(room, user, on) {
    const known = room.typing.get(user.id);
    if (user.id === this.me?.id || (!known && !on)) return;
    clearTimeout(known?.timer);
    if (on) room.typing.set(user.id, { name: user.name, timer: setTimeout(() => this.#typing(room, user, false), TYPING_LASTS) });
    else room.typing.delete(user.id);
    this.changed("typing", room);
  }

  #outboxChanged(room) {
    this.#saveOutbox();
    this.changed("messages", room);
  }

  // The outbox survives a reload of this tab.
  #saveOutbox() {
    const waiting = [...this.rooms.values()].flatMap((room) => room.outbox.map((item) => [room.id, item]));
    sessionStorage.setItem(this.outboxKey, JSON.stringify(waiting));
  }

  #restoreOutbox() {
    for (const [id, item] of JSON.parse(sessionStorage.getItem(this.outboxKey) ?? "[]")) this.room(id).outbox.push(item);
  }
}
