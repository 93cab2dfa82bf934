/** The members of one queue, who take turns. */

import type { QueueMember } from "./queue-member.ts";

export class MemberRing {
  readonly #members: QueueMember[] = [];
  #cursor = 0;

  get all(): readonly QueueMember[] {
    return this.#members;
  }

  add(member: QueueMember): void {
    this.#members.push(member);
  }

  remove(member: QueueMember): void {
    const index = this.#members.indexOf(member);
    if (index !== -1) this.#members.splice(index, 1);
  }

  /** The next one that can take a message. */
  nextFree(): QueueMember | undefined {
    const { length } = this.#members;
    for (let step = 0; step < length; step += 1) {
      const index = (this.#cursor + step) % length;
      const member = this.#members[index];
      if (member?.isFree === true) {
        this.#cursor = index + 1;
        return member;
      }
    }
    return undefined;
  }
}
