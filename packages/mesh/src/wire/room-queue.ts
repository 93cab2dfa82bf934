/**
 * Calls that wait until a connection takes more of what is sent on it.
 *
 * What it owns: who waits, in their order, and how long what they are about to send is.
 *
 * Q1. A few go on in a turn, so that what they send is counted before the next ones.
 * Q2. Who waits is told when there is room, or when the connection has ended: which, it looks.
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

  /** Resolves when it is this one's turn; `undefined`: too much waits already. */
  wait(length: number): Promise<void> | undefined {
    if (this.#length + length > this.#ports.lengthMax) return undefined;
    this.#length += length;
    return new Promise((go) => {
      this.#waiters.add({ length, go });
      this.wake();
    });
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

  /** The connection has ended. */
  close(): void {
    if (this.#next !== undefined) clearImmediate(this.#next);
    while (this.#waiters.size > 0) this.#goOn();
  }

  /** Answers how long it is. */
  #goOn(): number {
    const [first] = this.#waiters;
    if (first === undefined) return 0;
    this.#waiters.delete(first);
    this.#length -= first.length;
    first.go();
    return first.length;
  }
}
