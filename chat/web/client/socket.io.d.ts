// Type declarations of the Socket.IO client of echochat, for socket.io.esm.min.js. Save the file under its own name with the
// extension .d.ts and point the "paths" of tsconfig.json at it.

/** Events by name: the type of their listeners. Unless it is given, any name with any arguments. */
export type EventsMap = { [event: string]: (...args: any[]) => void };
type Name<Events> = keyof Events & string;
type Args<Fn> = Fn extends (...args: infer A) => any ? A : any[];
type Init<List extends any[]> = List extends [...infer Head, any] ? Head : any[];
type Last<List extends any[]> = List extends [...any[], infer Tail] ? Tail : any;
type Answer<Fn> = Fn extends (...args: infer A) => any ? Result<A> : any;
// A callback's first argument, or what follows the error that timeout() puts there.
type Result<A extends any[]> = 0 extends 1 & A[0] ? any : A extends [Error, ...infer Rest] ? Rest[0] : A[0];
type WithError<List extends any[]> = {
  [I in keyof List]: List[I] extends (...args: infer A) => infer R ? (error: Error, ...args: A) => R : List[I];
};
type TimedOut<Events> = { [Event in keyof Events]: Events[Event] extends (...args: infer A) => infer R ? (...args: WithError<A>) => R : Events[Event] };

export type DisconnectReason =
  | "io server disconnect"
  | "io client disconnect"
  | "ping timeout"
  | "transport close"
  | "transport error"
  | "parse error"
  | "forced close";

export interface DisconnectDetails {
  description: string;
  context?: unknown;
}

/** A connection that failed, or was refused by the server: then `data` is what the server attached. */
export interface ConnectError extends Error {
  data?: any;
  type?: string;
  description?: unknown;
  context?: unknown;
}

export interface SocketOptions {
  /** Sent with each connect, as `socket.handshake.auth` on the server; a function is asked each time. */
  auth?: { [key: string]: any } | ((send: (data: object) => void) => void);
  /** How often an event is sent again that was not acknowledged within `ackTimeout`. None by default. */
  retries?: number;
  /** Milliseconds that each acknowledgement may take. Unlimited by default. */
  ackTimeout?: number;
}

export interface ManagerOptions {
  /** The path of the server's endpoint. "/socket.io" by default. */
  path?: string;
  /** Whether the path ends with a slash in requests. True by default. */
  addTrailingSlash?: boolean;
  /** Parameters of the requests. */
  query?: { [key: string]: any };
  /** ["polling", "websocket"] by default: the first connects, the other is upgraded to. */
  transports?: ("polling" | "websocket")[];
  /** Whether to upgrade from polling. True by default. */
  upgrade?: boolean;
  /** Whether the next transport is tried where the first does not connect. False by default. */
  tryAllTransports?: boolean;
  /** Whether requests to other origins carry cookies. False by default. */
  withCredentials?: boolean;
  /** Headers of the requests. Browsers cannot send them with a WebSocket. */
  extraHeaders?: { [name: string]: string };
  /** Subprotocols of the WebSocket. None by default. */
  protocols?: string | string[];
  /** Whether requests are made unique by a parameter. By default, those of polling are. */
  timestampRequests?: boolean;
  /** The WebSocket constructor, for environments that have none of their own. */
  WebSocket?: new (url: string, protocols?: string | string[]) => any;
  /** Whether to connect again after a lost connection. True by default. */
  reconnection?: boolean;
  /** How often. Unlimited by default. */
  reconnectionAttempts?: number;
  /** Milliseconds before the first attempt; each next waits twice as long. 1000 by default. */
  reconnectionDelay?: number;
  /** The longest wait in milliseconds. 5000 by default. */
  reconnectionDelayMax?: number;
  /** The part of the delay by which it varies at random, 0 to 1. 0.5 by default. */
  randomizationFactor?: number;
  /** Milliseconds that connecting may take; false is unlimited. 20000 by default. */
  timeout?: number | false;
  /** Whether to connect at once. True by default. */
  autoConnect?: boolean;
}

export interface Options extends ManagerOptions, SocketOptions {
  /** Whether to make a connection of its own instead of sharing one. False by default. */
  forceNew?: boolean;
  /** False is the same as forceNew. */
  multiplex?: boolean;
}

/** Listeners on this side. */
declare class Emitter<Events = EventsMap> {
  on<E extends Name<Events>>(event: E, listener: Events[E]): this;
  once<E extends Name<Events>>(event: E, listener: Events[E]): this;
  off<E extends Name<Events>>(event?: E, listener?: Events[E]): this;
  addEventListener<E extends Name<Events>>(event: E, listener: Events[E]): this;
  removeEventListener<E extends Name<Events>>(event?: E, listener?: Events[E]): this;
  removeListener<E extends Name<Events>>(event?: E, listener?: Events[E]): this;
  removeAllListeners<E extends Name<Events>>(event?: E): this;
  listeners<E extends Name<Events>>(event: E): Events[E][];
  hasListeners<E extends Name<Events>>(event: E): boolean;
}

interface SocketEvents {
  connect: () => void;
  connect_error: (error: ConnectError) => void;
  disconnect: (reason: DisconnectReason, details?: DisconnectDetails | Error) => void;
}

export declare class Socket<ListenEvents = EventsMap, EmitEvents = ListenEvents> extends Emitter<ListenEvents & SocketEvents> {
  constructor(manager: Manager, namespace: string, options?: SocketOptions);
  readonly io: Manager;
  readonly nsp: string;
  /** The id on the server, while connected. */
  id: string | undefined;
  connected: boolean;
  readonly disconnected: boolean;
  /** Whether the Socket will connect by itself, now or when the Manager reconnects. */
  readonly active: boolean;
  /** Whether the server restored the state of before the last disconnect. */
  recovered: boolean;
  auth: SocketOptions["auth"];
  readonly sendBuffer: object[];
  readonly receiveBuffer: any[][];

  connect(): this;
  open(): this;
  disconnect(): this;
  close(): this;

  /** Sends an event. A function as the last argument is called with the acknowledgement. */
  emit<E extends Name<EmitEvents>>(event: E, ...args: Args<EmitEvents[E]>): this;
  /** Sends an event; the promise is that of its acknowledgement. */
  emitWithAck<E extends Name<EmitEvents>>(event: E, ...args: Init<Args<EmitEvents[E]>>): Promise<Answer<Last<Args<EmitEvents[E]>>>>;
  /** Sends the event "message". */
  send(...args: any[]): this;
  /** The next event is dropped where it cannot leave at once. */
  readonly volatile: Socket<ListenEvents, EmitEvents>;
  /** The acknowledgement of the next event has this many milliseconds; its callback gets an error first, or null. */
  timeout(milliseconds: number): Socket<ListenEvents, TimedOut<EmitEvents>>;
  /** Has no effect. It is there for programs written for the stock client. */
  compress(value: boolean): this;

  onAny(listener: (event: string, ...args: any[]) => void): this;
  prependAny(listener: (event: string, ...args: any[]) => void): this;
  offAny(listener?: (event: string, ...args: any[]) => void): this;
  listenersAny(): ((event: string, ...args: any[]) => void)[];
  onAnyOutgoing(listener: (event: string, ...args: any[]) => void): this;
  prependAnyOutgoing(listener: (event: string, ...args: any[]) => void): this;
  offAnyOutgoing(listener?: (event: string, ...args: any[]) => void): this;
  listenersAnyOutgoing(): ((event: string, ...args: any[]) => void)[];
}

interface Transport {
  readonly name: "polling" | "websocket";
  readonly writable: boolean;
}

interface EngineEvents {
  open: () => void;
  close: (reason: string, details?: unknown) => void;
  error: (error: Error) => void;
  data: (data: string | ArrayBuffer) => void;
  packet: (packet: { type: string; data?: unknown }) => void;
  packetCreate: (packet: { type: string; data?: unknown }) => void;
  ping: () => void;
  drain: () => void;
  upgrading: (transport: Transport) => void;
  upgrade: (transport: Transport) => void;
  upgradeError: (error: Error) => void;
}

/** The connection below a Manager; a new one after each reconnection. */
declare class Engine extends Emitter<EngineEvents> {
  readonly id: string | undefined;
  readonly transport: Transport;
  readonly upgrading: boolean;
  readonly readyState: "opening" | "open" | "closing" | "closed";
  close(): this;
}

interface ManagerEvents {
  open: () => void;
  close: (reason: DisconnectReason, details?: DisconnectDetails | Error) => void;
  error: (error: ConnectError) => void;
  packet: (packet: object) => void;
  ping: () => void;
  reconnect: (attempt: number) => void;
  reconnect_attempt: (attempt: number) => void;
  reconnect_error: (error: ConnectError) => void;
  reconnect_failed: () => void;
}

export declare class Manager extends Emitter<ManagerEvents> {
  constructor(options?: ManagerOptions);
  constructor(uri: string, options?: ManagerOptions);
  readonly engine: Engine;
  readonly opts: ManagerOptions;
  open(callback?: (error?: Error) => void): this;
  connect(callback?: (error?: Error) => void): this;
  disconnect(): void;
  socket(namespace: string, options?: SocketOptions): Socket;
  reconnection(): boolean;
  reconnection(value: boolean): this;
  reconnectionAttempts(): number;
  reconnectionAttempts(value: number): this;
  reconnectionDelay(): number;
  reconnectionDelay(value: number): this;
  reconnectionDelayMax(): number;
  reconnectionDelayMax(value: number): this;
  randomizationFactor(): number;
  randomizationFactor(value: number): this;
  timeout(): number | false;
  timeout(value: number | false): this;
}

interface Lookup {
  <ListenEvents = EventsMap, EmitEvents = ListenEvents>(options?: Options): Socket<ListenEvents, EmitEvents>;
  <ListenEvents = EventsMap, EmitEvents = ListenEvents>(uri: string, options?: Options): Socket<ListenEvents, EmitEvents>;
  io: Lookup;
  connect: Lookup;
  Manager: typeof Manager;
  Socket: typeof Socket;
  protocol: number;
}

export declare const io: Lookup;
export declare const connect: Lookup;
export declare const protocol: number;
export default io;
