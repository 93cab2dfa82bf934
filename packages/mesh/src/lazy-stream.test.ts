import assert from "node:assert/strict";
import { test } from "node:test";
import type { Leave } from "./lazy-stream.ts";
import { endedStream, LazyStream, startingWith } from "./lazy-stream.ts";

const over = { done: true, value: undefined };

/** A stream of one, two, …; and whether it was ended. */
function openNumbers() {
  const seen = { given: 0, ended: 0 };
  const numbers: AsyncIterator<unknown> = {
    next: () => Promise.resolve({ done: false, value: (seen.given += 1) }),
    return: () => {
      seen.ended += 1;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return { seen, numbers };
}

test("is opened once, by the first question, and answers in order", async () => {
  let opened = 0;
  const { numbers } = openNumbers();
  const stream = new LazyStream(() => {
    opened += 1;
    return Promise.resolve(numbers);
  });
  assert.equal(opened, 0);
  const steps = await Promise.all([stream.next(), stream.next(), stream.next()]);
  assert.deepEqual(
    steps.map(({ value }) => value),
    [1, 2, 3],
  );
  assert.equal(opened, 1);
});

test("one who leaves while it is opened waits no more; what opens then is ended", async () => {
  const opening = Promise.withResolvers<AsyncIterator<unknown>>();
  let leave: Leave | undefined;
  let told = 0;
  const { seen, numbers } = openNumbers();
  const stream = new LazyStream((given) => {
    leave = given;
    given.onLeave = () => (told += 1);
    return opening.promise;
  });
  const waiting = [stream.next(), stream.next()];
  assert.deepEqual(await stream.return(), over);
  assert.deepEqual(await Promise.all(waiting), [over, over]);
  assert.equal(leave?.isLeft, true);
  await stream.return();
  assert.equal(told, 1);
  opening.resolve(numbers);
  await opening.promise;
  await Promise.resolve();
  assert.deepEqual(seen, { given: 0, ended: 1 });
  assert.deepEqual(await stream.next(), over);
});

test("one who leaves as it opens is told the end", async () => {
  const { seen, numbers } = openNumbers();
  const stream = new LazyStream(() => numbers);
  const waiting = stream.next();
  await Promise.resolve();
  await stream.return();
  assert.deepEqual(await waiting, over);
  assert.equal(seen.ended, 1);
});

test("an opening that fails is told once, and to nobody who has left", async () => {
  const refuse = (): never => {
    throw new Error("nobody is there");
  };
  const stream = new LazyStream(refuse);
  const [first, second] = await Promise.allSettled([stream.next(), stream.next()]);
  assert.equal(first.status, "rejected");
  assert.deepEqual(second, { status: "fulfilled", value: over });
  assert.deepEqual(await stream.next(), over);

  const left = new LazyStream(async () => {
    await Promise.resolve();
    return refuse();
  });
  const waiting = left.next();
  await left.return();
  assert.deepEqual(await waiting, over);
});

test("a first step that was taken is given first", async () => {
  const { seen, numbers } = openNumbers();
  const stream = startingWith({ done: false, value: 0 }, numbers);
  assert.deepEqual(await stream.next(), { done: false, value: 0 });
  assert.deepEqual(await stream.next(), { done: false, value: 1 });
  await stream.return?.();
  assert.equal(seen.ended, 1);
  assert.deepEqual(await endedStream.next(), over);
});
