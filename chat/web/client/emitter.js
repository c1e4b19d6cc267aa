// Emitter is what Manager, Socket and the engine share. Listeners live in a Map: event names come from the network, and a
// plain object would answer for "constructor" and "__proto__".

// call runs a listener of the application. What it throws is reported as any uncaught error is, but on a fresh stack: it must
// not end the packet loop, nor keep the other listeners from being called.
const call = (fn, self, args) => {
  try {
    fn.apply(self, args);
  } catch (err) {
    setTimeout(() => { throw err; });
  }
};

class Emitter {
  #events = new Map();

  on(event, fn) {
    const list = this.#events.get("" + event);
    if (list) list.push(fn);
    else this.#events.set("" + event, [fn]);
    return this;
  }

  once(event, fn) {
    const wrapper = (...args) => {
      this.off(event, wrapper);
      fn.apply(this, args);
    };
    wrapper.fn = fn;
    return this.on(event, wrapper);
  }

  // off removes one listener, all listeners of an event, or, without arguments, all there are.
  off(event, fn) {
    if (event === undefined) {
      this.#events.clear();
    } else if (!fn) {
      this.#events.delete("" + event);
    } else {
      const list = this.listeners(event);
      const at = list.findIndex((each) => each === fn || each.fn === fn);
      if (at >= 0) list.splice(at, 1);
      if (!list.length) this.#events.delete("" + event);
    }
    return this;
  }

  listeners(event) {
    return this.#events.get("" + event) || [];
  }

  hasListeners(event) {
    return this.listeners(event).length > 0;
  }

  // emitReserved tells the listeners on this side; `emit` of a Socket sends to the other side.
  emitReserved(event, ...args) {
    for (const fn of [...this.listeners(event)]) call(fn, this, args);
    return this;
  }
}

Object.assign(Emitter.prototype, {
  emit: Emitter.prototype.emitReserved,
  addEventListener: Emitter.prototype.on,
  removeListener: Emitter.prototype.off,
  removeAllListeners: Emitter.prototype.off,
  removeEventListener: Emitter.prototype.off,
});
