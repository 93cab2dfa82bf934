import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { Admission } from "./admission.ts";
import type { Waiting } from "./admission.ts";

const topic = "shop.sold";
const group = {
  name: "till.sold",
  life: "1",
  topic,
  ordered: false,
  partitions: 0,
  bufferMax: 1,
  retentionMs: undefined,
};

/** A publish with so many messages; `stopAt` ends it when that many have gone. */
class Waiter implements Waiting {
  readonly #admission: Admission;
  readonly #stopAt: number;
  #left: number;
  gone = 0;
  isEnded = false;

  constructor(admission: Admission, left: number, stopAt = Infinity) {
    this.#admission = admission;
    this.#left = left;
    this.#stopAt = stopAt;
  }

  get topic(): string | undefined {
    return this.isEnded || this.#left === 0 ? undefined : topic;
  }

  goOne(): void {
    this.gone += 1;
    this.#left -= 1;
    if (this.gone < this.#stopAt) return;
    this.isEnded = true;
    this.#admission.left(topic);
  }

  goOn(): void {}
}

test("a publish that stops when its turn has come takes nobody else's turn", () => {
  const clock = new FakeClock();
  const admission = new Admission({ clock, look: async () => 0 });
  admission.changed(group.name, group);
  assert.notEqual(admission.take(topic), undefined);
  const first = new Waiter(admission, 2, 1);
  const second = new Waiter(admission, 1);
  const third = new Waiter(admission, 1);
  for (const waiting of [first, second, third]) admission.wait(topic, waiting);
  assert.deepEqual([first.gone, second.gone, third.gone], [0, 0, 0]);
  const view = admission.view(group.name);
  assert(view !== undefined);
  view.group = { ...group, bufferMax: 3 };
  admission.left(topic);
  assert.deepEqual([first.gone, second.gone, third.gone], [1, 1, 0]);
  view.group = { ...group, bufferMax: 4 };
  admission.left(topic);
  assert.deepEqual([first.gone, second.gone, third.gone], [1, 1, 1]);
});
