/**
 * Writes that the server did not do, because it did not know their script, and which of them may be
 * tried again without being overtaken.
 *
 * What it owns: those writes, and the place of the last write that was done.
 */

import { redisErrors } from "./errors.ts";
import type { Request } from "./request.ts";

export class UndoneWrites {
  #requests: Request[] = [];
  /** Of the last write that was done, or of which nobody knows. */
  #doneSeq = -1;

  get requests(): readonly Request[] {
    return this.#requests;
  }

  add(request: Request): void {
    this.#requests.push(request);
  }

  /** It was done, or perhaps. */
  noteDone({ question, seq }: Request): void {
    if (question.writes && seq > this.#doneSeq) this.#doneSeq = seq;
  }

  /** Those that come next, in order. One that was overtaken fails: it was not done. */
  takeBack(place: string): Request[] {
    const requests = this.#requests;
    this.#requests = [];
    return requests.filter((request) => {
      if (request.seq > this.#doneSeq) return true;
      const text = `Redis at ${place} lost its scripts, and a later write was done first.`;
      request.fail(redisErrors.REDIS_REFUSED(text, { details: { place } }));
      return false;
    });
  }
}
