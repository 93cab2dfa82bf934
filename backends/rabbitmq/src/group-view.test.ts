import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { GroupView, Waiter } from "./group-view.ts";

const group = {
  name: "till.sold",
  life: "1",
  topic: "shop.sold",
  ordered: true,
  partitions: 1,
  bufferMax: 10,
  retentionMs: undefined,
};

/** What two looks agree on, the first of which was before all that. */
function heldAfterLooks(view: GroupView, ready: number): number {
  const clock = new FakeClock();
  for (let look = 0; look < 2; look += 1) {
    view.beginLook();
    view.endLook(ready, clock);
  }
  return view.held;
}

test("what waits in the server counts beside what is taken, what waits here is taken", () => {
  const view = new GroupView(group);
  view.taken = 1;
  view.waits(new Waiter(view, { isRetry: true, isHere: true, deadlineMs: 1 }));
  assert.equal(heldAfterLooks(view, 0), 1);
  const sent = new Waiter(view, { isRetry: true, isHere: false, deadlineMs: 1 });
  view.waits(sent);
  assert.equal(view.retrying, 2);
  assert.equal(heldAfterLooks(view, 3), 5);
  view.waitsNoMore(sent);
  view.waitsNoMore(sent);
  assert.equal(view.retrying, 1);
});
