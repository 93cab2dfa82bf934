/** Streams: order, pace and their endings. */

import assert from "node:assert/strict";
import { kernelErrors } from "@banyan/kernel/internal";
import type { MeshCheck } from "./law-run.ts";
import { failureOf, gate } from "./law-run.ts";

export const streamLaw: readonly MeshCheck[] = [
  {
    name: "frames arrive once each, in order, as copies",
    async run(law) {
      const kept = { n: 0 };
      law.provide({
        async *count({ to }) {
          for (kept.n = 1; kept.n <= to; kept.n += 1) yield kept;
        },
      });
      const frames: { n: number }[] = [];
      for await (const frame of law.client.count({ to: 20 })) frames.push(frame);
      assert.deepEqual(
        frames.map(({ n }) => n),
        Array.from({ length: 20 }, (_, index) => index + 1),
      );
      assert.equal(new Set(frames).size, 20);
    },
  },
  {
    name: "the handler is not asked for the next frame before the consumer takes one",
    async run(law) {
      let made = 0;
      law.provide({
        async *count() {
          for (;;) yield { n: (made += 1) };
        },
      });
      const frames = law.client.count({ to: 1 })[Symbol.asyncIterator]();
      await law.advance(0);
      assert.equal(made, 0, "nothing runs before the first frame is asked for");
      await frames.next();
      await law.advance(0);
      assert.equal(made, 1);
      await frames.next();
      await law.advance(0);
      assert.equal(made, 2);
      await frames.return?.();
    },
  },
  {
    name: "a consumer that stops early stops the handler, whose finally runs",
    async run(law) {
      const cleaned = gate();
      law.provide({
        async *count() {
          try {
            for (let n = 1; ; n += 1) yield { n };
          } finally {
            cleaned.open();
          }
        },
      });
      for await (const { n } of law.client.count({ to: 9 })) if (n === 2) break;
      await law.patiently("the handler's finally", cleaned.opened);
    },
  },
  {
    name: "a consumer that leaves while it waits for a frame waits no more, and the handler hears",
    async run(law) {
      let asked = gate();
      let heard = gate();
      law.provide({
        async *count({ to }, { signal }) {
          for (let n = 1; n <= to; n += 1) yield { n };
          const { open, opened } = heard;
          signal.addEventListener("abort", open);
          asked.open();
          await opened;
        },
      });
      for (const to of [0, 1]) {
        asked = gate();
        heard = gate();
        const frames = law.client.count({ to })[Symbol.asyncIterator]();
        for (let n = 1; n <= to; n += 1) await frames.next();
        const waiting = frames.next();
        await law.patiently("the handler", asked.opened);
        await law.patiently("the leave", Promise.resolve(frames.return?.()));
        assert.equal((await law.patiently("who waits", waiting)).done, true);
        await law.patiently("the handler's signal", heard.opened);
        assert.equal((await frames.next()).done, true);
      }
    },
  },
  {
    name: "an error in mid-stream arrives after the frames before it",
    async run(law) {
      law.provide({
        async *count() {
          yield { n: 1 };
          throw kernelErrors.IDEMPOTENCY_IN_PROGRESS("Lost.");
        },
      });
      const frames = law.client.count({ to: 2 })[Symbol.asyncIterator]();
      assert.deepEqual(await frames.next(), { done: false, value: { n: 1 } });
      assert.equal((await failureOf(frames.next())).code, "IDEMPOTENCY_IN_PROGRESS");
      assert.equal((await frames.next()).done, true);
    },
  },
  {
    name: "a stream ends by its timeout while a frame is awaited",
    async run(law) {
      const asked = gate();
      law.provide({
        async *count() {
          yield { n: 1 };
          asked.open();
          await new Promise(() => undefined);
        },
      });
      const frames = law.client.count({ to: 2 }, { timeoutMs: 500 })[Symbol.asyncIterator]();
      await frames.next();
      const ended = failureOf(frames.next());
      await law.patiently("the handler", asked.opened);
      await law.advance(1000);
      assert.equal((await law.patiently("the deadline", ended)).code, "CALL_DEADLINE_EXCEEDED");
    },
  },
  {
    name: "a stream belongs to the call that asked for it, whoever takes its frames",
    async run(law) {
      let seen: unknown;
      law.provide({
        async *count(_request, call) {
          seen = call.principal;
          yield { n: 1 };
        },
      });
      const principal = { kind: "account", id: "eve" } as const;
      const done = gate();
      let stream: AsyncIterable<{ n: number }> | undefined;
      const standing = law.stand(
        async () => {
          stream = law.client.count({ to: 1 });
          await done.opened;
        },
        { principal },
      );
      await law.advance(0);
      for await (const frame of stream ?? []) assert.equal(frame.n, 1);
      done.open();
      await standing;
      assert.deepEqual(seen, principal);
    },
  },
];
