// The packets of Socket.IO protocol v5: one text, followed by its binary attachments.

const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, CONNECT_ERROR = 4, BINARY = 3;

// Events with a meaning on either side of the stock implementations; neither side may send one.
const RESERVED = new Set(["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]);

// As in the stock parser, so that an application never learns to depend on more.
const MAX_ATTACHMENTS = 10;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const isBinary = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob;

// hasBinary and extract see a value as JSON.stringify does: through toJSON, and own properties only.
const hasBinary = (value, plain) => {
  if (typeof value !== "object" || value === null) return false;
  if (isBinary(value)) return true;
  if (!plain && typeof value.toJSON === "function") return hasBinary(value.toJSON(), true);
  return Object.values(value).some((each) => hasBinary(each));
};

const extract = (value, found, plain) => {
  if (typeof value !== "object" || value === null) return value;
  if (isBinary(value)) return { _placeholder: true, num: found.push(value) - 1 };
  if (!plain && typeof value.toJSON === "function") return extract(value.toJSON(), found, true);
  if (Array.isArray(value)) return value.map((each) => extract(each, found));
  const copy = Object.create(null);
  for (const key of Object.keys(value)) copy[key] = extract(value[key], found);
  return copy;
};

// encode returns what goes over the wire: a string, then the attachments.
const encode = ({ type, nsp, id, data }) => {
  const found = [];
  let head = "" + type;
  if ((type === EVENT || type === ACK) && hasBinary(data)) {
    data = extract(data, found);
    head = type + BINARY + (found.length + "-");
  }
  if (nsp !== "/") head += nsp + ",";
  if (id !== undefined) head += id;
  if (data != null) head += JSON.stringify(data);
  return [head, ...found];
};

const valid = ({ type, id, data }) => {
  switch (type) {
    case CONNECT: return data === undefined || isObject(data);
    case DISCONNECT: return data === undefined;
    case EVENT: return Array.isArray(data) && (typeof data[0] === "number" || (typeof data[0] === "string" && !RESERVED.has(data[0])));
    case ACK: return Array.isArray(data) && id !== undefined;
    case CONNECT_ERROR: return typeof data === "string" || isObject(data);
  }
};

// type, number of attachments, namespace, id, payload
const PACKET = /^([0-6])(?:(\d{1,9})-)?(?:(\/[^,]*)(?:,|$))?(\d{1,15})?(.*)$/s;

// decode reads the text of a packet; what is malformed throws.
const decode = (text) => {
  const [, kind, count, nsp = "/", id, payload] = PACKET.exec(text) || [];
  const binary = kind > CONNECT_ERROR;
  const packet = {
    type: binary ? kind - BINARY : +kind,
    nsp,
    id: id && +id,
    data: payload ? JSON.parse(payload) : undefined,
    missing: binary ? +count : 0,
  };
  if (!kind || binary !== count > 0 || packet.missing > MAX_ATTACHMENTS || !valid(packet)) throw new Error("invalid packet");
  return packet;
};

// restore puts the attachments back in their places. It assigns only to properties that JSON.parse made the object's own, so
// a key "__proto__" is a property like any other.
const restore = (value, attachments) => {
  if (typeof value !== "object" || value === null) return value;
  if (value._placeholder === true) {
    if (!Number.isInteger(value.num) || !attachments[value.num]) throw new Error("illegal attachments");
    return attachments[value.num];
  }
  for (const key of Object.keys(value)) value[key] = restore(value[key], attachments);
  return value;
};

class Decoder {
  #packet = null;
  #attachments = [];

  // add returns a packet once it is complete. It throws on what the protocol does not allow at this point.
  add(data) {
    const text = typeof data === "string";
    if (text === !!this.#packet) throw new Error(text ? "got text where an attachment is due" : "got an unexpected attachment");
    if (text) {
      this.#packet = decode(data);
      this.#attachments = [];
    } else {
      this.#attachments.push(data);
    }
    const packet = this.#packet;
    if (this.#attachments.length < packet.missing) return null;
    this.#packet = null;
    if (packet.missing) packet.data = restore(packet.data, this.#attachments);
    return packet;
  }
}
