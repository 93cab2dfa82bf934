/**
 * Calls that wait until a connection takes more of what is sent on it.
 *
 * What it owns: who waits, in their order, and how long what they are about to send is.
 *
 * Q1. A few go on in a turn, so that what they send is counted before the next ones.
 * Q2. Who waits is told when there is room, or when no call goes out any more: which, it looks.
 * Q3. Who gave up waits no more, and what it was about to send counts no more.
 */

export interface RoomQueuePorts {
  readonly hasRoom: () => boolean;
  /** Characters of all that may wait. */
  readonly lengthMax: number;
}

interface Waiter {
  readonly length: number;
  readonly go: () => void;
}

/** A place among those who wait. */
export interface Place {
  /** Resolves when it is this one's turn, or when no turn comes any more. */
  readonly turn: Promise<void>;
  /** It waits no more. */
  leave(): void;
}

/** Waiting costs so much at least, however short the request is. */
const leastLength = 256;

const perTurn = 32;
const perTurnLength = 1_000_000;

export class RoomQueue {
  readonly #ports: RoomQueuePorts;
  readonly #waiters = new Set<Waiter>();
  #length = 0;
  #next: NodeJS.Immediate | undefined = undefined;

  constructor(ports: RoomQueuePorts) {
    this.#ports = ports;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** `undefined`: too much waits already. */
  wait(requestLength: number): Place | undefined {
    const length = Math.max(requestLength, leastLength);
    if (this.#length + length > this.#ports.lengthMax) return undefined;
    const { promise: turn, resolve: go } = Promise.withResolvers<void>();
    const waiter = { length, go };
    this.#waiters.add(waiter);
    this.#length += length;
    this.wake();
    return { turn, leave: () => this.#remove(waiter) };
  }

  /** There may be room. */
  wake(): void {
    if (this.#waiters.size === 0 || this.#next !== undefined || !this.#ports.hasRoom()) return;
    this.#next = setImmediate(() => {
      this.#next = undefined;
      let length = this.#ports.hasRoom() ? 0 : perTurnLength;
      for (let count = 0; count < perTurn && length < perTurnLength; count += 1) {
        length += this.#goOn();
      }
      this.wake();
    });
  }

  /** No turn comes any more: the connection has ended, or takes no calls. */
  tellAll(): void {
    while (this.#waiters.size > 0) this.#goOn();
  }

  /** Answers how long it is. */
  #goOn(): number {
    const [first] = this.#waiters;
    if (first === undefined) return 0;
    this.#remove(first);
    first.go();
    return first.length;
  }

  #remove(waiter: Waiter): void {
    if (this.#waiters.delete(waiter)) this.#length -= waiter.length;
  }
}
