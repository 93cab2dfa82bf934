/**
 * Sockets that have connected and not proved who they are.
 *
 * What it owns: them, until each is known or has ended.
 *
 * N1. There are never more than `strangersMax`, and of one address half of that.
 * N2. Where one is too many, who is here longest goes: a node proves itself within milliseconds, so
 *     that is the one that says nothing. If the newest went, a few that are silent would shut out
 *     every node.
 */

import type { Socket } from "node:net";

const strangersMax = 200;
const ofAddressMax = strangersMax / 2;

export class Strangers {
  /** By where they are, in the order in which they came. */
  readonly #all = new Map<string, Socket>();
  readonly #ofAddress = new Map<string, number>();

  add(socket: Socket): void {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) {
      socket.destroy(); // gone again
      return;
    }
    if ((this.#ofAddress.get(remoteAddress) ?? 0) >= ofAddressMax) this.#dropOldest(remoteAddress);
    else if (this.#all.size >= strangersMax) this.#dropOldest(undefined);
    const where = whereOf(socket);
    this.#all.set(where, socket);
    this.#ofAddress.set(remoteAddress, (this.#ofAddress.get(remoteAddress) ?? 0) + 1);
    socket.once("close", () => {
      // The place may be another's by now.
      if (this.#all.get(where) === socket) this.#forget(where, remoteAddress);
    });
  }

  /** It has proved who it is. Found by where it is: a TLS socket is another object. */
  isKnown(socket: Socket): void {
    const { remoteAddress } = socket;
    if (remoteAddress !== undefined) this.#forget(whereOf(socket), remoteAddress);
  }

  close(): void {
    for (const socket of this.#all.values()) socket.destroy();
  }

  #dropOldest(address: string | undefined): void {
    for (const [where, socket] of this.#all) {
      const of = addressOf(where);
      if (address !== undefined && of !== address) continue;
      this.#forget(where, of);
      socket.destroy();
      return;
    }
  }

  #forget(where: string, address: string): void {
    if (!this.#all.delete(where)) return;
    const left = (this.#ofAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, left);
  }
}

function whereOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function addressOf(where: string): string {
  return where.slice(0, where.lastIndexOf(" "));
}
