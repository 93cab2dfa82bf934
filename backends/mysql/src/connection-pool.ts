/**
 * The connections that read: few, kept, and replaced when they are lost.
 *
 * What it owns: idle connections and who waits for one. What may interrupt it: the ends of
 * connections, the time of those who wait.
 *
 * (The driver's own pool neither sets a connection up before it is used, nor bounds the wait.)
 */

import type { Clock } from "@banyan/kernel";
import { DueQueue, TableFailure } from "@banyan/state/internal";
import type { MysqlConnection } from "./mysql-connection.ts";

export interface ConnectionPoolOptions {
  readonly open: () => Promise<MysqlConnection>;
  readonly clock: Clock;
  readonly size: number;
  readonly timeoutMs: number;
}

interface WaitingReader {
  readonly resolve: (connection: MysqlConnection | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #waiting: DueQueue<WaitingReader>;
  readonly #idle: MysqlConnection[] = [];
  /** In use, idle, or being opened. */
  #count = 0;
  #isClosed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    const { clock, timeoutMs } = options;
    const onDue = (): Error => new TableFailure("down", `no connection within ${timeoutMs} ms`);
    this.#waiting = new DueQueue({ clock, timeoutMs, onDue });
  }

  async take(): Promise<MysqlConnection> {
    for (;;) {
      if (this.#isClosed) throw new TableFailure("down", "the pool is closed");
      const idle = this.#idle.pop();
      if (idle?.isUsable === true) return idle;
      if (idle !== undefined) this.#count -= 1;
      else if (this.#count < this.#options.size) return this.#open();
      else {
        const handed = await new Promise<MysqlConnection | undefined>((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
        });
        if (handed !== undefined) return handed;
      }
    }
  }

  /** Every connection that was taken comes back once; one that is broken is ended. */
  giveBack(connection: MysqlConnection, { isBroken }: { readonly isBroken: boolean }): void {
    if (isBroken || this.#isClosed || !connection.isUsable) {
      connection.destroy();
      this.#count -= 1;
      this.#wake(undefined);
      return;
    }
    if (!this.#wake(connection)) this.#idle.push(connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) {
      connection.destroy();
      this.#count -= 1;
    }
    this.#waiting.rejectAll(() => new TableFailure("down", "the pool is closed"));
  }

  async #open(): Promise<MysqlConnection> {
    this.#count += 1;
    try {
      return await this.#options.open();
    } catch (error) {
      this.#count -= 1;
      this.#wake(undefined);
      throw error;
    }
  }

  /** The first who waits has this one, or may look again. */
  #wake(connection: MysqlConnection | undefined): boolean {
    const [first] = this.#waiting.take(() => false);
    first?.resolve(connection);
    return first !== undefined;
  }
}
